"""Threads that live for ever: a fault in one is heard of, counted, and mended."""

from __future__ import annotations

import threading

from tests.running import wait_until
from webapp.threads import deaths, forever


def test_a_fault_is_logged_and_counted_and_the_work_starts_anew(caplog):
    before = deaths().get("t-anew", 0)
    calls: list[int] = []
    through = threading.Event()

    def work() -> None:
        calls.append(1)
        if len(calls) < 3:
            raise LookupError("lost it")
        through.set()

    thread = forever("t-anew", work)
    assert through.wait(10)
    thread.join(10)
    assert not thread.is_alive(), "work that returns has ended on purpose"
    assert len(calls) == 3 and deaths()["t-anew"] == before + 2
    assert caplog.text.count("LookupError: lost it") == 2 and "'t-anew'" in caplog.text


def test_the_owner_hears_of_the_death_once_and_the_thread_ends():
    before = deaths().get("t-owner", 0)
    heard: list[Exception] = []
    thread = forever("t-owner", lambda: 1 // 0, heard.append)
    thread.join(10)
    assert not thread.is_alive()
    assert [type(error) for error in heard] == [ZeroDivisionError] and deaths()["t-owner"] == before + 1


def test_an_owner_that_fails_too_is_heard_of(caplog):
    forever("t-both", lambda: 1 // 0, lambda _: [].pop()).join(10)
    wait_until(lambda: "could not be replaced" in caplog.text, "the second fault in the log")
    assert "ZeroDivisionError" in caplog.text and "IndexError" in caplog.text
