"""What is known of a run only while this server runs."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from webapp.contract.replies import Status
from webapp.locks import ordered
from webapp.runs.record import Record


class Pending:
    """An order on its way to a worker; ``commit`` changes the record as soon as the worker took it."""

    def __init__(self, order: int, commit: Callable[[], None]) -> None:
        self.order = order
        self.taken = False
        self._commit = commit
        self._settled = threading.Event()

    def settle(self, taken: bool) -> None:
        """The worker took it, or didn't.  Call it once, with the lock ``runs`` held."""
        self.taken = taken
        if taken:
            self._commit()
        self._settled.set()

    def wait(self, seconds: float) -> bool:
        """Whether it was settled within this time."""
        return self._settled.wait(seconds)


@dataclass(eq=False)
class Live:
    """A run beside its record.  Everything but ``turn`` is for whoever holds the lock ``runs``."""

    record: Record
    status: Status | None = None  # the last one, for a page that joins later
    orders: int = 0  # orders given so far
    floor: int = 0  # a snapshot that lacks this order is out of date
    pending: Pending | None = None
    resting: threading.Event | None = None  # set when the worker has answered that it rests, or doesn't
    asleep: bool = False  # no worker has it
    forgotten: bool = False
    deaths: deque[float] = field(default_factory=deque)
    turn: threading.RLock = field(default_factory=lambda: ordered("turn"))

    def died(self, now: float, window: float) -> int:
        """Its worker died: how often that happened within ``window`` seconds."""
        self.deaths.append(now)
        while self.deaths[0] < now - window:
            self.deaths.popleft()
        return len(self.deaths)

    def settle(self, order: int, taken: bool) -> None:
        """What became of the order of this number; nothing happens if nobody waits for it."""
        if self.pending is not None and self.pending.order == order:
            pending, self.pending = self.pending, None
            pending.settle(taken)

    def rested(self) -> None:
        """Whether it rests is no longer open."""
        if self.resting is not None:
            self.resting.set()
            self.resting = None
