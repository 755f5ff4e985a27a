"""The same loss from all, then steps per second of each, in turns."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.workloads import BATCHES, EARLY, LATE, Runner, Unsupported, Workload

TOLERANCE = 3e-3  # relative: float32 sums in other orders, Adam's epsilon inside or outside the correction

Speeds = dict[str, list[float]]  # a runner's name -> its steps per second in each round


class UnequalLoss(Exception):
    """Nobody agrees with the first runner, which is ours: one of them trains another network."""


@dataclass(frozen=True)
class Compared:
    """The loss after one pass; the speeds by the step at which they were measured; a line for each peer left out."""

    loss: float
    speeds: dict[int, Speeds] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)


def compare(modules: Sequence[Any], work: Workload, device: str, rounds: int, seconds: float) -> Compared:
    """What each of the peers' ``modules`` reached; the first of them is what the others are compared with.

    Raises UnequalLoss.
    """
    compared = work.without_dropout()
    runners: dict[str, Runner] = {}
    left_out: list[str] = []
    loss = math.nan
    for module in modules:
        try:
            runner = module.Runner(compared, device)
            loss = check(runner, loss)
            runners[module.NAME] = runner
        except Unsupported as reason:
            left_out.append(f"{work.name} without {module.NAME}: {reason}")
    if len(runners) == 1 < len(modules):
        raise UnequalLoss(f"{work.title}: nobody but {modules[0].NAME} has a loss of {loss:.6g}. {'; '.join(left_out)}")
    if compared != work:
        runners = {module.NAME: module.Runner(work, device) for module in modules if module.NAME in runners}
    found, done = Compared(loss, {}, left_out), 0
    for step in (EARLY, LATE) if work.late else (EARLY,):
        for runner in runners.values():
            runner.run(step - done)
        found.speeds[step] = take_turns(list(runners.values()), work.chunk, rounds, seconds)
        done = step
    return found


def check(runner: Runner, wanted: float) -> float:
    """The loss after one pass.  Raises Unsupported if it isn't the one ``wanted``; NaN: not known yet."""
    runner.run(BATCHES)
    loss = runner.loss()
    if not math.isfinite(loss) or abs(loss - wanted) > TOLERANCE * abs(wanted):
        raise Unsupported(f"after {BATCHES} steps its loss is {loss:.6g}, not {wanted:.6g}")
    return loss if math.isnan(wanted) else wanted


def steps_of(runner: Runner, chunk: int, seconds: float) -> int:
    """How many steps, a multiple of ``chunk``, take about ``seconds``; warms up on the way."""
    runner.run(chunk)  # what is compiled is compiled now
    steps = chunk
    while True:
        spent = timed(runner, steps)
        if spent >= seconds / 2:
            return max(chunk, round(steps * seconds / spent / chunk) * chunk)
        steps *= 2


def timed(runner: Runner, steps: int) -> float:
    """Seconds that ``steps`` steps take."""
    began = time.perf_counter()
    runner.run(steps)
    return time.perf_counter() - began


def take_turns(runners: Sequence[Runner], chunk: int, rounds: int, seconds: float) -> Speeds:
    """Steps per second of each runner in each round: a disturbance of the machine meets all alike."""
    steps = {runner.name: steps_of(runner, chunk, seconds) for runner in runners}
    speeds: Speeds = {runner.name: [] for runner in runners}
    for _ in range(rounds):
        for runner in runners:
            speeds[runner.name].append(steps[runner.name] / timed(runner, steps[runner.name]))
    return speeds
