"""Functions that are made of other operations, and the one that stops their gradients."""

from __future__ import annotations

from typing import Any

from engine.errors import EngineError, ShapeError, user_source
from engine.graph import Tensor
from engine.op import op
from engine.ops.array import concat, expand
from engine.ops.math import abs_, argmax, flat, max_, maximum, minimum, mirrored, sqrt, square, sum_
from engine.ops.rules import elementwise
from engine.ops.state import assign
from engine.spec import normalize_axis
from engine.tensor import shown

stop_gradient = op(
    "stop_gradient", "The same numbers, as if they were constants: gradients end here.",
    spec=elementwise, code="{0}", grad=flat, identity=lambda specs, values: 0, flops=0,
)  # fmt: skip


def clip(x: Tensor, low: Any, high: Any) -> Tensor:
    """``x`` kept within ``low`` .. ``high``: numbers, or tensors that broadcast.  Raises EngineError if low > high."""
    if isinstance(low, (int, float)) and isinstance(high, (int, float)) and low > high:
        raise EngineError(f"clip keeps numbers between low and high, got {low} and {high} ({user_source()})")
    return maximum(minimum(x, high), low)


def clip_by_norm(x: Tensor, norm: float) -> Tensor:
    """``x`` shortened to the length ``norm`` if it is longer, all its numbers taken as one vector."""
    if isinstance(norm, (int, float)) and not norm >= 0:
        raise EngineError(f"a length is at least 0, got {norm} ({user_source()})")
    scale = maximum(max_(abs_(x)), 1.0)  # measured in its largest number, no square overflows
    length = scale * sqrt(maximum(sum_(square(x / scale)), 1e-36))  # a root at 0 has no slope
    return x * minimum(norm / maximum(length, 1e-30), 1.0)


def stack(tensors: Any, axis: int = 0) -> Tensor:
    """A list of tensors of one shape side by side along a new axis.  Raises ShapeError."""
    if not isinstance(tensors, (list, tuple)):
        raise EngineError(f"stack() takes a list of tensors, got {shown(tensors)} ({user_source()})")
    return concat(*[expand(each, axis=axis) for each in tensors], axis=axis)


def unstack(x: Tensor, axis: int = 0) -> list[Tensor]:
    """The parts of ``x`` along an axis, without it: slices, which cost nothing.  Raises ShapeError."""
    at = normalize_axis(axis, x.ndim)
    size = x.shape[at]
    if size is None:
        raise ShapeError(f"the size of axis {axis} of {x.name} {x.spec} isn't known yet ({user_source()})")
    return [x[(slice(None),) * at + (place,)] for place in range(size)]


def argmin(x: Tensor, axis: int = -1) -> Tensor:
    """Where along an axis the smallest element lies (the first of several)."""
    return argmax(mirrored(x), axis=axis)


def assign_add(variable: Tensor, value: Any) -> Tensor:
    """Add to a variable when it is run; gives the new value."""
    return assign(variable, variable + value)


def assign_sub(variable: Tensor, value: Any) -> Tensor:
    """Take from a variable when it is run; gives the new value."""
    return assign(variable, variable - value)
