"""Pools: images made smaller by keeping the largest, or the average, of each window."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from engine.errors import ShapeError
from engine.graph import Tensor
from engine.op import Call, Op, Sample, op, sample
from engine.ops.math import mean
from engine.ops.rules import need_float, total
from engine.ops.window import (
    Padding,
    Pair,
    Windows,
    check_images,
    need_fit,
    need_pixels,
    result_of,
    window_counts,
    windows,
)
from engine.spec import Shape, Spec


def _settings(
    size: Pair, strides: Pair | None = None, padding: Padding = "valid", dilations: Pair = (1, 1)
) -> tuple[Any, ...]:
    return size, strides or size, padding, dilations


def windows_over(x: Shape, settings: dict[str, Any]) -> Windows:
    """The windows over images of shape ``x`` by a pool's settings."""
    return windows(x[1:3], *_settings(**settings))  # type: ignore[arg-type]


def _avg_spec(x: Spec, count_padding: bool = False, **settings: Any) -> Spec:
    """With ``count_padding``, windows may lie on padding alone: their average is 0."""
    need_float(x)
    check_images(x)
    over = _settings(**settings)
    counts = window_counts(x, *over)
    if not count_padding:
        need_pixels(x, *over)
    return Spec((x.shape[0], *counts, x.shape[3]), x.dtype)


def _pool_spec(x: Spec, **settings: Any) -> Spec:
    return _avg_spec(x, **settings)


def _back_spec(g: Spec, x: Spec, **settings: Any) -> Spec:
    need_fit(_pool_spec(x, **settings), g)
    return Spec(x.shape, g.dtype)


def _pick_spec(values: Spec, x: Spec, **settings: Any) -> Spec:
    if not Spec(x.shape, values.dtype).fits(values):
        raise ShapeError(f"a value for each pixel of {x.shape} is needed, got {values.shape}")
    return _pool_spec(values, **settings)


def _max_pool(xp: Any, out: Any, x: Any, **settings: Any) -> Sequence[Call]:
    calls: list[Call] = [partial(out.fill, -float("inf"))]
    for _, _, at, pixels in windows_over(x.shape, settings).elements():
        calls.append(partial(xp.maximum, out[at], x[pixels], out=out[at]))
    return calls


def _winners(xp: Any, x: Any, shape: Shape, settings: dict[str, Any]) -> tuple[list[Call], list[Any]]:
    """Calls that find each window's largest pixel (the first of several; NaN counts as larger than any number), and
    for each element of the windows the calls that say where it is that one, as (calls, which windows, their pixels,
    array of 0 and 1)."""
    best = xp.empty(shape, x.dtype)
    free, won, nan = (xp.empty(shape, "bool") for _ in range(3))
    found = []
    for _, _, at, pixels in windows_over(x.shape, settings).elements():
        calls = [
            partial(xp.equal, x[pixels], best[at], won[at]),
            partial(xp.isnan, x[pixels], nan[at]),
            partial(xp.logical_or, won[at], nan[at], won[at]),
            partial(xp.logical_and, won[at], free[at], won[at]),
            partial(xp.logical_xor, free[at], won[at], free[at]),
        ]
        found.append((calls, at, pixels, won[at]))
    return [*_max_pool(xp, best, x, **settings), partial(free.fill, 1)], found


def _max_pool_back(xp: Any, out: Any, g: Any, x: Any, **settings: Any) -> Sequence[Call]:
    calls, elements = _winners(xp, x, g.shape, settings)
    if windows_over(x.shape, settings).apart:  # no pixel lies in two windows; never 0 times the gradient: it may be inf
        calls.append(partial(out.fill, 0))
        for choosing, at, pixels, won in elements:
            calls += [*choosing, partial(xp.copyto, out[pixels], g[at], where=won)]
        return calls
    part, terms = xp.empty_like(g), []
    for choosing, at, pixels, won in elements:
        sending = [partial(part.fill, 0), partial(xp.copyto, part[at], g[at], where=won)]
        terms.append(([*choosing, *sending], pixels, part[at]))
    return [*calls, *total(xp, out, terms)]


def _max_pool_pick(xp: Any, out: Any, values: Any, x: Any, **settings: Any) -> Sequence[Call]:
    calls, elements = _winners(xp, x, out.shape, settings)
    for choosing, at, pixels, won in elements:
        calls += [*choosing, partial(xp.copyto, out[at], values[pixels], where=won)]
    return calls


