"""The log: what repeats itself is one line with a count."""

from __future__ import annotations

import io
import logging

import pytest

from tests.running import wait_until
from webapp.logs import LogHandler, failure


@pytest.fixture
def log():
    """A logger of its own whose lines end in a string, with windows of 1 s."""
    stream = io.StringIO()
    logger = logging.getLogger("tests.one_line")
    handler = LogHandler(stream, window=1.0)
    logger.addHandler(handler)
    logger.propagate = False
    yield logger, stream
    logger.removeHandler(handler)


def fail(number: int) -> None:
    raise OSError(24, f"Too many open files {number}")


def test_the_same_error_is_one_traceback_and_then_one_line_with_a_count(log):
    logger, stream = log
    for number in range(100):
        try:
            fail(number)
        except OSError:
            logger.exception("page %d can't be read", number)
    first = stream.getvalue()
    assert first.count("Traceback") == 1 and first.startswith("page 0 can't be read\n")
    wait_until(lambda: stream.getvalue() != first, "the count")
    assert stream.getvalue()[len(first) :] == (
        "99 times more in 1 s: page 99 can't be read: OSError: [Errno 24] Too many open files 99\n"
    )
    logger.error("page %d can't be read", 7)
    assert stream.getvalue().endswith("page 7 can't be read\n"), "what is said once has no count"


def test_whoever_is_told_of_a_failure_finds_its_number_in_the_log(log):
    logger, stream = log
    told = []
    for number in range(3):
        try:
            fail(number)
        except OSError:
            told.append(failure(logger, "run %d", number))
    try:
        [].pop()
    except IndexError:
        told.append(failure(logger, "run %d", 3))
    assert stream.getvalue().count("Traceback") == 2, "one each"
    assert all(f"failure {number}" in stream.getvalue() for number in told)
    assert told[3] != told[0]


def test_another_text_place_or_level_is_another_error(log):
    logger, stream = log
    logger.error("one %d", 1)
    logger.error("two %d", 1)
    logger.warning("one %d", 1)
    for text in ("a", "b"):
        try:
            raise KeyError(text) if text == "a" else ValueError(text)
        except (KeyError, ValueError):
            logger.exception("failed")
    assert stream.getvalue().count("Traceback") == 2 and stream.getvalue().startswith("one 1\ntwo 1\none 1\n")


def test_nothing_is_kept_of_what_was_said_once(log):
    logger, _ = log
    logger.error("once")
    handler = logger.handlers[0]
    assert isinstance(handler, LogHandler)
    wait_until(lambda: not handler._said, "the record to be forgotten")
