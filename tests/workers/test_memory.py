"""Runs that nobody watches cost next to no memory, and whoever comes back finds them as they were."""

from __future__ import annotations

import gc
import sys
from importlib import import_module
from typing import Any

import numpy as np
import psutil
import pytest

from tests.running import wait_until
from webapp.kinds import registry
from webapp.kinds.points.experiment import PointsExperiment
from webapp.training.experiment import Diverged

WARM_UP = 40
ALLOWED = 100 * 2**10  # for each run: 50 MB for 500


def resident(pid: int) -> int:
    return int(psutil.Process(pid).memory_info().rss)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems count memory in other ways")
@pytest.mark.parametrize("count", [100, pytest.param(500, marks=[pytest.mark.soak, pytest.mark.timeout(600)])])
def test_runs_that_were_opened_and_left(make_lab, open_page, count):
    lab = make_lab(
        experiments=None, workers=1, rest_unwatched_after=0.2, pause_unwatched_after=0.4, max_runs_per_person=1000,
        max_runs=1000,
    )  # fmt: skip
    page = open_page(lab)

    def open_and_leave(count: int) -> None:
        for some in range(0, count, 10):  # ten at a time, in their own pace: the worker is busy, and not held up
            runs = [page.open(speed="batch", weight_seed=some + number) for number in range(10)]
            for run in runs:
                assert page.command("play", run=run)["ok"]
            for run in runs:
                page.wait_frame(lambda frame, run=run: frame.run == run and frame.step > 0)
                page.command("close", run=run)
            page.frames.clear()
        wait_until(at_rest, "all runs at rest", 60)

    def at_rest() -> bool:
        lives = list(lab.runs._book._lives.values())
        return all(live.asleep for live in lives)

    open_and_leave(WARM_UP)
    gc.collect()
    pids = [psutil.Process().pid, *lab.pool.pids]
    before = [resident(pid) for pid in pids]
    open_and_leave(count)
    gc.collect()
    grown = [resident(pid) - was for pid, was in zip(pids, before, strict=True)]
    assert sum(grown) < count * ALLOWED, f"grown by {[f'{bytes_ / 2**20:.1f} MB' for bytes_ in grown]}"


def test_who_comes_back_finds_the_whole_curve_and_the_run_goes_on(make_lab, open_page):
    lab = make_lab(experiments=None, workers=1, rest_unwatched_after=0.2)
    page = open_page(lab)
    run = page.open(speed="max")
    page.command("play", run=run)
    page.wait_frame(lambda frame: len(frame.parts["curve"]) > 20)
    page.command("look", run=run, layer=1, unit=2)
    page.command("pause", run=run)
    page.wait_event(type="status", playing=False, reason="paused")
    paused = page.command("set", run=run, settings={})["seq"]
    last = page.wait_frame(lambda frame: frame.command == paused)
    page.command("close", run=run)
    wait_until(lambda: lab.runs._book.live(run).asleep, "its rest")
    assert lab.runs.record(run).snapshot.packed
    page.frames.clear()
    assert page.command("open", kind="points", run=run)["resumed"]
    back = page.wait_frame(lambda frame: frame.key)
    assert back.step == last.step and not back.playing and back.sequence > last.sequence
    assert np.array_equal(back.parts["weights"], last.parts["weights"])
    assert len(back.parts["curve"]) >= len(last.parts["curve"]) > 10
    assert back.parts["look"].tolist() == [1, 2]
    assert page.command("play", run=run)["ok"]
    page.wait_frame(lambda frame: frame.step > last.step + 100)


def test_a_command_wakes_a_run_too(make_lab, open_page):
    lab = make_lab(workers=1, rest_unwatched_after=0.2)
    page = open_page(lab)
    run = page.open()
    page.command("close", run=run)
    wait_until(lambda: lab.runs._book.live(run).asleep, "its rest")
    assert page.command("set", run=run, settings={"rate": 0.5})["settings"]["rate"] == 0.5
    assert page.command("play", run=run)["ok"]
    wait_until(lambda: lab.runs.record(run).playing, "that it plays")


@pytest.mark.parametrize("kind", ["points", "digits"])
def test_a_run_that_rested_trains_on_bit_for_bit(kind, tmp_path):
    def made() -> Any:
        module, name = registry()[kind].experiment.split(":")
        return getattr(import_module(module), name)(registry()[kind].settings_for({}), data_dir=tmp_path)

    straight, rested = made(), made()
    for experiment in (straight, rested):
        experiment.train(30, 0.0)
        while experiment.step < 30:
            experiment.train(30 - experiment.step, 0.0)
    woken = made()
    woken.restore(rested.rest())
    for experiment in (straight, woken):
        while experiment.step < 60:
            experiment.train(60 - experiment.step, 0.0)
    for one, other in zip(straight.model.session.state().values(), woken.model.session.state().values(), strict=True):
        assert np.array_equal(one, other)


def test_a_diverged_run_that_rested_is_still_diverged_and_recovers_to_its_best():
    kind = registry()["points"]
    settings = kind.settings_for({"rate": 0.05})
    experiment = PointsExperiment(settings)
    while experiment.step < 200:
        experiment.train(200 - experiment.step, 0.0)
    good = experiment._good
    assert good is not None
    session = experiment.model.session
    session.load_state({dtype: np.full_like(array, np.nan) for dtype, array in session.state().items()})
    with pytest.raises(Diverged):
        experiment.train(1, 0.0)
    woken = PointsExperiment(settings)
    woken.restore(experiment.rest())
    assert not woken.model.finite()
    woken.recover()
    assert woken.model.finite() and 0 < woken.step <= 201
