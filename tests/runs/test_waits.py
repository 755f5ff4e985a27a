"""A command has its answer in time, whatever it had to wait for, and nobody waits for a run that has gone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from tests.running import wait_until
from tests.runs.office import Office
from webapp.contract.errors import ProtocolError
from webapp.stream.hub import run_topic


@pytest.fixture
def silent(monkeypatch):
    """An office whose workers were heard once and don't answer any more."""
    office = Office(answer_timeout=2.0)
    run = office.open()
    monkeypatch.setattr(office.pool, "awake", lambda run: True)
    return office, run, office.runs._book.live(run)


@pytest.mark.clock
def test_all_that_a_command_waits_for_takes_no_longer_than_one_answer_may(silent):
    office, run, live = silent
    held, let_go = threading.Event(), threading.Event()

    def another_command() -> None:
        with live.turn:
            held.set()
            let_go.wait(1.5)

    thread = threading.Thread(target=another_command)
    thread.start()
    held.wait()
    began = time.monotonic()
    with pytest.raises(ProtocolError) as refused:
        office.command("play", run=run)
    assert refused.value.problem.code == "no_answer"
    assert time.monotonic() - began < 3.0
    thread.join()


@pytest.mark.clock
def test_a_command_to_a_run_that_is_forgotten_meanwhile_is_told_so_at_once(silent):
    office, run, live = silent
    told: list[str] = []

    def command() -> None:
        with pytest.raises(ProtocolError) as refused:
            office.command("play", run=run)
        told.append(refused.value.problem.code)

    thread = threading.Thread(target=command)
    thread.start()
    wait_until(lambda: live.pending, "the order")
    began = time.monotonic()
    office.runs.sweeper.forget(run)
    thread.join()
    assert told == ["unknown_run"] and time.monotonic() - began < 1.0


class GoneClient:
    """One whose answer goes out at the moment at which it goes."""

    wants_answer = True

    def __init__(self) -> None:
        self.actions: list[Callable[[], None]] = []
        self.after_answer = self.actions.append

    def write(self, data: bytes) -> None:
        pass

    def computed(self) -> float:
        return 0.0


def test_who_goes_while_the_answer_is_on_its_way_watches_nothing(lab):
    sockets, client = lab.app.extensions["layerlab.sockets"], GoneClient()
    sockets._people["gone"] = ("somebody", client)
    run = sockets._event("gone", "command", [{"type": "open", "seq": 1, "kind": "points"}])["run"]
    sockets._disconnect("gone")
    [action] = client.actions
    action()
    assert not lab.runs.hub._channels[run_topic(run)].watchers
