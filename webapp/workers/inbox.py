"""What waits for a worker's runs: filled by the thread that reads the pipe, emptied by the one that trains."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from webapp.workers.messages import Order, Want


def add(waiting: list[Any], message: Any) -> None:
    """Put ``message`` behind those that wait for the same run; takes the place of one that it makes pointless.

    An order whose command says ``newest`` replaces the one before it of that command, unless an order that is to be
    done for itself stands between the two (it may be about what the earlier one made).
    """
    if isinstance(message, Order) and message.merge == "newest":
        at = superseded(waiting, message)
        if at is not None:
            del waiting[at]
    elif isinstance(message, Want) and waiting and isinstance(waiting[-1], Want):
        last = waiting.pop()
        key, fresh = message.key or last.key, message.fresh or last.fresh
        message = Want(message.run, key, fresh, message.lenses | last.lenses)
    waiting.append(message)


def superseded(waiting: list[Any], order: Order) -> int | None:
    """The place of the one that ``order`` makes pointless, if its command is one of which only the newest counts."""
    for at in range(len(waiting) - 1, -1, -1):
        earlier = waiting[at]
        if isinstance(earlier, Order):
            if earlier.merge != "newest":
                return None
            if earlier.wish.name == order.wish.name:
                return at
        elif not isinstance(earlier, Want):
            return None
    return None


class Closed(Exception):
    """Nothing will come any more."""


class Inbox:
    """Messages by run, in order within each.

    At most ``limit`` orders wait for one run, with those that were taken from here and that ``undone(run)`` counts.
    """

    def __init__(
        self, limit: int, undone: Callable[[str], int] = lambda _: 0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit = limit
        self._undone = undone
        self._clock = clock
        self._changed = threading.Condition()
        self._waiting: defaultdict[str, list[Any]] = defaultdict(list)
        self._open = True

    def put(self, message: Any) -> bool:
        """Take ``message`` (without a run it is for the worker itself); False for an order too late or without room."""
        with self._changed:
            waiting = self._waiting[getattr(message, "run", "")]
            if isinstance(message, Order):
                too_late = message.until is not None and self._clock() > message.until
                full = len(waiting) + self._undone(message.run) >= self._limit
                if too_late or (full and message.merge != "newest"):
                    return False
            add(waiting, message)
            self._changed.notify()
            return True

    def take(self, timeout: float | None) -> list[Any]:
        """All that waits; if nothing does, waits up to ``timeout`` seconds for it.  Raises :class:`Closed`."""
        with self._changed:
            if not self._waiting and self._open and timeout != 0.0:
                self._changed.wait_for(lambda: self._waiting or not self._open, timeout)
            if not self._open:
                raise Closed
            found = [message for messages in self._waiting.values() for message in messages]
            self._waiting.clear()
            return found

    def close(self) -> None:
        """Let :meth:`take` raise :class:`Closed`."""
        with self._changed:
            self._open = False
            self._changed.notify_all()
