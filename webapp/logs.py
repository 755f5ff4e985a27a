"""What goes to stderr: an error that comes again and again is one line with a count, not a page a second."""

from __future__ import annotations

import hashlib
import logging
import sys
import threading
from dataclasses import dataclass
from typing import TextIO

_WINDOW = 60.0  # seconds for which what repeats itself is only counted
_MOST_KINDS = 500  # kinds of line that are remembered; a bound only for what nobody foresaw

_Kind = tuple[str, int, str, str]


@dataclass(slots=True)
class _Repeated:
    """A line that was said, and how often it would have been said again since."""

    latest: logging.LogRecord
    again: int = 0


class LogHandler(logging.StreamHandler[TextIO]):
    """Writes each kind of record once a ``window`` (seconds), with its traceback; the others are counted.

    Records are of a kind if they come from the same logger, level, text (before its values are
    filled in) and, for an exception, from the same place.  When the window ends, one line tells
    how many more there were, and the newest one's text.
    """

    def __init__(self, stream: TextIO | None = None, window: float = _WINDOW) -> None:
        super().__init__(sys.stderr if stream is None else stream)
        self._window = window
        self._said: dict[_Kind, _Repeated] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Write ``record``, or count it; called by logging with the handler's lock held."""
        kind = _kind(record)
        known = self._said.get(kind)
        if known is not None:
            known.again += 1
            known.latest = record
            return
        if len(self._said) < _MOST_KINDS:
            self._said[kind] = _Repeated(record)
            timer = threading.Timer(self._window, self._count, [kind])
            timer.daemon = True
            try:
                timer.start()
            except RuntimeError:  # no more threads: then there is no count either
                del self._said[kind]
        super().emit(record)

    def _count(self, kind: _Kind) -> None:
        self.acquire()
        try:
            known = self._said.pop(kind)
            if known.again:
                super().emit(_summary(known, self._window))
        finally:
            self.release()


def _summary(known: _Repeated, window: float) -> logging.LogRecord:
    latest = known.latest
    text = f"{known.again} times more in {window:g} s: {_text(latest)}"
    return logging.LogRecord(latest.name, latest.levelno, latest.pathname, latest.lineno, text, None, None)


def _kind(record: logging.LogRecord) -> _Kind:
    error = record.exc_info[1] if record.exc_info else None
    return record.name, record.levelno, str(record.msg), "" if error is None else _place(error)


def _place(error: BaseException) -> str:
    """What it is and where it was raised."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = "" if trace is None else f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
    return f"{type(error).__qualname__} {where}"


def _text(record: logging.LogRecord) -> str:
    """The record's text and its exception's, in one line."""
    text = record.getMessage()
    if record.exc_info and record.exc_info[1] is not None:
        text = f"{text}: {record.exc_info[0].__name__ if record.exc_info[0] else ''}: {record.exc_info[1]}"
    return " ".join(text.split())[:500]


def log_to_stderr(level: int, text_format: str) -> None:
    """Have every logger of this process write through one :class:`LogHandler`; called once, at its start."""
    handler = LogHandler()
    handler.setFormatter(logging.Formatter(text_format))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(level)


def failure(log: logging.Logger, text: str, *values: object) -> str:
    """Log the exception that is being handled, with a number by which who was told of it can be found in the log.

    Failures of one kind at one place have the same number, for of what repeats itself only the first is written.
    """
    error = sys.exception()
    assert error is not None
    number = hashlib.sha256(_place(error).encode()).hexdigest()[:6]
    log.exception(f"failure %s: {text}", number, *values)
    return number
