"""Shapes, slices, joins and types."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from functools import partial
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from engine.errors import ShapeError
from engine.graph import Tensor
from engine.op import Call, Draw, Op, op, sample
from engine.ops.rules import need_numbers, reduced, sums
from engine.spec import Shape, Spec, broadcast, normalize_axes, normalize_axis, same_dtype


def _reshape_spec(x: Spec, *, shape: tuple[int, ...]) -> Spec:
    if shape.count(-1) > 1 or any(size < -1 for size in shape):
        raise ShapeError(f"shape {shape} may have one -1 (the size that follows from the rest)")
    if not x.known:
        return Spec(tuple(None if size == -1 else size for size in shape), x.dtype)
    rest = math.prod(size for size in shape if size != -1)
    fits = x.size == rest if -1 not in shape else rest and x.size % rest == 0
    if not fits:
        raise ShapeError(f"{x.size} elements don't fill shape {shape}")
    return Spec(tuple(x.size // rest if size == -1 else size for size in shape), x.dtype)


reshape = op(
    "reshape", "The same elements in another shape (-1: the size that follows).",
    spec=_reshape_spec, view=lambda x, *, shape: x.reshape(shape), needs_gapless=True,
    grad=lambda y, g, x, shape: [reshape_like(g, x)],
    samples=(sample((3, 4), shape=(2, 6)), sample((3, 4), shape=(-1,))),
)  # fmt: skip


def _reshape_like_spec(g: Spec, x: Spec) -> Spec:
    if g.known and x.known and g.size != x.size:
        raise ShapeError(f"{g.size} elements don't fill shape {x.shape}")
    return Spec(x.shape, g.dtype)


reshape_like: Op = op(
    "reshape_like", "The first input in the second one's shape.",
    spec=_reshape_like_spec, view=lambda g, *, like: g.reshape(like), needs_gapless=True,
    grad=lambda y, g, a, x: [reshape_like(g, a), None],
    identity=lambda specs, values: 0 if specs[0].shape == specs[1].shape else None,
    shape_only=(1,), samples=[sample((12,), (3, 4))],
)  # fmt: skip


def _transpose_spec(x: Spec, *, axes: tuple[int, ...] | None = None) -> Spec:
    order = tuple(reversed(range(x.ndim))) if axes is None else axes
    if sorted(order) != list(range(x.ndim)):
        raise ShapeError(f"axes {order} must name each of the {x.ndim} axes once")
    return Spec(tuple(x.shape[axis] for axis in order), x.dtype)


def _transpose_grad(y: Tensor, g: Tensor, x: Tensor, axes: tuple[int, ...] | None = None) -> list[Tensor | None]:
    return [transpose(g, axes=None if axes is None else tuple(int(at) for at in np.argsort(axes)))]


transpose = op(
    "transpose", "Axes in another order (reversed if none is given).",
    spec=_transpose_spec, view=lambda x, *, axes=None: x.transpose(axes), grad=_transpose_grad,
    gapless=lambda x, axes=None: x.ndim < 2,
    samples=(sample((3, 4)), sample((2, 3, 4), axes=(1, 2, 0))),
)  # fmt: skip


def _expanded(ndim: int, axis: int | tuple[int, ...]) -> list[bool]:
    """For each axis of the result, whether it is new."""
    if axis is None:
        raise ShapeError("axis must say where the new axes are")
    places = (axis,) if isinstance(axis, int) else axis
    total = ndim + len(places)
    axes = normalize_axes(places, total)
    return [at in axes for at in range(total)]


def _expand_spec(x: Spec, *, axis: int | tuple[int, ...]) -> Spec:
    sizes = iter(x.shape)
    return Spec(tuple(1 if new else next(sizes) for new in _expanded(x.ndim, axis)), x.dtype)


def _expand(x: Any, *, axis: int | tuple[int, ...]) -> Any:
    return window(x, tuple(None if new else slice(None) for new in _expanded(x.ndim, axis)))


expand = op(
    "expand", "New axes of size 1 at the given places.",
    spec=_expand_spec, view=_expand, grad=lambda y, g, x, axis: [reshape_like(g, x)],
    samples=(sample((3, 4), axis=0), sample((3,), axis=(0, 2)), sample((3, 4), axis=(-1,))),
)  # fmt: skip


def _whole(index: tuple[Any, ...], ndim: int) -> tuple[Any, ...]:
    """``index`` with slices for the dots in it, which stand for all axes that it doesn't name."""
    at = next((at for at, each in enumerate(index) if each is Ellipsis), None)
    if at is None:
        return index
    return (*index[:at], *[slice(None)] * (ndim + 1 - len(index)), *index[at + 1 :])


def window(x: Any, index: tuple[Any, ...]) -> Any:
    """``x[index]`` on x's memory: without the dots, NumPy gives a copy of a single number."""
    return x[(*_whole(index, x.ndim), ...)]


