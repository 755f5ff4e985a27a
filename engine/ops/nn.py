"""Activations, softmax and cross-entropy."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from engine.errors import DtypeError, EngineError, ShapeError
from engine.expression import kernel, parse
from engine.graph import Tensor
from engine.op import ONE, Call, Draw, Op, op, sample
from engine.ops.array import expand
from engine.ops.lookup import one_hot, row_check
from engine.ops.math import exp, function, greater, maximum, minimum, slope_of_tanh, step, sum_, tanh, where
from engine.ops.rules import contiguous, float_elementwise, last_axis, number, sums, wider
from engine.spec import Spec, same_dtype

relu = function(
    "relu", "Rectified linear unit: negative numbers become 0. Its slope is 0 at 0 and at NaN.",
    "select({0} <= 0, 0, {0})", lambda y, g, x: [g * step(y)],
    kernel=lambda xp, out, x: (partial(xp.maximum, x, number(xp, 0, x), out=out),),
)  # fmt: skip


def _leaky_relu_spec(x: Spec, slope: float = 0.01) -> Spec:
    if not 0 <= slope <= 1:
        raise EngineError(f"the slope must lie between 0 and 1, got {slope}")
    return float_elementwise(x)


def _leaky_relu(xp: Any, out: Any, x: Any, *, slope: float = 0.01) -> Sequence[Call]:
    small = xp.empty_like(out)
    return (partial(xp.multiply, x, number(xp, slope, x), small), partial(xp.maximum, x, small, out=out))


leaky_relu = op(
    "leaky_relu", "Like relu, but negative numbers keep a small slope (0.01).",
    spec=_leaky_relu_spec, code="select({0} > 0, {0}, {slope} * {0})", flops=2, kernel=_leaky_relu,
    grad=lambda y, g, x, slope=0.01: [where(greater(x, 0), g, slope * g)], samples=(*ONE, sample((3, 4), slope=0.2)),
)  # fmt: skip
elu = function(
    "elu", "Exponential linear unit: x above 0, exp(x) - 1 below (Clevert et al. 2015).",
    "max({0}, 0) + expm1(min({0}, 0))", lambda y, g, x: [g * exp(minimum(x, 0))], flops=12,
)  # fmt: skip


def _in_wider_type(code: str) -> Callable[..., Sequence[Call]]:
    """A kernel that computes in a wider type.

    gelu raises e to a cube: a digit lost there would be two in the result, and near its slope's zero all of them.
    """

    def made(xp: Any, out: Any, x: Any) -> Sequence[Call]:
        given, found = (xp.empty(x.shape, wider(xp, x)) for _ in range(2))
        calls = kernel(parse(code), {})(xp, found, given)
        return (partial(xp.copyto, given, x), *calls, partial(xp.copyto, out, found, "same_kind"))

    return made


def _gelu_bend(x: Tensor) -> Tensor:
    """The slope of gelu's slope: gelu is x times sigmoid(A x + B x^3)."""
    x = minimum(maximum(x, -100.0), 100.0)  # beyond it is 0, and powers may overflow
    a, b = 2 * math.sqrt(2 / math.pi), 0.044715 * 2 * math.sqrt(2 / math.pi)
    angle, turn = x * (a + b * (x * x)), a + 3 * b * (x * x)
    return sigmoid_slope(angle) * (2 * turn + x * (6 * b * x - turn * turn * tanh(0.5 * angle)))


gelu = function(
    "gelu", "Gaussian error linear unit, tanh form: x times a bell curve's share below x (Hendrycks & Gimpel 2016).",
    "gelu({0})", lambda y, g, x: [g * gelu_slope(x)], flops=20, kernel=_in_wider_type("gelu({0})"),
)  # fmt: skip
gelu_slope: Op = function(
    "gelu_slope", "Slope of gelu.", "gelu_slope({0})", lambda y, g, x: [g * _gelu_bend(x)], flops=40,
    kernel=_in_wider_type("gelu_slope({0})"), slope_of=gelu,
)  # fmt: skip
softplus = function(
    "softplus", "A smooth relu: log(1 + exp(x)).", "max({0}, 0) + log1p(exp(-fabs({0})))",
    lambda y, g, x: [g * sigmoid(x)], flops=20,
)  # fmt: skip
sigmoid: Op = function(
    "sigmoid", "Logistic function: squashes to (0, 1).", "sigmoid({0})", lambda y, g, x: [g * sigmoid_slope(x)],
    flops=13,
)  # fmt: skip
sigmoid_slope: Op = function(
    "sigmoid_slope", "Slope of sigmoid, y (1 - y) without the loss of that where y is near 1.", "sigmoid_slope({0})",
    lambda y, g, x: [-g * (y * tanh(0.5 * x))], flops=15, slope_of=sigmoid,
    kernel=lambda xp, out, x: (
        partial(xp.multiply, x, number(xp, 0.5, x), out), *slope_of_tanh(xp, out, out),
        partial(xp.multiply, out, number(xp, 0.25, x), out),
    ),
)  # fmt: skip


