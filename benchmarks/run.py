"""``make bench``: steps per second of Layerlab's engine and of its peers, as ratios.

All runners of a workload live in one process with one BLAS thread and take turns, so that a
disturbance of the machine meets all alike.  Before anything is timed, every runner trains the
same batches from the same weights and must arrive at the same loss.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import json
import os
import platform
import statistics
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.workloads import WORKLOADS, Runner, Workload

PEERS = ("layerlab_native", "layerlab", "pytorch", "jax_scan")
CHECK_STEPS = 20
TOLERANCE = 2e-3  # relative: float32 sums in other orders
RESULTS = Path(__file__).parent / "results"


def available() -> tuple[list[Any], list[str]]:
    """The peers' modules that can be imported, and a line for each that can't."""
    modules, missing = [], []
    for name in PEERS:
        try:
            modules.append(importlib.import_module(f"benchmarks.peers.{name}"))
        except ModuleNotFoundError as error:
            missing.append(f"{name} is left out: {error.name} isn't installed")
    return modules, missing


def check(runners: list[Runner], work: Workload) -> float:
    """Train all alike; the loss they agree on.  Raises SystemExit if one arrives elsewhere."""
    for runner in runners:
        runner.run(CHECK_STEPS)
    losses = {runner.name: runner.loss() for runner in runners}
    ours = next(iter(losses.values()))
    for name, loss in losses.items():
        if not abs(loss - ours) <= TOLERANCE * abs(ours):
            raise SystemExit(f"{work.title}: after {CHECK_STEPS} steps the loss is {ours:.6g}, with {name} {loss:.6g}")
    return ours


def measure(runner: Runner, seconds: float) -> int:
    """How many steps take about ``seconds``; warms up on the way."""
    steps = 100
    while True:
        began = time.perf_counter()
        runner.run(steps)
        spent = time.perf_counter() - began
        if spent >= seconds / 2:
            return max(100, int(steps * seconds / spent) // 100 * 100)
        steps *= 2


def compare(runners: list[Runner], rounds: int, seconds: float) -> dict[str, list[float]]:
    """Steps per second of each runner in each round, taking turns."""
    steps = {runner.name: measure(runner, seconds) for runner in runners}
    speeds: dict[str, list[float]] = {runner.name: [] for runner in runners}
    for _ in range(rounds):
        for runner in runners:
            began = time.perf_counter()
            runner.run(steps[runner.name])
            speeds[runner.name].append(steps[runner.name] / (time.perf_counter() - began))
    return speeds


def row(work: Workload, loss: float, speeds: dict[str, list[float]]) -> str:
    """One line of the table: medians, and ours over each peer's (median of the rounds' ratios)."""
    names = list(speeds)
    cells = [f"{statistics.median(speeds[name]):,.0f}" for name in names]
    ratios = [
        f"{statistics.median(a / b for a, b in zip(speeds[names[0]], speeds[name], strict=True)):.2f}"
        for name in names[1:]
    ]
    return "| " + " | ".join([work.title, f"{loss:.4f}", *cells, *ratios]) + " |"


def versions() -> dict[str, str]:
    """What was measured with what."""
    found = {"python": platform.python_version(), "machine": f"{platform.machine()}, {os.cpu_count()} cores"}
    for package in ("numpy", "torch", "jax"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", help="workloads whose name begins so, e.g. W1")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.5, help="of one turn")
    parser.add_argument("--save", action="store_true", help="write the table and the numbers to benchmarks/results")
    chosen = parser.parse_args()
    modules, missing = available()
    names = [module.NAME for module in modules]
    head = ["workload", "loss", *(f"{name} steps/s" for name in names), *(f"ours / {name}" for name in names[1:])]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    print(*missing, *lines, sep="\n", flush=True)
    raw = {}
    for work in WORKLOADS:
        if chosen.only and not work.name.startswith(chosen.only):
            continue
        runners = [module.Runner(work) for module in modules]
        loss = check(runners, work)
        raw[work.name] = compare(runners, chosen.rounds, chosen.seconds)
        lines.append(row(work, loss, raw[work.name]))
        print(lines[-1], flush=True)
    if chosen.save:
        save(lines, missing, raw)


def save(lines: list[str], missing: list[str], raw: dict[str, dict[str, list[float]]]) -> None:
    """Write ``results/<date>.md`` and ``.json``."""
    today = datetime.date.today().isoformat()
    about = versions()
    told = [f"# {today}", "", ", ".join(f"{name} {text}" for name, text in about.items()), "", *missing, "", *lines, ""]
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{today}.md").write_text("\n".join(told))
    (RESULTS / f"{today}.json").write_text(json.dumps({"about": about, "steps_per_second": raw}, indent=1) + "\n")


if __name__ == "__main__":
    main()