def _slice_spec(x: Spec, *, index: tuple[Any, ...]) -> Spec:
    index = _whole(index, x.ndim)
    if len(index) > x.ndim:
        raise ShapeError(f"{len(index)} indices for {x.ndim} axes")
    shape: list[int | None] = []
    for at, size in enumerate(x.shape):
        part = index[at] if at < len(index) else slice(None)
        if isinstance(part, slice):
            whole = part == slice(None)
            shape.append(size if whole else None if size is None else len(range(*part.indices(size))))
        elif isinstance(part, bool) or not isinstance(part, (int, np.integer)):
            raise ShapeError(f"index {part!r} of axis {at} must be a whole number or a slice{_instead(part)}")
        elif size is not None and not -size <= part < size:
            raise ShapeError(f"index {part} of axis {at} is outside its size {size}")
    return Spec(tuple(shape), x.dtype)


def _instead(part: Any) -> str:
    if part is None:
        return "; expand() makes new axes"
    return "; gather() takes rows by number" if isinstance(part, (list, np.ndarray)) else ""


def _slice_fill_spec(g: Spec, x: Spec, *, index: tuple[Any, ...]) -> Spec:
    part = _slice_spec(x, index=index)
    if not Spec(part.shape, g.dtype).fits(g):
        raise ShapeError(f"the slice has shape {part.shape}, got {g.shape}")
    return Spec(x.shape, g.dtype)


def _fill_slice(xp: Any, out: Any, g: Any, *, like: Shape, index: tuple[Any, ...]) -> Sequence[Call]:
    return (partial(out.fill, 0), partial(xp.copyto, window(out, index), g))


def _slice_gapless(x: Spec, *, index: tuple[Any, ...]) -> bool:
    """Some neighbouring rows lie together, anything else may have gaps."""
    first, *others = _whole(index, x.ndim) or (slice(None),)
    together = not isinstance(first, slice) or first.step in (None, 1)
    return together and all(each == slice(None) for each in others)


slice_ = op(
    "slice", "A part, as Python slices it.",
    spec=_slice_spec, view=lambda x, *, index: window(x, index), gapless=_slice_gapless,
    grad=lambda y, g, x, index: [slice_fill(g, x, index=index)],
    samples=(
        sample((5, 4), index=(slice(1, 4), 2)), sample((6,), index=(slice(None, None, 2),)),
        sample((5, 4), index=(slice(None, None, -1),)), sample((5, 4), index=(-1, 2)),
        sample((2, 3, 4), index=(0, ..., slice(1, 3))),
    ),
)  # fmt: skip
slice_fill: Op = op(
    "slice_fill", "Zeros in the second input's shape, with the first at the place of a slice.",
    spec=_slice_fill_spec, kernel=_fill_slice, shape_only=(1,),
    grad=lambda y, g, a, x, index: [slice_(g, index=index), None],
    samples=(sample((3,), (5, 4), index=(slice(1, 4), 2, ...)), sample((), (5, 4), index=(-1, 2))),
)  # fmt: skip


def stretches(sizes: Iterable[int], axis: int = 0) -> list[tuple[slice, ...]]:
    """The indices of parts of these sizes that lie one after the other along an axis."""
    ends = accumulate(sizes, initial=0)
    return [(slice(None),) * axis + (slice(start, end),) for start, end in pairwise(ends)]


def _total(sizes: Collection[int | None]) -> int | None:
    return None if None in sizes else sum(filter(None, sizes))


def _concat_spec(*specs: Spec, axis: int = 0) -> Spec:
    first, dtype = specs[0], same_dtype(*specs)
    if first.ndim == 0:
        raise ShapeError("single numbers have no axis to join along; expand() gives them one")
    at = normalize_axis(axis, first.ndim)
    for other in specs[1:]:
        if other.ndim != first.ndim or not reduced(first, at).fits(reduced(other, at)):
            raise ShapeError(f"{first} and {other} differ outside axis {axis}")
    return Spec((*first.shape[:at], _total([spec.shape[at] for spec in specs]), *first.shape[at + 1 :]), dtype)


def _concat(xp: Any, out: Any, *parts: Any, axis: int = 0) -> Sequence[Call]:
    places = stretches([part.shape[axis] for part in parts], axis % out.ndim)
    return [partial(xp.copyto, out[place], part) for place, part in zip(places, parts, strict=True)]


def _concat_grad(y: Tensor, g: Tensor, *parts: Tensor, axis: int = 0) -> list[Tensor | None]:
    at = normalize_axis(axis, y.ndim)
    for part in parts:
        if part.shape[at] is None:
            raise ShapeError(f"the gradient of concat needs the size of axis {axis} of {part.name}")
    return [slice_(g, index=place) for place in stretches([part.shape[at] for part in parts], at)]


def vector(*specs: Spec) -> Spec:
    """The shape of many tensors as one vector."""
    return Spec((_total([spec.size if spec.known else None for spec in specs]),), same_dtype(*specs))


