"""The locks of the web process and the order in which a thread may take them.

A thread that holds one of them may only take those that stand after it, so no two threads can wait for
each other.  The tests switch a check on that raises where this is broken (``LAYERLAB_CHECK_LOCKS``).
"""

from __future__ import annotations

import os
import threading
from typing import Any

ORDER = (
    "turn",  # of one run: its commands, one after the other; held while a worker is waited for
    "runs",  # all records and what is known of the runs now
    "hub",  # who watches what
    "pool",  # which worker has which run
    "outbox",  # what waits for one worker
    "flusher",  # the clients that couldn't take everything at once
    "client",  # what waits for one client
)
CHECKED = os.environ.get("LAYERLAB_CHECK_LOCKS") == "1"

_held = threading.local()


class OrderError(RuntimeError):
    """A lock was taken while one was held that comes after it."""


class OrderedLock:  # not a subclass: the system's locks can't have any
    """A reentrant lock that knows its place; also for a :class:`threading.Condition`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._place = ORDER.index(name)
        self._lock = threading.RLock()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take it.  Raises :class:`OrderError` if this thread holds one that it may not be taken after."""
        held = _held_now()
        wrong = [lock.name for lock in held if lock is not self and lock._place >= self._place]
        if wrong and self not in held:
            raise OrderError(f"the lock {self.name!r} was taken by a thread that holds {', '.join(wrong)}")
        got = self._lock.acquire(blocking, timeout)
        if got:
            held.append(self)
        return got

    def release(self) -> None:
        """Give it back."""
        self._lock.release()
        held = _held_now()
        del held[len(held) - 1 - held[::-1].index(self)]

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    # what a Condition asks of its lock

    def _is_owned(self) -> bool:
        return self in _held_now()

    def _release_save(self) -> int:
        count = _held_now().count(self)
        for _ in range(count):
            self.release()
        return count

    def _acquire_restore(self, count: int) -> None:
        for _ in range(count):
            self.acquire()


def _held_now() -> list[OrderedLock]:
    held: list[OrderedLock] | None = getattr(_held, "locks", None)
    if held is None:
        held = _held.locks = []
    return held


def ordered(name: str) -> Any:
    """A reentrant lock with the place of ``name`` in :data:`ORDER`."""
    return OrderedLock(name) if CHECKED else threading.RLock()
