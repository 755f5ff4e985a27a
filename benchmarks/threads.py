"""One network on two cores: ``python -m benchmarks.threads``.

Each workload trains with one thread and with two, in turns, in one process that has all processors; the weights
must be the same to the bit.  Two threads should gain where there is enough to share, and never lose.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence

import numpy as np

from benchmarks import report
from benchmarks.measure import Speeds, take_turns
from benchmarks.workloads import BATCHES, WORKLOADS, Workload

ONE, TWO = "one thread", "two threads"
GOALS = dict.fromkeys(("W3b", "W4", "W4b", "W5"), 1.7)
OTHERWISE = 0.97
HEAD = ("workload", ONE, TWO, "two / one", "goal")


def compare(work: Workload, rounds: int, seconds: float) -> Speeds:
    """Steps a second with one thread and with two.  Raises SystemExit if the weights differ."""
    from benchmarks.peers import layerlab_native  # needs Numba

    runners = []
    for count, name in ((1, ONE), (2, TWO)):
        runner = layerlab_native.Runner(work)
        runner.session.threads = count
        runner.name = name
        runner.run(BATCHES)
        runners.append(runner)
    one, two = (runner.session.state()["float32"] for runner in runners)
    if not np.array_equal(one, two, equal_nan=True):
        raise SystemExit(f"{work.title}: two threads give other weights than one")
    return take_turns(runners, work.chunk, rounds, seconds)


def row(name: str, speeds: Speeds) -> list[str]:
    """The cells under :data:`HEAD`."""
    gained = report.ratio(speeds, TWO, ONE)
    medians = [report.number(statistics.median(speeds[name])) for name in (ONE, TWO)]
    return [name, *medians, f"{gained:.2f}", report.judged(gained, GOALS.get(name, OTHERWISE))]


def apart() -> dict[str, Speeds]:
    """What a process of its own, which may use all processors, finds."""
    command = [sys.executable, "-m", "benchmarks.threads", "--json"]
    return dict(json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout))


def table(found: dict[str, Speeds]) -> Sequence[str]:
    return report.table(HEAD, [row(name, speeds) for name, speeds in found.items()])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.threads", description=__doc__)
    parser.add_argument("--only", default="", help="workloads whose name begins so")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.3, help="of one turn")
    parser.add_argument("--json", action="store_true", help="the speeds of all rounds, for programs")
    chosen = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, range(os.cpu_count() or 1))
    works = [work for work in WORKLOADS if work.name.startswith(chosen.only)]
    found = {work.name: compare(work, chosen.rounds, chosen.seconds) for work in works}
    if chosen.json:
        print(json.dumps(found))
    else:
        print(*table(found), sep="\n")


if __name__ == "__main__":
    main()
