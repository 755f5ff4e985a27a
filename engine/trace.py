"""Where the time of a step goes: each operation timed by itself, as data and as a table.

>>> print(trace(session, train, feeds))  # doctest: +SKIP
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from time import perf_counter_ns
from typing import Any

import numpy as np

from engine.errors import EngineError, doors, strict, user_source
from engine.executors import Program
from engine.executors.subnormal import Flushed
from engine.fuse import Region
from engine.graph import Tensor
from engine.passes import Node
from engine.session import Session
from engine.tensor import shown


@dataclass(frozen=True)
class Record:
    """One operation of a step."""

    name: str  # the user's tensor
    op: str
    source: str  # the line that made it
    shape: tuple[int, ...]
    dtype: str
    calls: int  # of NumPy (or CuPy), each run of the step
    seconds: float  # a run of the step: the median of all
    bytes: int  # read and written, if each array is touched once
    flops: float  # by the op's record


@dataclass(frozen=True)
class Trace:
    """The records of a step in order of execution; ``str()`` is a table, the slowest first.

    ``seconds``: what a step takes in one go (median), without a clock between its operations.
    """

    records: tuple[Record, ...]
    seconds: float
    arena_bytes: int

    @property
    def measured(self) -> float:
        """The sum of all records' seconds."""
        return sum(each.seconds for each in self.records)

    def by_op(self) -> dict[str, float]:
        """Seconds a step of each op, the slowest first."""
        total: dict[str, float] = {}
        for each in self.records:
            total[each.op] = total.get(each.op, 0.0) + each.seconds
        return dict(sorted(total.items(), key=lambda item: -item[1]))

    def __str__(self) -> str:
        rows = [("share", "µs", "calls", "kB", "GF/s", "op", "shape", "tensor (made at)")]
        for each in sorted(self.records, key=lambda one: -one.seconds):
            rate = each.flops / each.seconds / 1e9 if each.seconds else 0.0
            rows.append(
                (
                    f"{each.seconds / max(self.measured, 1e-12):.1%}",
                    f"{each.seconds * 1e6:.1f}",
                    str(each.calls),
                    f"{each.bytes / 1e3:.1f}",
                    f"{rate:.2f}",
                    each.op,
                    f"{each.dtype}{each.shape}",
                    f"{each.name} ({each.source})",
                )
            )
        widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
        padded = "  ".join(f"{{:{side}{width}}}" for side, width in zip(">>>>><<<", widths, strict=True))
        lines = [padded.format(*row).rstrip() for row in rows]
        calls = sum(each.calls for each in self.records)
        lines.append(
            f"{self.seconds * 1e6:.1f} µs a step in one go, {len(self.records)} operations in {calls} calls, "
            f"{self.arena_bytes / 1e3:.1f} kB for their results"
        )
        return "\n".join(lines)


@strict
def trace(
    session: Session, fetches: Tensor | Sequence[Tensor], feeds: Mapping[Tensor, Any] | None = None, repeat: int = 20
) -> Trace:
    """The time of each operation of ``session.run(fetches, feeds)``, run ``repeat`` times.

    The variables are as before afterwards, whatever the step assigns.  Raises as ``session.run`` does.
    """
    if not isinstance(session, Session):
        raise EngineError(f"the session comes first, trace(session, y, feeds), got {shown(session)}")
    before = session.state()
    try:
        session.run(fetches, feeds)  # checks what is fed, and puts it where the program reads it
        program = session.bind(fetches, {tensor: np.shape(value) for tensor, value in (feeds or {}).items()})
        return measure(program, repeat)
    finally:
        session.load_state(before)


def measure(program: Program, repeat: int = 20) -> Trace:
    """The time of each operation of a bound program, run ``repeat`` times whole and as often call by call.

    What it assigns stays assigned.  Of a native program each instruction is timed by itself, and an operation
    may be several that were put together; those of a CUDA program are timed as CuPy runs them one by one.
    """
    if isinstance(repeat, bool) or not isinstance(repeat, int) or repeat < 1:
        raise EngineError(f"repeat is a whole number from 1 on, got {repeat!r:.60} ({user_source()})")
    whole = []
    for _ in range(repeat):
        start = perf_counter_ns()
        program.run()
        _wait(program)
        whole.append(perf_counter_ns() - start)
    calls = program.singly()
    owners = Counter(owner for _, owner in calls)
    spent: dict[Region, list[int]] = {step: [0] * repeat for step in owners}
    clock = _clock_cost()
    with np.errstate(all="ignore"), Flushed():
        for at in range(repeat):
            for call, owner in calls:
                start = perf_counter_ns()
                call()
                _wait(program)
                spent[owner][at] += max(0, perf_counter_ns() - start - clock)
    records = tuple(_record(step, count, median(spent[step]) / 1e9) for step, count in owners.items())
    return Trace(records, median(whole) / 1e9, program.plan.arena_bytes)


def _wait(program: Program) -> None:
    for device in program.devices.values():
        device.synchronize()


def _clock_cost() -> int:
    """Nanoseconds between two looks at the clock."""
    looks = [perf_counter_ns() for _ in range(101)]
    return min(after - before for before, after in pairwise(looks))


def _record(step: Region, calls: int, seconds: float) -> Record:
    node = step.last
    return Record(
        name=node.tensor.name,
        op=step.name,
        source=str(node.tensor.source),
        shape=node.spec.concrete,
        dtype=node.spec.dtype,
        calls=calls,
        seconds=seconds,
        bytes=sum(each.spec.nbytes for each in (*step.stored, *step.inputs)),
        flops=sum(map(_flops, step.work)),
    )


def _flops(node: Node) -> float:
    """Additions and multiplications of a run; for products by their sums, else by the op's record.

    A record counts per element; of a reduction, that is an element of what it reads.
    """
    shapes = [each.spec.concrete for each in node.inputs]
    name, size = node.op.name, node.spec.size
    if name in ("matmul", "affine"):
        inner = shapes[0][-2 if node.attrs.get("transpose_a") else -1]
        return 2.0 * size * inner
    if name in ("conv2d", "conv2d_input", "conv2d_filters"):
        image, filters = {  # of the results: how many positions the filters stand at
            "conv2d_input": (shapes[0], shapes[1]),
            "conv2d_filters": (shapes[1], node.spec.concrete),
        }.get(name, (node.spec.concrete, shapes[1]))
        return 2.0 * math.prod(image[:-1]) * math.prod(filters)
    return node.op.flops * max([size, *(math.prod(shape) for shape in shapes)])


__getattr__, __dir__ = doors("trace")
