"""The reference executor: a flat list of the array module's calls, one operation after the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from engine.devices import CPU
from engine.errors import EngineError
from engine.executors.base import Memory, Program
from engine.fuse import Region
from engine.graph import Tensor
from engine.op import Call
from engine.plan import Plan


class NumpyProgram(Program):
    """A plan as calls; see :class:`engine.executors.base.Program`."""

    def __init__(self, plan: Plan, memory: Memory, poison: bool = False) -> None:
        super().__init__(plan, memory)
        for at, step in enumerate(plan.steps):
            calls = [call for node in step.nodes for call in self.calls_of(node)] + (self.poisons(at) if poison else [])
            self.calls += calls
            self.owners += [step] * len(calls)

    def run(self, steps: int = 1, streams: Mapping[Tensor, Any] | None = None) -> None:
        """See :meth:`engine.executors.base.Program.run`."""
        calls, feeding = self.calls, self.feeding(steps, streams)
        call: Call | None = None
        with np.errstate(all="ignore"):
            try:
                for step in range(steps):
                    for feed, stream in feeding:
                        feed[...] = stream[step]
                    for call in calls:
                        call()
            except EngineError as error:
                raise self.explained(error, call) from None


class Numpy:
    """See :class:`engine.executors.base.Executor`."""

    label = CPU.label
    on_gpu = False
    largest = joins_from = 1

    def accepts(self, region: Region) -> bool:
        """See :meth:`engine.fuse.Taker.accepts`."""
        return False

    def compile(self, plan: Plan, memory: Memory, poison: bool = False) -> NumpyProgram:
        """See :meth:`engine.executors.base.Executor.compile`."""
        return NumpyProgram(plan, memory, poison)
