"""Depthwise convolutions: every channel has filters of its own, (height, width, channels, filters a channel)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from engine.op import Call, sample
from engine.ops.rules import contiguous, sums, total
from engine.ops.window import Windows, convolution, settings, windows
from engine.spec import Shape


def _windows(x: Shape, filters: Shape, how: dict[str, Any]) -> Windows:
    return windows(x[1:3], filters[:2], *settings(**how))  # type: ignore[arg-type]


def _forward(xp: Any, out: Any, x: Any, filters: Any, **how: Any) -> Sequence[Call]:
    split = out.reshape(*out.shape[:3], *filters.shape[2:])
    part = xp.empty_like(split)
    return total(
        xp,
        split,
        [
            ([partial(xp.multiply, x[pixels][..., None], filters[i, j], part[at])], at, part[at])
            for i, j, at, pixels in _windows(x.shape, filters.shape, how).elements()
        ],
    )


def _to_input(xp: Any, out: Any, g: Any, filters: Any, *, like: Shape, **how: Any) -> Sequence[Call]:
    g, calls = contiguous(xp, g)
    split = g.reshape(*g.shape[:3], *filters.shape[2:])
    part, found = xp.empty_like(split), xp.empty(split.shape[:4], g.dtype)
    terms = []
    for i, j, at, pixels in _windows(like, filters.shape, how).elements():
        each = [partial(xp.multiply, split[at], filters[i, j], part[at]), partial(part[at].sum, -1, None, found[at])]
        terms.append((each, pixels, found[at]))
    return [*calls, *total(xp, out, terms)]


def _to_filters(xp: Any, out: Any, x: Any, g: Any, *, like: Shape, **how: Any) -> Sequence[Call]:
    g, calls = contiguous(xp, g)
    split = g.reshape(*g.shape[:3], *like[2:])
    parts: dict[Shape, Any] = {}
    calls.append(partial(out.fill, 0))
    for i, j, at, pixels in _windows(x.shape, like, how).elements():
        shape = split[at].shape
        if shape not in parts:
            parts[shape] = xp.empty(shape, g.dtype)
        part = parts[shape]
        calls += [partial(xp.multiply, x[pixels][..., None], split[at], part), *sums(xp, part, out[i, j], (0, 1, 2))]
    return calls


depthwise_conv2d, depthwise_conv2d_input, depthwise_conv2d_filters = convolution(
    "depthwise_conv2d", "Each channel's own filters (height, width, channels, filters) slide over it alone.",
    axes="channels, filters a channel", kernels=(_forward, _to_input, _to_filters),
    channels=lambda channels, each: None if None in (channels, each) else channels * each,
    samples=(
        sample((2, 4, 5, 3), (3, 2, 3, 2)),
        sample((1, 4, 4, 2), (2, 2, 2, 1), strides=(2, 1), padding=((1, 0), (2, 1)), dilations=(1, 2)),
    ),
)  # fmt: skip
