"""What becomes of runs: unwatched, moved to another worker, forgotten; with a pool of paper."""

from __future__ import annotations

import pytest

from tests.runs.office import Office
from webapp.contract.commands import Pause, Play
from webapp.contract.errors import ProtocolError
from webapp.contract.replies import Status
from webapp.kinds.points.settings import PointsSettings
from webapp.training.commands import Look
from webapp.workers.messages import Drop, EventOut, Order, Rest, Snapshot, Want


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
