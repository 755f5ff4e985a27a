"""What an executor is: it turns plans into programs.  A session works with any, and knows none by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from engine.devices import Device
from engine.fuse import Region, Taker
from engine.graph import Tensor
from engine.op import Call
from engine.plan import Plan


class Memory(Protocol):
    """What a program needs of its session."""

    device: Device

    def window(self, variables: Sequence[Tensor]) -> Any:
        """The memory of variables that lie side by side, as one vector."""
        ...

    def sent(self, tensor: Tensor) -> Any:
        """A constant's value on the device."""
        ...


class Program(Protocol):
    """A plan bound to memory: fill :attr:`feeds`, :meth:`run`, read :attr:`results` or :meth:`fetch`."""

    @property
    def plan(self) -> Plan: ...

    @property
    def feeds(self) -> Mapping[Tensor, Any]:
        """The arrays to fill, of those tensors that the program needs."""
        ...

    @property
    def results(self) -> Sequence[Any]:
        """Windows on the program's own memory (None for a group): the next run changes them."""
        ...

    @property
    def devices(self) -> Mapping[str, Device]:
        """All that it computes on, by the names that the plan has for them."""
        ...

    @property
    def calls(self) -> Sequence[Call]:
        """What a run does, in order."""
        ...

    def singly(self) -> Sequence[tuple[Call, Region]]:
        """A run in the smallest calls that can be timed, in order, and the step that each belongs to."""
        ...

    def run(self, steps: int = 1, streams: Mapping[Tensor, Any] | None = None) -> None:
        """Run the plan ``steps`` times.  Overflow gives inf and NaN, as hardware does, without warnings.

        ``streams`` maps fed tensors to arrays with one more axis in front, (steps, ...): each step takes
        its own part.  Raises FeedError for a stream that doesn't fit; EngineError, with the operation's
        name and line, for a row number that isn't there, and for a program that was retired.
        """
        ...

    def fetch(self) -> list[np.ndarray | None]:
        """NumPy copies of the results."""
        ...

    def retire(self, reason: str) -> None:
        """From now on, running it raises EngineError with this reason; what it holds is given back."""
        ...


class Executor(Taker, Protocol):
    """A way to run plans; all give the same results within rounding.

    What it computes in one go it says to the planner: see :class:`engine.fuse.Taker`.
    """

    @property
    def label(self) -> str:
        """For people: "CPU · NumPy"."""
        ...

    @property
    def on_gpu(self) -> bool:
        """Whether it computes where a session on a GPU has its variables; else it is the CPU's."""
        ...

    def compile(self, plan: Plan, memory: Memory, poison: bool = False) -> Program:
        """The program of ``plan`` on the session's memory.

        ``poison``: fill memory with NaN as soon as the plan says that nobody needs it, so that a wrong
        lifetime shows up as NaN.
        """
        ...
