"""Threads that help the native machine with its instructions: one crew a process, for one run at a time.

A helper is a Python thread that spends its time in compiled code (``loop.py``), without Python's lock: there it
looks for work, and once there was none for a while it sleeps.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import sys
import threading
from collections.abc import Callable

import numpy as np

from engine.native.instructions import CREW_SIZE, STOP, YIELD
from engine.plan import ALIGN


def cores() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Crew:
    """``help_crew(crew, index)`` of :mod:`engine.native.loop` is what each helper does; ``cores``: helpers, and one.

    ``most``: threads that a run of this process may have, whatever its session says; it may change at any time.
    """

    most = sys.maxsize

    def __init__(self, help_crew: Callable[[int, int], None]) -> None:
        self._help = help_crew
        self._begin()
        atexit.register(self.stop)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._begin)  # the other threads aren't there

    def _begin(self) -> None:
        self.cores = cores()
        self._lock = threading.Lock()
        self._helpers: list[_Helper] = []
        memory = np.zeros((CREW_SIZE + ALIGN) // 8, np.int64)
        self._words = memory[-memory.ctypes.data % ALIGN // 8 :]
        self._words[YIELD // 8] = _yield_address()
        self.address: int = self._words.ctypes.data

    def call(self, count: int) -> None:
        """See to it that ``count`` helpers look for work."""
        with self._lock:
            for index in range(len(self._helpers), count):
                self._helpers.append(_Helper(self._help, self.address, index))
            for helper in self._helpers[:count]:
                helper.call()

    def stop(self) -> None:
        """End the helpers, before the memory goes that they look at."""
        self._words[STOP // 8] = 1
        for helper in self._helpers:
            helper.end()


class _Helper:
    def __init__(self, help_crew: Callable[[int, int], None], crew: int, index: int) -> None:
        self._calls = 0
        self._asleep = self._ended = False
        self._bell = threading.Event()
        name = f"layerlab-core-{index + 2}"
        self._thread = threading.Thread(target=self._work, args=(help_crew, crew, index), name=name, daemon=True)
        self._thread.start()

    def call(self) -> None:
        self._calls += 1
        if self._asleep:
            self._bell.set()

    def end(self) -> None:
        self._ended = True
        self.call()
        self._thread.join()

    def _work(self, help_crew: Callable[[int, int], None], crew: int, index: int) -> None:
        while not self._ended:
            calls = self._calls
            help_crew(crew, index)
            self._bell.clear()
            self._asleep = True
            if calls == self._calls:  # else it was called before it could be seen asleep
                self._bell.wait()
            self._asleep = False


def _yield_address() -> int:
    """A function of the system's that offers the processor to others."""
    if sys.platform == "win32":
        function = ctypes.windll.kernel32.SwitchToThread
    else:
        function = ctypes.CDLL(None).sched_yield
    return ctypes.cast(function, ctypes.c_void_p).value or 0
