"""Back-propagation: gradients are new nodes of the same graph, so a gradient is a tensor like any other."""

from __future__ import annotations

import operator
from collections.abc import Collection, Sequence
from contextlib import nullcontext
from functools import reduce
from itertools import pairwise
from typing import Any

from engine.errors import EngineError, GradientError, ShapeError, strict, user_source
from engine.graph import Tensor, device
from engine.ops import broadcast_like, concat, sum_like
from engine.ops.array import reshape_like, slice_fill
from engine.tensor import shown

LIKE = (broadcast_like, reshape_like, slice_fill, sum_like)  # their result has the second input's shape


@strict
def gradients(y: Tensor, xs: Tensor | Sequence[Tensor], seed: Any = None) -> list[Tensor]:
    """d(sum of y)/dx for each x (a single tensor is a list of one), each of its x's shape.

    ``seed`` (y's shape) weighs the elements of ``y``; 1 if left out.  Walks from ``y`` back in
    reverse order of creation and asks each op's rule for the gradients of its inputs.
    Raises GradientError if ``y`` doesn't depend on an x through differentiable ops, or if one of
    them isn't of floats.
    """
    xs = [xs] if isinstance(xs, Tensor) else xs
    for each in (y, *xs) if isinstance(xs, (list, tuple)) else (y, xs):
        if not isinstance(each, Tensor):
            raise GradientError(f"gradients(y, [x]) is of tensors by tensors, got {shown(each)} ({user_source()})")
        if each.graph is not y.graph:
            raise GradientError(f"{each.name} ({each.source}) belongs to another graph than {y.name} ({y.source})")
        if not each.spec.is_float:
            raise GradientError(f"{each.name} holds {each.dtype}: only floats have gradients ({each.source})")
    with y.graph, y.graph.whole(), y.graph.scope("grad"):
        if seed is not None and not isinstance(seed, Tensor):
            seed = y.graph.constant(seed, y.dtype)
        if seed is not None and not y.spec.fits(seed.spec):
            raise ShapeError(f"the seed of {y.name} must be {y.spec}, got {seed.spec}")
        return _walk(y, xs, seed)


def _walk(y: Tensor, xs: Sequence[Tensor], seed: Tensor | None) -> list[Tensor]:
    path = _between(xs, y)
    sent: dict[Tensor, list[Tensor]] = {y: [_filled(1.0, y) if seed is None else seed]}
    for node in sorted(path, key=lambda each: each.id, reverse=True):
        if node not in sent or not any(each in path for each in node.inputs):
            continue
        sent[node] = [_summed(sent[node])]
        for x, part in zip(node.inputs, _parts(node, sent[node][0]), strict=True):
            if part is not None and x in path:
                sent.setdefault(x, []).append(part if _fits(part, x, node) else sum_like(part, x))
    return [_summed(sent[x]) if x in sent and x in path else _flat_or_missing(y, x) for x in xs]


def _summed(parts: list[Tensor]) -> Tensor:
    """The sum; slices that make up the whole are put side by side, without zeros around each."""
    joined = _joined(parts)
    return reduce(operator.add, parts) if joined is None else joined


def _joined(parts: list[Tensor]) -> Tensor | None:
    """Gradients of slices along one axis that cover it, each place once, as one tensor."""
    cuts = {cut: each for each in parts if each.op is slice_fill and (cut := _cut(each)) is not None}
    if len(cuts) < max(2, len(parts)):
        return None
    places = sorted(cuts)
    axis, ends = places[0][0], [0, *(end for _, _, end in places)]
    if places != [(axis, *pair) for pair in pairwise(ends)] or ends[-1] != parts[0].shape[axis]:
        return None
    return concat(*(cuts[place].inputs[0] for place in places), axis=axis)


def _cut(fill: Tensor) -> tuple[int, int, int] | None:
    """(axis, start, end) of a slice that cuts one axis, without steps; None for any other."""
    found = None
    for axis, part in enumerate(each for each in fill.attrs["index"] if each is not Ellipsis):
        if part == slice(None):
            continue
        size = fill.shape[axis]
        if found is not None or not isinstance(part, slice) or size is None:
            return None
        start, end, step = part.indices(size)
        if step != 1:
            return None
        found = (axis, start, end)
    return found


def _parts(node: Tensor, g: Tensor) -> Sequence[Tensor | None]:
    """The gradients of ``node``'s inputs by its op's rule; None where the slope is 0 everywhere."""
    if node.op.grad is None:
        raise GradientError(f"{node.op.name} ({node.name} {node.spec}, {node.source}) has no gradient")
    with nullcontext() if node.device == node.graph.device else device(node.device):
        try:
            return node.op.grad(node, g, *node.inputs, **node.attrs)
        except EngineError as error:
            raise type(error)(f"gradient of {node.op.name} ({node.name} {node.spec}, {node.source}): {error}") from None


def ancestors(y: Tensor) -> set[Tensor]:
    """All that ``y`` is made of, itself too."""
    found, stack = {y}, [y]
    while stack:
        for each in stack.pop().inputs:
            if each not in found:
                found.add(each)
                stack.append(each)
    return found


def _between(xs: Collection[Tensor], y: Tensor) -> set[Tensor]:
    """The nodes on a way from some x to y: the only ones whose gradients are asked for."""
    path: set[Tensor] = set()
    wanted = set(xs)
    for node in sorted(ancestors(y), key=lambda each: each.id):
        if node in wanted or any(each in path for each in node.inputs):
            path.add(node)
    return path


def _filled(value: float, like: Tensor) -> Tensor:
    """``value`` in the shape of ``like``."""
    number = like.graph.constant(value, like.dtype)
    return number if like.ndim == 0 else broadcast_like(number, like)


def _fits(part: Tensor, x: Tensor, node: Tensor) -> bool:
    """Whether ``node`` hasn't broadcast ``x``; else its ``part`` of the gradient is summed, once for all rules."""
    if part.op in LIKE and part.inputs[1] is x:
        return True  # the shapes agree, be they known or not
    return part.shape == x.shape and (part.spec.known or all(each is x or each.ndim == 0 for each in node.inputs))


def _flat_or_missing(y: Tensor, x: Tensor) -> Tensor:
    """Zeros if the slope is 0 everywhere (sign, greater); else the reason why there is no gradient."""
    between = _between([x], y)
    if y not in between:
        raise GradientError(f"{y.name} ({y.source}) doesn't depend on {x.name} ({x.source})")
    path = sorted(between, key=lambda each: each.id)
    blocked = next((node for node in path if node is not x and node.op.grad is None), None)
    if blocked is not None:
        raise GradientError(
            f"no gradient from {y.name} ({y.source}) to {x.name}: "
            f"{blocked.op.name} ({blocked.name} {blocked.spec}, {blocked.source}) has none"
        )
    return _filled(0.0, x)
