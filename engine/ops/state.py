"""Changing variables, and many variables as one long vector.

Whoever computes with a variable in a run sees its value from before the run's assignments; who
reads an assignment sees the value it gave; a fetched variable is read after all of them.  Several
assignments to one variable happen in the order in which they were written.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from engine.errors import EngineError, ShapeError
from engine.graph import VARIABLE, Tensor
from engine.op import op
from engine.ops.array import unpack, vector
from engine.spec import Spec, same_dtype


def _assign_spec(target: Spec, value: Spec) -> Spec:
    same_dtype(target, value)
    if not target.fits(value):
        raise ShapeError(f"the variable holds {target}, the new value is {value}")
    return target


def _check_target(inputs: Sequence[Tensor]) -> None:
    target = inputs[0]
    while target.op.view is not None or target.op is assign:
        target = target.inputs[0]
    if target.op not in (VARIABLE, flat):
        raise EngineError(f"{target.name} is the result of {target.op.name}; only a variable keeps a value")


assign = op(
    "assign", "Put a new value into a variable, a part of one, or a flat vector of some; gives that value.",
    spec=_assign_spec, check=_check_target, pure=False,
    kernel=lambda xp, out, target, value: (partial(xp.copyto, out, value),),
)  # fmt: skip
group = op(
    "group", "Nothing but a name for several assignments that run together.",
    spec=lambda *parts: Spec(()), kernel=lambda xp, out, *parts: (), pure=False,
)  # fmt: skip


def _check_neighbours(inputs: Sequence[Tensor]) -> None:
    place = None
    for each in inputs:
        if each.op is not VARIABLE:
            raise EngineError(f"{each.name} is the result of {each.op.name}, not a variable; pack() takes any tensor")
        offset = each.graph.offsets[each]
        if place not in (None, offset):
            raise EngineError(f"{each.name} doesn't lie right behind the variable before it; pack() takes any")
        place = offset + each.spec.size


flat = op(
    "flat", "Variables that lie side by side in memory, as one vector on that same memory.",
    spec=vector, check=_check_neighbours, grad=unpack, pure=False,
)  # fmt: skip
