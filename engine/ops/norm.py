"""Batch normalisation: every unit's numbers at mean 0 and width 1, whatever the layers before it do."""

from __future__ import annotations

from dataclasses import dataclass

from engine.graph import Tensor
from engine.ops.layout import after
from engine.ops.math import mean, sqrt, square, where
from engine.ops.state import assign


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
    running averages towards them; else they are those averages.  ``train`` is a bool, or a bool
    tensor () that is fed.
    """
    if train is False:
        return _normalized(x, averages.mean, averages.variance, epsilon) * scale + shift
    axes = tuple(range(x.ndim - 1))
    center = mean(x, axis=axes)
    variance = mean(square(x - center), axis=axes)
    updates = [_follow(averages.mean, center, averages, train), _follow(averages.variance, variance, averages, train)]
    if train is not True:
        center = where(train, center, averages.mean)
        variance = where(train, variance, averages.variance)
    return _normalized(x, after(center, *updates), variance, epsilon) * scale + shift


def _normalized(x: Tensor, center: Tensor, variance: Tensor, epsilon: float) -> Tensor:
    return (x - center) * (1.0 / sqrt(variance + epsilon))


def _follow(average: Tensor, found: Tensor, averages: Averages, train: bool | Tensor) -> Tensor:
    moved = average * averages.momentum + found * (1 - averages.momentum)
    return assign(average, moved if train is True else where(train, moved, average))
