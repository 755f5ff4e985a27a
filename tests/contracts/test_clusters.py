"""What every cluster has to do; a new one is a line in ``CLUSTERS``."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fake_experiment import KILL_WORKER
from tests.running import wait_until
from webapp.contract.commands import Play, RunWish
from webapp.contract.replies import Status
from webapp.kinds.points.settings import PointsSettings
from webapp.runs.cluster import Cluster
from webapp.training.commands import Weight
from webapp.workers.messages import Create, Drop, EventOut, FrameOut, Order, Rest, Rested, Snapshot, Taken, Want
from webapp.workers.pool import Pool
from webapp.workers.worker import Options

FAKE = {"points": "tests.fake_experiment:FakeExperiment"}
A, B = "A" * 22, "B" * 22
FAST = PointsSettings(speed="max")


def pool(folder: Path) -> Pool:
    options = Options(FAKE, "cpu:0", folder, fps=30.0, sign_every=0.1)
    return Pool(2, options, max_queue=100, max_queue_per_run=10)


CLUSTERS: list[Callable[[Path], Cluster]] = [pool]


class Ear:
    """What was heard of a cluster."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.lost: list[str] = []

    def of(self, kind: type[Any], run: str = A) -> list[Any]:
        found = [message for message in list(self.heard) if isinstance(message, kind)]
        return [message for message in found if message.run == run]

    def wait(self, kind: type[Any], run: str = A) -> Any:
        return wait_until(lambda: self.of(kind, run), f"a {kind.__name__} of {run}")[-1]


@pytest.fixture(params=CLUSTERS)
def cluster(request, tmp_path):
    made: Cluster = request.param(tmp_path)
    ear = Ear()
    made.start(ear.heard.append, ear.lost.extend)
    yield made, ear
    made.stop()


def place(cluster: Cluster, ear: Ear, run: str = A, **create: Any) -> None:
    assert cluster.place(Create(run=run, kind="points", settings=FAST, **create))
    ear.wait(Taken, run)


def order(wish: RunWish, number: int) -> Order:
    return Order(wish.run, wish, number, FAST)


def test_a_run_that_was_placed_is_taken_tells_its_status_and_gives_frames_when_asked(cluster):
    cluster, ear = cluster
    place(cluster, ear, order=4)
    assert ear.of(Taken) == [Taken(A, 4)]
    assert cluster.awake(A)
    assert isinstance(ear.wait(EventOut).event, Status)
    assert ear.of(FrameOut) == []
    assert cluster.post(A, Want(A, key=True))
    assert ear.wait(FrameOut).key


def test_orders_are_taken_in_order_and_done(cluster):
    cluster, ear = cluster
    place(cluster, ear)
    for number in (1, 2, 3):
        assert cluster.post(A, order(Play(run=A, seq=number), number))
    wait_until(lambda: len(ear.of(Taken)) == 4, "three orders to be taken")
    assert [taken.order for taken in ear.of(Taken)] == [0, 1, 2, 3]
    wait_until(lambda: any(told.event.playing for told in ear.of(EventOut)), "that it plays")
    assert ear.wait(Snapshot).order == 3


def test_what_is_for_a_run_that_isnt_there_is_refused(cluster):
    cluster, ear = cluster
    assert not cluster.post(B, order(Play(run=B, seq=1), 1))
    assert not cluster.awake(B)
    place(cluster, ear)
    cluster.drop(Drop(A))
    cluster.drop(Drop(A))
    assert not cluster.post(A, order(Play(run=A, seq=1), 1))


def test_a_run_that_rests_hands_over_its_state_and_goes_on_from_it_anywhere(cluster):
    cluster, ear = cluster
    place(cluster, ear)
    assert cluster.post(A, Rest(A))
    rested: Rested = ear.wait(Rested)
    assert rested.rests and rested.snapshot is not None
    cluster.drop(Drop(A))
    ear.heard.clear()
    place(cluster, ear, snapshot=rested.snapshot, sequence=7)
    cluster.post(A, Want(A, key=True))
    assert ear.wait(FrameOut).sequence == 8


def test_a_run_that_trains_doesnt_rest(cluster):
    cluster, ear = cluster
    place(cluster, ear, playing=True)
    cluster.post(A, Rest(A))
    assert ear.wait(Rested) == Rested(A, rests=False)
    cluster.post(A, Want(A, key=True))
    ear.wait(FrameOut)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="a worker of the tests kills itself by a signal")
def test_a_place_that_dies_loses_its_runs_and_they_can_be_placed_again(cluster):
    cluster, ear = cluster
    place(cluster, ear)
    cluster.post(A, order(Weight(run=A, seq=1, layer=1, source=0, target=0, value=KILL_WORKER), 1))
    wait_until(lambda: ear.lost == [A], "the news that it is lost")
    assert not cluster.post(A, Want(A))
    ear.heard.clear()
    place(cluster, ear)


def test_nothing_is_left_when_it_stops(cluster):
    cluster, ear = cluster
    place(cluster, ear)
    cluster.stop()
    pids = getattr(cluster, "pids", [])
    assert all(not _alive(pid) for pid in pids)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
