"""What was measured, as Markdown."""

from __future__ import annotations

import datetime
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version

from benchmarks import processor
from benchmarks.measure import Speeds

PACKAGES = ["numpy", "numba", "cupy-cuda12x", "cupy-cuda13x", "torch", "jax", "tensorflow-cpu", "scikit-learn"]
# A goal is meant for the peer's best form: that of these which is fastest on the workload.
FORMS = {
    "PyTorch": ("PyTorch eager", "PyTorch compiled"),
    "JAX": ("JAX lax.scan", "JAX jit"),
    "TensorFlow": ("TensorFlow tf.function",),
    "scikit-learn": ("scikit-learn",),
}


EXPLAINED = """\
Medians over the rounds. A dash: left out, see below. Goals are for each peer's fastest form."""


def versions() -> dict[str, str]:
    """What was measured with what, and when."""
    found = {"processor": processor.about(), "date": datetime.date.today().isoformat()}
    found |= {"python": platform.python_version(), "machine": f"{platform.machine()}, {os.cpu_count()} cores"}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table."""
    return [line(head), "|" + "---|" * len(head), *map(line, rows)]


def line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def speed_row(names: Sequence[str], title: str, loss: float, speeds: Speeds) -> list[str]:
    """One workload: the loss that all agree on and the medians of each engine's speeds.  A dash: left out."""
    cells = [number(statistics.median(speeds[name])) if name in speeds else "–" for name in names]
    return [title, f"{loss:.4f}", *cells]


def ratio_row(names: Sequence[str], title: str, wanted: Mapping[str, float], speeds: Speeds) -> list[str]:
    """One workload: the first engine's speed, ours, over that of each other of ``names``; and the goals."""
    ours = next(iter(speeds))
    ratios = [number(ratio(speeds, ours, name)) if name in speeds else "–" for name in names if name != ours]
    return [title, *ratios, goals(wanted, speeds)]


def ratio(speeds: Speeds, ours: str, peer: str) -> float:
    """The median of the rounds' ratios: both had their turn at about the same time."""
    return statistics.median(a / b for a, b in zip(speeds[ours], speeds[peer], strict=True))


def goals(wanted: Mapping[str, float], speeds: Speeds) -> str:
    """E.g. "JAX lax.scan 0.91 ≥ 1.1 **missed**; else met": against each peer's fastest form."""
    ours = next(iter(speeds))
    missed, met = [], 0
    for peer, goal in wanted.items():
        forms = [name for name in FORMS[peer] if name in speeds]
        if forms:
            found, name = min((ratio(speeds, ours, name), name) for name in forms)
            met += found >= goal
            if found < goal:
                missed.append(f"{name} {number(found)} ≥ {goal:g} **missed**")
    return "; ".join(missed + (["else met"] if missed else ["met"]) * bool(met)) or "–"


def judged(found: float, goal: float) -> str:
    """What is told of a number that should be at least ``goal``."""
    return f"{goal:g} {'met' if found >= goal else '**missed**'}"


def at_most(found: float, limit: float) -> str:
    """What is told of a number that should be at most ``limit``."""
    return f"{number(found)} ≤ {limit:g} {'met' if found <= limit else '**missed**'}"


def number(value: float) -> str:
    """Three figures at least: 887,112, 75.6, 1.20."""
    return f"{value:,.0f}" if value >= 100 else f"{value:#.3g}"
