"""The input queue: bounded, in order, errors at the taker, closed at any moment.  Nothing here sleeps."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import count
from typing import Any

import numpy as np
import pytest

import engine as en
from engine.feed import InputQueue, batches

DEADLINE = 20.0  # seconds after which a test gives up


def until(queue: InputQueue[int], true) -> None:
    """Wait until ``true()``, asked again whenever the queue changes."""
    with queue._changed:
        assert queue._changed.wait_for(true, DEADLINE)


class Source:
    """0, 1, 2 ... without end; each item is made when it is allowed to."""

    def __init__(self) -> None:
        self.made = 0
        self.may, self.ended = threading.Semaphore(0), threading.Event()

    def __iter__(self) -> Iterator[int]:
        try:
            for at in count():
                assert self.may.acquire(timeout=DEADLINE)
                self.made = at + 1
                yield at
        finally:
            self.ended.set()


def test_items_come_in_order_and_end_cleanly():
    with InputQueue(range(100), capacity=3) as queue:
        assert list(queue) == list(range(100))
        assert list(queue) == []
        with pytest.raises(StopIteration):
            next(queue)


def test_it_runs_ahead_as_far_as_there_is_room_and_no_further():
    made: list[int] = []
    with InputQueue((made.append(at) or at for at in count()), capacity=3) as queue:  # type: ignore[func-returns-value]
        until(queue, lambda: len(queue) == 3)
        assert made == [0, 1, 2]
        assert next(queue) == 0
        until(queue, lambda: len(queue) == 3)
        assert made == [0, 1, 2, 3]


def test_a_taker_waits_for_an_item():
    source, taken = Source(), []
    with InputQueue(source) as queue:
        taker = threading.Thread(target=lambda: taken.append(next(queue)))
        taker.start()
        assert not taken
        source.may.release(10)  # more than there is room for
        taker.join(DEADLINE)
        assert taken == [0]


def broken() -> Iterator[int]:
    yield 1
    yield 2
    raise ValueError("the file is damaged")


def test_an_error_comes_out_at_the_taker_after_the_items_before_it():
    with InputQueue(broken()) as queue:
        assert [next(queue), next(queue)] == [1, 2]
        for _ in range(2):
            with pytest.raises(ValueError, match="the file is damaged") as caught:
                next(queue)
        assert caught.traceback[-1].name == "broken"  # where it happened


def test_what_can_t_be_iterated_is_an_error_at_the_taker():
    class Torn:
        def __iter__(self) -> Iterator[int]:
            raise TypeError("not iterable today")

    with InputQueue(Torn()) as queue, pytest.raises(TypeError, match="not iterable today"):
        next(queue)


@pytest.mark.parametrize("source", [7, None, batches])
def test_a_source_that_nothing_can_be_taken_from_is_refused(source: Any):
    with pytest.raises(en.FeedError, match=r"filled from batches\(\) .*got .*test_feed.py:"):
        InputQueue(source)


@pytest.mark.parametrize("rows", [[0.5, 1.5, 2.5], (0.5, 1.5, 2.5), np.array([0.5, 1.5, 2.5])])
def test_batches_of_lists_are_what_a_run_takes(rows: Any):
    found = [
        each for batch in batches([rows, [[1, 2], [3, 4], [5, 6]]], 2, epochs=1) for each in zip(*batch, strict=True)
    ]
    assert sorted((float(number), pair.tolist()) for number, pair in found) == [
        (0.5, [1, 2]),
        (1.5, [3, 4]),
        (2.5, [5, 6]),
    ]
    if not isinstance(rows, np.ndarray):
        assert {(number.dtype.name, pair.dtype.name) for number, pair in found} == {("float32", "int32")}


def test_close_ends_a_thread_that_waits_for_room_and_is_idempotent():
    closed = threading.Event()

    def endless() -> Iterator[int]:
        try:
            yield from count()
        finally:
            closed.set()

    queue = InputQueue(endless(), capacity=2)
    until(queue, lambda: len(queue) == 2)
    for _ in range(2):
        queue.close()
        assert not queue._thread.is_alive()
    assert closed.is_set()
    assert len(queue) == 0


def test_close_waits_for_the_item_that_is_being_made_and_drops_it():
    source = Source()
    queue = InputQueue(source)
    closer = threading.Thread(target=queue.close)
    closer.start()
    until(queue, lambda: queue._closed)
    source.may.release()
    closer.join(DEADLINE)
    assert not closer.is_alive()
    assert source.ended.is_set()
    assert len(queue) == 0


def test_a_closed_queue_refuses_and_wakes_who_waits():
    source, errors = Source(), []
    queue = InputQueue(source)

    def take() -> None:
        try:
            next(queue)
        except en.FeedError as error:
            errors.append(str(error))

    takers = [threading.Thread(target=take) for _ in range(2)]
    for each in takers:
        each.start()
    source.may.release()  # one item for two
    until(queue, lambda: source.made == 1 and len(queue) == 0)
    closer = threading.Thread(target=queue.close)
    closer.start()
    until(queue, lambda: queue._closed)
    source.may.release()
    for each in (*takers, closer):
        each.join(DEADLINE)
        assert not each.is_alive()
    assert errors == ["this input queue is closed"]
    with pytest.raises(en.FeedError, match="closed"):
        next(queue)


def test_with_closes_the_queue_when_the_lesson_fails():
    with pytest.raises(ZeroDivisionError), InputQueue(count()) as queue:
        next(queue)
        raise ZeroDivisionError
    assert not queue._thread.is_alive()


def test_the_source_may_close_its_own_queue():
    box: list[InputQueue[int]] = []
    ready = threading.Event()

    def source() -> Iterator[int]:
        assert ready.wait(DEADLINE)
        box[0].close()
        yield 1

    box.append(InputQueue(source()))
    ready.set()
    box[0]._thread.join(DEADLINE)
    assert not box[0]._thread.is_alive()


def test_several_takers_get_each_item_once():
    taken: list[int] = []
    with InputQueue(range(500), capacity=2) as queue:
        takers = [threading.Thread(target=lambda: taken.extend(queue)) for _ in range(3)]
        for each in takers:
            each.start()
        for each in takers:
            each.join(DEADLINE)
    assert sorted(taken) == list(range(500))


def test_a_queue_without_room_is_refused():
    with pytest.raises(en.FeedError, match="capacity 0"):
        InputQueue([], capacity=0)


def test_batches_go_through_all_rows_in_a_new_order_each_epoch():
    x, y = np.arange(10), np.arange(10) * 2
    drawn = list(batches([x, y], 4, epochs=2))
    assert [len(a) for a, _ in drawn] == [4, 4, 2] * 2
    assert all((b == 2 * a).all() for a, b in drawn)
    first, second = (np.concatenate([a for a, _ in part]) for part in (drawn[:3], drawn[3:]))
    assert sorted(first) == sorted(second) == list(range(10))
    assert first.tolist() != second.tolist()


def test_the_order_of_batches_follows_from_the_seed():
    def order(seed: int) -> list[int]:
        (batch,) = next(batches([np.arange(50)], 50, seed=seed))
        return batch.tolist()

    assert order(1) == order(1) != order(2)


@pytest.mark.parametrize(("arrays", "size"), [([np.zeros(3), np.zeros(4)], 2), ([np.zeros(3)], 0), ([], 1)])
def test_batches_that_can_t_be_drawn_are_refused_at_the_call(arrays, size):
    with pytest.raises(en.FeedError, match="can't be drawn"):
        batches(arrays, size)


def test_a_network_is_trained_from_a_queue():
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(64, 2)).astype("f4")
    targets = inputs @ np.array([[2.0], [-1.0]], "f4")
    with en.Graph() as graph:
        x, target = en.placeholder((None, 2), name="x"), en.placeholder((None, 1), name="target")
        loss = en.losses.mean_squared_error(en.layers.Dense(1, name="output")(x), target)
        train = en.optim.SGD(0.2).minimize(loss)
    session = en.Session(graph)
    with InputQueue(batches([inputs, targets], 16, epochs=20)) as queue:
        for a, b in queue:
            session.run(train, {x: a, target: b})
    assert session.run(loss, {x: inputs, target: targets}) < 1e-3


@pytest.mark.parametrize(
    "given", [[2, 0, 1], (2, 0, 1), np.array([2, 0, 1]), np.array([2, 0, 1], "u1"), np.array([2, 0, 1], "i4")]
)
def test_whole_numbers_are_fed_as_they_come(given):
    """Lists, and arrays of any whole-number type, where int32 is wanted."""
    with en.Graph() as graph:
        rows = en.placeholder((None,), "int32", name="rows")
        y = en.ops.gather(en.constant([10.0, 20.0, 30.0]), rows)
    assert en.Session(graph).run(y, {rows: given}).tolist() == [30, 10, 20]


def test_a_whole_number_that_int32_can_t_hold_is_refused():
    with en.Graph() as graph:
        rows = en.placeholder((None,), "int32", name="rows")
        y = rows + rows
    with pytest.raises(en.EngineError, match="rows"):
        en.Session(graph).run(y, {rows: [2**40]})
