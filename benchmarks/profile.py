"""Where a step of ours spends its time, beside what the core could do: ``python -m benchmarks.profile W4``.

An operation is timed by itself (:mod:`engine.trace`), as often as it takes to be sure.  GF/s stand beside the peak
of the core, GB/s beside what a copy of as many bytes reaches.
"""

from __future__ import annotations

import argparse

from benchmarks import one_thread

if __name__ == "__main__":
    one_thread.take()

from benchmarks import peak, report
from benchmarks.peers import layerlab_native
from benchmarks.workloads import WORKLOADS, Workload
from engine.trace import Record, measure

HEAD = ("share", "µs", "GF/s", "of the peak", "GB/s", "of a copy's", "operation", "shape", "tensor")


def lines(work: Workload, steps: int = 100, most: int | None = None) -> list[str]:
    """The table of a workload's operations after some steps, the slowest first; ``most`` of them."""
    runner = layerlab_native.Runner(work)
    runner.run(steps)  # its feeds hold a batch then
    found = measure(runner.program)
    fastest = peak.flops(50)
    records = sorted(found.records, key=lambda each: -each.seconds)
    rows = [_row(each, found.measured, fastest) for each in records[:most]]
    whole = f"{report.number(1e6 * found.seconds)} µs a step in one go, {len(records)} operations"
    return [*report.table(HEAD, rows), "", whole]


def _row(record: Record, whole: float, fastest: float) -> list[str]:
    flops, nbytes = (each / max(record.seconds, 1e-9) for each in (record.flops, record.bytes))
    return [
        f"{record.seconds / whole:.1%}",
        report.number(1e6 * record.seconds),
        report.number(flops / 1e9),
        f"{flops / fastest:.0%}",
        report.number(nbytes / 1e9),
        f"{nbytes / peak.copied(record.bytes):.0%}",
        record.op,
        f"{record.dtype}{record.shape}",
        record.name,
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profile", description=__doc__)
    parser.add_argument("workload", choices=[work.name for work in WORKLOADS])
    parser.add_argument("--steps", type=int, default=100, help="trained before")
    chosen = parser.parse_args()
    work = next(each for each in WORKLOADS if each.name == chosen.workload)
    print(work.title, "", *lines(work, chosen.steps), sep="\n")


if __name__ == "__main__":
    main()
