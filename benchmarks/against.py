"""Our engine in two checkouts, before and after a change: ``python -m benchmarks.against CHECKOUT``.

Each checkout has a process of its own on the same processor; they take turns, after both have arrived at the
same loss. Told are steps a second, and the milliseconds from layer sizes to the end of a first step.
"""

from __future__ import annotations

import argparse
import importlib
import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
OURS = {"layerlab": "NumPy", "layerlab_native": "native"}
TOLERANCE = 1e-3  # relative: sums in other orders
FIRST_STEPS = 5


class Checkout:
    """A process that has imported one checkout's engine and workloads."""

    def __init__(self, folder: Path, peer: str) -> None:
        command = [sys.executable, str(Path(__file__).resolve()), "--serve", peer]
        self._process = subprocess.Popen(command, cwd=folder, stdin=-1, stdout=-1, text=True)

    def ask(self, what: str, work: str = "", **values: float) -> Any:
        """The answer to one question; see :func:`serve`."""
        assert self._process.stdin is not None and self._process.stdout is not None
        print(json.dumps({"what": what, "work": work, **values}), file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(20)


def serve(peer: str) -> None:
    """Answer questions: ``works``, ``loss`` (which also makes ready), ``speed``, ``first`` (seconds)."""
    sys.path[0] = str(Path.cwd())  # this file may be another checkout's
    importlib.import_module("benchmarks.one_thread").take()
    module = importlib.import_module(f"benchmarks.peers.{peer}")
    measure = importlib.import_module("benchmarks.measure")
    workloads = importlib.import_module("benchmarks.workloads")
    works = {work.name: work for work in workloads.WORKLOADS}
    ready: dict[str, Any] = {}
    for line in sys.stdin:
        asked = json.loads(line)
        if asked["what"] == "works":
            print(json.dumps(list(works)), flush=True)
            continue
        work = works[asked["work"]]
        if asked["what"] == "loss":
            alike = module.Runner(work.without_dropout())
            alike.run(workloads.BATCHES)
            answer: Any = alike.loss()
            runner = module.Runner(work)
            ready = {asked["work"]: (runner, measure.steps_of(runner, work.chunk, asked["seconds"]))}
        elif asked["what"] == "speed":
            runner, steps = ready[asked["work"]]
            answer = steps / measure.timed(runner, steps)
        else:
            began = measure.time.perf_counter()
            module.Runner(work).run(1)
            answer = measure.time.perf_counter() - began
        print(json.dumps(answer), flush=True)


def compare(peer: str, other: Path, rounds: int, seconds: float) -> list[str]:
    """The table's lines for one of our executors.  Raises SystemExit where the losses differ."""
    before, after = Checkout(other, peer), Checkout(ROOT, peer)
    lines = []
    both = set(before.ask("works"))
    for work in filter(both.__contains__, after.ask("works")):
        losses = [each.ask("loss", work, seconds=seconds) for each in (before, after)]
        if abs(losses[0] - losses[1]) > TOLERANCE * abs(losses[0]):
            raise SystemExit(f"{work}: the losses differ: {losses}")
        turns = [[each.ask("speed", work) for each in (before, after)] for _ in range(rounds)]
        firsts = [[each.ask("first", work) for each in (before, after)] for _ in range(FIRST_STEPS)]
        speed = [statistics.median(column) for column in zip(*turns, strict=True)]
        first = [1000 * statistics.median(column) for column in zip(*firsts, strict=True)]
        ratio = statistics.median(new / old for old, new in turns)
        numbers = [*map(_short, speed), f"{ratio:.3f}", *map(_short, first)]
        lines.append(f"| {' | '.join([work, OURS[peer], *numbers])} |")
        print(lines[-1], flush=True)
    for each in (before, after):
        each.close()
    return lines


def _short(number: float) -> str:
    return f"{number:,.0f}" if number >= 1000 else f"{number:.3g}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.against", description=__doc__)
    parser.add_argument("checkout", type=Path, nargs="?", help="the folder of the other checkout: before")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.5, help="of one turn")
    chosen = parser.parse_args()
    if chosen.serve:
        serve(chosen.serve)
        return
    if chosen.checkout is None:
        parser.error("name the folder of the checkout to compare with")
    print("| workload | executor | before, steps/s | after | after / before | first step before, ms | after |")
    print("|---|---|---|---|---|---|---|")
    for peer in OURS:
        compare(peer, chosen.checkout.resolve(), chosen.rounds, chosen.seconds)


if __name__ == "__main__":
    main()
