"""What was measured, as Markdown."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version

from benchmarks.measure import Speeds
from benchmarks.workloads import Workload

PACKAGES = ["numpy", "numba", "cupy-cuda12x", "cupy-cuda13x", "torch", "jax", "tensorflow-cpu", "scikit-learn"]
# A goal is meant for the peer's best form: that of these which is fastest on the workload.
FORMS = {
    "PyTorch": ("PyTorch eager", "PyTorch compiled"),
    "JAX lax.scan": ("JAX lax.scan",),
}


EXPLAINED = """\
Medians over the rounds. A dash: left out, see below. The goals for PyTorch are for its faster form,
eager or compiled."""


def versions() -> dict[str, str]:
    """What was measured with what."""
    found = {"python": platform.python_version(), "machine": f"{platform.machine()}, {os.cpu_count()} cores"}
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


def speed_row(names: Sequence[str], work: Workload, loss: float, speeds: Speeds) -> list[str]:
    """One workload: the loss that all agree on and the medians of each engine's speeds.  A dash: left out."""
    cells = [number(statistics.median(speeds[name])) if name in speeds else "–" for name in names]
    return [work.title, f"{loss:.4f}", *cells]


def ratio_row(names: Sequence[str], work: Workload, speeds: Speeds) -> list[str]:
    """One workload: the first engine's speed, ours, over that of each other of ``names``; and the goals."""
    ours = next(iter(speeds))
    ratios = [number(ratio(speeds, ours, name)) if name in speeds else "–" for name in names if name != ours]
    return [work.name, *ratios, goals(work.goals, speeds)]


def ratio(speeds: Speeds, ours: str, peer: str) -> float:
    """The median of the rounds' ratios: both had their turn at about the same time."""
    return statistics.median(a / b for a, b in zip(speeds[ours], speeds[peer], strict=True))


def goals(wanted: Mapping[str, float], speeds: Speeds) -> str:
    """E.g. "PyTorch eager 1.77 ≥ 1.4 met; JAX lax.scan 0.91 ≥ 0.95 **missed**": against each peer's fastest form."""
    ours = next(iter(speeds))
    told = []
    for peer, goal in wanted.items():
        forms = [name for name in FORMS[peer] if name in speeds]
        if forms:
            found, name = min((ratio(speeds, ours, name), name) for name in forms)
            told.append(f"{name} {number(found)} ≥ {goal:g} {'met' if found >= goal else '**missed**'}")
    return "; ".join(told) or "–"


def number(value: float) -> str:
    """Three figures at least: 887,112, 75.6, 1.20."""
    return f"{value:,.0f}" if value >= 100 else f"{value:#.3g}"
