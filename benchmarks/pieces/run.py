"""Single pieces of training, ours native beside the peers'."""

from __future__ import annotations

import argparse
import importlib
import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks import peak, report
from benchmarks.pieces.catalogue import CATALOGUE, Piece
from benchmarks.pieces.form import Form

EXPLAINED = """\
Ours native beside PyTorch eager, JAX's jit and (for products) NumPy's BLAS, one thread, in turns; first the results
must be equal. Ours runs many times in one call, as in training; of a peer the layout counts that was fastest."""
MODULES = ("ours", "pytorch", "jax_jit", "blas")
TOLERANCE = 1e-3  # of the largest number of a result: sums in other orders, over thousands of products
CHECKED = 3  # runs before the results are compared: an update's go on from one another
HEAD = ("piece", "ours, µs", "rate", "of the peak", "peers, µs", "best / ours", "goal")

Times = dict[str, list[float]]  # an engine's name -> seconds of one run in each round


class UnequalResults(Exception):
    """A peer computes something else."""


@dataclass(frozen=True)
class Measured:
    """One piece's times; ``peaks``: flops a second that this core was found to do at most, in each round."""

    piece: Piece
    times: Times
    peaks: Sequence[float]
    notes: Sequence[str] = ()

    @property
    def ours(self) -> str:
        return next(iter(self.times))

    @property
    def seconds(self) -> float:
        return statistics.median(self.times[self.ours])

    @property
    def ratio(self) -> float | None:
        """The fastest peer's time / ours, the median over the rounds; None without peers."""
        mine, *others = self.times.values()
        ratios = [statistics.median(b / a for a, b in zip(mine, each, strict=True)) for each in others]
        return min(ratios, default=None)

    @property
    def share(self) -> float:
        """Of the peak, the median over the rounds."""
        rounds = zip(self.times[self.ours], self.peaks, strict=True)
        return statistics.median(self.piece.flops / seconds / peak for seconds, peak in rounds)

    def row(self) -> list[str]:
        """The cells under :data:`HEAD`."""
        piece, seconds = self.piece, self.seconds
        rate = f"{report.number(piece.flops / seconds / 1e9)} GF/s" if piece.flops else "–"
        if piece.nbytes:
            rate = f"{report.number(piece.nbytes / seconds / 1e9)} GB/s"
        share = f"{self.share:.0%}" if piece.flops else "–"
        peers = [f"{name} {micro(statistics.median(each))}" for name, each in self.times.items() if name != self.ours]
        cells = [piece.name, micro(seconds), rate, share, "; ".join(peers) or "–"]
        if self.ratio is None:
            return [*cells, "–", "–"]
        told = [report.judged(self.ratio, piece.goal)]
        if piece.of_peak:
            told.append(f"{report.judged(self.share, piece.of_peak)} of the peak")
        return [*cells, f"{self.ratio:.2f}", "; ".join([*told, *self.notes])]


def micro(seconds: float) -> str:
    return report.number(1e6 * seconds)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pieces", description=EXPLAINED)
    parser.add_argument("--only", action="append", default=[], help="pieces whose name holds this; may be repeated")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.05, help="of one turn")
    parser.add_argument("--alone", action="store_true", help="ours without the peers, which takes a moment")
    parser.add_argument("--list", action="store_true", help="only name the pieces")
    chosen = parser.parse_args()
    pieces = [each for each in CATALOGUE if not chosen.only or any(word in each.name for word in chosen.only)]
    if chosen.list:
        print(*(each.name for each in pieces), sep="\n")
        return
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    measure(pieces, lambda *lines: print(*lines, sep="\n", flush=True), chosen.rounds, chosen.seconds, chosen.alone)


def measure(
    pieces: Sequence[Piece], say: Callable[..., None], rounds: int = 7, seconds: float = 0.05, alone: bool = False
) -> list[Measured]:
    """Say the table, row by row; what was measured."""
    modules = []
    for name in MODULES[:1] if alone else MODULES:
        try:
            modules.append(importlib.import_module(f"benchmarks.pieces.{name}"))
        except ModuleNotFoundError as error:
            say(f"{name} is left out: {error.name} isn't installed")
    say(f"One core's peak: {peak.flops(50) / 1e9:.0f} GF/s", "", *report.table(HEAD, []))
    found = []
    for piece in pieces:
        found.append(compare(modules, piece, rounds, seconds))
        say(report.line(found[-1].row()))
    return found


def compare(modules: Sequence[Any], piece: Piece, rounds: int, seconds: float) -> Measured:
    """One piece's times by all engines, in turns.  Raises UnequalResults."""
    chosen: dict[str, tuple[Form, int]] = {}
    wanted: Sequence[np.ndarray] | None = None
    notes: list[str] = []
    for module in modules:
        forms: Mapping[str, Form] = module.forms(piece)
        ready = {}
        for name, form in forms.items():
            form.run(CHECKED)
            found = [np.array(each) for each in form.results()]
            wanted = found if wanted is None else wanted
            check(f"{piece.name}: {module.NAME}", found, wanted)
            ready[name] = form, times_of(form, seconds)
        if ready:
            name = max(ready, key=lambda each: ready[each][1])
            chosen[f"{module.NAME} {name}".strip()] = ready[name]
            notes += [ready[name][0].note] if ready[name][0].note else []
    times: Times = {name: [] for name in chosen}
    peaks = []
    for _ in range(rounds):
        peaks.append(peak.flops())
        for name, (form, count) in chosen.items():
            times[name].append(timed(form, count) / count)
    return Measured(piece, times, peaks, notes)


def check(what: str, found: Sequence[np.ndarray], wanted: Sequence[np.ndarray]) -> None:
    """Raises UnequalResults where they differ; a peer may give more at the end."""
    for at, (a, b) in enumerate(zip(found, wanted, strict=False)):
        size = np.abs(b).max(initial=1e-30)
        worst = np.abs(a.astype("f8") - b).max(initial=0) / size if a.shape == b.shape else np.inf
        if not worst <= TOLERANCE:
            raise UnequalResults(f"{what}: result {at} is off by {worst:.2g} ({a.shape}, {b.shape})")


def times_of(form: Form, seconds: float) -> int:
    """How many runs take about ``seconds``."""
    count = 1
    while (spent := timed(form, count)) < seconds / 2:
        count *= 2
    return max(1, round(count * seconds / spent))


def timed(form: Form, count: int) -> float:
    """Seconds of ``count`` runs."""
    began = time.perf_counter()
    form.run(count)
    return time.perf_counter() - began
