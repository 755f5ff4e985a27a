"""Arithmetic, comparisons and what can be made of their answers, reductions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from engine.errors import DtypeError, ShapeError, user_source
from engine.graph import CONSTANT, Tensor
from engine.op import PAIRS, Call, Draw, Op, op, sample
from engine.ops import rules
from engine.ops.array import broadcast_like, cast, count, expand
from engine.spec import Spec, broadcast, normalize_axes, normalize_axis, same_dtype

POSITIVE = Draw((3, 4), 0.3, 3.0)


def function(name: str, doc: str, code: str, grad: Callable[..., Sequence[Tensor | None]], **more: Any) -> Op:
    """An op on floats, element by element."""
    return op(name, doc, spec=rules.float_elementwise, code=code, grad=grad, **more)


def question(name: str, doc: str, code: str) -> Op:
    """An op that compares two numbers, element by element, and gives bools."""
    samples = (*PAIRS, sample(Draw((3, 4), integers=3), Draw((3, 4), integers=3)))
    return op(name, doc, spec=rules.comparison, code=code, reuse=(), grad=flat, samples=samples)


def flat(y: Tensor, g: Tensor, *inputs: Tensor) -> list[Tensor | None]:
    """The gradient of steps: their slope is 0 wherever they have one."""
    return [None for _ in inputs]


add = op(
    "add", "Sum, element by element.", spec=rules.arithmetic, code="{0} + {1}", grad=lambda y, g, a, b: [g, g],
    identity=rules.no_change_by(0.0, first_too=True),
)  # fmt: skip
sub = op(
    "sub", "Difference, element by element.", spec=rules.arithmetic, code="{0} - {1}", grad=lambda y, g, a, b: [g, -g],
    identity=rules.no_change_by(0.0, first_too=False),
)  # fmt: skip
mul = op(
    "mul", "Product, element by element.", spec=rules.arithmetic, code="{0} * {1}",
    grad=lambda y, g, a, b: [g * b, g * a], identity=rules.no_change_by(1.0, first_too=True),
)  # fmt: skip
div = op(
    "div", "Quotient, element by element.", spec=rules.float_elementwise, code="{0} / {1}", flops=4,
    grad=lambda y, g, a, b: [g / b, -g * y / b], identity=rules.no_change_by(1.0, first_too=False),
    samples=(sample((3, 4), POSITIVE), sample((2, 1), Draw((3,), -3.0, -0.3))),
)  # fmt: skip
neg = op("neg", "The number with the other sign.", spec=rules.arithmetic, code="-{0}", grad=lambda y, g, x: [-g])
abs_ = op("abs", "Distance from zero.", spec=rules.arithmetic, code="fabs({0})", grad=lambda y, g, x: [g * sign(x)])
sign: Op = op(
    "sign", "-1, 0 or 1; NaN of NaN.", spec=rules.arithmetic, code="select({0} > 0, 1, select({0} < 0, -1, {0} * 0))",
    grad=flat, kernel=lambda xp, out, x: (partial(xp.sign, x, out),),
)  # fmt: skip
square = op(
    "square", "The number times itself.", spec=rules.arithmetic, code="{0} * {0}", grad=lambda y, g, x: [2 * g * x]
)
step = function(
    "step", "1 for positive numbers, else 0, also for NaN: the slope of relu.", "select({0} > 0, 1, 0)", flat,
    kernel=lambda xp, out, x: (partial(xp.greater, x, rules.number(xp, 0, x), out),),
)  # fmt: skip


def slope_of_tanh(xp: Any, out: Any, x: Any) -> Sequence[Call]:
    """As 1 / cosh(x)^2 in a wider type: NumPy's cosh of float32 is some last places off."""
    wide = xp.empty(out.shape, rules.wider(xp, x))
    one = rules.number(xp, 1, wide)
    return (
        partial(xp.cosh, x, wide, dtype=wide.dtype),
        partial(xp.multiply, wide, wide, wide),
        partial(xp.divide, one, wide, out, casting="same_kind"),
    )


