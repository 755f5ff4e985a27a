"""What keeps runs whole: one thread at a time, Ctrl-C between steps, and no row number that isn't there."""

from __future__ import annotations

import signal
from functools import partial
from threading import RLock, current_thread, main_thread
from types import FunctionType, MethodType
from typing import Any

from engine.errors import EngineError
from engine.op import Call
from engine.plan import Lookup

# The interpreter's own: the module's make enumerations of what they give, which takes ten times as long as all else.
_get_handler = getattr(signal.getsignal, "__wrapped__", signal.getsignal)
_set_handler = getattr(signal.signal, "__wrapped__", signal.signal)


class Turn:
    """``with`` it, one thread works with a session: another one that comes meanwhile gets an EngineError."""

    def __init__(self) -> None:
        self._lock = RLock()

    def __enter__(self) -> None:
        if not self._lock.acquire(blocking=False):
            raise EngineError(
                "this session is at work in another thread; give each thread a session of its own "
                "(they may share the graph), or let the threads take turns with a threading.Lock"
            )

    def __exit__(self, *_: object) -> None:
        self._lock.release()


class Uninterrupted:
    """``with`` it, Ctrl-C waits for the end; ``heard`` isn't None if it was pressed."""

    heard: tuple[int, Any] | None = None

    def __enter__(self) -> None:
        self._before = _get_handler(signal.SIGINT) if current_thread() is main_thread() else None
        if callable(self._before):
            _set_handler(signal.SIGINT, self._hear)

    def _hear(self, number: int, frame: Any) -> None:
        self.heard = number, frame

    def __exit__(self, *_: object) -> None:
        if callable(self._before):
            _set_handler(signal.SIGINT, self._before)
            if self.heard is not None:
                self._before(*self.heard)


def is_compiled(call: Call) -> bool:
    """Whether none of Python's own instructions is done in it."""
    if isinstance(call, partial):
        return is_compiled(call.func)
    return not isinstance(call, (FunctionType, MethodType)) and not isinstance(type(call).__call__, FunctionType)


class WrongRow(EngineError):
    """A row number or label that isn't there; it says where it was looked up."""

    def __init__(self, lookup: Lookup, number: int) -> None:
        tensor = lookup.node.tensor
        where = f"({tensor.name}, {tensor.source})"
        super().__init__(f"{lookup.node.op.name}: number {number} is outside 0 to {lookup.rows - 1} {where}")


def refuse_wrong(lookup: Lookup, numbers: Any) -> None:
    """Raises WrongRow unless all of ``numbers`` are there."""
    unsigned = numbers.view(f"uint{8 * numbers.itemsize}")  # what is negative becomes huge
    if numbers.size and unsigned.max() >= lookup.rows:
        raise WrongRow(lookup, numbers[(numbers < 0) | (numbers >= lookup.rows)][0])
