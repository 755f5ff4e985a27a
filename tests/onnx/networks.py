"""ONNX operators of networks: normalisation, recurrent layers, losses, optimisers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import engine as en
from engine import ops as o
from tests.onnx.adapter import Node, Unsupported, handles
from tests.onnx.shapes import moved


@handles("BatchNormalization")
def batch_normalization(node: Node) -> Any:
    x, epsilon = node[0], node.attr("epsilon", 1e-5)
    if node.opset < 9 and not node.attr("spatial", 1):
        raise Unsupported("batch normalisation by pixel")
    last = moved(x, 1, -1) if x.ndim > 1 else x
    with node.importer.graph:
        center, spread = (en.variable(node.known(at), dtype=x.dtype, name=f"average{at}") for at in (3, 4))
    averages = o.Averages(center, spread, node.attr("momentum", 0.9))
    train = bool(node.attr("training_mode", 0))
    found = o.batch_norm(last, node[1], node[2], averages, train, epsilon=epsilon)
    return [moved(found, -1, 1) if x.ndim > 1 else found, center, spread]


def _standard(x: en.Tensor, axes: tuple[int, ...], epsilon: float) -> tuple[en.Tensor, en.Tensor, en.Tensor]:
    center = o.mean(x, axis=axes, keepdims=True)
    scale = 1 / o.sqrt(o.mean(o.square(x - center), axis=axes, keepdims=True) + epsilon)
    return (x - center) * scale, center, scale


@handles("InstanceNormalization")
def instance_normalization(node: Node) -> Any:
    x = node[0]
    found, _, _ = _standard(x, tuple(range(2, x.ndim)), node.attr("epsilon", 1e-5))
    scale, shift = (o.expand(node[at], axis=tuple(range(1, x.ndim - 1))) for at in (1, 2))
    return found * scale + shift


@handles("GroupNormalization")
def group_normalization(node: Node) -> Any:
    x, groups = node[0], node.attr("num_groups")
    split = o.reshape(x, shape=(x.spec.concrete[0], groups, -1))
    found, _, _ = _standard(split, (2,), node.attr("epsilon", 1e-5))
    scale, shift = (o.expand(node[at], axis=tuple(range(1, x.ndim - 1))) for at in (1, 2))
    return o.reshape(found, shape=x.spec.concrete) * scale + shift


@handles("LayerNormalization")
def layer_normalization(node: Node) -> Any:
    x, axis = node[0], node.attr("axis", -1) % node[0].ndim
    found, center, scale = _standard(x, tuple(range(axis, x.ndim)), node.attr("epsilon", 1e-5))
    found = found * node[1]
    return [found if node.get(2) is None else found + node[2], center, scale]


@handles("RMSNormalization")
def rms_normalization(node: Node) -> Any:
    x, axis = node[0], node.attr("axis", -1) % node[0].ndim
    power = o.mean(o.square(x), axis=tuple(range(axis, x.ndim)), keepdims=True)
    return x / o.sqrt(power + node.attr("epsilon", 1e-5)) * node[1]


@handles("MeanVarianceNormalization")
def mean_variance_normalization(node: Node) -> Any:
    x, axes = node[0], tuple(node.attr("axes", (0, 2, 3)))
    center = o.mean(x, axis=axes, keepdims=True)
    spread = o.sqrt(o.mean(o.square(x), axis=axes, keepdims=True) - o.square(center))
    return (x - center) / (spread + 1e-9)


@handles("LpNormalization")
def lp_normalization(node: Node) -> Any:
    x, axis = node[0], node.attr("axis", -1)
    if node.attr("p", 2) == 1:
        length = o.sum_(o.abs_(x), axis=axis, keepdims=True)
    else:
        length = o.sqrt(o.sum_(o.square(x), axis=axis, keepdims=True))
    return o.where(o.equal(length, 0), 0.0, x / length)


def _directions(node: Node, gates: int) -> tuple[list[en.Tensor], en.Tensor, en.Tensor, en.Tensor, en.Tensor]:
    """Inputs by step (batch, inputs), weights (inputs, gates), recurrent (units, gates), bias (2, gates), state."""
    if node.attr("direction", "forward") != "forward":
        raise Unsupported("two directions")
    for name in ("clip", "activations", "activation_alpha", "input_forget"):
        if node.attr(name):
            raise Unsupported(f"{node.proto.op_type} with {name}")
    x, units = node[0], node.attr("hidden_size")
    lengths = node.known(4)
    at = 1 if node.attr("layout", 0) else 0
    if lengths is not None and (lengths != x.spec.concrete[at]).any():
        raise Unsupported("sequences of different lengths")
    steps = [x[:, t] if at else x[t] for t in range(x.spec.concrete[at])]
    bias = node.get(3)
    zeros = np.zeros((2, gates * units), x.dtype)
    two = node.constant(zeros) if bias is None else o.reshape(bias, shape=(2, gates * units))
    return steps, o.transpose(node[1][0]), o.transpose(node[2][0]), two, _state(node, 5)


def _state(node: Node, at: int) -> en.Tensor:
    """A first state (batch, units): zeros if none is given."""
    given, layout = node.get(at), node.attr("layout", 0)
    if given is not None:
        return given[:, 0] if layout else given[0]
    batch = node[0].spec.concrete[0 if layout else 1]
    return node.constant(np.zeros((batch, node.attr("hidden_size")), node[0].dtype))


def _sequence(node: Node, found: list[en.Tensor], *last: en.Tensor) -> list[en.Tensor]:
    """All states and the last ones, with ONNX's axis for the direction."""
    if node.attr("layout", 0):
        whole = o.concat(*(o.expand(each, axis=(1, 2)) for each in found), axis=1)
        return [whole, *(o.expand(each, axis=1) for each in last)]
    whole = o.concat(*(o.expand(each, axis=(0, 1)) for each in found), axis=0)
    return [whole, *(o.expand(each, axis=0) for each in last)]