def _pack(xp: Any, out: Any, *parts: Any) -> Sequence[Call]:
    calls = []
    for place, part in zip(stretches([each.size for each in parts]), parts, strict=True):
        own = out[place].reshape(part.shape)
        if (_address(own), own.strides) != (_address(part), part.strides):  # most are computed in place
            calls.append(partial(xp.copyto, own, part))
    return calls


def _address(array: Any) -> int:
    return int(array.data.ptr if hasattr(array.data, "ptr") else array.ctypes.data)


def unpack(y: Tensor, g: Tensor, *parts: Tensor) -> list[Tensor | None]:
    """The gradient of many tensors as one vector: its pieces, each in its part's shape."""
    places = stretches([part.spec.size for part in parts])
    return [reshape_like(slice_(g, index=place), part) for place, part in zip(places, parts, strict=True)]


pack = op(
    "pack", "Tensors, one after the other, as one vector.",
    spec=vector, kernel=_pack, grad=unpack, samples=(sample((2, 3), (4,)), sample((), (3,), (2, 1))),
    identity=lambda specs, values: 0 if len(specs) == 1 else None,  # of one vector
)  # fmt: skip
concat = op(
    "concat", "Tensors one after the other along an axis.",
    spec=_concat_spec, kernel=_concat, grad=_concat_grad,
    samples=(sample((2, 3), (4, 3)), sample((2, 3), (2, 1), (2, 2), axis=1)),
)  # fmt: skip


def _broadcast_like_spec(g: Spec, x: Spec) -> Spec:
    if g.shape != x.shape and not Spec(x.shape).fits(Spec(broadcast([g.shape, x.shape]))):
        raise ShapeError(f"{g.shape} can't be repeated to {x.shape}")
    return x if x.dtype == g.dtype else Spec(x.shape, g.dtype)


def _sum_like_spec(g: Spec, x: Spec) -> Spec:
    need_numbers(g)
    _broadcast_like_spec(x, g)
    return x if x.dtype == g.dtype else Spec(x.shape, g.dtype)


broadcast_like = op(
    "broadcast_like", "The first input repeated to the second one's shape.",
    spec=_broadcast_like_spec, shape_only=(1,),
    kernel=lambda xp, out, g, *, like: (partial(xp.copyto, out, g),),
    grad=lambda y, g, a, x: [sum_like(g, a), None],
    identity=lambda specs, values: 0 if specs[0].shape == specs[1].shape else None,
    samples=(sample((4,), (3, 4)), sample((), (2, 3))),
)  # fmt: skip


def summed_axes(shape: Shape, like: Shape) -> tuple[int, ...]:
    """The axes of ``shape`` along which broadcasting has repeated ``like``."""
    lead = len(shape) - len(like)
    return (*range(lead), *(lead + at for at, size in enumerate(like) if size == 1))


def _sum_like(xp: Any, out: Any, g: Any, *, like: Shape) -> Sequence[Call]:
    return sums(xp, g, out, summed_axes(g.shape, like))


sum_like: Op = op(
    "sum_like", "The first input summed to the second one's shape: undoes broadcasting.",
    spec=_sum_like_spec, shape_only=(1,), kernel=_sum_like,
    grad=lambda y, g, a, x: [broadcast_like(g, a), None],
    identity=lambda specs, values: 0 if specs[0].shape == specs[1].shape else None,
    samples=(sample((3, 4), (4,)), sample((2, 3, 4), (4,)), sample((3, 4), (3, 1)), sample((2, 3), ())), flops=1,
)  # fmt: skip


def _count_spec(x: Spec, axis: Any = None) -> Spec:
    need_numbers(x)
    normalize_axes(axis, x.ndim)
    return Spec((), x.dtype)


def _count(xp: Any, out: Any, *, like: tuple[int, ...], axis: Any = None) -> Sequence[Call]:
    return (partial(out.fill, math.prod(like[at] for at in normalize_axes(axis, len(like)))),)


count = op(
    "count", "How many elements lie along axes; a number that depends on the shape alone.",
    spec=_count_spec, kernel=_count, shape_only=(0,),
    grad=lambda y, g, x, axis=None: [None], samples=(sample((3, 4)), sample((3, 4), axis=0)),
)  # fmt: skip


copy = op(
    "copy", "The same numbers in memory of their own.",
    spec=lambda x: x, kernel=lambda xp, out, x: (partial(xp.copyto, out, x),), grad=lambda y, g, x: [g],
    samples=[sample((3, 4))],
)  # fmt: skip
cast: Op = op(
    "cast", "The same numbers in another type.",
    spec=lambda x, dtype: Spec(x.shape, dtype),
    kernel=lambda xp, out, x, *, dtype: (partial(xp.copyto, out, x, "unsafe"),),
    grad=lambda y, g, x, dtype: [cast(g, dtype=x.dtype) if x.spec.is_float else None],
    identity=lambda specs, values, dtype: 0 if specs[0].dtype == dtype else None,
    samples=(
        sample((3, 4), dtype="int32"), sample((3, 4), dtype="float64"),
        sample(Draw((3, 4), integers=9), dtype="float32"),
    ),
)  # fmt: skip