def _largest(xp: Any, x: Any, out: Any) -> Sequence[Call]:
    """Along the last axis.  NumPy is slow along short rows: those are turned into columns first."""
    if x.ndim != 2 or x.shape[1] > 32:
        return (partial(x.max, -1, out, True),)
    columns = xp.empty(x.shape[::-1], x.dtype)
    return (partial(xp.copyto, columns, x.T), partial(columns.max, 0, out.reshape(len(x))))


def _softmax(xp: Any, out: Any, x: Any) -> Sequence[Call]:
    edge = xp.empty((*x.shape[:-1], 1), x.dtype)
    return (
        *_largest(xp, x, edge),
        partial(xp.subtract, x, edge, out),
        partial(xp.exp, out, out),
        *sums(xp, out, edge, (x.ndim - 1,)),
        partial(xp.divide, out, edge, out),
    )


softmax = op(
    "softmax", "Numbers to probabilities along the last axis: positive, sum 1.",
    spec=last_axis, axis=-1, kernel=_softmax, flops=14, reuse=(0,),
    grad=lambda y, g, x: [y * (g - sum_(g * y, axis=-1, keepdims=True))], samples=(sample((3, 4)), sample((5,))),
)  # fmt: skip


def _log_softmax(xp: Any, out: Any, x: Any) -> Sequence[Call]:
    edge, powers = xp.empty((*x.shape[:-1], 1), x.dtype), xp.empty_like(out)
    return (
        *_largest(xp, x, edge),
        partial(xp.subtract, x, edge, out),
        partial(xp.exp, out, powers),
        *sums(xp, powers, edge, (x.ndim - 1,)),
        partial(xp.log, edge, edge),
        partial(xp.subtract, out, edge, out),
    )


log_softmax = op(
    "log_softmax", "Logarithm of softmax, without the loss of precision of taking the two in turn.",
    spec=last_axis, axis=-1, kernel=_log_softmax, flops=14, reuse=(0,),
    grad=lambda y, g, x: [g - softmax(x) * sum_(g, axis=-1, keepdims=True)], samples=(sample((3, 4)), sample((5,))),
)  # fmt: skip


def _cross_entropy_spec(logits: Spec, labels: Spec) -> Spec:
    last_axis(logits)
    rows = Spec(logits.shape[:-1], logits.dtype)
    if labels.is_integer:
        if not Spec(rows.shape, labels.dtype).fits(labels):
            raise ShapeError(f"a whole-number label a row is needed, {rows.shape}, got {labels.shape}")
        return rows
    if not labels.is_float:
        raise DtypeError(f"labels are whole numbers or probabilities, got {labels.dtype}")
    same_dtype(logits, labels)
    if not logits.fits(labels):
        raise ShapeError(f"probabilities must have the logits' shape {logits.shape}, got {labels.shape}")
    return rows


def _cross_entropy(xp: Any, out: Any, logits: Any, labels: Any) -> Sequence[Call]:
    logs = xp.empty(logits.shape, logits.dtype)
    calls = list(_log_softmax(xp, logs, logits))
    if labels.dtype.kind == "f":
        none = xp.empty(labels.shape, "bool")
        return [
            *calls,
            partial(xp.equal, labels, number(xp, 0, labels), none),
            partial(xp.copyto, logs, number(xp, 0, logs), "same_kind", none),  # not -inf, which times 0 is no number
            partial(xp.multiply, logs, labels, logs),
            *sums(xp, logs, out, (logs.ndim - 1,)),
            partial(xp.negative, out, out),
        ]
    labels, copied = contiguous(xp, labels)
    flat, places, rows = logs.reshape(labels.size, logits.shape[-1]), labels.reshape(-1), xp.arange(labels.size)

    def choose() -> None:
        xp.negative(flat[rows, places].reshape(out.shape), out)

    return [*copied, *row_check(xp, labels, logits.shape[-1]), *calls, choose]


def _cross_entropy_grad(y: Tensor, g: Tensor, logits: Tensor, labels: Tensor) -> list[Tensor | None]:
    each = expand(g, axis=(-1,))
    if labels.spec.is_float:
        to_logits = each * (softmax(logits) * sum_(labels, axis=-1, keepdims=True) - labels)
        return [to_logits, -each * log_softmax(logits)]
    classes = logits.shape[-1]
    if classes is None:
        raise ShapeError(f"the gradient of cross_entropy needs the number of classes of {logits.name}")
    return [each * (softmax(logits) - one_hot(labels, classes=classes, dtype=logits.dtype)), None]


cross_entropy = op(
    "cross_entropy", "-log of the probability that softmax(logits) gives the label: 0 when sure and right.",
    spec=_cross_entropy_spec, axis=-1, kernel=_cross_entropy, flops=16, grad=_cross_entropy_grad, lookup=(1, 0, -1),
    samples=(
        sample((3, 4), Draw((3,), integers=4)), sample((3, 4), Draw((3, 4), distribution=True)),
        sample((2, 3, 4), Draw((2, 3), integers=4)),
    ),
)  # fmt: skip
