"""How much one person may ask for: runs, commands in flight, and the time that messages take."""

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

_SHARE = 0.05  # of the time, for one person's messages
_AT_ONCE = 0.2  # seconds that may be used before the share counts
_LONGEST = 1.0  # seconds that one message waits at most
_WHOLE = 2.0  # what a message costs in all, over what it costs its reader: threads to the worker and back, the worker's

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


class Attention:
    """How much time each person's messages take: a twentieth at most, while others are there.

    Reading and answering them costs the web process and the workers time that everybody's frames are made of, however
    little is done for each.  Who has used more waits, and is refused nothing; who sends no more than a hand does never
    waits.  A person counts from :meth:`join` to :meth:`leave`, once for each page.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._pages: Counter[str] = Counter()
        self._paid_at: dict[str, float] = {}  # when what each has used will be no more than the share
        self._lock = threading.Lock()

    def join(self, person: str) -> None:
        with self._lock:
            self._pages[person] += 1
            now = self._clock()
            self._paid_at = {other: at for other, at in self._paid_at.items() if at > now}

    def leave(self, person: str) -> None:
        with self._lock:
            self._pages[person] -= 1
            if self._pages[person] <= 0:
                del self._pages[person]

    def pause(self, person: str) -> float:
        """Seconds that the next message of ``person`` has to wait."""
        with self._lock:
            debt = self._paid_at.get(person, 0.0) - self._clock() - _AT_ONCE / _SHARE
            return 0.0 if len(self._pages) < 2 else min(_LONGEST, max(0.0, debt))

    def spend(self, person: str, seconds: float) -> None:
        """A message took its reader so many ``seconds`` of computing."""
        with self._lock:
            begin = max(self._paid_at.get(person, 0.0), self._clock())
            self._paid_at[person] = begin + seconds * _WHOLE / _SHARE


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
