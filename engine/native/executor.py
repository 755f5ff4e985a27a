"""A plan as a table of instructions: many steps in one call, without Python.

What the machine has no instruction for stays a Python call between two tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any

import numpy as np

from engine.errors import EngineError
from engine.executors.base import Memory, Program
from engine.executors.numpy import NumpyProgram
from engine.fuse import Region
from engine.graph import PLACEHOLDER, Tensor
from engine.native import folds, windows  # noqa: F401 - registers how reductions, convolutions and pools are done
from engine.native import instructions as i
from engine.native.expressions import CHAIN_FROM, LARGEST, accepts
from engine.native.lowering import Table, add_instructions, address
from engine.native.machine import Machine
from engine.op import Call
from engine.passes import Node
from engine.plan import ALIGN, Plan

NO_STREAMS = np.zeros((0, 3), np.int64)


class NativeProgram(Program):
    """A program whose steps the machine runs: whole, or in tables between what only Python can do."""

    def __init__(self, plan: Plan, memory: Memory, machine: Machine, poison: bool) -> None:
        super().__init__(plan, memory)
        self._machine = machine
        self._wrong = np.zeros(1, np.int32)  # set by the machine: a row number or label is out of range
        self._table = Table(machine.codes, self._wrong)
        self.parts = []  # tables, and what only Python can do
        self._places: dict[int, list[tuple[int, int]]] = {}  # see _readers
        self._lookups = _lookups(plan)
        self.whole = False  # whether the machine can run many steps without coming back
        self.left_to_python: list[Region] = []  # operations that the machine has no instructions for
        self._fill_table(poison)

    def _fill_table(self, poison: bool) -> None:
        """Fill the table.  ``calls`` are for tracing: one instruction, or one Python call, each."""
        order: list[int | Call] = []  # rows of the table and what only Python can do
        for at, step in enumerate(self.plan.steps):
            mark = len(self._table.rows)
            if step.work and add_instructions(self._table, step, self.arrays):
                order += range(mark, len(self._table.rows))
            elif step.work:
                order += self.calls_of(step)
                self.left_to_python.append(step)
            if poison:
                order += self.poisons(at)
            self.owners += [step] * (len(order) - len(self.owners))
        self._code = self._finished()
        for is_row, group in groupby(order, key=lambda each: isinstance(each, int)):
            members: list[Any] = list(group)
            self.parts += [self._once(self._code, members[0], members[-1] + 1)] if is_row else members
        self.whole = len(self.parts) == 1 and len(order) == len(self._code)
        alone = self._code.copy()
        alone[:, i.CHAIN] = 0
        self.calls = [self._once(alone, each, each + 1) if isinstance(each, int) else each for each in order]

    def _once(self, code: np.ndarray, first: int, end: int) -> Call:
        """Some rows of a table as a call."""
        return partial(self._machine.run, code[first:end], 1, NO_STREAMS, self._room)

    def _finished(self) -> np.ndarray:
        """The table's instructions, ready to run."""
        table = self._table
        room = address(table.keep(np.empty(table.room + ALIGN, np.uint8)))
        self._room = room + -room % ALIGN
        return np.array(table.rows, np.int64).reshape(-1, i.WIDTH)

    def run(self, steps: int = 1, streams: Mapping[Tensor, Any] | None = None) -> None:
        """See :meth:`engine.executors.base.Program.run`."""
        feeding = [(feed, np.ascontiguousarray(stream)) for feed, stream in self.feeding(steps, streams)]
        self._check_numbers(steps, streams or {})
        self._wrong[0] = 0
        if self.whole:
            self._run_whole(self._code, steps, feeding)
        else:
            super().run(steps, streams)
        if self._wrong[0]:
            raise EngineError(self._what_is_wrong())

    def _check_numbers(self, steps: int, streams: Mapping[Tensor, Any]) -> None:
        """Raises EngineError, before anything has changed, for a fed row number or label that isn't there."""
        for node, feed, count in self._lookups:
            numbers = streams[feed.tensor][:steps] if feed.tensor in streams else self.arrays[feed]
            if numbers.size and numbers.view(np.uint32).max() >= count:  # what is negative becomes huge
                wrong = numbers[(numbers < 0) | (numbers >= count)][0]
                place = f"({node.tensor.name}, {node.tensor.source})"
                raise EngineError(f"{node.op.name}: number {wrong} is outside 0 to {count - 1} {place}")

    def _run_whole(self, code: np.ndarray, steps: int, feeding: Sequence[tuple[np.ndarray, np.ndarray]]) -> None:
        """Nothing is copied: at each step, what reads a feed is pointed to the step's part of its stream."""
        moves = [
            (address(code) + 8 * place, address(stream) + offset, feed.nbytes)
            for feed, stream in feeding
            for place, offset in self._readers(code, feed)
        ]
        self._machine.run(code, steps, np.array(moves, np.int64).reshape(-1, 3), self._room)
        for feed, stream in feeding if steps else ():
            for place, offset in self._readers(code, feed):
                code.flat[place] = address(feed) + offset
            feed[...] = stream[steps - 1]

    def _readers(self, code: np.ndarray, feed: np.ndarray) -> list[tuple[int, int]]:
        """The columns of the table that name a place in ``feed``, and how many bytes from its begin it is."""
        begin = address(feed)
        if begin not in self._places:
            places = np.flatnonzero((code >= begin) & (code < begin + feed.nbytes))
            self._places[begin] = [(int(place), int(code.flat[place]) - begin) for place in places]
        return self._places[begin]

    def _what_is_wrong(self) -> str:
        names = [node for node in self.plan.nodes if node.op.name in LOOKUPS]
        places = ", ".join(f"{node.op.name} ({node.tensor.name}, {node.tensor.source})" for node in names)
        return f"a row number or label is outside its table, in one of: {places}"


LOOKUPS = {"gather": 0, "one_hot": -1, "cross_entropy": -1, "scatter_add": 0}  # and the axis that is looked up


def _lookups(plan: Plan) -> list[tuple[Node, Node, int]]:
    """Operations that look up numbers which are fed: (operation, feed, how many numbers there are)."""
    found = []
    for node in plan.nodes:
        if node.op.name in LOOKUPS:
            numbers = node.inputs[0] if node.op.name == "one_hot" else node.inputs[1]
            table = node.inputs[0] if node.op.name in ("gather", "cross_entropy") else node
            if numbers.op is PLACEHOLDER and numbers.spec.dtype == "int32":
                found.append((node, numbers, table.spec.concrete[LOOKUPS[node.op.name]]))
    return found


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
