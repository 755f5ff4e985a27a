"""ONNX operators that work element by element."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce
from typing import Any

import onnx

import engine as en
from engine import ops as o
from engine.spec import DTYPES
from tests.onnx.adapter import HANDLERS, Handler, Node, Unsupported, handles

Unary = Callable[[en.Tensor], en.Tensor]
Binary = Callable[[en.Tensor, en.Tensor], en.Tensor]


def ceil(x: en.Tensor) -> en.Tensor:
    return -o.floor(-x)


def round_half_even(x: en.Tensor) -> en.Tensor:
    below = o.floor(x)
    rest, odd = x - below, below - 2 * o.floor(below * 0.5)
    up = o.logical_or(o.greater(rest, 0.5), o.logical_and(o.equal(rest, 0.5), o.equal(odd, 1)))
    return o.where(up, below + 1, below)


def softsign(x: en.Tensor) -> en.Tensor:
    return x / (1 + o.abs_(x))


UNARY: dict[str, Unary] = {
    "Abs": o.abs_, "Neg": o.neg, "Sqrt": o.sqrt, "Exp": o.exp, "Log": o.log, "Sin": o.sin, "Cos": o.cos,
    "Tanh": o.tanh, "Sigmoid": o.sigmoid, "Relu": o.relu, "Softplus": o.softplus, "Floor": o.floor, "Sign": o.sign,
    "Identity": lambda x: x, "Not": o.logical_not, "IsNaN": o.is_nan, "Ceil": ceil, "Round": round_half_even,
    "Reciprocal": lambda x: 1 / x, "Tan": lambda x: o.sin(x) / o.cos(x), "Softsign": softsign,
    "Sinh": lambda x: (o.exp(x) - o.exp(-x)) * 0.5, "Cosh": lambda x: (o.exp(x) + o.exp(-x)) * 0.5,
    "Asinh": lambda x: o.log(x + o.sqrt(x * x + 1)), "Acosh": lambda x: o.log(x + o.sqrt(x * x - 1)),
    "Atanh": lambda x: 0.5 * o.log((1 + x) / (1 - x)), "Mish": lambda x: x * o.tanh(o.softplus(x)),
    "HardSwish": lambda x: x * o.maximum(o.minimum(x / 6 + 0.5, 1.0), 0.0),
}  # fmt: skip
BINARY: dict[str, Binary] = {
    "Add": o.add, "Sub": o.sub, "Mul": o.mul, "Equal": o.equal, "Greater": o.greater,
    "GreaterOrEqual": o.greater_equal, "Less": o.less, "LessOrEqual": o.less_equal, "And": o.logical_and,
    "Or": o.logical_or, "Xor": o.not_equal,
}  # fmt: skip
VARIADIC: dict[str, Binary] = {"Max": o.maximum, "Min": o.minimum, "Sum": o.add}


def _of_one(function: Unary) -> Handler:
    return lambda node: function(node[0])


def _of_many(function: Binary) -> Handler:
    return lambda node: reduce(function, [node[at] for at in range(len(node.inputs))])


def _of_two(function: Binary) -> Handler:
    return lambda node: function(node[0], _aligned(node))


def _aligned(node: Node) -> en.Tensor:
    """The second input of an element-wise op; opset 6 let it stand at an axis of the first."""
    first, second = node[0], node[1]
    if node.opset < 7 and node.attr("broadcast") and second.ndim and node.attr("axis") is not None:
        after = first.ndim - node.attr("axis") % first.ndim - second.ndim
        return o.expand(second, axis=tuple(range(second.ndim, second.ndim + after))) if after else second
    return second


HANDLERS |= {name: _of_one(function) for name, function in UNARY.items()}
HANDLERS |= {name: _of_many(function) for name, function in VARIADIC.items()}
HANDLERS |= {name: _of_two(function) for name, function in BINARY.items()}


@handles("PRelu")
def prelu(node: Node) -> Any:
    x, slope = node[0], node[1]
    if node.opset < 7 and slope.ndim == 1 and slope.shape != (1,):  # a number a channel
        slope = o.expand(slope, axis=tuple(range(1, x.ndim - 1)))
    return o.maximum(x, 0.0) + slope * o.minimum(x, 0.0)


@handles("Mean")
def mean(node: Node) -> Any:
    count = len(node.inputs)
    return reduce(o.add, [node[at] for at in range(count)]) / float(count)


@handles("Div")
def divide(node: Node) -> Any:
    return _in_floats(o.div, node[0], _aligned(node))


@handles("Pow")
def power(node: Node) -> Any:
    return _in_floats(lambda a, b: o.power(a, o.cast(b, dtype=a.dtype)), node[0], _aligned(node))


@handles("Mod")
def modulo(node: Node) -> Any:
    return _in_floats(_floored if not node.attr("fmod", 0) else _truncated, node[0], node[1])


def _in_floats(function: Binary, a: en.Tensor, b: en.Tensor) -> en.Tensor:
    """Whole numbers are divided as floats (exact up to 2^53), the result is cut towards 0."""
    if a.dtype not in ("int32", "int64"):
        return function(a, b)
    found = function(o.cast(a, dtype="float64"), o.cast(b, dtype="float64"))
    return o.cast(trunc(found), dtype=a.dtype)


def trunc(x: en.Tensor) -> en.Tensor:
    return o.where(o.greater(x, 0), o.floor(x), ceil(x))


def _truncated(a: en.Tensor, b: en.Tensor) -> en.Tensor:
    """The remainder with the sign of ``a``."""
    times = trunc(a / b)
    return o.where(o.equal(times, 0), a, a - b * times)


def _floored(a: en.Tensor, b: en.Tensor) -> en.Tensor:
    """The remainder with the sign of ``b``."""
    rest = _truncated(a, b)
    return o.where(o.less(o.sign(rest) * o.sign(b), 0), rest + b, rest)


@handles("Where")
def where(node: Node) -> Any:
    return o.where(node[0], node[1], node[2])


@handles("IsInf")
def is_inf(node: Node) -> Any:
    x = node[0]
    asked = {math.inf: node.attr("detect_positive", 1), -math.inf: node.attr("detect_negative", 1)}
    found = [o.equal(x, value) for value, wanted in asked.items() if wanted]
    return reduce(o.logical_or, found) if found else o.greater(x, math.inf)


@handles("LeakyRelu")
def leaky_relu(node: Node) -> Any:
    return o.leaky_relu(node[0], slope=node.attr("alpha", 0.01))


@handles("Elu")
def elu(node: Node) -> Any:
    low = o.elu(o.minimum(node[0], 0.0)) * node.attr("alpha", 1.0)
    return o.maximum(node[0], 0.0) + low


@handles("Selu")
def selu(node: Node) -> Any:
    alpha, gamma = node.attr("alpha", 1.6732632423543772), node.attr("gamma", 1.0507009873554805)
    return gamma * (o.maximum(node[0], 0.0) + alpha * o.elu(o.minimum(node[0], 0.0)))


@handles("Celu")
def celu(node: Node) -> Any:
    alpha = node.attr("alpha", 1.0)
    return o.maximum(node[0], 0.0) + alpha * o.elu(o.minimum(node[0], 0.0) / alpha)


@handles("ThresholdedRelu")
def thresholded_relu(node: Node) -> Any:
    return o.where(o.greater(node[0], node.attr("alpha", 1.0)), node[0], 0.0)


@handles("HardSigmoid")
def hard_sigmoid(node: Node) -> Any:
    return o.maximum(o.minimum(node.attr("alpha", 0.2) * node[0] + node.attr("beta", 0.5), 1.0), 0.0)


@handles("Swish")
def swish(node: Node) -> Any:
    return node[0] * o.sigmoid(node[0] * node.attr("alpha", 1.0))


@handles("Shrink")
def shrink(node: Node) -> Any:
    x, limit, bias = node[0], node.attr("lambd", 0.5), node.attr("bias", 0.0)
    return o.where(o.less(x, -limit), x + bias, o.where(o.greater(x, limit), x - bias, 0.0))


@handles("Gelu")
def gelu(node: Node) -> Any:
    if node.attr("approximate", "none") != "tanh":
        raise Unsupported("exact Gelu (ours is the tanh form)")
    return o.gelu(node[0])


@handles("Clip")
def clip(node: Node) -> Any:
    x = node[0]
    low: Any = node.attr("min") if node.get(1) is None else node.get(1)
    high: Any = node.attr("max") if node.get(2) is None else node.get(2)
    x = x if low is None else o.maximum(x, low)
    return x if high is None else o.minimum(x, high)


@handles("Dropout")
def dropout(node: Node) -> Any:
    train, ratio = node.known(2), node.known(1)
    if train is not None and train and (ratio is None or ratio > 0):
        raise Unsupported("another random generator's numbers")
    ones = o.broadcast_to(node.constant(True), shape=node[0].spec.concrete)
    return [node[0], ones]


def cast_to(x: en.Tensor, dtype: str) -> en.Tensor:
    if dtype not in DTYPES:
        raise Unsupported(f"type {dtype}")
    return o.cast(x, dtype=dtype)


@handles("Cast")
def cast(node: Node) -> Any:
    if node.attr("to") == onnx.TensorProto.STRING:
        raise Unsupported("type of text")
    return cast_to(node[0], onnx.helper.tensor_dtype_to_np_dtype(node.attr("to")).name)


@handles("CastLike")
def cast_like(node: Node) -> Any:
    return cast_to(node[0], node[1].dtype)
