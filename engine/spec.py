"""What is known of a tensor before it has a value: its shape and the type of its elements."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.errors import DtypeError, ShapeError

Shape = tuple[int | None, ...]
DTYPES = ("float32", "float64", "int32", "int64", "uint8", "bool")
_BYTES = {name: np.dtype(name).itemsize for name in DTYPES}  # of an element


@dataclass(frozen=True)
class Spec:
    """``shape`` (None: a size that isn't known yet) and ``dtype`` (a name from :data:`DTYPES`)."""

    shape: Shape
    dtype: str = "float32"

    def __post_init__(self) -> None:
        if self.dtype not in _BYTES:
            raise _unknown(self.dtype)

    def __str__(self) -> str:
        sizes = ", ".join("?" if size is None else str(size) for size in self.shape)
        return f"{self.dtype}({sizes}{',' if len(self.shape) == 1 else ''})"

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def known(self) -> bool:
        return None not in self.shape

    @property
    def is_float(self) -> bool:
        return self.dtype.startswith("float")

    @property
    def is_integer(self) -> bool:
        return "int" in self.dtype

    @property
    def size(self) -> int:
        """Number of elements.  Raises ShapeError while a size isn't known."""
        return math.prod(self.concrete)

    @property
    def concrete(self) -> tuple[int, ...]:
        """The shape without unknowns.  Raises ShapeError if there are any."""
        if None in self.shape:
            raise ShapeError(f"{self} has a size that isn't known yet")
        return self.shape  # type: ignore[return-value]

    @property
    def nbytes(self) -> int:
        return self.size * _BYTES[self.dtype]

    def fits(self, other: Spec) -> bool:
        """Whether a value of ``other`` may stand where this is asked for (unknown sizes fit all)."""
        return (
            self.dtype == other.dtype
            and self.ndim == other.ndim
            and all(a is None or b is None or a == b for a, b in zip(self.shape, other.shape, strict=True))
        )


def dtype_name(dtype: Any) -> str:
    """The name of a type given by it, as NumPy's (np.float32) or as bool.  Raises DtypeError for any other."""
    if isinstance(dtype, np.dtype) or dtype is bool or (isinstance(dtype, type) and issubclass(dtype, np.generic)):
        dtype = np.dtype(dtype).name
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise _unknown(dtype)
    return dtype


def _unknown(dtype: Any) -> DtypeError:
    hint = '; networks are made of "float32", labels of "int32"' if dtype in (float, int) else ""
    return DtypeError(f"dtype {dtype!r:.60} isn't known; {', '.join(DTYPES)} are{hint}")


def broadcast(shapes: Iterable[Shape]) -> Shape:
    """NumPy's rule: align at the right, sizes are equal or 1.  An unknown size is taken as the other's.

    Raises ShapeError if two sizes differ.
    """
    shapes = [shape for shape in shapes if shape]  # a single number fits all
    if not shapes or shapes.count(shapes[0]) == len(shapes):  # most often
        return shapes[0] if shapes else ()
    ndim = max((len(shape) for shape in shapes), default=0)
    padded = [(1,) * (ndim - len(shape)) + tuple(shape) for shape in shapes]
    return tuple(_common_size(sizes, shapes) for sizes in zip(*padded, strict=True))


def _common_size(sizes: tuple[int | None, ...], shapes: list[Shape]) -> int | None:
    known = {size for size in sizes if size is not None and size != 1}
    if len(known) > 1:
        raise ShapeError(
            f"shapes {' and '.join(map(str, shapes))} don't broadcast: {min(known)} and {max(known)} differ"
        )
    if known:
        return known.pop()
    return None if None in sizes else 1


def same_dtype(*specs: Spec) -> str:
    """The one dtype of all ``specs``.  Raises DtypeError if they differ."""
    found = {spec.dtype for spec in specs}
    if len(found) != 1:
        raise DtypeError(f"{' and '.join(sorted(found))} don't mix; use cast() on one of them")
    return found.pop()


def normalize_axis(axis: int, ndim: int) -> int:
    """``axis`` counted from the left.  Raises ShapeError if there is no such axis, or it is more than one."""
    if not isinstance(axis, int):
        raise ShapeError(f"one axis is wanted, as a whole number, got {axis!r:.60}")
    if not -ndim <= axis < ndim:
        raise ShapeError(f"axis {axis} doesn't exist: there are {ndim} axes")
    return axis % ndim


def normalize_axes(axis: int | Iterable[int] | None, ndim: int) -> tuple[int, ...]:
    """Axes as a sorted tuple; None means all.  Raises ShapeError for one that isn't there, or is named twice."""
    if axis is None:
        return tuple(range(ndim))
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    found = sorted({normalize_axis(one, ndim) for one in axes})
    if len(found) < len(axes):
        raise ShapeError(f"axes {axis} name a place twice")
    return tuple(found)
