"""Depthwise convolutions: every channel has filters of its own, (height, width, channels, filters a channel)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from engine.errors import ShapeError
from engine.graph import Tensor
from engine.op import Call, Op, op, sample
from engine.ops.rules import contiguous, need_float
from engine.ops.window import Windows, check_images, need_fit, settings, window_counts, windows
from engine.spec import Shape, Spec, same_dtype


def _spec(x: Spec, filters: Spec, **how: Any) -> Spec:
    need_float(x, filters)
    check_images(x)
    if filters.ndim != 4 or (None not in (x.shape[3], filters.shape[2]) and x.shape[3] != filters.shape[2]):
        raise ShapeError(f"filters are (height, width, {x.shape[3]} channels, filters a channel), got {filters}")
    channels, each = filters.shape[2:]
    total = None if channels is None or each is None else channels * each
    return Spec((x.shape[0], *window_counts(x, filters.shape[:2], *settings(**how)), total), same_dtype(x, filters))


def _input_spec(g: Spec, filters: Spec, x: Spec, **how: Any) -> Spec:
    need_fit(_spec(Spec(x.shape, g.dtype), filters, **how), g)
    return Spec(x.shape, g.dtype)


def _filters_spec(x: Spec, g: Spec, filters: Spec, **how: Any) -> Spec:
    need_fit(_spec(x, Spec(filters.shape, x.dtype), **how), g)
    return Spec(filters.shape, g.dtype)


def _windows(x: Shape, filters: Shape, how: dict[str, Any]) -> Windows:
    return windows(x[1:3], filters[:2], *settings(**how))  # type: ignore[arg-type]


def _forward(xp: Any, out: Any, x: Any, filters: Any, **how: Any) -> Sequence[Call]:
    split = out.reshape(*out.shape[:3], *filters.shape[2:])
    part = xp.empty_like(split)
    calls: list[Call] = [partial(out.fill, 0)]
    for i, j, at, pixels in _windows(x.shape, filters.shape, how).elements():
        calls.append(partial(xp.multiply, x[pixels][..., None], filters[i, j], part[at]))
        calls.append(partial(xp.add, split[at], part[at], split[at]))
    return calls


def _to_input(xp: Any, out: Any, g: Any, filters: Any, *, like: Shape, **how: Any) -> Sequence[Call]:
    g, calls = contiguous(xp, g)
    split = g.reshape(*g.shape[:3], *filters.shape[2:])
    part, total = xp.empty_like(split), xp.empty(split.shape[:4], g.dtype)
    calls.append(partial(out.fill, 0))
    for i, j, at, pixels in _windows(like, filters.shape, how).elements():
        calls.append(partial(xp.multiply, split[at], filters[i, j], part[at]))
        calls.append(partial(part[at].sum, -1, None, total[at]))
        calls.append(partial(xp.add, out[pixels], total[at], out[pixels]))
    return calls


def _to_filters(xp: Any, out: Any, x: Any, g: Any, *, like: Shape, **how: Any) -> Sequence[Call]:
    g, calls = contiguous(xp, g)
    split = g.reshape(*g.shape[:3], *like[2:])
    part = xp.empty_like(split)
    calls.append(partial(out.fill, 0))
    for i, j, at, pixels in _windows(x.shape, like, how).elements():
        calls.append(partial(xp.multiply, x[pixels][..., None], split[at], part[at]))
        calls.append(partial(part[at].sum, (0, 1, 2), None, out[i, j]))
    return calls


def _grad(y: Tensor, g: Tensor, x: Tensor, filters: Tensor, **s: Any) -> list[Tensor | None]:
    return [depthwise_conv2d_input(g, filters, x, **s), depthwise_conv2d_filters(x, g, filters, **s)]


_ODD = {"strides": (2, 1), "padding": ((1, 0), (2, 1)), "dilations": (1, 2)}

depthwise_conv2d: Op = op(
    "depthwise_conv2d", "Each channel's own filters (height, width, channels, filters) slide over it alone.",
    spec=_spec, kernel=_forward, grad=_grad,
    samples=(sample((2, 4, 5, 3), (3, 2, 3, 2)), sample((1, 4, 4, 2), (2, 2, 2, 1), **_ODD)),
)  # fmt: skip
depthwise_conv2d_input: Op = op(
    "depthwise_conv2d_input", "What depthwise_conv2d sends back to its images.",
    spec=_input_spec, kernel=_to_input, shape_only=(2,),
    grad=lambda y, g, a, filters, x, **s: [
        depthwise_conv2d(g, filters, **s), depthwise_conv2d_filters(g, a, filters, **s), None,
    ],
    samples=(
        sample((2, 4, 5, 6), (3, 2, 3, 2), (2, 4, 5, 3)), sample((1, 2, 5, 2), (2, 2, 2, 1), (1, 4, 4, 2), **_ODD),
    ),
)  # fmt: skip
depthwise_conv2d_filters: Op = op(
    "depthwise_conv2d_filters", "What depthwise_conv2d sends back to its filters.",
    spec=_filters_spec, kernel=_to_filters, shape_only=(2,),
    grad=lambda y, g, x, a, filters, **s: [
        depthwise_conv2d_input(a, g, x, **s), depthwise_conv2d(x, g, **s), None,
    ],
    samples=(
        sample((2, 4, 5, 3), (2, 4, 5, 6), (3, 2, 3, 2)), sample((1, 4, 4, 2), (1, 2, 5, 2), (2, 2, 2, 1), **_ODD),
    ),
)  # fmt: skip
