"""The native executor: a plan as a table of instructions; many steps in one call, without Python.

A :class:`NativeProgram` works on the same arrays as :class:`engine.executors.numpy.Program`, so
feeding, fetching and peeking are the same; only running differs.  What the machine has no
instruction for stays a Python call between two tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from engine.errors import EngineError
from engine.executors import machine as m
from engine.executors.lowering import CODES, ELEMENT_WISE, Table, address, lower
from engine.executors.numpy import Memory, Program
from engine.graph import Tensor
from engine.op import Call
from engine.passes import Node
from engine.plan import Plan

CHAIN_FROM = 2 * m.BLOCK  # elements from which neighbouring element-wise instructions go block by block


class NativeProgram(Program):
    """A program whose steps the machine runs: whole, or in tables between what only Python can do.

    The plan must not let results overwrite inputs (``make_plan(..., overwrite=False)``): loops over
    memory that overlaps aren't vectorised.
    """

    def __init__(self, plan: Plan, memory: Memory, machine: m.Machine) -> None:
        super().__init__(plan, memory)
        self._machine = machine
        self._wrong = np.zeros(1, np.int32)  # set by the machine: a row number or label is out of range
        self._kept: list[np.ndarray] = []
        self._readers = _readers(plan)
        self._fetched = {node.root for node in plan.fetches}
        self._parts: list[tuple[np.ndarray, np.ndarray] | Call] = []
        table = Table(self._wrong)
        for node in plan.nodes:
            calls = self._calls(node)
            if calls and not lower(table, node, self._arrays[node], [self._arrays[each] for each in node.inputs]):
                self._finish(table)
                table = Table(self._wrong)
                self._parts += calls
        self._finish(table)

    @property
    def whole(self) -> bool:
        """Whether the machine can run many steps without coming back."""
        return len(self._parts) == 1 and isinstance(self._parts[0], tuple)

    def run(self, steps: int = 1, streams: Mapping[Tensor, Any] | None = None) -> None:
        """See :meth:`engine.executors.numpy.Program.run`."""
        if self.retired:
            super().run()
        pairs = [(feed, np.ascontiguousarray(stream)) for feed, stream in self._feeding(steps, streams or {})]
        rows = [(address(feed), address(stream), feed.nbytes) for feed, stream in pairs]
        feeding = np.array(rows, np.int64).reshape(-1, 3)
        if self.whole:
            code, numbers = self._parts[0]  # type: ignore[misc]
            self._machine(code, numbers, steps, feeding)
        else:
            self._run_parts(steps, feeding)
        if self._wrong[0]:
            self._wrong[0] = 0
            raise EngineError(self._what_is_wrong())

    def _run_parts(self, steps: int, feeding: np.ndarray) -> None:
        no_code, no_numbers = np.zeros((0, m.WIDTH), np.int64), np.zeros(0, np.float32)
        no_streams = np.zeros((0, 3), np.int64)
        with np.errstate(all="ignore"):
            for _ in range(steps):
                self._machine(no_code, no_numbers, 1, feeding)
                feeding[:, 1] += feeding[:, 2]
                for part in self._parts:
                    if isinstance(part, tuple):
                        self._machine(*part, 1, no_streams)
                    else:
                        part()

    def _what_is_wrong(self) -> str:
        names = [node for node in self.plan.nodes if node.op.name in ("gather", "one_hot", "cross_entropy")]
        places = ", ".join(f"{node.op.name} ({node.tensor.name}, {node.tensor.source})" for node in names)
        return f"a row number or label is outside its table, in one of: {places}"

    def _finish(self, table: Table) -> None:
        """Take a table over as a part of the program."""
        if not table.rows:
            return
        code = np.array(table.rows, np.int64).reshape(-1, m.WIDTH)
        for first, end in _chains(code):
            inside = set(table.owners[first:end])
            passing = [self._passes(node, inside) for node in table.owners[first:end]]
            self._kept += _link(code, first, end, passing)
        self._parts.append((code, np.array(table.numbers, np.float32)))
        self._kept += table.kept

    def _passes(self, node: Node, inside: set[Node]) -> bool:
        """Whether only ``inside`` reads the node's result."""
        place = self.plan.places[node]
        return place.variable is None and node not in self._fetched and self._readers.get(node, set()) <= inside


def _readers(plan: Plan) -> dict[Node, set[Node]]:
    """Who reads each node's memory, be it through a view (views count as readers themselves)."""
    found: dict[Node, set[Node]] = {}
    for node in plan.nodes:
        for each in node.inputs:
            found.setdefault(each.root, set()).add(node)
    return found


def _chains(code: np.ndarray) -> list[tuple[int, int]]:
    """Runs (first, end) of neighbouring element-wise instructions of one large size."""
    first = min(CODES[name] for name in ELEMENT_WISE)
    found, at = [], 0
    while at < len(code):
        end = at
        while end < len(code) and code[end, m.OP] >= first and code[end, m.N] == code[at, m.N] >= CHAIN_FROM:
            end += 1
        if end - at > 1:
            found.append((at, end))
        at = max(end, at + 1)
    return found


def _link(code: np.ndarray, first: int, end: int, passing: Sequence[bool]) -> list[np.ndarray]:
    """Have the machine run these instructions block by block; the memory that this takes.

    A result that nobody outside reads (``passing``) gets one block of memory instead of its place,
    so it never leaves the cache.  Nothing changes if what is left overlaps out of step.
    """
    part = code[first:end].copy()
    size = int(part[0, m.N]) * 4
    blocks: list[np.ndarray] = []
    now: dict[int, int] = {}  # a place -> the block of the passing result that was last meant for it
    written: set[int] = set()
    read: set[tuple[int, int]] = set()  # (address, bytes)
    for row, passes in zip(part, passing, strict=True):
        into = row[m.FORM] == m.INTO_A
        for column, step in ((m.A, m.STEP_A), (m.B, m.STEP_B)):
            place = int(row[column])
            if place in now and row[step] and not (into and column == m.A):
                row[column], row[step] = now[place], 0
            elif place:
                read.add((place, size if row[step] else 4))
        out = int(row[m.OUT])
        if passes and not into:
            blocks.append(np.empty(m.BLOCK, np.float32))
            now[out] = address(blocks[-1])
            row[m.OUT], row[m.STEP_OUT] = now[out], 0
        else:
            now.pop(out, None)
            written.add(out)
    if _out_of_step(written, read, size):
        return []
    part[0, m.CHAIN] = end - first
    code[first:end] = part
    return blocks


def _out_of_step(written: set[int], read: set[tuple[int, int]], size: int) -> bool:
    """Whether a block of one result could overwrite what a later block of another instruction reads."""
    for out in written:
        for place, count in read:
            if (place, count) != (out, size) and place < out + size and out < place + count:
                return True
        if any(other != out and abs(other - out) < size for other in written):
            return True
    return False
