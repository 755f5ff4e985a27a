"""Attributes: what an operation is told besides its inputs, in the one spelling that its rules and kernels know.

``strides=2`` is (2, 2), a list is a tuple, NumPy's types go by their names.  What can't be meant is refused.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from engine.errors import EngineError
from engine.foreign import setting
from engine.spec import dtype_name


def _integer(value: Any) -> int:
    """A whole number.  Raises TypeError for anything else, bools too."""
    if isinstance(value, (bool, np.bool_)):
        raise TypeError
    return operator.index(value)


def number(value: Any) -> float:
    """A number.  Raises TypeError."""
    if isinstance(value, (bool, str, bytes, np.bool_)):
        raise TypeError
    return value if isinstance(value, (int, float)) else float(value)


def _yes_or_no(value: Any) -> bool:
    if value is not True and value is not False and not isinstance(value, (bool, np.bool_)):
        raise TypeError
    return bool(value)


def _several(value: Any) -> tuple[int, ...]:
    return tuple([_integer(each) for each in value])


def _count(value: Any) -> int:
    if _integer(value) < 1:
        raise ValueError
    return _integer(value)


def _is_one(value: Any) -> bool:
    return not isinstance(value, (tuple, list))


def _one_or_several(value: Any) -> int | tuple[int, ...] | None:
    if value is None or type(value) is int:
        return value
    return _integer(value) if _is_one(value) else _several(value)


def _sizes(value: Any) -> tuple[int, ...]:
    return (_integer(value),) if _is_one(value) else _several(value)


def _pair(value: Any) -> tuple[int, ...]:
    return (_integer(value),) * 2 if _is_one(value) else _several(value)


def _padding(value: Any) -> Any:
    """ "same" or "valid", ((top, bottom), (left, right)), or as many pixels on both sides: down and across, or one."""
    if isinstance(value, str):
        return value.lower()
    if _is_one(value):
        return ((_integer(value),) * 2,) * 2
    return tuple((_integer(each),) * 2 if _is_one(each) else _several(each) for each in value)


def _part(value: Any) -> Any:
    """A slice's ends as whole numbers; what else may stand there, its shape rule says."""
    if isinstance(value, slice):
        if value.step == 0:
            raise ValueError
        ends = (value.start, value.stop, value.step)
        return slice(*[None if each is None else _integer(each) for each in ends])
    return value


_PAIR = (_pair, "a whole number, or two: down and across")
_AXES = (_one_or_several, "a whole number, several, or None")
_YES_OR_NO = (_yes_or_no, "True or False")
_NUMBER = (number, "a number")
KINDS: dict[str, tuple[Callable[[Any], Any], str]] = {  # how each is read, and what it may be
    "axis": _AXES,
    "axes": (lambda value: None if value is None else _several(value), "each axis once, in their new order"),
    "shape": (_sizes, "whole numbers"),
    "keepdims": _YES_OR_NO,
    "transpose_a": _YES_OR_NO,
    "transpose_b": _YES_OR_NO,
    "count_padding": _YES_OR_NO,
    "dtype": (dtype_name, "a type's name"),
    "size": _PAIR,
    "strides": (lambda value: None if value is None else _pair(value), _PAIR[1]),  # a pool's may be left out
    "dilations": _PAIR,
    "padding": (_padding, '"valid", "same", a number of pixels or ((top, bottom), (left, right))'),
    "widths": (lambda value: tuple([_several(each) for each in value]), "(before, after) for each axis"),
    "classes": (_count, "a whole number of at least 1"),
    "slope": _NUMBER,
    "value": _NUMBER,
    "index": (lambda value: tuple([_part(each) for each in value]), "whole numbers and slices, whose steps aren't 0"),
}


def spelled(name: str, value: Any, where: str = "") -> Any:
    """``value`` as the attribute ``name`` of an operation.  Raises EngineError (``where``) for what it can't be."""
    if name not in KINDS:
        return tuple(value) if isinstance(value, list) else value
    read, meaning = KINDS[name]
    try:
        return read(value)
    except (TypeError, ValueError, EngineError) as error:  # a tensor says that it is no number
        if isinstance(error, EngineError) and type(error) is not EngineError:
            raise
        raise EngineError(f"{name} is {meaning}, got {value!r:.60}{where}") from None


def explained(names: Iterable[str]) -> str:
    """A line for each attribute with what it may be, for help()."""
    return "".join([f"\n    {name}: {KINDS[name][1]}" for name in names if name in KINDS])


def unknown(name: str, known: tuple[str, ...], element_wise: bool) -> EngineError:
    """The error for an attribute that an operation doesn't have."""
    takes = f"takes {', '.join(known)}" if known else "takes nothing besides its inputs"
    if name in ("inplace", "out"):
        why = "; nothing is done in place: go on with what it gives"
    elif why := setting(name, known):
        pass
    elif name in ("axis", "dim") and element_wise:
        why = "; it goes element by element"
    else:
        why = ""
    return EngineError(f"there is no {name} to be set: it {takes}{why}")
