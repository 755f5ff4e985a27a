"""Loads the native machine in a worker, in a thread of its own, so that training goes on meanwhile."""

from __future__ import annotations

import importlib
import logging
import threading
from multiprocessing import Pipe
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.executors import Executor

log = logging.getLogger(__name__)


class Loader:
    """``news`` becomes readable (for ``multiprocessing.connection.wait``) when loading has ended."""

    def __init__(self) -> None:
        self.news, self._tell = Pipe(duplex=False)
        self._machine: Executor | None = None
        self._problem: str | None = None

    def start(self, folder: Path) -> None:
        """Load the machine that was compiled into ``folder``."""
        threading.Thread(target=self._load, args=(folder,), name="loader", daemon=True).start()

    def _load(self, folder: Path) -> None:
        try:
            self._machine = importlib.import_module("engine.native").load(folder)
        except Exception as error:  # Numba, LLVM and the system have many; whichever it is, it is told
            log.debug("the machine could not be loaded", exc_info=True)
            self._problem = f"{type(error).__name__}: {error}"
        self._tell.send(None)

    def result(self) -> tuple[Executor | None, str | None]:
        """The machine, or why there is none; call it when there are news."""
        self.news.recv()
        return self._machine, self._problem
