"""Layerlab's engine on the native machine: many steps in one call."""

from __future__ import annotations

from pathlib import Path

import numba  # noqa: F401 - without it this peer is left out
import numpy as np

import engine as en
from benchmarks.peers.layerlab import Runner as NumpyRunner
from benchmarks.workloads import BATCHES, Workload
from engine.executors.machine import load

NAME = "Layerlab native"
REPEAT = 10  # a stream holds the batches this many times over


class Runner(NumpyRunner):
    """The same network; batches come as streams."""

    name = NAME

    def __init__(self, work: Workload) -> None:
        super().__init__(work)
        state = self._session.state()
        self._session = en.Session(self._session.graph, machine=load(Path(__file__).parents[2] / ".tools" / "machine"))
        self._session.load_state(state)
        shapes = {self._x: self.xs.shape[1:], self._y: self.ys.shape[1:]}
        self._program = self._session.bind(self._train, shapes)
        self._streams = {self._x: np.concatenate([self.xs] * REPEAT), self._y: np.concatenate([self.ys] * REPEAT)}

    def run(self, steps: int) -> None:
        while steps:
            now = min(steps, (REPEAT - 1) * BATCHES)
            streams = {tensor: stream[self._at :] for tensor, stream in self._streams.items()}
            self._program.run(now, streams)
            self._at = (self._at + now) % BATCHES
            steps -= now
