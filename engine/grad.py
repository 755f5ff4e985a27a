"""Back-propagation: gradients are new nodes of the same graph, so a gradient is a tensor like any other."""

from __future__ import annotations

from collections.abc import Sequence

from engine.errors import GradientError
from engine.graph import Graph, Tensor
from engine.op import REGISTRY


def gradients(y: Tensor, xs: Sequence[Tensor], seed: Tensor | None = None) -> list[Tensor]:
    """d(sum of y)/dx for each x, each of its x's shape.

    ``seed`` (y's shape) weighs the elements of ``y``; 1 if left out.  Walks from ``y`` back in
    reverse order of creation and asks each op's rule for the gradients of its inputs.
    Raises GradientError if ``y`` doesn't depend on an x through differentiable ops.
    """
    with y.graph:
        return _walk(y, xs, seed)


def _walk(y: Tensor, xs: Sequence[Tensor], seed: Tensor | None) -> list[Tensor]:
    wanted = set(xs)
    on_path = _depends_on(y, wanted)
    if not y.spec.is_float:
        raise GradientError(f"{y.name} holds {y.dtype}: only floats have gradients ({y.source})")
    one = y.graph.apply(REGISTRY["cast"], (1.0,), {"dtype": y.dtype}, None) if seed is None else seed
    found: dict[Tensor, Tensor] = {y: one if seed is not None else _like(one, y)}
    for node in sorted(on_path, key=lambda each: each.id, reverse=True):
        g = found.get(node)
        if g is None or node.op.grad is None:
            continue
        with node.graph.scope("grad"):
            parts = node.op.grad(node, g, *node.inputs, **node.attrs)
            for x, part in zip(node.inputs, parts, strict=True):
                if part is not None and x in on_path:
                    fitted = _fit(part, x)
                    found[x] = fitted if x not in found else found[x] + fitted
    return [found[x] if x in found else _missing(y, x) for x in xs]


def _depends_on(y: Tensor, xs: set[Tensor]) -> set[Tensor]:
    """The nodes on a way from some x to y: the only ones whose gradients are asked for."""
    ancestors, stack = {y}, [y]
    while stack:
        for each in stack.pop().inputs:
            if each not in ancestors:
                ancestors.add(each)
                stack.append(each)
    path: set[Tensor] = set()
    for node in sorted(ancestors, key=lambda each: each.id):
        if node in xs or any(each in path for each in node.inputs):
            path.add(node)
    return path


def _like(g: Tensor, x: Tensor) -> Tensor:
    return g if x.spec.known and x.ndim == 0 else x.graph.apply(REGISTRY["broadcast_like"], (g, x), {}, None)


def _fit(g: Tensor, x: Tensor) -> Tensor:
    """Undo broadcasting, once for all rules: ``g`` summed to x's shape (nothing to do if the shapes agree)."""
    if g.spec.known and g.shape == x.shape:
        return g
    return x.graph.apply(REGISTRY["sum_like"], (g, x), {}, None)


def _missing(y: Tensor, x: Tensor) -> Tensor:
    graph: Graph = y.graph
    path = _depends_on(y, {x})
    if y not in path:
        raise GradientError(f"{y.name} ({y.source}) doesn't depend on {x.name} ({x.source})")
    blocked = next(
        (node for node in sorted(path, key=lambda each: each.id) if node is not x and node.op.grad is None), None
    )
    if blocked is None:  # every rule on the way says that the slope is zero everywhere
        return graph.apply(
            REGISTRY["broadcast_like"], (graph.apply(REGISTRY["cast"], (0.0,), {"dtype": x.dtype}, None), x), {}, None
        )
    raise GradientError(
        f"no gradient from {y.name} to {x.name}: {blocked.op.name} ({blocked.name}, {blocked.source}) has none"
    )
