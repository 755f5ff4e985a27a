"""Loads the native machine in a worker, in a thread of its own, so that training goes on meanwhile."""

from __future__ import annotations

import importlib
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.executors import Executor

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Loaded:
    """What came of it: the machine, or why there is none."""

    machine: Executor | None = None
    problem: str | None = None


def start_loading(folder: Path, tell: Callable[[Loaded], object]) -> None:
    """Load the machine that was compiled into ``folder``, and then ``tell``, from another thread."""
    threading.Thread(target=_load, args=(folder, tell), name="loader", daemon=True).start()


def _load(folder: Path, tell: Callable[[Loaded], object]) -> None:
    try:
        loaded = Loaded(machine=importlib.import_module("engine.native").load(folder))
    except Exception as error:  # Numba, LLVM and the system have many; whichever it is, it is told
        log.debug("the machine could not be loaded", exc_info=True)
        loaded = Loaded(problem=f"{type(error).__name__}: {error}")
    tell(loaded)
