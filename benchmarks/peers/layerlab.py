"""Layerlab's own engine on NumPy, or with CuPy on a GPU."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

import engine as en
from benchmarks.workloads import BATCHES, LSTM, Conv, Dense, Dropout, Pool, Workload

NAME = "Layerlab NumPy"


class Runner:
    """One bound program; each step copies its batch into the program's feeds."""

    name = NAME

    def __init__(self, work: Workload, device: str = "cpu:0") -> None:
        xs, ys = work.data()
        with en.Graph() as graph:
            x = en.placeholder((None, *work.input), name="x")
            y = en.placeholder((None,), "int32", name="y") if work.classes else en.placeholder((None, 1), name="y")
            self.outputs = network(work, x)
            output = self.outputs[-1]
            loss = (en.losses.softmax_cross_entropy if work.classes else en.losses.half_squared_error)(output, y)
            variables = [each for each in graph.variables if each.attrs["trainable"]]
            penalties = [work.l2 * en.losses.l2(each) for each in variables if each.ndim > 1 and work.l2]
            train = en.optim.OPTIMIZERS[work.optimizer](work.rate).minimize(sum(penalties, start=loss))
        self.x, self._y, self._loss = x, y, loss
        self.session = self._open(graph, device)
        first = [array for pair in work.first_weights() for array in pair]
        for variable, value in zip(variables, first, strict=True):
            self.session.set(variable, value)
        self.xs, self.ys = self.session.device.send(xs), self.session.device.send(ys)
        self._at = 0
        self.program = self.session.bind(train, {x: xs.shape[1:], y: ys.shape[1:]})

    def _open(self, graph: en.Graph, device: str) -> en.Session:
        return en.Session(graph, device=device)

    def run(self, steps: int) -> None:
        program, xs, ys, at = self.program, self.xs, self.ys, self._at
        feed_x, feed_y = program.feeds[self.x], program.feeds[self._y]
        for _ in range(steps):
            feed_x[...] = xs[at]
            feed_y[...] = ys[at]
            program.run()
            at = (at + 1) % BATCHES
        self._at = at
        self.session.device.synchronize()

    def loss(self) -> float:
        fetch = self.session.device.fetch
        batches = [(fetch(x), fetch(y)) for x, y in zip(self.xs, self.ys, strict=True)]
        return float(np.mean([self.session.run(self._loss, {self.x: x, self._y: y}) for x, y in batches]))


def network(work: Workload, x: en.Tensor) -> list[en.Tensor]:
    """What each of the workload's layers makes of ``x``; the network's output last."""
    layers: list[Any] = []
    image = len(work.input) == 3
    for at, layer in enumerate(work.layers):
        match layer:
            case Dense(units, activation):
                if image:
                    layers.append(en.layers.Flatten())
                    image = False
                layers.append(en.layers.Dense(units, activation, f"dense{at}"))
            case Conv(filters, size):
                layers.append(en.layers.Conv2D(filters, (size, size), "relu", f"conv{at}"))
            case Pool():
                layers.append(en.layers.MaxPool())
            case Dropout(rate):
                layers.append(en.layers.Dropout(rate))
            case LSTM(units):
                layers.append(en.layers.LSTM(units))
    return list(itertools.accumulate(layers, lambda flow, layer: layer(flow), initial=x))[1:]
