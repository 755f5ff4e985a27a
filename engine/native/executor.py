"""A plan as a table of instructions: many steps in one call, without Python.

What the machine has no instruction for stays a Python call between two tables.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from time import perf_counter
from typing import Any

import numpy as np

from engine.executors.base import Memory, Program
from engine.executors.guards import Uninterrupted, WrongRow, refuse_wrong
from engine.executors.numpy import NumpyProgram
from engine.fuse import Region
from engine.graph import Tensor
from engine.native import folds, matrices, windows  # noqa: F401 - register how operations are done
from engine.native import instructions as i
from engine.native.expressions import CHAIN_FROM, LARGEST, accepts
from engine.native.lowering import Table, add_instructions, address
from engine.native.machine import Machine
from engine.op import Call
from engine.plan import ALIGN, Lookup, Plan

Guard = tuple[Lookup, np.ndarray]  # and whether the machine found a wrong number, and which
NO_STREAMS = np.zeros((0, 4), np.int64)
SHARED_FROM = 200_000  # nanoseconds of work that can be shared, in a call of the machine: to wake a helper takes some
AT_ONCE = 10  # steps that whoever wants speed runs in a call, at least
INTERVAL = 0.05  # seconds that a call of the machine takes, about: between two, Python hears Ctrl-C


class NativeProgram(Program):
    """A program whose steps the machine runs: whole, or in tables between what only Python can do."""

    def __init__(self, plan: Plan, memory: Memory, machine: Machine, poison: bool) -> None:
        super().__init__(plan, memory)
        self._machine = machine
        self._table = Table(machine.codes)
        self._order: list[int | Call] = []  # rows of the table, and what only Python can do
        self.parts = []  # whole tables, and what only Python can do
        self._places: dict[int, list[tuple[int, int]]] = {}  # see _readers
        self._guards: list[Guard] = []
        self.whole = False  # whether the machine can run many steps without coming back
        self.left_to_python: list[Region] = []  # operations that the machine has no instructions for
        self._fill_table(memory, poison)

    def _fill_table(self, memory: Memory, poison: bool) -> None:
        """Fill the table."""
        order = self._order
        self._add_guards(-1, order)
        for at, step in enumerate(self.plan.steps):
            mark = len(self._table.rows)
            if step.work and add_instructions(self._table, step, self.arrays):
                order += range(mark, len(self._table.rows))
            elif step.work:
                order += self.calls_of(step)
                self._table.packed.clear()
                self.left_to_python.append(step)
            if poison:
                order += self.poisons(at)
            self.owners += [step] * (len(order) - len(self.owners))
            self._add_guards(at, order)
        self._code = self._finished()
        self._launch = _Launcher(self._machine, memory, self._table.room)
        for is_row, group in groupby(order, key=lambda each: isinstance(each, int)):
            members: list[Any] = list(group)
            if is_row:
                launch = self._launch.once(self._code[members[0] : members[-1] + 1])
                members = [partial(_guarded, launch, self._guards) if self._guards else launch]
            self.parts += members
        self._shareable, self._pace = _shareable(self._code), 1  # steps that take an INTERVAL
        self._counter = np.array([[address(self._table.keep(np.zeros(1, np.int64))), 0, 0, 1]])
        self.whole = len(self.parts) == 1 and len(order) == len(self._code)

    def singly(self) -> Sequence[tuple[Call, Region]]:
        """One instruction, or one Python call, each."""
        alone = self._code.copy()
        alone[:, i.CHAIN] = 0
        calls = [self._launch.once(alone[at : at + 1]) if isinstance(at, int) else at for at in self._order]
        return list(zip(calls, self.owners, strict=False))  # a retired program has none

    def _add_guards(self, at: int, order: list[int | Call]) -> None:
        """What is looked up later than step ``at`` is checked behind it: before anything is assigned."""
        for each in self.early.get(at, ()):
            numbers, mark = self.arrays[each.numbers], len(self._table.rows)
            if numbers.dtype == np.int32 and numbers.flags.c_contiguous:
                found = self._table.guard(numbers, each.rows)
                self._guards.append((each, found))
                order += range(mark, len(self._table.rows))
            else:
                order.append(partial(refuse_wrong, each, numbers))
            self.owners += [Region((each.node,), (each.node,))] * (len(order) - len(self.owners))

    def _finished(self) -> np.ndarray:
        """The table's instructions, ready to run."""
        return np.array(self._table.rows, np.int64).reshape(-1, i.WIDTH)

    def _run(self, steps: int, streams: Mapping[Tensor, Any], feeding: Sequence[tuple[Any, Any]]) -> None:
        if self.whole:
            self.check_fed(steps, streams)
            self._run_whole(steps, [(feed, np.ascontiguousarray(stream)) for feed, stream in feeding])
        else:
            super()._run(steps, streams, feeding)

    @property
    def threads(self) -> int:
        """See :attr:`engine.executors.base.Program.threads`."""
        return self._launch.workers(AT_ONCE * self._shareable)

    def _run_whole(self, steps: int, feeding: Sequence[tuple[np.ndarray, np.ndarray]]) -> None:
        """Nothing is copied: at each step, what reads a feed is pointed to the step's part of its stream.

        Ctrl-C is heard between two calls of the machine, so it is the machine that notes how far they came: as that
        of a stream from 0 on, with a byte a step.
        """
        moves = np.concatenate((self._counter, self._moves(feeding))) if feeding else self._counter
        moves[0, 2] = done = 0
        quiet = Uninterrupted()
        with quiet if feeding else nullcontext():  # the feeds are left as the last step had them
            try:
                while done < steps and quiet.heard is None:
                    began = perf_counter()
                    self._launch(self._code, min(self._pace, steps - done), moves, self._shareable)
                    before, done = done, int(moves[0, 2])
                    _refuse(self._guards)
                    self._pace = max(1, int((done - before) * INTERVAL / (perf_counter() - began)))
            finally:
                for feed, stream in feeding if done else ():
                    feed[...] = stream[done - 1]

    def _moves(self, feeding: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        """The streams, as the machine takes them."""
        code = self._code
        moves = [
            (address(code) + 8 * place, address(feed) + offset, address(stream) + offset, feed.nbytes)
            for feed, stream in feeding
            for place, offset in self._readers(code, feed)
        ]
        return np.array(moves, np.int64).reshape(-1, 4)

    def _readers(self, code: np.ndarray, feed: np.ndarray) -> list[tuple[int, int]]:
        """The columns of the table that name a place in ``feed``, and how many bytes from its begin it is."""
        begin = address(feed)
        if begin not in self._places:
            places = np.flatnonzero((code >= begin) & (code < begin + feed.nbytes))
            self._places[begin] = [(int(place), int(code.flat[place]) - begin) for place in places]
        return self._places[begin]


class _Launcher:
    """Calls the machine, with memory to work in for each thread."""

    def __init__(self, machine: Machine, memory: Memory, room: int) -> None:
        self._machine, self._memory = machine, memory
        self._size = room + -room % ALIGN
        self._told = (ctypes.c_int64 * i.CALL)()
        self._told[i.SHARE] = self._size
        self._told_at = ctypes.addressof(self._told)
        self._make_room(1)

    def _make_room(self, workers: int) -> None:
        self._workers, self._kept = workers, np.empty(workers * self._size + ALIGN, np.uint8)
        self._told[i.MEMORY] = address(self._kept) + -address(self._kept) % ALIGN

    def __call__(self, code: np.ndarray, steps: int, streams: np.ndarray, shareable: int) -> None:
        """Run instructions; ``shareable``: for how many nanoseconds a step helpers can have a part in them."""
        crew, workers = self._machine.crew, self._memory.threads
        if workers > 1:
            workers = self.workers(steps * shareable)
            crew.call(workers - 1)
            if workers > self._workers:
                self._make_room(workers)
        told = self._told
        told[i.TABLE], told[i.LENGTH], told[i.STEPS] = address(code), len(code), steps
        told[i.STREAMS], told[i.MOVED], told[i.THREADS] = address(streams), len(streams), workers
        told[i.CREW] = crew.address  # a forked process has one of its own
        self._machine.run(self._told_at)  # reads what the addresses name: our arguments and _kept live until it returns

    def workers(self, shareable: int) -> int:
        """How many threads a call gets, with so many nanoseconds of work to be shared."""
        crew = self._machine.crew
        return min(self._memory.threads, crew.cores, crew.most) if shareable > SHARED_FROM else 1

    def once(self, code: np.ndarray) -> Call:
        """Running instructions once, as a call."""
        return partial(self, code, 1, NO_STREAMS, _shareable(code))


def _guarded(launch: Call, guards: Sequence[Guard]) -> None:
    """Run instructions, among which are guards."""
    launch()
    _refuse(guards)


def _refuse(guards: Sequence[Guard]) -> None:
    """Raises EngineError if the machine stopped at a guard."""
    for lookup, found in guards:
        if found[0]:
            found[0] = 0
            raise WrongRow(lookup, found[1])


def _shareable(code: np.ndarray) -> int:
    """Nanoseconds, about, of the instructions in which several threads can have a part."""
    return int(code[(code[:, i.UNITS] > 1) & (code[:, i.WORK] >= 2 * i.GRAIN), i.WORK].sum())


@dataclass(frozen=True)
class Native:
    """See :class:`engine.executors.base.Executor`."""

    machine: Machine
    label = "CPU · native"
    largest = LARGEST
    joins_from = CHAIN_FROM
    on_gpu = False

    def accepts(self, region: Region) -> bool:
        """See :meth:`engine.fuse.Taker.accepts`."""
        return accepts(region, self.machine.codes)

    def compile(self, plan: Plan, memory: Memory, poison: bool = False) -> Program:
        """See :meth:`engine.executors.base.Executor.compile`."""
        if len(plan.arenas) > 1:  # the machine reaches no other device
            return NumpyProgram(plan, memory, poison)
        return NativeProgram(plan, memory, self.machine, poison)