sqrt = function("sqrt", "Square root.", "sqrt({0})", lambda y, g, x: [g / (2 * y)], flops=4, samples=[sample(POSITIVE)])
exp = function("exp", "e to the power of the number.", "exp({0})", lambda y, g, x: [g * y], flops=10)
log = function("log", "Natural logarithm.", "log({0})", lambda y, g, x: [g / x], flops=10, samples=[sample(POSITIVE)])
sin = function("sin", "Sine of an angle in radians.", "sin({0})", lambda y, g, x: [g * cos(x)], flops=10)
cos: Op = function("cos", "Cosine of an angle in radians.", "cos({0})", lambda y, g, x: [-g * sin(x)], flops=10)
floor = function("floor", "The largest whole number that isn't above.", "floor({0})", flat)
tanh: Op = function(
    "tanh", "Hyperbolic tangent: squashes to (-1, 1).", "tanh({0})", lambda y, g, x: [g * tanh_slope(x)], flops=10
)
tanh_slope: Op = function(
    "tanh_slope", "Slope of tanh, 1 - tanh(x)^2 without the loss of that where tanh is near 1.", "tanh_slope({0})",
    lambda y, g, x: [-2 * g * (y * tanh(x))], flops=15, kernel=slope_of_tanh, slope_of=tanh,
)  # fmt: skip


