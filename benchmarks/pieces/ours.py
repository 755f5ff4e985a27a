"""Layerlab's native machine: a bound program, run many times in one call, as training does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import engine as en
from benchmarks.peers.layerlab_native import executor
from benchmarks.pieces.catalogue import BatchNorm, Convolution, Function, Piece, Product, Recurrent, Reduction, Update
from benchmarks.pieces.form import Form

NAME = "Layerlab native"
FUNCTIONS = {name: getattr(en.ops, name) for name in ("sin", "cos", "exp", "log", "tanh", "sigmoid", "gelu", "sqrt")}
FUNCTIONS |= {"pow": en.ops.power} | {name: getattr(en.ops, name) for name in ("div", "elu", "softplus")}
REDUCTIONS: dict[str, Callable[[en.Tensor, tuple[int, ...]], en.Tensor]] = {
    "mean": en.ops.mean,
    "sum": lambda x, axes: en.ops.sum_(x, axis=axes),
    "max": lambda x, axes: en.ops.max_(x, axis=axes),
    "argmax": lambda x, axes: en.ops.argmax(x, axis=axes[0]),
    "softmax": lambda x, _: en.ops.softmax(x),
}
OPTIMIZERS = {"sgd": en.optim.SGD, "momentum": en.optim.Momentum, "adam": en.optim.Adam}


def forms(piece: Piece) -> Mapping[str, Form]:
    """The one form."""
    with en.Graph() as graph:
        inputs, fetches = _recurrent(piece) if isinstance(piece, Recurrent) else _built(piece)
    session = en.Session(graph, executor=executor())
    program = session.bind(fetches, {each: each.shape for each in inputs if each not in graph.offsets})
    for tensor, array in zip(inputs, piece.arrays(), strict=True):
        if tensor in graph.offsets:
            session.set(tensor, array)
        elif tensor in program.feeds:
            program.feeds[tensor][...] = array
    left = [each.name for each in program.left_to_python]
    note = f"left to Python: {', '.join(left)}" if left else ""
    if isinstance(piece, Update):
        return {"": Form(program.run, lambda: [session.get(inputs[0])], note)}
    return {"": Form(program.run, program.fetch, note)}


def _built(piece: Piece) -> tuple[list[en.Tensor], list[en.Tensor]]:
    """What takes the piece's arrays (variables, or placeholders), and the results."""
    if isinstance(piece, Update):
        w, g = en.variable(0.0, piece.shapes[0], name="w"), en.placeholder(piece.shapes[1])
        return [w, g], [OPTIMIZERS[piece.optimizer](piece.rate).apply([g], [w])]
    inputs = [en.placeholder(shape) for shape in piece.shapes]
    return inputs, _results(piece, inputs)


def _results(piece: Piece, inputs: list[en.Tensor]) -> list[en.Tensor]:
    match piece:
        case Product():
            first, second = piece.turns
            y, wanted = en.ops.matmul(*inputs, transpose_a=first, transpose_b=second), []
        case Convolution():
            x, filters, _ = inputs
            op = en.ops.depthwise_conv2d if piece.depthwise else en.ops.conv2d
            y = op(x, filters, strides=(piece.stride,) * 2, padding=((piece.pad,) * 2,) * 2)
            wanted = [] if not piece.train else [filters] if piece.first else [filters, x]
        case BatchNorm():
            *wanted, _ = inputs
            units = piece.shape[-1:]
            mean, variance = (en.variable(0.0, units, trainable=False, name=name) for name in ("mean", "variance"))
            y = en.ops.batch_norm(*wanted, en.ops.Averages(mean, variance), train=True)
        case Reduction(op, _, axes):
            y, wanted = REDUCTIONS[op](*inputs, axes), []
        case Function(op):
            y, wanted = FUNCTIONS[op](*inputs), []
        case _:
            raise NotImplementedError(piece)
    return [y, *(en.gradients(y, wanted, inputs[-1]) if wanted else ())]


def _recurrent(piece: Recurrent) -> tuple[list[en.Tensor], list[en.Tensor]]:
    """As :func:`_built`."""
    x, sent = en.placeholder(piece.shapes[0]), en.placeholder(piece.shapes[-1])
    built = {"LSTM": en.layers.LSTM, "GRU": en.layers.GRU}[piece.kind](piece.units).build(x)
    weights = list(built.variables.values())
    gradients = en.gradients(built.output, weights, sent) if piece.train else ()
    return [x, *weights, sent], [built.output, *gradients]
