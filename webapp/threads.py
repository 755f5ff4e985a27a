"""Threads that live as long as the server does: none of them ends without a word.

What kills one is logged and counted; then it starts anew, or its owner replaces what it served.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable

log = logging.getLogger(__name__)

_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 5.0  # seconds before a thread starts anew: a lasting fault must not fill a core
_SOUND_AFTER = 60.0  # seconds of work after which the next fault counts as a new one

_lock = threading.Lock()
_deaths: Counter[str] = Counter()


def forever(
    name: str, work: Callable[[], object], on_death: Callable[[Exception], object] | None = None
) -> threading.Thread:
    """Start a daemon thread that runs ``work`` until it returns.

    Where ``work`` raises, the fault is logged and counted under ``name`` (see :func:`deaths`).  Then, without
    ``on_death``, ``work`` is called again, so it has to be able to go on from whatever the fault left behind;
    with it, ``on_death`` gets the fault once and the thread ends: its owner replaces what the thread served.
    """
    thread = threading.Thread(target=_live, args=(name, work, on_death), name=name, daemon=True)
    thread.start()
    return thread


def deaths() -> dict[str, int]:
    """How often the threads of each name have been killed by a fault since the process started."""
    with _lock:
        return dict(_deaths)


def _live(name: str, work: Callable[[], object], on_death: Callable[[Exception], object] | None) -> None:
    pause = _FIRST_PAUSE
    while True:
        started = time.monotonic()
        try:
            work()
            return
        except Exception as error:
            with _lock:
                _deaths[name] += 1
            log.exception("the thread %r was killed by a fault", name)
            if on_death is not None:
                _tell(name, on_death, error)
                return
        if time.monotonic() - started > _SOUND_AFTER:
            pause = _FIRST_PAUSE
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


def _tell(name: str, on_death: Callable[[Exception], object], error: Exception) -> None:
    try:
        on_death(error)
    except Exception:  # the last that anybody would hear of this thread
        log.exception("what the thread %r served could not be replaced", name)
