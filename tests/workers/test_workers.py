"""Workers that die, hang about, or outlive their server; runs that nobody watches."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from typing import Any, cast

import psutil
import pytest

from tests.fake_experiment import KILL_WORKER
from tests.labs import metric
from tests.running import ROOT, Server, wait_until
from webapp.config import Config
from webapp.contract.commands import Pause, Play
from webapp.contract.errors import ProtocolError
from webapp.contract.replies import Status
from webapp.kinds.points.settings import PointsSettings
from webapp.runs.dispatch import Runs
from webapp.training.commands import Look
from webapp.workers.messages import Create, Drop, EventOut, Order, Rest, Snapshot, Want


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


# ---- runs that nobody watches, with a pool of paper


class PaperPool:
    """Notes what would be sent to workers."""

    def __init__(self):
        self.sent = []
        self.full = False

    def place(self, message, force=False):
        self.sent.append(message)
        return True

    def post(self, run, message, force=False):
        self.sent.append(message)
        return not self.full or force

    def awake(self, run):
        return False  # so nobody waits for an answer

    def drop(self, message):
        self.sent.append(message)

    def created(self) -> Any:
        return [message for message in self.sent if isinstance(message, Create)]

    def commands(self):
        return [type(message.wish) for message in self.sent if isinstance(message, Order)]


class NoClient:
    def write(self, data):
        pass


class Office:
    """Runs with a clock that stands still."""

    def __init__(self, **choices):
        self.now = 0.0
        self.pool = PaperPool()
        self.runs = Runs(Config(**choices), cast(Any, self.pool), lambda: self.now)
        self.client = NoClient()

    def command(self, type_, **values):
        return self.runs.command("person", self.client, {"type": type_, "seq": 1, **values}, lambda action: action())

    def open(self):
        return self.command("open", kind="points").run


@pytest.fixture
def office():
    return Office()


def test_an_unwatched_run_pauses_after_a_minute_and_is_forgotten_after_an_hour(office):
    run = office.open()
    office.command("play", run=run)
    office.command("close", run=run)
    office.now = 59
    office.runs.sweeper.sweep()
    assert office.pool.commands() == [Play]
    office.now = 61
    for _ in range(3):
        office.runs.sweeper.sweep()
    assert office.pool.commands() == [Play, Pause], "paused once"
    [pause] = [message for message in office.pool.sent if isinstance(message, Order) and message.reason]
    assert pause.reason == "unwatched"
    assert office.pool.sent[-1] == Rest(run) and office.pool.sent.count(Rest(run)) == 1, "then it rests"
    office.now = 3601
    office.runs.sweeper.sweep()
    assert office.pool.sent[-1] == Drop(run)
    with pytest.raises(ProtocolError):
        office.command("play", run=run)


def test_a_watched_run_trains_for_ever(office):
    office.command("play", run=office.open())
    office.now = 1e6
    office.runs.sweeper.sweep()
    assert office.pool.commands() == [Play]


def test_a_full_queue_puts_the_pause_off(office):
    run = office.open()
    office.command("play", run=run)
    office.command("close", run=run)
    office.now = 61
    office.pool.full = True
    office.runs.sweeper.sweep()
    office.pool.full = False
    office.runs.sweeper.sweep()
    assert office.pool.commands() == [Play, Pause, Pause]


def test_a_snapshot_from_before_a_reset_is_out_of_date(office):
    run = office.open()
    office.command("play", run=run)
    office.command("reset", run=run)
    office.runs.news.receive(Snapshot(run, PointsSettings(), b"trained", order=1))
    office.runs.news.lost([run])
    assert office.pool.created()[-1].snapshot is None
    office.runs.news.receive(Snapshot(run, PointsSettings(), b"fresh", order=2))
    office.runs.news.lost([run])
    assert office.pool.created()[-1].snapshot.data == b"fresh"


def test_three_deaths_within_a_minute_pause_but_not_in_an_hour(office):
    run = office.open()
    office.command("play", run=run)
    for minute in range(4):
        office.now = minute * 31.0
        office.runs.news.lost([run])
    assert [message.playing for message in office.pool.created()] == [False, True, True, True, True]
    office.runs.news.lost([run])
    assert not office.pool.created()[-1].playing


def test_a_new_worker_gets_what_is_looked_at_and_drawn(office):
    run = office.open()
    for layer in (1, 2):
        office.command("look", run=run, layer=layer)
    office.command("weight", run=run, layer=1, source=0, target=0, value=1.0)
    office.runs.news.lost([run])
    created = office.pool.created()[-1]
    assert [(type(command), command.layer) for command in created.replay] == [(Look, 2)]
    assert isinstance(office.pool.sent[-1], Want) and office.pool.sent[-1].key


def test_the_workers_word_on_playing_holds(office):
    run = office.open()
    office.command("play", run=run)
    office.runs.news.receive(EventOut(run, Status(run=run, playing=False, reason="diverged", step=7)))
    office.runs.news.lost([run])
    assert not office.pool.created()[-1].playing


def test_news_of_forgotten_runs_is_ignored(office):
    office.runs.news.receive(EventOut("x" * 22, Status(run="x" * 22, playing=False)))
    office.runs.news.receive(Snapshot("x" * 22, PointsSettings(), b"", order=1))
    office.runs.news.lost(["x" * 22])
    assert office.pool.sent == []


def test_what_is_accepted_for_a_worker_that_is_being_born_is_never_too_late(office):
    office.command("set", run=office.open(), settings={"rate": 0.5})
    [order] = [message for message in office.pool.sent if isinstance(message, Order)]
    assert order.until is None
