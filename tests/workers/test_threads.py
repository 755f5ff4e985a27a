"""The threads that live as long as the server: a fault in any is logged and counted, and what it served goes on."""

from __future__ import annotations

import logging
import os
import signal
from typing import Any

import pytest

from tests.running import wait_until
from webapp.threads import deaths
from webapp.workers import worker
from webapp.workers.messages import Sign


class Fault(Exception):
    """Asked for by a test."""


@pytest.fixture
def counted():
    """How often the thread of a name has died since the test began."""
    before = deaths()
    return lambda name: deaths().get(name, 0) - before.get(name, 0)


def goes_on(lab, page, run) -> None:
    """The run has a new worker, which trains it."""
    page.wait_event(type="notice", run=run, code="worker_restarted")
    count = len(page.frames)
    wait_until(lambda: any(frame.step > 0 for frame in page.frames[count:]), "training")


@pytest.fixture
def playing(make_lab, open_page):
    lab = make_lab(workers=1, hang_after=2.0)
    page = open_page(lab)
    run = page.open(speed="max")
    page.command("play", run=run)
    page.wait_frame(lambda frame: frame.step > 0)
    return lab, page, run


class BrokenPipe:
    """Ends whoever reads it."""

    def __init__(self, pipe: Any) -> None:
        self._pipe = pipe

    def recv(self) -> Any:
        raise Fault("in the reader")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pipe, name)


def test_the_reader_of_a_workers_pipe(playing, counted, caplog):
    lab, page, run = playing
    [handle] = lab.pool._handles
    handle._pipe = BrokenPipe(handle._pipe)
    goes_on(lab, page, run)
    assert counted("from-worker") == 1 and "in the reader" in caplog.text


class Unsendable:
    """Can't be put into a pipe."""

    run = "r" * 22

    def __reduce__(self) -> Any:
        raise Fault("in the writer")


def test_the_writer_of_a_workers_pipe(playing, counted, caplog):
    lab, page, run = playing
    [handle] = lab.pool._handles
    handle.outbox.put(Unsendable(), force=True)
    goes_on(lab, page, run)
    assert counted("to-worker") == 1 and "in the writer" in caplog.text


def once(real: Any) -> Any:
    """``real``, but the first call fails."""
    calls = []

    def call(*args: Any) -> Any:
        calls.append(args)
        if len(calls) == 1:
            raise Fault("once")
        return real(*args)

    return call


@pytest.mark.parametrize("failing", ["_replace", "_lost"])
def test_the_watch_over_workers(playing, counted, monkeypatch, failing):
    lab, page, run = playing
    monkeypatch.setattr(lab.pool, failing, once(getattr(lab.pool, failing)))
    os.kill(lab.pool.pids[0], signal.SIGKILL)
    goes_on(lab, page, run)
    assert counted("workers-watch") == 1


def test_the_sweeper(make_lab, open_page, monkeypatch, counted):
    lab = make_lab(workers=1, pause_unwatched_after=0.2)
    page = open_page(lab)
    run = page.open(speed="max")
    page.command("play", run=run)
    monkeypatch.setattr(lab.runs.sweeper, "sweep", once(lab.runs.sweeper.sweep))
    wait_until(lambda: counted("sweeper") == 1, "the fault")
    page.command("close", run=run)
    wait_until(lambda: not lab.runs.record(run).playing, "a sweep after it")


class Line:
    """A pipe whose web process is there; what is sent is noted."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.fails = 1

    def send(self, message: Any) -> None:
        if isinstance(message, Sign) and self.fails:
            self.fails -= 1
            raise Fault("in the signs")
        if len(self.sent) > 3:
            raise BrokenPipeError
        self.sent.append(message)

    def recv(self) -> Any:
        wait_until(lambda: len(self.sent) > 3, "signs of life")
        raise Fault("in a worker's reader")


def test_a_workers_own_threads(monkeypatch, counted, tmp_path):
    """Its signs go on; without its reader it ends, and the web process replaces it."""
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(worker, "log_to_stderr", lambda *_: None)
    options = worker.Options({}, "cpu:0", tmp_path, fps=30.0, sign_every=0.01, log_level=logging.WARNING)
    worker.main(Line(), options)  # type: ignore[arg-type]
    assert counted("worker-signs") == 1 and counted("worker-reader") == 1
