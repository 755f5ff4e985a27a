"""PyTorch, eager, in each layout that it may like; results go to memory that is there where it allows that."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from benchmarks.pieces.catalogue import BatchNorm, Convolution, Function, Piece, Product, Recurrent, Reduction, Update
from benchmarks.pieces.form import Form, calls

NAME = "PyTorch"
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "gelu": partial(functional.gelu, approximate="tanh"), "elu": functional.elu, "softplus": functional.softplus,
}  # fmt: skip
GATES = {"LSTM": [0, 1, 3, 2], "GRU": [1, 0, 2]}  # ours in PyTorch's order, and the other way


def forms(piece: Piece) -> Mapping[str, Form]:
    """Each that could be the fastest."""
    torch.set_num_threads(1)
    given = [torch.from_numpy(each) for each in piece.arrays()]
    if given[0].ndim == 4 and isinstance(piece, Convolution | BatchNorm):
        return {name: _images(piece, given, layout) for name, layout in LAYOUTS.items()}
    if isinstance(piece, Recurrent):
        return {"": _recurrent(piece, given)}
    return {"": _update(piece, *given) if isinstance(piece, Update) else _form(_call(piece, given))}


def _call(piece: Piece, given: Sequence[torch.Tensor]) -> Callable[[], Any]:
    match piece:
        case Product():
            first, second = (each.T if turned else each for each, turned in zip(given, piece.turns, strict=True))
            return partial(torch.mm, first, second, out=torch.empty(piece.m, piece.n))
        case BatchNorm():
            return _batch_norm(given)
        case Reduction():
            return _reduction(piece, given[0])
        case Function(op):
            if op in FUNCTIONS:
                return partial(FUNCTIONS[op], *given)
            return partial(getattr(torch, op), *given, out=torch.empty_like(given[0]))
    raise NotImplementedError(piece)


LAYOUTS = {"channels last": torch.channels_last, "channels first": torch.contiguous_format}


def _form(call: Callable[[], Any], back: Callable[[Any], torch.Tensor] = lambda each: each) -> Form:
    """What ``call`` gives is one tensor or some; ``back`` brings each into our layout."""
    last: list[Any] = []

    def run(times: int) -> None:
        for _ in range(times):
            found = call()
        last[:] = found if isinstance(found, (tuple, list)) else [found]

    return Form(run, lambda: [back(each).detach().contiguous().numpy() for each in last])


def _images(piece: Piece, given: Sequence[torch.Tensor], layout: torch.memory_format) -> Form:
    """Images (and what is sent back through them) with their channels second, in memory as ``layout`` says."""

    def ours(each: torch.Tensor) -> torch.Tensor:
        if each.ndim < 4:
            return each
        if isinstance(piece, Convolution) and each.shape == filters.shape:
            return _filters_back(piece, each)
        return each.permute(0, 2, 3, 1)

    if isinstance(piece, BatchNorm):
        x, scale, shift, sent = given
        x, sent = (each.permute(0, 3, 1, 2).contiguous(memory_format=layout) for each in (x, sent))
        filters = scale
        return _form(_batch_norm([x, scale, shift, sent]), ours)
    assert isinstance(piece, Convolution)
    x, filters, sent = given
    filters = filters.permute(2, 3, 0, 1).flatten(0, 1)[:, None] if piece.depthwise else filters.permute(3, 2, 0, 1)
    x, sent = (each.permute(0, 3, 1, 2).contiguous(memory_format=layout) for each in (x, sent))
    filters = filters.contiguous(memory_format=layout)
    groups = piece.channels if piece.depthwise else 1
    convolve = partial(functional.conv2d, stride=piece.stride, padding=piece.pad, groups=groups)
    if not piece.train:
        return _form(lambda: convolve(x, filters), ours)
    wanted = [filters] if piece.first else [filters, x]
    for each in wanted:
        each.requires_grad_(True)

    def train() -> list[torch.Tensor]:
        y = convolve(x, filters)
        return [y, *torch.autograd.grad(y, wanted, sent)]

    return _form(train, ours)


def _filters_back(piece: Convolution, each: torch.Tensor) -> torch.Tensor:
    if piece.depthwise:
        return each.reshape(piece.channels, piece.filters, piece.size, piece.size).permute(2, 3, 0, 1)
    return each.permute(2, 3, 1, 0)


def _batch_norm(given: Sequence[torch.Tensor]) -> Callable[[], Any]:
    x, scale, shift, sent = given
    mean, variance = torch.zeros_like(scale), torch.zeros_like(scale)
    wanted = [each.requires_grad_(True) for each in (x, scale, shift)]

    def train() -> list[torch.Tensor]:
        y = functional.batch_norm(x, mean, variance, scale, shift, training=True)
        return [y, *torch.autograd.grad(y, wanted, sent)]

    return train


def _reduction(piece: Reduction, x: torch.Tensor) -> Callable[[], Any]:
    whole = len(piece.axes) == x.ndim
    shape = [size for at, size in enumerate(x.shape) if at not in piece.axes]
    out = torch.empty(shape)
    match piece.op:
        case "softmax":
            return partial(torch.softmax, x, 1, out=torch.empty_like(x))
        case "argmax":
            return partial(torch.argmax, x, piece.axes[0])
        case "max":
            return partial(torch.amax, x, piece.axes, out=out)
        case "mean":
            return partial(torch.mean, x, piece.axes, out=out)
    return partial(torch.sum, x) if whole else partial(torch.sum, x, piece.axes, out=out)


def _recurrent(piece: Recurrent, given: Sequence[torch.Tensor]) -> Form:
    x, *parts, sent = given
    units, gates = piece.units, len(GATES[piece.kind])

    def turned(each: torch.Tensor) -> torch.Tensor:
        return each.reshape(-1, gates, units)[:, GATES[piece.kind]].reshape(-1, gates * units)

    weights = [turned(each) for each in parts]
    if piece.kind == "LSTM":
        w, b = weights
        weights = [w[: piece.inputs], w[piece.inputs :], torch.stack([b[0], 0 * b[0]])]
    inner, hidden, bias = weights
    net = getattr(torch.nn, piece.kind)(piece.inputs, units, batch_first=True)
    with torch.no_grad():
        for parameter, value in zip(net.parameters(), (inner.T, hidden.T, bias[0], bias[1]), strict=True):
            parameter.copy_(value)
    parameters = list(net.parameters())[: 3 if piece.kind == "LSTM" else 4]
    last: list[Any] = []

    def forward() -> torch.Tensor:
        state = net(x)[1]
        return (state[0] if piece.kind == "LSTM" else state)[0]

    def call() -> None:
        if not piece.train:
            with torch.no_grad():
                last[:] = [forward()]
            return
        y = forward()
        last[:] = [y, *torch.autograd.grad(y, parameters, sent)]

    def results() -> list[np.ndarray]:
        y, *grads = (each.detach() for each in last)
        if grads and piece.kind == "LSTM":
            inner, hidden, bias = grads
            grads = [turned(torch.cat([inner.T, hidden.T])), turned(bias)[0]]
        elif grads:
            inner, hidden, one, two = grads
            grads = [turned(inner.T), turned(hidden.T), turned(torch.stack([one, two]))]
        return [each.numpy() for each in (y, *grads)]

    return Form(calls(call), results)


def _update(piece: Update, w: torch.Tensor, g: torch.Tensor) -> Form:
    w.grad = g
    how: dict[str, Any] = {"lr": piece.rate, "fused": True}
    match piece.optimizer:
        case "adam":
            kind: Any = torch.optim.Adam
        case "momentum":
            kind, how["momentum"] = torch.optim.SGD, 0.9
        case _:
            kind = torch.optim.SGD
    return Form(calls(kind([w], **how).step), lambda: [w.numpy().copy()])
