"""The reference executor: a flat list of the array module's calls, one operation after the other."""

from __future__ import annotations

from engine.devices import CPU
from engine.executors.base import Memory, Program
from engine.fuse import Region
from engine.plan import Plan


class NumpyProgram(Program):
    """A plan as calls; see :class:`engine.executors.base.Program`."""

    def __init__(self, plan: Plan, memory: Memory, poison: bool = False) -> None:
        super().__init__(plan, memory)
        self.fill(self.calls_of, poison)


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
