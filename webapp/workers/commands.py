"""What a worker does with each command: one table for those of every kind; a kind's own bring their ``handle``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from webapp.contract.commands import Pause, Play, Recover, Reset, RunWish, Set, Step, Wish
from webapp.kinds import commands
from webapp.training.experiment import Experiment
from webapp.workers.task import Task

ALWAYS_TOLD = frozenset({"reset", "stepped"})  # reasons that are news also to who stood still before

Do = Callable[[Task, Experiment, Any, float], str | None]


def obey(task: Task, experiment: Experiment, wish: RunWish, now: float) -> str | None:
    """Do what ``wish`` says; the reason why the run now stands still, if it does.  ``now`` is the scheduler's clock."""
    do = IN_WORKERS.get(type(wish))
    if do is not None:
        return do(task, experiment, wish, now)
    handle(task.kind, experiment, wish)
    return None


def handle(kind: str, experiment: Experiment, wish: RunWish) -> None:
    """Do what only this kind of run knows.  Raises ProtocolError if it doesn't know it, or can't do it."""
    command = commands().of(wish, kind)
    assert command.handle is not None, f"{command.name} stands in no table and its record has no handle"
    command.handle(experiment, wish)


def _set(task: Task, experiment: Experiment, _: Set, __: float) -> None:
    experiment.configure(task.settings)


def _play(task: Task, _: Experiment, __: Play, now: float) -> None:
    task.playing, task.steps_left = True, 0
    task.start_pacing(now)


def _pause(task: Task, _: Experiment, __: Pause, ___: float) -> str:
    task.playing, task.steps_left = False, 0
    return "paused"


def _step(task: Task, experiment: Experiment, wish: Step, _: float) -> str:
    task.playing = False
    task.steps_left = max(task.steps_left, 1 if wish.unit == "batch" else experiment.steps_per_epoch)
    return "stepped"


def _reset(task: Task, experiment: Experiment, _: Reset, __: float) -> str:
    experiment.reset()
    task.playing, task.steps_left = False, 0
    return "reset"


def _recover(task: Task, experiment: Experiment, _: Recover, now: float) -> None:
    experiment.configure(task.settings)
    experiment.recover()
    task.playing, task.steps_left = True, 0
    task.start_pacing(now)


IN_WORKERS: dict[type[Wish], Do] = {
    Set: _set,
    Play: _play,
    Pause: _pause,
    Step: _step,
    Reset: _reset,
    Recover: _recover,
}
