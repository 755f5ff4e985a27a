"""Layerlab's engine on the native machine: many steps in one call."""

from __future__ import annotations

import functools
from pathlib import Path

import numba  # noqa: F401 - without it this peer is left out
import numpy as np

import engine as en
from benchmarks.peers.layerlab import Runner as NumpyRunner
from benchmarks.workloads import BATCHES, Workload
from engine import native

NAME = "Layerlab native"
CACHE = Path(__file__).parents[2] / ".tools" / "machine"
SMALL = 1 << 20  # bytes of all batches, up to which a stream holds them several times over


@functools.cache
def executor() -> native.Native:
    return native.load(CACHE)


class Runner(NumpyRunner):
    """The same network; batches come as streams."""

    name = NAME

    def __init__(self, work: Workload, device: str = "cpu:0") -> None:
        super().__init__(work, device)
        repeat = -(-work.chunk // BATCHES) if self.xs.nbytes <= SMALL else 1
        self._length = repeat * BATCHES
        self._streams = {self.x: self.xs, self._y: self.ys}
        if repeat > 1:
            self._streams = {tensor: np.concatenate([each] * repeat) for tensor, each in self._streams.items()}

    def _open(self, graph: en.Graph, device: str) -> en.Session:
        return en.Session(graph, device=device, executor=executor())

    def run(self, steps: int) -> None:
        while steps:
            now = min(steps, self._length - self._at)
            self.program.run(now, {tensor: stream[self._at :] for tensor, stream in self._streams.items()})
            self._at = (self._at + now) % self._length
            steps -= now
