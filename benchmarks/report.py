"""What was measured, as Markdown."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version

from benchmarks.measure import Speeds
from benchmarks.workloads import Workload

PACKAGES = ("numpy", "numba", "scipy", "cupy-cuda12x", "cupy-cuda13x")
PACKAGES += ("torch", "jax", "tensorflow-cpu", "scikit-learn")
# A goal is meant for the peer's best form: that of these which is fastest on the workload.
FORMS = {
    "PyTorch": ("PyTorch eager", "PyTorch compiled"),
    "JAX lax.scan": ("JAX lax.scan",),
}


EXPLAINED = """\
Medians over the rounds. A dash: left out, see below. A goal is for ours / the fastest of the peer's forms
(PyTorch: eager or compiled)."""


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


def head(names: Sequence[str]) -> list[str]:
    """The speeds' columns, for runners of these names; the first is ours."""
    speeds = [f"{name} steps/s" for name in names]
    return ["workload", "loss", *speeds, *(f"ours / {name}" for name in names[1:]), "goals"]


def row(names: Sequence[str], work: Workload, loss: float, speeds: Speeds) -> list[str]:
    """One workload: medians, ours over each peer's, and whether the goals are met.  A dash: left out."""
    ours = next(iter(speeds))
    cells = [number(statistics.median(speeds[name])) if name in speeds else "–" for name in names]
    ratios = [f"{ratio(speeds, ours, name):.2f}" if name in speeds else "–" for name in names[1:]]
    return [work.title, f"{loss:.4f}", *cells, *ratios, goals(work.goals, speeds)]


def ratio(speeds: Speeds, ours: str, peer: str) -> float:
    """The median of the rounds' ratios: both had their turn at about the same time."""
    return statistics.median(a / b for a, b in zip(speeds[ours], speeds[peer], strict=True))


def goals(wanted: Mapping[str, float], speeds: Speeds) -> str:
    """E.g. "PyTorch 1.77 ≥ 1.4 met; JAX lax.scan 0.91 ≥ 0.95 missed"."""
    ours = next(iter(speeds))
    told = []
    for peer, goal in wanted.items():
        forms = [name for name in FORMS[peer] if name in speeds]
        if forms:
            found = min(ratio(speeds, ours, name) for name in forms)
            told.append(f"{peer} {found:.2f} ≥ {goal:g} {'met' if found >= goal else '**missed**'}")
    return "; ".join(told) or "–"


def number(value: float) -> str:
    """Three figures at least: 887,112, 75.6, 1.23."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