def _regrouped(x: en.Tensor, order: str, wanted: str, axis: int) -> en.Tensor:
    """Gates along an axis in another order."""
    size = x.spec.concrete[axis] // len(order)
    parts = dict(zip(order, o.split(x, [size] * len(order), axis=axis), strict=True))
    return o.concat(*(parts[name] for name in wanted), axis=axis)


@handles("LSTM")
def lstm(node: Node) -> Any:
    if node.get(7) is not None:
        raise Unsupported("LSTM with peepholes")
    steps, weights, recurrent, two, hidden = _directions(node, 4)
    both = _regrouped(o.concat(weights, recurrent, axis=0), "iofc", "ifoc", 1)
    bias = _regrouped(o.sum_(two, axis=0), "iofc", "ifoc", 0)
    cell, found = _state(node, 6), []
    for x in steps:
        hidden, cell = o.lstm_step(x, hidden, cell, both, bias)
        found.append(hidden)
    return _sequence(node, found, hidden, cell)


@handles("GRU")
def gru(node: Node) -> Any:
    steps, weights, recurrent, two, hidden = _directions(node, 3)
    found = []
    for x in steps:
        if node.attr("linear_before_reset", 0):
            hidden = o.gru_step(x, hidden, weights, recurrent, two)
        else:
            hidden = _first_gru(x, hidden, weights, recurrent, two)
        found.append(hidden)
    return _sequence(node, found, hidden)


def _first_gru(x: en.Tensor, hidden: en.Tensor, weights: en.Tensor, recurrent: en.Tensor, two: en.Tensor) -> en.Tensor:
    """The reset gate before the product, as in the first paper."""
    units = hidden.spec.concrete[1]
    outer = o.affine(x, weights, two[0] + two[1])
    own = o.matmul(hidden, recurrent[:, : 2 * units])
    update, reset = o.split(o.sigmoid(outer[:, : 2 * units] + own), [units, units], axis=1)
    candidate = o.tanh(outer[:, 2 * units :] + o.matmul(reset * hidden, recurrent[:, 2 * units :]))
    return candidate + update * (hidden - candidate)


@handles("RNN")
def rnn(node: Node) -> Any:
    steps, weights, recurrent, two, hidden = _directions(node, 1)
    found = []
    for x in steps:
        hidden = o.tanh(o.affine(x, weights, two[0]) + o.affine(hidden, recurrent, two[1]))
        found.append(hidden)
    return _sequence(node, found, hidden)


def _likelihood(node: Node, logs: en.Tensor, weights: en.Tensor | None) -> en.Tensor:
    """-log of each label's probability, weighed and reduced; ``logs`` has its classes at axis 1."""
    labels, ignored = node[1], node.attr("ignore_index")
    classes = logs.spec.concrete[1]
    shown = labels if ignored is None else o.where(o.equal(labels, ignored), 0, labels)
    hot = o.one_hot(shown, classes=classes, dtype=logs.dtype)
    loss = -o.sum_(hot * moved(logs, 1, -1), axis=-1)
    weight = o.gather(weights, shown) if weights is not None else o.broadcast_like(node.constant(1.0, logs.dtype), loss)
    if ignored is not None:
        weight = o.where(o.equal(labels, ignored), 0.0, weight)
    loss = loss * weight
    reductions: dict[str, Callable[[], en.Tensor]] = {
        "none": lambda: loss,
        "sum": lambda: o.sum_(loss),
        "mean": lambda: o.sum_(loss) / o.sum_(weight),
    }
    return reductions[node.attr("reduction", "mean")]()


@handles("NegativeLogLikelihoodLoss")
def negative_log_likelihood(node: Node) -> Any:
    return _likelihood(node, node[0], node.get(2))


@handles("SoftmaxCrossEntropyLoss")
def softmax_cross_entropy(node: Node) -> Any:
    logs = moved(o.log_softmax(moved(node[0], 1, -1)), -1, 1)
    found = [_likelihood(node, logs, node.get(2))]
    return [*found, logs] if node.outputs > 1 else found
