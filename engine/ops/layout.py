"""More on shapes: axes dropped, parts cut, borders added, and what has to run first."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from engine.errors import ShapeError, user_source
from engine.graph import Tensor
from engine.op import Call, Op, op, sample
from engine.ops.array import reshape_like, slice_, stretches, sum_like, window
from engine.ops.rules import reduced
from engine.spec import Spec, broadcast, normalize_axes, normalize_axis
from engine.tensor import shown


def _squeeze_spec(x: Spec, *, axis: int | tuple[int, ...]) -> Spec:
    for at in normalize_axes(axis, x.ndim):
        if x.shape[at] not in (1, None):
            raise ShapeError(f"axis {at} of {x} has more than one element")
    return reduced(x, axis)


squeeze = op(
    "squeeze", "Without the named axes, which must be of size 1.",
    spec=_squeeze_spec, view=lambda x, *, axis: x.squeeze(axis), grad=lambda y, g, x, axis: [reshape_like(g, x)],
    samples=(sample((3, 1, 4), axis=1), sample((1, 3, 1), axis=(0, -1))),
)  # fmt: skip


def split(x: Tensor, sizes: Sequence[int], axis: int = 0) -> list[Tensor]:
    """``x`` cut along an axis into parts of these sizes: slices, which cost nothing.  Raises ShapeError."""
    at = normalize_axis(axis, x.ndim)
    whole = isinstance(sizes, (list, tuple)) and all(isinstance(each, (int, np.integer)) for each in sizes)
    if not whole or min(sizes, default=0) < 0:
        raise ShapeError(f"split() takes the sizes of the parts, [2, 2], got {shown(sizes)} ({user_source()})")
    if x.shape[at] not in (None, sum(sizes)):
        raise ShapeError(f"sizes {tuple(sizes)} don't add up to axis {axis} of {x.name} {x.spec} ({user_source()})")
    return [x[place] for place in stretches(sizes, at)]


Widths = tuple[tuple[int, int], ...]


def _pad_spec(x: Spec, *, widths: Widths, value: float = 0.0) -> Spec:
    if len(widths) != x.ndim or any(len(pair) != 2 or min(pair) < 0 for pair in widths):
        raise ShapeError(f"a pair (before, after) for each of {x.ndim} axes is needed, got {widths}")
    sizes = zip(x.shape, widths, strict=True)
    return Spec(tuple(None if size is None else before + size + after for size, (before, after) in sizes), x.dtype)


def _inside(widths: Widths) -> tuple[slice, ...]:
    """Where the unpadded part lies, whatever its size."""
    return tuple(slice(before, -after if after else None) for before, after in widths)


def _pad(xp: Any, out: Any, x: Any, *, widths: Widths, value: float = 0.0) -> Sequence[Call]:
    return (partial(out.fill, value), partial(xp.copyto, window(out, _inside(widths)), x))


pad = op(
    "pad", "Borders of one value around: (before, after) elements for each axis.",
    spec=_pad_spec, kernel=_pad,
    grad=lambda y, g, x, widths, value=0.0: [slice_(g, index=_inside(widths))],
    samples=(sample((3, 4), widths=((1, 2), (0, 1))), sample((3,), widths=((2, 0),), value=0.5)),
)  # fmt: skip


def _broadcast_to_spec(x: Spec, *, shape: tuple[int, ...]) -> Spec:
    if min(shape, default=0) < 0:
        raise ShapeError(f"sizes aren't below 0, got {shape}; broadcast_like() takes those of another tensor")
    if broadcast([x.shape, shape]) != tuple(shape):
        raise ShapeError(f"{x.shape} can't be repeated to {shape}")
    return Spec(tuple(shape), x.dtype)


broadcast_to = op(
    "broadcast_to", "Repeated to a shape; of a single number, a tensor full of it.",
    spec=_broadcast_to_spec, kernel=lambda xp, out, x, *, shape: (partial(xp.copyto, out, x),),
    grad=lambda y, g, x, shape: [sum_like(g, x)],
    samples=(sample((4,), shape=(3, 4)), sample((), shape=(2, 3)), sample((2, 1), shape=(3, 2, 2))),
)  # fmt: skip
after: Op = op(
    "after", "The first input, once the others have run: whoever needs it makes them happen.",
    spec=lambda x, *others: x, view=lambda x, *others: x, pure=False,
    grad=lambda y, g, x, *others: [g, *(None for _ in others)],
    samples=(sample((3, 4), (2,)), sample((3,), (3,), ())),
)  # fmt: skip
