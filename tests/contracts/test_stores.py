"""What every store of runs has to do; a new one is a line in ``STORES``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from webapp.kinds.points.settings import PointsSettings
from webapp.runs.record import Record
from webapp.runs.store import MemoryStore, Store
from webapp.training.commands import Look
from webapp.workers.messages import Snapshot

STORES: list[Callable[[], Store]] = [MemoryStore]


@pytest.fixture(params=STORES)
def store(request) -> Store:
    made: Store = request.param()
    return made


def record(letter: str, person: str = "ann", created: float = 1.0) -> Record:
    settings = PointsSettings(rate=0.3)
    return Record(id=letter * 22, person=person, kind="points", settings=settings, created=created)


def test_what_was_saved_is_loaded_whole(store):
    run = "a" * 22
    snapshot = Snapshot(run, PointsSettings(), b"\0state", 7, packed=True, stopped=("diverged", 12))
    look = Look(run=run, seq=3, layer=1)
    whole = replace(record("a"), playing=True, order=9, seq=4, snapshot=snapshot, replay=(look,))
    store.save(whole)
    assert store.load(run) == whole
    assert store.load("b" * 22) is None


def test_what_is_saved_again_replaces_what_was_there_and_keeps_its_place(store):
    store.save(record("a", created=1.0))
    store.save(record("b", created=2.0))
    store.save(replace(record("a", created=1.0), playing=True))
    assert [(found.id[0], found.playing) for found in store.all()] == [("a", True), ("b", False)]
    assert len(store) == 2


def test_a_persons_runs_oldest_first(store):
    for letter, person, created in [("c", "ann", 3.0), ("a", "ann", 1.0), ("b", "bob", 2.0)]:
        store.save(record(letter, person, created))
    assert [found.id[0] for found in store.of("ann")] == ["a", "c"]
    assert [found.id[0] for found in store.all()] == ["a", "b", "c"]
    assert store.of("eve") == []


def test_what_was_deleted_is_gone(store):
    store.save(record("a"))
    store.delete("a" * 22)
    store.delete("a" * 22)
    assert store.load("a" * 22) is None and store.all() == [] and len(store) == 0


def test_what_was_loaded_doesnt_change_when_the_store_does(store):
    store.save(record("a"))
    before = store.load("a" * 22)
    store.save(replace(record("a"), seq=5))
    assert before is not None and before.seq == 0
