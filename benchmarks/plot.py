"""The measurements as pictures (SVG)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib import pyplot as plt

from benchmarks.measure import Speeds
from benchmarks.report import number, ratio

plt.switch_backend("svg")  # no screen is needed
STYLE = {
    "font.family": "sans-serif",
    "font.size": 10,
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "layerlab",  # the same picture from the same numbers
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "figure.facecolor": "white",
}
COLOURS = {
    "Layerlab native": "#1b1b1b",
    "Layerlab NumPy": "#8a8a8a",
    "PyTorch eager": "#e8590c",
    "PyTorch compiled": "#f5a672",
    "JAX lax.scan": "#1971c2",
    "JAX jit": "#86b7e0",
    "TensorFlow tf.function": "#f2b705",
    "scikit-learn": "#2f9e44",
}


def ratios(speeds: Mapping[str, Speeds], path: Path) -> None:
    """Bars of ours / peer, a group a workload: to the right of the line at 1, ours is faster."""
    bars: list[tuple[float, str, float]] = []  # (place, peer, ratio)
    ticks, at = [], 0.0
    for name, found in speeds.items():
        ours, *peers = found
        bars += [(at + 0.8 * place, peer, ratio(found, ours, peer)) for place, peer in enumerate(peers)]
        ticks.append((at + 0.4 * (len(peers) - 1), name))
        at += 0.8 * len(peers) + 0.8
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(8, 0.6 + 0.2 * at), layout="constrained")
        for peer in dict.fromkeys(peer for _, peer, _ in bars):
            places = [(place, value) for place, each, value in bars if each == peer]
            axes.barh(
                [place for place, _ in places],
                [value - 1 for _, value in places],
                0.8,
                left=1,
                color=COLOURS.get(peer, "#999999"),
                label=peer,
            )
        for place, _, value in bars:
            side = 3 if value >= 1 else -3
            axes.annotate(
                number(value), (value, place), (side, 0), textcoords="offset points",
                va="center", ha="left" if side > 0 else "right", fontsize=7, color="#444444",
            )  # fmt: skip
        axes.axvline(1, color="black", linewidth=1)
        axes.set_xscale("log")
        axes.margins(x=0.08, y=0.01)
        axes.grid(axis="y", visible=False)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.set_yticks([place for place, _ in ticks], [name for _, name in ticks])
        axes.invert_yaxis()
        ours = next(iter(next(iter(speeds.values()))))
        axes.set_xlabel(f"steps per second: {ours} / peer (right of 1: {ours} is faster)")
        figure.legend(loc="outside upper center", ncols=4, frameon=False, fontsize=8)
        _write(figure, path)


def growth(times: Mapping[str, Mapping[str, Mapping[int, float]]], path: Path) -> None:
    """Lines of milliseconds a step over width, depth and batch: ``times[what][engine][size]``."""
    with plt.rc_context(STYLE):
        figure, all_axes = plt.subplots(1, len(times), figsize=(10, 3.6), layout="constrained", sharey=True)
        for axes, (what, engines) in zip(all_axes, times.items(), strict=True):
            for name, found in engines.items():
                axes.plot(list(found), list(found.values()), "o-", markersize=3, color=COLOURS.get(name), label=name)
            axes.set_xscale("log", base=2)
            axes.set_yscale("log")
            sizes = list(next(iter(engines.values())))
            axes.set_xticks(sizes, [str(size) for size in sizes])
            axes.minorticks_off()
            axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
            axes.set_xlabel(what)
        all_axes[0].set_ylabel("milliseconds a step")
        handles, names = all_axes[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper center", ncols=4, frameon=False, fontsize=8)
        _write(figure, path)


def _write(figure: Any, path: Path) -> None:
    figure.savefig(path, format="svg", metadata={"Date": None})
    plt.close(figure)
