"""What a worker does with each command: one table for those of every kind; a kind's own bring their ``handle``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from webapp.contract.commands import Pause, Play, Recover, Reset, RunWish, Set, Step, Wish
from webapp.kinds import commands
from webapp.training.experiment import Experiment
from webapp.workers.job import Job

ALWAYS_TOLD = frozenset({"reset", "stepped"})  # reasons that are news also to who stood still before

Do = Callable[[Job, Experiment, Any, float], str | None]


def obey(job: Job, experiment: Experiment, wish: RunWish, now: float) -> str | None:
    """Do what ``wish`` says; the reason why the run now stands still, if it does.  ``now`` is the scheduler's clock."""
    do = IN_WORKERS.get(type(wish))
    if do is not None:
        return do(job, experiment, wish, now)
    handle(job.kind, experiment, wish)
    return None


def handle(kind: str, experiment: Experiment, wish: RunWish) -> None:
    """Do what only this kind of run knows.  Raises ProtocolError if it doesn't know it, or can't do it."""
    command = commands().of(wish, kind)
    assert command.handle is not None, f"{command.name} stands in no table and its record has no handle"
    command.handle(experiment, wish)


def _set(job: Job, experiment: Experiment, _: Set, __: float) -> None:
    experiment.configure(job.settings)


def _play(job: Job, _: Experiment, __: Play, now: float) -> None:
    job.playing, job.steps_left = True, 0
    job.start_pacing(now)


def _pause(job: Job, _: Experiment, __: Pause, ___: float) -> str:
    job.playing, job.steps_left = False, 0
    return "paused"


def _step(job: Job, experiment: Experiment, wish: Step, _: float) -> str:
    job.playing = False
    job.steps_left = max(job.steps_left, 1 if wish.unit == "batch" else experiment.steps_per_epoch)
    return "stepped"


def _reset(job: Job, experiment: Experiment, _: Reset, __: float) -> str:
    experiment.reset()
    job.playing, job.steps_left = False, 0
    return "reset"


def _recover(job: Job, experiment: Experiment, _: Recover, now: float) -> None:
    experiment.configure(job.settings)
    experiment.recover()
    job.playing, job.steps_left = True, 0
    job.start_pacing(now)


IN_WORKERS: dict[type[Wish], Do] = {
    Set: _set,
    Play: _play,
    Pause: _pause,
    Step: _step,
    Reset: _reset,
    Recover: _recover,
}
