"""Layerlab's own engine."""

from __future__ import annotations

import numpy as np

import engine as en
from benchmarks.workloads import BATCHES, Workload

NAME = "Layerlab NumPy"


class Runner:
    """One bound program; each step copies its batch into the program's feeds."""

    name = NAME

    def __init__(self, work: Workload) -> None:
        self.xs, self.ys = work.data()
        self._at = 0
        with en.Graph() as graph:
            x = en.placeholder((None, work.sizes[0]), name="x")
            y = en.placeholder((None,), "int32", name="y") if work.classes else en.placeholder((None, 1), name="y")
            flow = x
            for at, units in enumerate(work.sizes[1:-1]):
                flow = en.layers.Dense(units, work.activation, f"hidden{at}")(flow)
            flow = en.layers.Dense(work.sizes[-1], "linear", "output")(flow)
            if work.classes:
                loss = en.losses.softmax_cross_entropy(flow, y)
            else:
                loss = en.losses.half_squared_error(en.ops.tanh(flow), y)
            variables = list(graph.variables)
            train = en.optim.OPTIMIZERS[work.optimizer](work.rate).minimize(loss)
        self._session = en.Session(graph)
        for at, (weights, bias) in enumerate(work.first_weights()):
            self._session.set(variables[2 * at], weights)
            self._session.set(variables[2 * at + 1], bias)
        self._x, self._y, self._loss, self._train = x, y, loss, train
        self._program = self._session.bind(train, {x: self.xs.shape[1:], y: self.ys.shape[1:]})

    def run(self, steps: int) -> None:
        program, xs, ys, at = self._program, self.xs, self.ys, self._at
        feed_x, feed_y = program.feeds[self._x], program.feeds[self._y]
        for _ in range(steps):
            feed_x[...] = xs[at]
            feed_y[...] = ys[at]
            program.run()
            at = (at + 1) % BATCHES
        self._at = at

    def loss(self) -> float:
        losses = [
            self._session.run(self._loss, {self._x: x, self._y: y}) for x, y in zip(self.xs, self.ys, strict=True)
        ]
        return float(np.mean(losses))
