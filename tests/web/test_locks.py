"""No two threads can wait for each other: locks are taken in one order."""

from __future__ import annotations

import threading

import pytest

from webapp import locks
from webapp.locks import ORDER, OrderedLock, OrderError, ordered


def test_the_tests_run_with_the_check():
    assert locks.CHECKED and isinstance(ordered("runs"), OrderedLock)


def test_in_order_and_again_the_same_is_fine():
    taken = [OrderedLock(name) for name in ORDER]
    for lock in taken:
        assert lock.acquire()
        assert lock.acquire(), "reentrant"
    for lock in reversed(taken):
        lock.release()
        lock.release()
    with taken[0]:
        pass


@pytest.mark.parametrize(("first", "then"), [("hub", "runs"), ("client", "hub"), ("turn", "turn")])
def test_out_of_order_raises(first, then):
    with OrderedLock(first), pytest.raises(OrderError, match=f"{then!r}.* holds {first}"), OrderedLock(then):
        pass


def test_another_threads_locks_are_its_own():
    with OrderedLock("client"):
        seen: list[bool] = []
        thread = threading.Thread(target=lambda: seen.append(OrderedLock("turn").acquire()))
        thread.start()
        thread.join()
    assert seen == [True]


def test_a_condition_gives_its_lock_back_while_it_waits():
    condition = threading.Condition(ordered("outbox"))
    told: list[str] = []

    def tell():
        with condition:
            told.append("news")
            condition.notify()

    with condition:
        thread = threading.Thread(target=tell)
        thread.start()
        assert condition.wait_for(lambda: told, 5)
    thread.join()
    with OrderedLock("runs"):
        pass
