"""How much one person may ask for: runs, and commands in flight."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from webapp.config import Config
from webapp.contract.commands import Cost
from webapp.contract.errors import ProtocolError
from webapp.runs.record import Record
from webapp.runs.store import Store

WEIGHT: dict[Cost, int] = {"look": 1, "set": 1, "build": 4, "heavy": 16}


def busy() -> ProtocolError:
    """The refusal that says: later."""
    return ProtocolError("busy", "The server has too much to do for this run just now; try again in a moment.")


class InFlight:
    """Commands that wait for their answer, by person, each weighed by its cost."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._weights: Counter[str] = Counter()
        self._changed = threading.Condition()

    @contextmanager
    def one(self, person: str, cost: Cost, until: float) -> Iterator[None]:
        """Inside, one more is in flight.  Waits for room, until ``until``; then raises ProtocolError ("busy")."""
        weight = WEIGHT[cost]
        with self._changed:
            if not self._changed.wait_for(lambda: self._fits(person, weight), max(0.0, until - time.monotonic())):
                raise busy()
            self._weights[person] += weight
        try:
            yield
        finally:
            with self._changed:
                self._weights[person] -= weight
                if not self._weights[person]:
                    del self._weights[person]
                self._changed.notify_all()

    def _fits(self, person: str, weight: int) -> bool:
        return self._weights[person] == 0 or self._weights[person] + weight <= self._limit


def who_gives_way(
    store: Store, config: Config, person: str, unwatched_for: Callable[[str], float | None]
) -> list[Record]:
    """The runs that have to go so that ``person`` can have one more: the oldest unwatched ones, never a watched one.

    Raises ProtocolError ("too_many_runs") where that isn't enough.
    """
    leaving = []
    own = store.of(person)
    if len(own) >= config.max_runs_per_person:
        leaving.append(_oldest_unwatched(own, 0.0, "of yours", unwatched_for))
    if len(store) - len(leaving) >= config.max_runs:
        others = [record for record in store.all() if record not in leaving]
        leaving.append(_oldest_unwatched(others, config.pause_unwatched_after, "on this server", unwatched_for))
    return leaving


def _oldest_unwatched(
    records: list[Record], least: float, whose: str, unwatched_for: Callable[[str], float | None]
) -> Record:
    for record in records:
        idle = unwatched_for(record.id)
        if idle is not None and idle >= least:
            return record
    raise ProtocolError(
        "too_many_runs",
        f"open: {len(records)} runs {whose} are being watched; close a page and try again.",
        count=len(records),
    )
