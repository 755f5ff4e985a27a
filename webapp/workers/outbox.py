"""Messages on their way to one worker."""

from __future__ import annotations

import threading
from collections import Counter, deque

from webapp.locks import ordered
from webapp.workers.inbox import superseded
from webapp.workers.messages import Cores, LoadMachine, MachineNews, Order, ToWorker


class Outbox:
    """In order.  Commands are bounded, in all and for each run."""

    def __init__(self, limit: int, limit_per_run: int) -> None:
        self._limit = limit
        self._limit_per_run = limit_per_run
        self._waiting: deque[ToWorker] = deque()
        self._per_run: Counter[str] = Counter()
        self._changed = threading.Condition(ordered("outbox"))
        self._open = True

    def put(self, message: ToWorker, force: bool) -> bool:
        """Queue ``message``; False if there is no room.  ``force`` is for what is bounded by its nature."""
        with self._changed:
            run = _run_of(message)
            earlier = self._earlier(message)
            full = len(self._waiting) >= self._limit or self._per_run[run] >= self._limit_per_run
            if not self._open or (full and earlier is None and not force):
                return False
            if earlier is not None:
                del self._waiting[earlier]
                self._per_run[run] -= 1
            self._waiting.append(message)
            self._per_run[run] += 1
            self._changed.notify()
            return True

    def _earlier(self, message: ToWorker) -> int | None:
        """The place of the one that ``message`` makes pointless; its worker is being born, or takes nothing now."""
        if not isinstance(message, Order) or message.merge != "newest":
            return None
        places = [at for at, waiting in enumerate(self._waiting) if _run_of(waiting) == message.run]
        at = superseded([self._waiting[place] for place in places], message)
        return None if at is None else places[at]

    def get(self) -> ToWorker | None:
        """The next message; waits for one.  None when closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or not self._open)
            if not self._open:
                return None
            message = self._waiting.popleft()
            run = _run_of(message)
            self._per_run[run] -= 1
            if not self._per_run[run]:
                del self._per_run[run]
            return message

    def close(self) -> None:
        """Let :meth:`get` give None; what still waits is lost."""
        with self._changed:
            self._open = False
            self._changed.notify_all()


def _run_of(message: ToWorker) -> str:
    return "" if isinstance(message, LoadMachine | MachineNews | Cores) else message.run