_LAP = {"size": (3, 2), "strides": (2, 1), "padding": ((1, 1), (0, 1))}
_SAMPLES = (
    sample((2, 4, 6, 2), size=(2, 2)), sample((1, 5, 4, 2), **_LAP),
    sample((2, 3, 4, 1), size=(2, 2), strides=(1, 1), padding="same", dilations=(2, 1)),
)  # fmt: skip


def _back(spec: Any, samples: Sequence[Sample]) -> list[Sample]:
    """For what a pool sends back: a gradient and images."""
    return [sample(result_of(spec, each), *each.inputs, **each.attrs) for each in samples]


max_pool = op(
    "max_pool", "The largest number of each window, channel by channel; NaN where there is one.",
    spec=_pool_spec, kernel=_max_pool, flops=4, grad=lambda y, g, x, **s: [max_pool_back(g, x, **s)],
    samples=_SAMPLES, settings=_settings,
)  # fmt: skip
max_pool_back: Op = op(
    "max_pool_back", "What max_pool sends back: a window's gradient goes to its (first) largest pixel, or NaN.",
    spec=_back_spec, kernel=_max_pool_back, flops=4, samples=_back(_pool_spec, _SAMPLES), settings=_settings,
    grad=lambda y, g, a, x, **s: [max_pool_pick(g, x, **s), None],
)  # fmt: skip
max_pool_pick: Op = op(
    "max_pool_pick", "The first input's number where the second is largest in each window.",
    spec=_pick_spec, kernel=_max_pool_pick, flops=4, settings=_settings,
    grad=lambda y, g, values, x, **s: [max_pool_back(g, x, **s), None],
    samples=[sample(*each.inputs, *each.inputs, **each.attrs) for each in _SAMPLES],
)  # fmt: skip


def _shares(xp: Any, x: Shape, settings: dict[str, Any], dtype: Any) -> tuple[Windows, Any]:
    """The windows, and for each the part of 1 that every pixel counts: padding isn't counted unless asked for."""
    settings = dict(settings)
    with_padding = settings.pop("count_padding", False)
    found = windows_over(x, settings)
    counts = xp.zeros((1, *found.shape, 1), dtype)
    for _, _, at, _ in found.elements():
        counts[at] += 1
    if with_padding:
        counts[...] = found.down.kernel * found.across.kernel
    return found, 1 / xp.maximum(counts, 1)


def _avg_pool(xp: Any, out: Any, x: Any, **settings: Any) -> Sequence[Call]:
    found, shares = _shares(xp, x.shape, settings, x.dtype)
    adding = total(xp, out, [((), at, x[pixels]) for _, _, at, pixels in found.elements()])
    return [*adding, partial(xp.multiply, out, shares, out)]


def _avg_pool_back(xp: Any, out: Any, g: Any, *, like: Shape, **settings: Any) -> Sequence[Call]:
    found, shares = _shares(xp, like, settings, g.dtype)
    part = xp.empty_like(g)
    adding = total(xp, out, [((), pixels, part[at]) for _, _, at, pixels in found.elements()])
    return [partial(xp.multiply, g, shares, part), *adding]


def _avg_back_spec(g: Spec, x: Spec, count_padding: bool = False, **settings: Any) -> Spec:
    need_fit(_avg_spec(Spec(x.shape, g.dtype), count_padding, **settings), g)
    return Spec(x.shape, g.dtype)


_AVERAGES = (*_SAMPLES, sample((1, 5, 4, 1), count_padding=True, **_LAP))
avg_pool: Op = op(
    "avg_pool", "The average of each window, channel by channel; padding isn't counted unless count_padding.",
    spec=_avg_spec, kernel=_avg_pool, flops=4, grad=lambda y, g, x, **s: [avg_pool_back(g, x, **s)],
    samples=_AVERAGES, settings=_settings,
)  # fmt: skip
avg_pool_back: Op = op(
    "avg_pool_back", "What avg_pool sends back: each window's gradient, in equal parts.",
    spec=_avg_back_spec, kernel=_avg_pool_back, flops=4, shape_only=(1,), samples=_back(_avg_spec, _AVERAGES),
    settings=_settings,
    grad=lambda y, g, a, x, **s: [avg_pool(g, **s), None],
)  # fmt: skip


def global_mean(x: Tensor) -> Tensor:
    """The mean of each channel over the whole image: (batch, height, width, channels) to (batch, channels)."""
    return mean(x, axis=(1, 2))
