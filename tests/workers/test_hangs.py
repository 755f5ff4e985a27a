"""A worker that hangs is noticed, its runs go on elsewhere, and no command is swallowed."""

from __future__ import annotations

import os
import signal
import time

import pytest

from tests.fake_experiment import LONG_STEP
from tests.running import wait_until

pytestmark = [
    pytest.mark.clock,  # a worker that something else keeps from its core hangs, too
    pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="this system can't stop a process"),
]


def stop(pid: int) -> None:
    os.kill(pid, signal.SIGSTOP)


def test_a_command_that_no_worker_takes_is_refused_and_changes_nothing(make_lab, open_page):
    lab = make_lab(workers=1, answer_timeout=0.5, hang_after=60.0)
    page = open_page(lab)
    run = page.open(rate=0.25)
    page.command("set", run=run, settings={})  # its worker is awake
    wait_until(lambda: lab.pool.awake(run), "the worker's first words")
    [pid] = lab.pool.pids
    stop(pid)
    began = time.monotonic()
    refused = page.command("set", run=run, settings={"rate": 0.5})
    assert refused["error"]["code"] == "no_answer"
    assert time.monotonic() - began < 3.0
    assert lab.runs.record(run).settings.rate == 0.25
    assert page.command("open", kind="points")["error"]["code"] in {"no_answer", "busy"}
    os.kill(pid, signal.SIGCONT)
    assert wait_until(lambda: (reply := page.command("set", run=run, settings={}))["ok"] and reply, "an answer")
    frame = page.wait_frame(lambda frame: frame.command == lab.runs.record(run).seq)
    assert frame.parts["metrics"][2] == 0.25, "what was refused was done later"


def test_new_runs_are_not_placed_on_a_worker_that_hangs(make_lab, open_page):
    lab = make_lab(workers=2, hang_after=4.0, answer_timeout=2.0)
    page = open_page(lab)
    wait_until(lambda: all(handle.awake for handle in lab.pool._handles), "both workers")
    victim, other = lab.pool._handles
    stop(victim.process.pid)
    wait_until(lambda: victim.silent_for() > 2.0, "its silence")
    for _ in range(3):
        assert lab.pool.pid_of(page.open()) == other.process.pid


def test_a_worker_without_a_sign_of_life_is_replaced_like_one_that_died(make_lab, open_page, caplog):
    lab = make_lab(workers=1, hang_after=1.0)
    page = open_page(lab)
    run = page.open(speed="max")
    page.command("play", run=run)
    wait_until(lambda: lab.runs.record(run).snapshot, "a snapshot")
    [pid] = lab.pool.pids
    stop(pid)
    assert page.wait_event(type="notice", run=run, code="worker_restarted")
    count = len(page.frames)
    on = wait_until(lambda: next((frame for frame in page.frames[count:] if frame.step > 0), None), "training")
    assert on.playing
    assert lab.pool.pids != [pid]
    assert "gave no sign of life" in caplog.text


def test_a_long_step_is_no_hang_and_commands_are_taken_meanwhile(make_lab, open_page):
    lab = make_lab(workers=1, hang_after=1.0)
    page = open_page(lab)
    run = page.open(speed="max")
    page.steer(run, LONG_STEP)
    page.command("play", run=run)
    [handle] = lab.pool._handles
    said = wait_until(lambda: handle.doing.seconds > 1.2 and handle.doing, "a sign from within the step")
    assert said.doing == f"training of run {run}"
    began = time.monotonic()
    assert page.command("pause", run=run)["ok"]
    assert time.monotonic() - began < 1.0
    page.wait_event(type="status", reason="paused")
    assert lab.pool._handles == [handle] and not handle.gone.is_set()
