"""Shape rules and kernel makers that several ops share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from engine.errors import DtypeError, ShapeError
from engine.op import Call
from engine.spec import Spec, broadcast, normalize_axes, same_dtype


def elementwise(*specs: Spec, **_: Any) -> Spec:
    """The inputs broadcast against each other; one dtype in, the same out."""
    return Spec(broadcast(spec.shape for spec in specs), same_dtype(*specs))


def arithmetic(*specs: Spec, **_: Any) -> Spec:
    """Like :func:`elementwise`, for counting: uint8 and bool are for keeping, they would overflow in silence."""
    need_numbers(*specs)
    return elementwise(*specs)


def float_elementwise(*specs: Spec, **attrs: Any) -> Spec:
    """Like :func:`elementwise`, for functions that only real numbers have."""
    need_float(*specs)
    return elementwise(*specs, **attrs)


def comparison(*specs: Spec, **_: Any) -> Spec:
    """Broadcast inputs of one dtype give bools."""
    same_dtype(*specs)
    return Spec(broadcast(spec.shape for spec in specs), "bool")


def need_float(*specs: Spec) -> None:
    """Raises DtypeError unless all are floats."""
    for spec in specs:
        if not spec.is_float:
            raise DtypeError(f"needs float32 or float64, got {spec.dtype}; use cast()")


def need_numbers(*specs: Spec) -> None:
    """Raises DtypeError for bools and bytes."""
    for spec in specs:
        if spec.dtype in ("bool", "uint8"):
            raise DtypeError(f"can't count in {spec.dtype}; use cast() to float32 or int32")


def reduced(spec: Spec, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Spec:
    """``spec`` without the axes ``axis`` (all if None), or with them as 1."""
    axes = normalize_axes(axis, spec.ndim)
    if keepdims:
        return Spec(tuple(1 if at in axes else size for at, size in enumerate(spec.shape)), spec.dtype)
    return Spec(tuple(size for at, size in enumerate(spec.shape) if at not in axes), spec.dtype)


def last_axis(spec: Spec, **_: Any) -> Spec:
    """For functions along the last axis: float, that axis not empty, same shape out."""
    need_float(spec)
    if spec.ndim == 0 or spec.shape[-1] == 0:
        raise ShapeError(f"needs an axis of at least one class, got {spec}")
    return spec


def number(xp: Any, value: float, like: Any) -> Any:
    """A constant for a kernel: as an array without axes it is read faster than as a Python number."""
    return xp.asarray(value, like.dtype)


def contiguous(xp: Any, x: Any) -> tuple[Any, list[Call]]:
    """``x``, or a copy without gaps and the call that fills it: such memory can be seen in other shapes."""
    if x.flags.c_contiguous:
        return x, []
    copy = xp.empty(x.shape, x.dtype)
    return copy, [partial(xp.copyto, copy, x)]


def column_sums(xp: Any, x: Any, out: Any) -> Call:
    """Sums down the columns of a matrix of floats: a product with ones is faster than ``sum``."""
    return partial(xp.ones(x.shape[0], x.dtype).dot, x, out.reshape(x.shape[1]))


def row_sums(xp: Any, x: Any, out: Any) -> Call:
    """Sums along the rows of a matrix of floats: a product with ones is faster than ``sum``."""
    return partial(x.dot, xp.ones(x.shape[1], x.dtype), out.reshape(x.shape[0]))


def no_change_by(neutral: float, first_too: bool) -> Callable[..., int | None]:
    """``x op neutral`` is x (and ``neutral op x`` if ``first_too``), as long as the shape stays x's."""

    def identity(specs: Sequence[Spec], values: Sequence[Any], **_: Any) -> int | None:
        for kept, gone in ((0, 1), (1, 0)) if first_too else ((0, 1),):
            value = values[gone]
            scalar = value is not None and value.ndim == 0 and specs[gone].ndim == 0
            if scalar and value == neutral:
                return kept
        return None

    return identity
