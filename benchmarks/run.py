"""Steps per second of Layerlab's engine and of its peers, as ratios, and what else training costs.

All runners of a workload live in one process with one BLAS thread on one processor and take turns,
so that a disturbance of the machine meets all alike.  Before anything is timed, every runner trains
the same batches from the same weights (without dropout) and must arrive at the same loss.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import costs, report
from benchmarks.measure import Speeds, compare
from benchmarks.workloads import WORKLOADS
from engine.devices import find_device
from engine.errors import DeviceError

CPU_PEERS = ("layerlab_native", "layerlab", "pytorch", "pytorch_compiled", "jax_scan", "jax_jit")
CPU_PEERS += ("tensorflow_function", "sklearn_mlp")
GPU_PEERS = ("layerlab_gpu", "pytorch", "pytorch_compiled", "jax_scan", "jax_jit")
RESULTS = Path(__file__).parent / "results"


@dataclass
class Report:
    """Lines that are printed as they come and kept to be saved, and the numbers behind them."""

    lines: list[str] = field(default_factory=list)
    raw: dict[str, Any] = field(default_factory=dict)

    def say(self, *lines: str) -> None:
        self.lines += lines
        print(*lines, sep="\n", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", default="", help="workloads whose name begins so, e.g. W1; without the costs")
    parser.add_argument("--part", choices=("speed", "costs"), help="only the comparison, or only the further costs")
    parser.add_argument("--device", default="cpu:0", help="gpu:0: the comparison on a GPU")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.5, help="of one turn")
    parser.add_argument("--save", action="store_true", help="write tables, numbers, pictures to benchmarks/results")
    chosen = parser.parse_args()
    on_cpu = chosen.device == "cpu:0"
    try:
        find_device(chosen.device)
    except DeviceError as error:
        raise SystemExit(str(error)) from None
    if on_cpu:
        os.environ.setdefault("JAX_PLATFORMS", "cpu")
    told = Report(raw={"about": report.versions(), "device": chosen.device})
    told.say(", ".join(f"{name} {text}" for name, text in told.raw["about"].items()), "")
    modules, missing = available(CPU_PEERS if on_cpu else GPU_PEERS)
    told.say(*missing)
    if chosen.part != "costs":
        speed(told, modules, chosen)
    if chosen.part != "speed" and not chosen.only and on_cpu:
        told.raw["costs"] = costs.measure(told.say, modules)
    if chosen.save:
        save(told)


def available(names: Sequence[str]) -> tuple[list[Any], list[str]]:
    """The peers' modules that can be imported, and a line for each that can't."""
    modules, missing = [], []
    for name in names:
        try:
            modules.append(importlib.import_module(f"benchmarks.peers.{name}"))
        except ModuleNotFoundError as error:
            missing.append(f"{name} is left out: {error.name} isn't installed")
    return modules, missing


def speed(told: Report, modules: Sequence[Any], chosen: argparse.Namespace) -> None:
    """The table of steps per second."""
    names = [module.NAME for module in modules]
    speeds: dict[str, Speeds] = {}
    notes: list[str] = []
    told.say("## Steps per second", "", *report.table(["workload", "loss", *names], []))
    for work in WORKLOADS:
        if work.name.startswith(chosen.only):
            loss, found, left_out = compare(modules, work, chosen.device, chosen.rounds, chosen.seconds)
            speeds[work.name] = found
            notes += left_out
            told.say(report.line(report.speed_row(names, work, loss, found)))
    ratios = [report.ratio_row(names, work, speeds[work.name]) for work in WORKLOADS if work.name in speeds]
    head = ["workload", *names[1:], "goals"]
    told.say(
        "",
        f"## {names[0]} / peer",
        "",
        *report.table(head, ratios),
        "",
        report.EXPLAINED,
        *(f"- {note}" for note in notes),
        "",
    )
    told.raw["steps_per_second"] = speeds


def save(told: Report) -> None:
    """Write ``results/<date>.md``, ``.json`` and the pictures."""
    plot = importlib.import_module("benchmarks.plot")
    today = datetime.date.today().isoformat()
    RESULTS.mkdir(exist_ok=True)
    pictures = []
    if speeds := told.raw.get("steps_per_second"):
        plot.ratios(speeds, RESULTS / f"{today}.svg")
        pictures.append(f"![ours / peer]({today}.svg)")
    if grown := told.raw.get("costs", {}).get("growth"):
        plot.growth(grown, RESULTS / f"{today}-growth.svg")
        pictures.append(f"![milliseconds a step]({today}-growth.svg)")
    text = "\n".join([f"# {today}", "", *told.lines, "", *pictures, ""])
    (RESULTS / f"{today}.md").write_text(text, encoding="utf-8")
    (RESULTS / f"{today}.json").write_text(json.dumps(told.raw, indent=1) + "\n", encoding="utf-8")
