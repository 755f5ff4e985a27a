"""Steps per second of Layerlab's engine and of its peers, single pieces beside theirs, and what else training costs.

All runners of a workload live in one process with one BLAS thread on one processor and take turns,
so that a disturbance of the machine meets all alike.  Before anything is timed, every runner trains
the same batches from the same weights (without dropout) and must arrive at the same loss.  Results are
kept (--save) by the kind of processor.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import costs, processor, report
from benchmarks.measure import Speeds, compare
from benchmarks.workloads import EARLY, WORKLOADS, Workload
from engine.devices import find_device
from engine.errors import DeviceError

CPU_PEERS = (
    "layerlab_native", "layerlab", "pytorch", "pytorch_compiled", "jax_scan", "jax_jit", "tensorflow_function",
    "sklearn_mlp",
)  # fmt: skip
GPU_PEERS = ("layerlab_gpu", "pytorch", "pytorch_compiled", "jax_scan", "jax_jit")
PARTS = ("speed", "pieces", "costs")
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
    parser.add_argument("--only", default="", help="workloads whose name begins so, e.g. W1, and nothing else")
    parser.add_argument(
        "--part", choices=PARTS, help="only the networks' speed, the single pieces', or what else it costs"
    )
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
    parts = (chosen.part,) if chosen.part else ("speed",) if chosen.only or not on_cpu else PARTS
    if "speed" in parts:
        speed(told, modules, chosen)
    if "pieces" in parts and importlib.util.find_spec("numba") is not None:
        told.raw["pieces"] = single_pieces(told)
    if "costs" in parts:
        told.raw["costs"] = costs.measure(told.say, modules)
    if chosen.save:
        save(told, processor.kind() if on_cpu else chosen.device.replace(":", "-"))


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
    """The table of steps per second, the ratios, and where the time goes if one isn't as it should be."""
    names = [module.NAME for module in modules]
    speeds: dict[str, Speeds] = {}
    wanted: dict[str, Workload] = {}
    notes: list[str] = []
    told.say("## Steps per second", "", *report.table(["workload", "loss", *names], []))
    for work in WORKLOADS:
        if work.name.startswith(chosen.only):
            found = compare(modules, work, chosen.device, chosen.rounds, chosen.seconds)
            notes += found.left_out
            for step, each in found.speeds.items():
                later = f" at step {step:,}" if step > EARLY else ""
                speeds[work.name + later], wanted[work.name + later] = each, work
                told.say(report.line(report.speed_row(names, work.title + later, found.loss, each)))
    ratios = [report.ratio_row(names, title, wanted[title].goals, each) for title, each in speeds.items()]
    head = ["workload", *names[1:], "goals"]
    told.say("", f"## {names[0]} / peer", "", *report.table(head, ratios), "")
    told.say(report.EXPLAINED, *(f"- {note}" for note in notes), "")
    missed = {wanted[row[0]].name: wanted[row[0]] for row in ratios if "missed" in row[-1]}
    if missed and modules[0].__name__.endswith("layerlab_native"):
        profile = importlib.import_module("benchmarks.profile")
        told.say("## Where the time goes in those that miss a goal", "")
        for work in missed.values():
            told.say(work.title, "", *profile.lines(work, most=8), "")
    told.raw["steps_per_second"] = speeds


def single_pieces(told: Report) -> dict[str, Any]:
    """The table of single pieces; the seconds of each."""
    pieces = importlib.import_module("benchmarks.pieces.run")
    told.say("## Single pieces", "", pieces.EXPLAINED, "")
    found = pieces.measure(pieces.CATALOGUE, told.say)
    told.say("")
    return {each.piece.name: {"seconds": each.times, "peak": each.peaks} for each in found}


def save(told: Report, name: str) -> None:
    """Write ``results/<kind of processor>.md``, ``.json`` and the pictures."""
    plot = importlib.import_module("benchmarks.plot")
    pictures = []
    if speeds := told.raw.get("steps_per_second"):
        plot.ratios(speeds, RESULTS / f"{name}.svg")
        pictures.append(f"![ours / peer]({name}.svg)")
    if grown := told.raw.get("costs", {}).get("growth"):
        plot.growth(grown, RESULTS / f"{name}-growth.svg")
        pictures.append(f"![milliseconds a step]({name}-growth.svg)")
    about = told.raw["about"]
    text = "\n".join([f"# {about['processor'].partition(';')[0]}, {about['date']}", "", *told.lines, "", *pictures, ""])
    (RESULTS / f"{name}.md").write_text(text, encoding="utf-8")
    (RESULTS / f"{name}.json").write_text(json.dumps(told.raw, indent=1) + "\n", encoding="utf-8")
