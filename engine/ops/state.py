"""Changing variables, and many small tensors as one long vector.

A variable's readers see the value from before the run's assignments; a fetched variable is read
after them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from engine.errors import EngineError, ShapeError
from engine.op import Call, op
from engine.spec import Spec, same_dtype


def _assign_spec(target: Spec, value: Spec) -> Spec:
    same_dtype(target, value)
    if not target.fits(value):
        raise ShapeError(f"the variable holds {target}, the new value is {value}")
    return target


assign = op(
    "assign", "Put a new value into a variable (or a flat vector of variables); gives that value.",
    spec=_assign_spec, kernel=lambda xp, out, target, value: (partial(xp.copyto, out, value),), pure=False,
)  # fmt: skip
group = op(
    "group", "Nothing but a name for several assignments that run together.",
    spec=lambda *parts: Spec(()), kernel=lambda xp, out, *parts: (), pure=False,
)  # fmt: skip


def _vector(*specs: Spec) -> Spec:
    sizes = [spec.size if spec.known else None for spec in specs]
    total = None if None in sizes else sum(size for size in sizes if size is not None)
    return Spec((total,), same_dtype(*specs))


def _pack(xp: Any, out: Any, *parts: Any) -> Sequence[Call]:
    calls, start = [], 0
    for part in parts:
        window = out[start : start + part.size].reshape(part.shape)
        start += part.size
        if not _same_memory(window, part):  # the plan lets most parts be computed in place
            calls.append(partial(xp.copyto, window, part))
    return calls


def _same_memory(a: Any, b: Any) -> bool:
    return bool(_address(a) == _address(b) and a.strides == b.strides)


def _address(array: Any) -> int:
    found = array.data.ptr if hasattr(array.data, "ptr") else array.ctypes.data
    return int(found)


pack = op("pack", "Tensors, one after the other, as one vector.", spec=_vector, kernel=_pack)


def _flat_spec(*specs: Spec) -> Spec:
    if not specs:
        raise EngineError("flat() needs at least one variable")
    return _vector(*specs)


flat = op(
    "flat", "Variables that lie side by side in memory, as one vector on that same memory.",
    spec=_flat_spec, pure=False,
)  # fmt: skip
