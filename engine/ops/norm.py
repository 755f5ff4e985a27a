"""Batch normalisation: every unit's numbers at mean 0 and width 1, whatever the layers before it do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from engine.errors import EngineError, ShapeError, user_source
from engine.graph import Tensor
from engine.op import Call, Op, op, sample
from engine.ops.array import count
from engine.ops.layout import after
from engine.ops.math import greater, sqrt, where
from engine.ops.rules import contiguous, float_elementwise, need_float, number, sums
from engine.ops.state import assign
from engine.spec import Spec, same_dtype


@dataclass(frozen=True)
class Averages:
    """What batch normalisation remembers for evaluation: two variables (units,), and how slowly they follow."""

    mean: Tensor
    variance: Tensor
    momentum: float = 0.9


def batch_norm(
    x: Tensor, scale: Tensor, shift: Tensor, averages: Averages, train: bool | Tensor, *, epsilon: float = 1e-5
) -> Tensor:
    """scale * (x - mean) / sqrt(variance + epsilon) + shift along the last axis (Ioffe & Szegedy 2015).

    While training, mean and variance are the batch's own, and a run that uses the result moves the
    running averages towards them (unless the batch is empty); else they are those averages.
    ``train`` is a bool, or a bool tensor () that is fed.  Raises EngineError for a negative ``epsilon``, and for
    averages that don't lie between what they were and what is found: their momentum isn't from 0 to 1.
    """
    for name, value, most in (("epsilon", epsilon, math.inf), ("momentum", averages.momentum, 1.0)):
        if isinstance(value, (int, float, np.number)) and not 0 <= value <= most:
            bounds = "at least 0" + (f" and at most {most:.0f}" if most < math.inf else "")
            raise EngineError(f"{name} of batch normalisation must be {bounds}, got {value} ({user_source()})")
    if train is False:
        return normalize(x, averages.mean, scale / sqrt(averages.variance + epsilon), shift)
    found = moments(x)
    center, rest, variance = found[0], found[1], found[2]
    moves = [greater(count(x, axis=tuple(range(x.ndim - 1))), 0)]
    if train is not True:
        moves.append(train)
    updates = [_follow(averages.mean, center, averages, moves), _follow(averages.variance, variance, averages, moves)]
    if train is not True:
        center = where(train, center, averages.mean)
        rest = where(train, rest, 0.0)
        variance = where(train, variance, averages.variance)
    width = scale / sqrt(variance + epsilon)
    return normalize(x, after(center, *updates), width, shift - rest * width)


def _follow(average: Tensor, found: Tensor, averages: Averages, moves: Sequence[Tensor]) -> Tensor:
    """An assignment of the average nearer to what was ``found``, if all of ``moves`` are true."""
    moved = average * averages.momentum + found * (1 - averages.momentum)
    for each in moves:
        moved = where(each, moved, average)
    return assign(average, moved)


def _units(x: Spec, *rows: Spec) -> tuple[int | None, ...]:
    """The last axis of ``x``, floats, which each of ``rows`` has too.  Raises ShapeError, DtypeError."""
    need_float(x, *rows)
    same_dtype(x, *rows)
    if x.ndim == 0 or not all(Spec(x.shape[-1:]).fits(Spec(each.shape)) for each in rows):
        raise ShapeError(f"a number for each along the last axis of {x} is needed, got {', '.join(map(str, rows))}")
    return x.shape[-1:]


def _moments(xp: Any, out: Any, x: Any) -> Sequence[Call]:
    x, calls = contiguous(xp, x)
    x = x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
    center, rest, variance = out
    distance, size = xp.empty_like(x), number(xp, len(x), x)
    before = xp.empty_like(center)
    return [
        *calls,
        *sums(xp, x, before, (0,)),
        partial(xp.divide, before, size, before),
        partial(xp.subtract, x, before, distance),
        *sums(xp, distance, rest, (0,)),
        partial(xp.divide, rest, size, rest),
        partial(xp.multiply, distance, distance, distance),
        *sums(xp, distance, variance, (0,)),
        partial(xp.divide, variance, size, variance),
        partial(xp.multiply, rest, rest, center),
        partial(xp.subtract, variance, center, variance),
        partial(xp.add, before, rest, center),
        partial(xp.subtract, before, center, before),
        partial(xp.add, rest, before, rest),
    ]


def _moments_grad(y: Tensor, g: Tensor, x: Tensor) -> list[Tensor | None]:
    size = count(x, axis=tuple(range(x.ndim - 1)))
    slope = g[2] * (2 / size)
    return [normalize(x, y[0], slope, g[0] / size - y[1] * slope)]


# The mean's own rounding counts where all numbers are large: at 1e5 float32 has steps of 1/128.
moments = op(
    "moments", "Mean along all axes but the last, what is missing from it by rounding, and variance: three rows.",
    spec=lambda x: Spec((3, *_units(x)), x.dtype), kernel=_moments, grad=_moments_grad, flops=4,
    samples=(sample((5, 4)), sample((2, 3, 4)), sample((1, 3))),
)  # fmt: skip


def _normalize_grad(y: Tensor, g: Tensor, x: Tensor, *rows: Tensor) -> list[Tensor | None]:
    center, width, _ = rows
    if x.shape[-1:] in ((), (None,)) or any(each.shape != x.shape[-1:] for each in rows):
        return [g * width, -(g * width), g * (x - center), g]
    found = slope_sums(g, x, center)
    return [g * width, -(found[0] * width), found[1], found[0]]


normalize: Op = op(
    "normalize", "(x - center) * width + shift, mostly with one of those three for each along the last axis.",
    spec=float_elementwise, code="({0} - {1}) * {2} + {3}", flops=3, grad=_normalize_grad,
    samples=(sample((3, 4), (4,), (4,), (4,)), sample((2, 3, 4), (4,), (4,), (4,)), sample((3, 4), (3, 1), (), (4,))),
)  # fmt: skip


def _slope_sums_spec(g: Spec, x: Spec, center: Spec) -> Spec:
    if not x.fits(g):
        raise ShapeError(f"gradient {g} and numbers {x} must have one shape")
    return Spec((2, *_units(x, center)), x.dtype)


def _slope_sums(xp: Any, out: Any, g: Any, x: Any, center: Any) -> Sequence[Call]:
    product, axes = xp.empty(g.shape, g.dtype), tuple(range(g.ndim - 1))
    return [
        *sums(xp, g, out[0], axes),
        partial(xp.subtract, x, center, product),
        partial(xp.multiply, product, g, product),
        *sums(xp, product, out[1], axes),
    ]


slope_sums: Op = op(
    "slope_sums", "Sums of the first input, and of it times (the second - the third), along all axes but the last.",
    spec=_slope_sums_spec, kernel=_slope_sums, flops=4,
    grad=lambda y, g, a, x, center: [normalize(x, center, g[1], g[0]), a * g[1], -(g[1] * y[0])],
    samples=(sample((5, 4), (5, 4), (4,)), sample((2, 3, 4), (2, 3, 4), (4,))),
)  # fmt: skip
