"""From the user's graph to the few nodes that a run needs, at the shapes that are fed.

:func:`lower` walks the needed tensors once, in order, and at each one specialises its shape,
folds constants, drops what changes nothing and shares what was computed already.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from engine.errors import EngineError, FeedError
from engine.graph import CONSTANT, PLACEHOLDER, VARIABLE, Tensor
from engine.op import REGISTRY, Op
from engine.spec import Spec

FOLD_LIMIT = 65_536  # elements; a larger constant is computed at each run rather than kept


@dataclass(eq=False)
class Node:
    """One step of a run to be: a tensor whose shape is known and whose inputs are nodes."""

    op: Op
    inputs: tuple[Node, ...]
    attrs: Mapping[str, Any]
    spec: Spec
    tensor: Tensor  # the user's tensor it came from: its name and line, for errors and the trace
    order: int = 0
    after: set[Node] = field(default_factory=set)  # runs after these though it reads none of them

    @property
    def value(self) -> np.ndarray | None:
        return self.attrs["value"] if self.op is CONSTANT else None

    def __repr__(self) -> str:
        return f"<{self.tensor.name}: {self.op.name} {self.spec}>"


def needed(fetches: Sequence[Tensor], fed: Mapping[Tensor, Spec]) -> list[Tensor]:
    """All tensors that ``fetches`` depend on, down to what is fed, in order of creation (prune)."""
    seen, stack = set(fetches), list(fetches)
    while stack:
        tensor = stack.pop()
        if tensor in fed:
            continue
        for each in tensor.inputs:
            if each not in seen:
                seen.add(each)
                stack.append(each)
    return sorted(seen, key=lambda each: each.id)


def lower(fetches: Sequence[Tensor], fed: Mapping[Tensor, Spec]) -> tuple[list[Node], list[Node]]:
    """The nodes that compute ``fetches`` when ``fed`` tensors have these specs, and the nodes fetched.

    Raises FeedError for a placeholder that is needed but not fed.
    """
    tensors = needed(fetches, fed)
    made: dict[Tensor, Node] = {}
    shared: dict[object, Node] = {}
    for tensor in tensors:
        made[tensor] = _lower_one(tensor, made, fed, shared)
    roots = [made[tensor] for tensor in fetches]
    kept = _reachable(roots)
    for node in kept:
        if node.op is PLACEHOLDER and node.tensor not in fed:
            raise FeedError(_not_fed(node.tensor, fetches))
    for at, node in enumerate(kept):
        node.order = at
    return kept, roots


def _lower_one(
    tensor: Tensor, made: dict[Tensor, Node], fed: Mapping[Tensor, Spec], shared: dict[object, Node]
) -> Node:
    if tensor in fed:  # any tensor may be fed, not only placeholders
        return Node(PLACEHOLDER, (), {}, fed[tensor], tensor)
    op, inputs, attrs = tensor.op, tuple(made[each] for each in tensor.inputs), dict(tensor.attrs)
    try:
        spec = op.spec(*(each.spec for each in inputs), **attrs)
    except EngineError as error:
        shown = ", ".join(f"{each.tensor.name} {each.spec}" for each in inputs)
        raise type(error)(f"{op.name}({shown}): {error} ({tensor.name}, {tensor.source})") from None
    same = _identical_input(op, inputs, attrs, spec)
    if same is not None:
        return same
    if op.shape_only and all(inputs[at].spec.known for at in op.shape_only):
        attrs["like"] = inputs[op.shape_only[0]].spec.shape
        inputs = tuple(each for at, each in enumerate(inputs) if at not in op.shape_only)
    if op.code:
        inputs = _without_broadcasts(inputs, spec)
    node = Node(op, inputs, attrs, spec, tensor)
    if _foldable(node):
        node = _fold(node)
    return shared.setdefault(_key(node), node) if node.op.pure else node


def _identical_input(op: Op, inputs: tuple[Node, ...], attrs: Mapping[str, Any], spec: Spec) -> Node | None:
    """The input that the result equals (x * 1, x summed to its own shape), if there is one."""
    if op.identity is None:
        return None
    at = op.identity([each.spec for each in inputs], [each.value for each in inputs], **attrs)
    return inputs[at] if at is not None and inputs[at].spec == spec else None


def _without_broadcasts(inputs: tuple[Node, ...], spec: Spec) -> tuple[Node, ...]:
    """Element-wise kernels broadcast by themselves: read what was broadcast, if the result's shape stays."""
    found = list(inputs)
    for at, each in enumerate(inputs):
        if each.op.name == "broadcast_like":
            trial = [*found[:at], each.inputs[0], *found[at + 1 :]]
            try:
                same = np.broadcast_shapes(*(one.spec.concrete for one in trial)) == spec.shape
            except EngineError:  # a size isn't known: leave it
                continue
            if same:
                found = trial
    return tuple(found)


def _foldable(node: Node) -> bool:
    return (
        node.op.pure
        and node.op is not CONSTANT
        and node.spec.known
        and node.spec.size <= FOLD_LIMIT
        and all(each.op is CONSTANT for each in node.inputs)
        and (bool(node.inputs) or "like" in node.attrs)
    )


def _fold(node: Node) -> Node:
    """A node of constants is a constant."""
    arrays = [each.attrs["value"] for each in node.inputs]
    if node.op.view is not None:
        value = node.op.view(*arrays, **node.attrs)
    else:
        value = np.empty(node.spec.concrete, node.spec.dtype)
        assert node.op.kernel is not None
        with np.errstate(all="ignore"):
            for call in node.op.kernel(np, value, *arrays, **node.attrs):
                call()
    return Node(CONSTANT, (), {"value": value}, node.spec, node.tensor)


def _key(node: Node) -> object:
    """Equal for nodes that compute the same thing."""
    if node.op is CONSTANT:
        value = node.attrs["value"]
        return ("constant", node.spec, value.tobytes()) if value.size <= 16 else id(value)
    attrs = tuple(sorted((name, repr(value)) for name, value in node.attrs.items()))
    return (node.op.name, node.inputs, attrs)


def _reachable(roots: Sequence[Node]) -> list[Node]:
    """``roots`` and all they read, inputs before readers; without recursion, as graphs get deep."""
    done: dict[Node, None] = {}
    stack = [(root, False) for root in reversed(roots)]
    while stack:
        node, expanded = stack.pop()
        if node in done:
            continue
        if expanded:
            done[node] = None
        else:
            stack.append((node, True))
            stack.extend((each, False) for each in reversed(node.inputs) if each not in done)
    return sorted(done, key=lambda each: each.tensor.id)


def _not_fed(placeholder: Tensor, fetches: Sequence[Tensor]) -> str:
    reader = next((fetch for fetch in fetches if placeholder in needed([fetch], {})), fetches[0])
    return (
        f"placeholder {placeholder.name} {placeholder.spec} ({placeholder.source}) isn't fed, "
        f"and {reader.name} needs it; give session.run(..., {{{placeholder.name}: value}})"
    )


__all__ = ["FOLD_LIMIT", "REGISTRY", "VARIABLE", "Node", "lower", "needed"]
