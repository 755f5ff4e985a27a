"""Values that come from outside, as NumPy's arrays and as sizes: what is taken, and what is refused."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np

from engine.errors import DtypeError, EngineError, ShapeError
from engine.spec import Spec

_SAFE = 1e38  # a number below it is one in float32 too


def as_array(value: Any, dtype: str | None) -> np.ndarray:
    """``value`` as an array of ``dtype``; if that is None, Python's numbers become float32 and int32.

    Raises DtypeError if a number can't be kept as it is (2.5 or 300 in uint8, 1e300 in float32), or for a GPU's array.
    """
    if type(value) in (float, int) and dtype in ("float32", "float64") and abs(value) < _SAFE:  # most often
        return np.array(value, dtype)
    if hasattr(value, "__cuda_array_interface__"):
        raise DtypeError("this array lies on a GPU, and NumPy's are wanted here; value.get() gives one (of CuPy's)")
    try:
        array = np.asarray(value)
    except ValueError as error:  # rows of different lengths
        raise ShapeError(f"this isn't an array of numbers: {error}") from None
    if array.dtype == object and all(isinstance(each, int) for each in array.flat):
        raise DtypeError(f"{str(value)[:40]} is too large for a whole number; a float may be: write 1e30, say")
    if array.dtype.kind not in "fiub":
        kind = "is a complex number, and those aren't known" if array.dtype.kind == "c" else "isn't a number"
        raise DtypeError(f"{str(value)[:40]!r} {kind}")
    if dtype is None:
        dtype = array.dtype.name
        if not isinstance(value, (np.ndarray, np.generic)):
            dtype = {"float64": "float32", "int64": "int32"}.get(dtype, dtype)
    Spec((), dtype)  # refuses types that aren't known
    if array.dtype.name == dtype:
        return array
    with np.errstate(all="ignore"):
        found = array.astype(dtype)
    if found.dtype.kind != "f" and not np.array_equal(found, array):
        raise DtypeError(f"{str(value)[:40]} can't be {dtype} without loss; use cast(), or another dtype")
    if found.dtype.kind == "f" and found.itemsize < array.itemsize and (np.isinf(found) > np.isinf(array)).any():
        raise DtypeError(f"{str(value)[:40]} is beyond the largest number of {dtype}, {np.finfo(dtype).max:.1e}")
    return found


def drawn(initial: Callable[..., Any], rng: np.random.Generator, spec: Spec, whose: str) -> np.ndarray:
    """What an initialiser gives, as an array of ``spec``'s type.  Raises EngineError, saying ``whose``, for what isn't.

    A TypeError of one that takes a generator and a shape stays what it is.
    """
    try:
        given = initial(rng, spec.concrete)
    except TypeError:
        with suppress(ValueError):  # compiled functions don't tell what they take
            try:
                inspect.signature(initial).bind(rng, spec.concrete)
            except TypeError as error:
                raise EngineError(f"{whose} is called with a random generator and a shape: {error}") from None
        raise
    try:
        return as_array(given, spec.dtype)
    except EngineError as error:
        raise type(error)(f"{whose} gave something else than its numbers: {error}") from None


def sizes(shape: Any, unknown: bool = False) -> tuple[Any, ...]:
    """``shape`` as a tuple of whole numbers (and None, if sizes may be ``unknown``).  Raises ShapeError."""
    if isinstance(shape, (int, np.integer)):
        shape = (shape,)
    if isinstance(shape, (str, type, np.dtype)):
        raise ShapeError(f'a shape is a tuple of sizes, got {shape!r:.60}; the type comes second: (None, 2), "float32"')
    if not hasattr(shape, "__iter__"):
        raise ShapeError(f"a shape is a tuple of sizes, (4, 2) or () for a single number, got {shape!r:.60}")
    found = tuple(shape)
    for size in found:
        whole = isinstance(size, (int, np.integer)) and not isinstance(size, bool) and size >= 0
        if not whole and not (unknown and size is None):
            none = ", or None for any size" if unknown else ""
            hint = "" if unknown else "; only a placeholder has None for any size"
            raise ShapeError(f"sizes must be whole numbers{none}, got {found}{hint}")
    return tuple([size if size is None else int(size) for size in found])
