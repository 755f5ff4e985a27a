"""A run that trains alone may use all cores; each one has its own as soon as others train."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.native import load, problem
from engine.native.crew import Crew
from tests.running import MACHINE, wait_until
from webapp.kinds import registry
from webapp.kinds.digits.experiment import DigitsExperiment
from webapp.layers.dense import Dense


def cores(lab):
    return sorted(handle.cores for handle in lab.pool._handles)


def test_a_second_core_goes_to_who_trains_alone(make_lab, open_page):
    lab = make_lab(workers=2)
    lab.pool._cores = 4
    page = open_page(lab)
    first, second = page.open(speed="max"), page.open(speed="max")
    assert lab.pool.pid_of(first) != lab.pool.pid_of(second)
    assert cores(lab) == [1, 1]
    page.command("play", run=first)
    wait_until(lambda: cores(lab) == [1, 4], "all cores for the one that trains")
    page.command("play", run=second)
    wait_until(lambda: cores(lab) == [2, 2], "the same for both")
    page.command("pause", run=first)
    wait_until(lambda: cores(lab) == [1, 4], "all cores for the other one")
    page.command("pause", run=second)
    wait_until(lambda: cores(lab) == [1, 1], "one core for who does nothing")


@pytest.mark.skipif(problem() is not None, reason=str(problem()))
def test_the_sign_tells_the_cores_of_a_network_that_uses_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    machine = load(MACHINE)
    monkeypatch.setattr(machine.machine.crew, "cores", 4)
    settings = registry()["digits"].settings_for({"layers": (Dense(units=500),)})
    run = DigitsExperiment(settings, data_dir=tmp_path)
    run.model.session.threads = 4
    run.use_machine(machine)
    assert run.executor == "CPU · native"
    run.train(1, float("inf"))
    signs = set()
    for most in (1, 2, 3):
        monkeypatch.setattr(Crew, "most", most)
        signs.add(run.executor)
    assert signs == {"CPU · native", "CPU · native · 2 cores", "CPU · native · 3 cores"}