def _chosen(g: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """The gradient of who is chosen where a > b: all of it there; half where they are the same, as ``max`` does."""
    return where(greater(a, b), g, where(equal(a, b), 0.5 * g, 0.0))


maximum = op(
    "maximum", "The larger of two numbers, element by element; NaN if one is. Equal ones share the gradient.",
    spec=rules.elementwise, code="max({0}, {1})", grad=lambda y, g, a, b: [_chosen(g, a, b), _chosen(g, b, a)],
)  # fmt: skip
minimum = op(
    "minimum", "The smaller of two numbers, element by element; NaN if one is. Equal ones share the gradient.",
    spec=rules.elementwise, code="min({0}, {1})", grad=lambda y, g, a, b: [_chosen(g, b, a), _chosen(g, a, b)],
)  # fmt: skip
bounded = function(
    "bounded", "The number, or 2^50 with its sign if it lies beyond: a sum of a hundred million squares stays finite.",
    "max(min({0}, 1125899906842624), -1125899906842624)", lambda y, g, x: [where(equal(x, y), g, 0.0)],
    kernel=lambda xp, out, x: (partial(x.clip, rules.number(xp, -(2**50), x), rules.number(xp, 2**50, x), out),),
)  # fmt: skip
greater: Op = question("greater", "Whether the first number is larger than the second.", "{0} > {1}")
greater_equal = question(
    "greater_equal", "Whether the first number is larger than the second, or the same.", "{0} >= {1}"
)
equal: Op = question("equal", "Whether two numbers are the same.", "{0} == {1}")
not_equal = question("not_equal", "Whether two numbers differ.", "{0} != {1}")
is_nan = op(
    "is_nan", "Whether it isn't a number: what 0/0 gives.", spec=lambda x: Spec(x.shape, "bool"), code="{0} != {0}",
    reuse=(), grad=flat,
)  # fmt: skip


def _where_spec(choice: Spec, a: Spec, b: Spec) -> Spec:
    return Spec(broadcast([choice.shape, a.shape, b.shape]), same_dtype(a, b))


where: Op = op(
    "where", "The second input where the first is true, else the third.",
    spec=_where_spec, code="select({0}, {1}, {2})", reuse=(1, 2),
    grad=lambda y, g, choice, a, b: [None, where(choice, g, 0.0), where(choice, 0.0, g)],
    samples=(sample(Draw((3, 4), integers=2), (3, 4), (3, 4)), sample(Draw((3, 4), integers=2), (4,), ())),
)  # fmt: skip


def _spread(g: Tensor, x: Tensor, axis: Any, keepdims: bool) -> Tensor:
    """A reduction's gradient (or result), back at the shape of its input."""
    return broadcast_like(g if keepdims else expand(g, axis=normalize_axes(axis, x.ndim)), x)


def _sum_spec(x: Spec, axis: Any = None, keepdims: bool = False) -> Spec:
    rules.need_numbers(x)
    return rules.reduced(x, axis, keepdims)


def _sum(xp: Any, out: Any, x: Any, *, axis: Any = None, keepdims: bool = False) -> Sequence[Call]:
    return rules.sums(xp, x, out, normalize_axes(axis, x.ndim))


def _pow_grad(y: Tensor, g: Tensor, a: Tensor, b: Tensor) -> list[Tensor | None]:
    """b a^(b - 1), which is 0 for b = 0 also around a = 0 (powers are infinite there) and for NaN; and a^b log(a).

    Of a negative base only whole exponents give a number, so there is no slope by them; nor is there at 0.
    """
    lower = b - 1
    if not _is_nowhere_0(b):
        far_from_0 = greater_equal(abs_(a), 1e-6)  # NaN isn't
        lower = where(logical_or(not_equal(b, 0), far_from_0), lower, 0.0)
    flat_by_b = logical_or(logical_and(less_equal(a, 0), equal(y, y)), equal(y, 0))
    by_b = where(flat_by_b, 0.0, g * y * log(where(flat_by_b, 1.0, a)))
    return [g * b * power(a, lower), by_b]


def _is_nowhere_0(x: Tensor) -> bool:
    return x.op is CONSTANT and bool(np.all(x.attrs["value"] != 0))


def _power(xp: Any, out: Any, *given: Any) -> Sequence[Call]:
    """C's pow takes subnormal numbers for others while they count as 0, so it is given 0 instead."""
    flushed = [xp.empty(each.shape, each.dtype) for each in given]
    calls = [partial(xp.multiply, x, rules.number(xp, 1, x), to) for x, to in zip(given, flushed, strict=True)]
    return *calls, partial(xp.power, *flushed, out)


power: Op = function(
    "pow", "The first number to the power of the second.", "pow({0}, {1})", _pow_grad, flops=20, kernel=_power,
    identity=rules.no_change_by(1.0, first_too=False),
    samples=(sample(POSITIVE, (3, 4)), sample(Draw((2, 1), 0.3, 3.0), Draw((3,), -2.0, 2.0))),
)  # fmt: skip


REDUCTIONS = (
    sample((3, 4)), sample((3, 4), axis=0), sample((3, 4), axis=-1, keepdims=True), sample((2, 3, 4), axis=(0, 2)),
    sample((2, 3, 4), axis=1),
)  # fmt: skip
sum_ = op(
    "sum", "Sum along axes.",
    spec=_sum_spec, kernel=_sum, flops=1,
    grad=lambda y, g, x, axis=None, keepdims=False: [_spread(g, x, axis, keepdims)], samples=REDUCTIONS,
)  # fmt: skip


def _max_spec(x: Spec, axis: Any = None, keepdims: bool = False) -> Spec:
    if any(x.shape[at] == 0 for at in normalize_axes(axis, x.ndim)):
        raise ShapeError(f"{x} is empty and has no largest element")
    return rules.reduced(x, axis, keepdims)


def _max_grad(y: Tensor, g: Tensor, x: Tensor, axis: Any = None, keepdims: bool = False) -> list[Tensor | None]:
    wins = equal(x, _spread(y, x, axis, keepdims))
    ties = sum_(cast(wins, dtype=x.dtype), axis=axis, keepdims=keepdims)
    return [where(wins, _spread(g / ties, x, axis, keepdims), 0.0)]


max_ = op(
    "max", "Largest element along axes; ties share the gradient.",
    spec=_max_spec, flops=1, grad=_max_grad, samples=REDUCTIONS,
    kernel=lambda xp, out, x, axis=None, keepdims=False: (partial(x.max, axis, out, keepdims),),
)  # fmt: skip


def min_(x: Tensor, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Smallest element along axes (all if None); ties share the gradient."""
    found = mirrored(max_(mirrored(x), axis=axis, keepdims=keepdims))
    return found if found.dtype == x.dtype else cast(found, dtype=x.dtype)


def mirrored(x: Tensor) -> Tensor:
    """The numbers in reverse order of size: -x, and -1 - x of whole ones, whose lowest has no -x."""
    if x.spec.is_float:
        return -x
    return -1 - (x if x.dtype in ("int32", "int64") else cast(x, dtype="int32"))


def _prod_grad(y: Tensor, g: Tensor, x: Tensor, axis: Any = None, keepdims: bool = False) -> list[Tensor | None]:
    """The product of all the others: without dividing by what may be 0.

    Those that are 0 come in as the sums of their products, one, two at a time: 0 too, but with the right slopes,
    so that the second and the third derivative are right where several are 0.
    """
    along = {"axis": axis, "keepdims": True}
    at_zero = equal(x, 0)
    alive, zero = where(at_zero, 1.0, x), where(at_zero, x, 0.0)
    zeros = sum_(cast(at_zero, dtype=x.dtype), **along)
    ones = sum_(zero, **along)
    pairs = 0.5 * (square(ones) - sum_(square(zero), **along))
    others = ones - zero

    def if_zeros(*products: Tensor | float) -> Tensor | float:
        """What is right where there is no 0, one, two, ..."""
        found: Tensor | float = 0.0
        for many, each in reversed(list(enumerate(products))):
            found = where(equal(zeros, many), each, found)
        return found

    at_others = if_zeros(1.0, ones, pairs)
    factor = where(at_zero, if_zeros(0.0, 1.0, others, pairs - zero * others), at_others / alive)
    return [(g if keepdims else expand(g, axis=normalize_axes(axis, x.ndim))) * prod(alive, **along) * factor]


prod: Op = op(
    "prod", "Product along axes.",
    spec=_sum_spec, flops=1, grad=_prod_grad, samples=REDUCTIONS,
    kernel=lambda xp, out, x, axis=None, keepdims=False: (partial(x.prod, axis, None, out, keepdims),),
)  # fmt: skip


def _argmax_spec(x: Spec, axis: int | None = -1) -> Spec:
    return Spec(_max_spec(x, axis if axis is None else normalize_axis(axis, x.ndim)).shape, "int32")


def _argmax(xp: Any, out: Any, x: Any, *, axis: int | None = -1) -> Sequence[Call]:
    def run() -> None:
        out[...] = x.argmax(axis)

    return (run,)


argmax = op(
    "argmax", "Where along an axis the largest element lies.",
    spec=_argmax_spec, kernel=_argmax, flops=1,
    samples=(sample((3, 4)), sample((3, 4), axis=0), sample((3, 4), axis=None)),
)  # fmt: skip


def mean(x: Tensor, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Arithmetic mean along axes (all if None)."""
    return sum_(x, axis=axis, keepdims=keepdims) / count(x, axis=axis)


def less(a: Any, b: Any) -> Tensor:
    """Whether the first number is smaller than the second."""
    return greater(b, a)


def less_equal(a: Any, b: Any) -> Tensor:
    """Whether the first number is smaller than the second, or the same."""
    return greater_equal(b, a)


def logical_and(a: Tensor, b: Any) -> Tensor:
    """Whether both are true.  Raises DtypeError for what isn't bool."""
    return minimum(*_answers(a, b))


def logical_or(a: Tensor, b: Any) -> Tensor:
    """Whether one of the two is true, or both.  Raises DtypeError for what isn't bool."""
    return maximum(*_answers(a, b))


def logical_not(x: Tensor) -> Tensor:
    """Whether it is false.  Raises DtypeError for what isn't bool."""
    return equal(*_answers(x), x.graph.constant(False))


def _answers(first: Tensor, *others: Any) -> tuple[Tensor, ...]:
    tensors = (first, *[each if isinstance(each, Tensor) else first.graph.constant(each) for each in others])
    for each in tensors:
        if each.dtype != "bool":
            raise DtypeError(f"{each.name} {each.spec} isn't a yes or no; compare it with something ({user_source()})")
    return tensors
