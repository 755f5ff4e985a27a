"""Workers that die, hang about, or outlive their server; runs that nobody watches."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from typing import Any

import psutil
import pytest

from tests.fake_experiment import KILL_WORKER
from tests.labs import metric
from tests.running import ROOT, Server, wait_until


@pytest.mark.clock
def test_kill_9_of_a_worker_while_two_pages_train_both_go_on_within_3_seconds(make_lab, open_page):
    lab = make_lab(workers=1)  # so that both are hit
    pages = [open_page(lab), open_page(lab)]
    runs = [page.open(speed="max", rate=0.5) for page in pages]
    for page, run in zip(pages, runs, strict=True):
        page.command("play", run=run)
        page.command("look", run=run, layer=1, unit=1)
        page.command("set", run=run, settings={"rate": 0.25, "hidden": [7]})
        page.wait_frame(lambda frame: frame.step > 100)
    wait_until(lambda: all(lab.runs.record(run).snapshot for run in runs), "a snapshot of each run")
    time.sleep(1.2)  # one more: it holds what was trained in the first second
    before = [page.frames[-1] for page in pages]
    start = time.monotonic()
    os.kill(lab.pool.pids[0], signal.SIGKILL)
    for page, run, last in zip(pages, runs, before, strict=True):
        new = page.wait_frame(
            lambda frame, last=last: frame.sequence > last.sequence and metric(frame, 1) != metric(last, 1),
            "a frame of the new worker",
            seconds=3.0,
        )
        assert new.key, "a page can't go on from a delta of another worker"
        on = page.wait_frame(lambda frame, new=new: frame.sequence > new.sequence and frame.step > new.step)
        assert on.playing and on.step > last.step // 3, "it began again instead of going on from the snapshot"
        assert metric(on, 2) == 0.25
        assert page.wait_event(type="notice", run=run, code="worker_restarted")
        assert page.command("pause", run=run)["ok"]
    assert time.monotonic() - start < 3.0
    sequences = [frame.sequence for frame in pages[0].frames]
    assert sequences == sorted(set(sequences)), "frames are numbered on"


def test_a_paused_run_stays_paused_over_a_death(make_lab, open_page):
    lab = make_lab(workers=1)
    page = open_page(lab)
    run = page.open()
    page.command("step", run=run, unit="epoch")
    page.wait_event(type="status", reason="stepped")

    def kept() -> Any:
        snapshot = lab.runs.record(run).snapshot
        return snapshot and pickle.loads(snapshot.data)[0] == 10

    wait_until(kept, "the snapshot of the paused run")
    os.kill(lab.pool.pids[0], signal.SIGKILL)
    page.wait_event(code="worker_restarted")
    frame = page.wait_frame(lambda frame: frame.key and frame.sequence > 0)
    assert frame.step == 10 and not frame.playing


def test_after_a_reset_the_old_snapshot_is_not_gone_back_to(make_lab, open_page):
    lab = make_lab(workers=1)
    page = open_page(lab)
    run = page.open(speed="max")
    page.command("play", run=run)
    wait_until(lambda: lab.runs.record(run).snapshot, "a snapshot")
    page.command("reset", run=run)
    page.wait_event(type="status", reason="reset")
    os.kill(lab.pool.pids[0], signal.SIGKILL)
    page.wait_event(code="worker_restarted")
    count = len(page.frames)
    frame = wait_until(lambda: next((f for f in page.frames[count - 1 :] if f.key), None), "a key frame")
    assert frame.step == 0


def test_the_other_workers_runs_never_notice(make_lab, open_page):
    lab = make_lab(workers=2)
    page, other = open_page(lab), open_page(lab)
    run, safe = page.open(speed="max"), other.open(speed="max")
    other.command("play", run=safe)
    assert lab.pool.pid_of(run) != lab.pool.pid_of(safe), "new runs go to the least loaded worker"
    before = other.wait_frame(lambda frame: frame.step > 0)
    os.kill(lab.pool.pid_of(run), signal.SIGKILL)
    page.wait_event(code="worker_restarted")
    other.wait_frame(lambda frame: frame.sequence > before.sequence + 3)
    assert not [event for event in other.events if event.get("code")]
    assert len({metric(frame, 1) for frame in other.frames}) == 1


def test_a_run_that_kills_its_worker_again_and_again_is_paused(make_lab, open_page):
    lab = make_lab(workers=1)
    page = open_page(lab)
    run = page.open(speed="max")
    page.command("play", run=run)
    page.wait_frame(lambda frame: frame.step > 0)
    wait_until(lambda: lab.runs.record(run).snapshot, "a snapshot")
    for code in ("worker_restarted", "worker_restarted", "worker_crashing"):
        page.steer(run, KILL_WORKER)
        page.wait_event(type="notice", code=code)
        page.wait_event(type="status", playing=code == "worker_restarted")
        page.events.clear()
    page.wait_frame(lambda frame: not frame.playing and frame.step > 0)
    assert page.command("play", run=run)["ok"], "Play goes on"
    page.wait_event(type="status", playing=True)


def test_workers_use_one_thread_of_linear_algebra_each(lab):
    for pid in lab.pool.pids:
        environment = psutil.Process(pid).environ()
        assert environment["OPENBLAS_NUM_THREADS"] == environment["OMP_NUM_THREADS"] == "1"
    assert os.environ.get("OPENBLAS_NUM_THREADS") != "1"


def test_workers_ignore_ctrl_c(lab, page):
    run = page.open()
    pids = lab.pool.pids
    for pid in pids:
        os.kill(pid, signal.SIGINT)
    page.command("step", run=run)
    page.wait_event(type="status", reason="stepped")
    assert lab.pool.pids == pids


def test_kill_9_of_the_server_ends_its_workers(tmp_path):
    server = Server(tmp_path, "--workers", "2", "--device", "cpu")
    workers = wait_until(lambda: len(server.workers()) == 2 and server.workers(), "two workers")
    server.process.kill()
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert not alive, "workers outlived their server"
    server.process.wait()


def test_a_worker_never_imports_the_web(tmp_path):
    code = (
        "import sys, webapp.workers.worker, webapp.__main__, webapp.cli\n"
        "print([m for m in ('flask', 'socketio', 'engineio', 'werkzeug') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
