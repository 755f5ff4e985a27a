"""One step in time of recurrent layers.  A sequence is a Python loop of steps that share their weights."""

from __future__ import annotations

from engine.graph import Tensor
from engine.ops.array import concat
from engine.ops.layout import split
from engine.ops.math import tanh
from engine.ops.matrix import affine
from engine.ops.nn import sigmoid


def lstm_step(x: Tensor, hidden: Tensor, cell: Tensor, weights: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """Long short-term memory (Hochreiter & Schmidhuber 1997, with forget gates): the next (hidden, cell).

    ``x`` (batch, inputs), ``hidden`` and ``cell`` (batch, units), ``weights`` (inputs + units,
    4 * units) and ``bias`` (4 * units,) for the gates input, forget, output and candidate: one product for all four.
    """
    units = bias.spec.size // 4
    gates = affine(concat(x, hidden, axis=1), weights, bias)
    let_in, keep, let_out = split(sigmoid(gates[:, : 3 * units]), (units, units, units), axis=1)
    cell = keep * cell + let_in * tanh(gates[:, 3 * units :])
    return let_out * tanh(cell), cell


def gru_step(x: Tensor, hidden: Tensor, weights: Tensor, recurrent: Tensor, bias: Tensor) -> Tensor:
    """Gated recurrent unit (Cho et al. 2014), the form in which the reset gate comes after the product: next hidden.

    ``x`` (batch, inputs), ``hidden`` (batch, units), ``weights`` (inputs, 3 * units) and ``recurrent``
    (units, 3 * units) for the gates update, reset and candidate; ``bias`` (2, 3 * units): a row for each of the two.
    """
    units = bias.spec.size // 6
    outer, own = affine(x, weights, bias[0]), affine(hidden, recurrent, bias[1])
    gates = sigmoid(outer[:, : 2 * units] + own[:, : 2 * units])
    update, reset = split(gates, (units, units), axis=1)
    candidate = tanh(outer[:, 2 * units :] + reset * own[:, 2 * units :])
    return candidate + update * (hidden - candidate)
