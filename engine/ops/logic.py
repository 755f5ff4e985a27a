"""Comparisons, and what can be made of their answers."""

from __future__ import annotations

from typing import Any

from engine.errors import DtypeError, user_source
from engine.graph import Tensor
from engine.op import PAIRS, Draw, op, sample
from engine.ops.math import equal, greater, maximum, minimum
from engine.ops.rules import comparison
from engine.spec import Spec

INTEGERS = sample(Draw((3, 4), integers=3), Draw((3, 4), integers=3))

greater_equal = op(
    "greater_equal", "Whether the first number is larger than the second, or the same.",
    spec=comparison, code="{0} >= {1}", reuse=(),
    grad=lambda y, g, a, b: [None, None], samples=(*PAIRS, INTEGERS),
)  # fmt: skip
not_equal = op(
    "not_equal", "Whether two numbers differ.", spec=comparison, code="{0} != {1}", reuse=(),
    grad=lambda y, g, a, b: [None, None], samples=(*PAIRS, INTEGERS),
)  # fmt: skip
is_nan = op(
    "is_nan", "Whether it isn't a number: what 0/0 gives.",
    spec=lambda x: Spec(x.shape, "bool"), code="{0} != {0}", reuse=(), grad=lambda y, g, x: [None],
)  # fmt: skip


def less(a: Any, b: Any) -> Tensor:
    """Whether the first number is smaller than the second."""
    return greater(b, a)


def less_equal(a: Any, b: Any) -> Tensor:
    """Whether the first number is smaller than the second, or the same."""
    return greater_equal(b, a)


def logical_and(a: Tensor, b: Tensor) -> Tensor:
    """Whether both are true.  Raises DtypeError for what isn't bool."""
    return minimum(*_answers(a, b))


def logical_or(a: Tensor, b: Tensor) -> Tensor:
    """Whether one of the two is true, or both.  Raises DtypeError for what isn't bool."""
    return maximum(*_answers(a, b))


def logical_not(x: Tensor) -> Tensor:
    """Whether it is false.  Raises DtypeError for what isn't bool."""
    return equal(*_answers(x), x.graph.constant(False))


def _answers(*tensors: Tensor) -> tuple[Tensor, ...]:
    for each in tensors:
        if each.dtype != "bool":
            raise DtypeError(f"{each.name} {each.spec} isn't a yes or no; compare it with something ({user_source()})")
    return tensors
