"""A bounded input queue, filled by a thread of its own: the next batches are made while one is trained on.

>>> numbers = np.arange(6)
>>> with InputQueue(batches([numbers], size=4, epochs=1)) as queue:
...     [len(batch) for (batch,) in queue]
[4, 2]
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from typing import Any, Generic, TypeVar

import numpy as np

from engine.errors import FeedError, Named, Settings, doors, strict, user_source
from engine.tensor import shown
from engine.values import as_array

Item = TypeVar("Item")


class InputQueue(Named, Generic[Item], metaclass=Settings):
    """What ``source`` gives, in its order, made at most ``capacity`` items ahead of whoever takes them.

    It is an iterator; several threads may take from it.  An error of the source comes out at the
    taker, after the items before it, and at each later attempt.  Use it under ``with``, or
    :meth:`close` it: the thread waits for room until then.  Raises FeedError for a capacity below 1,
    and for a source that nothing can be taken from.
    """

    def __init__(self, source: Iterable[Item], capacity: int = 4) -> None:
        if not isinstance(capacity, (int, np.integer)) or capacity < 1:
            raise FeedError(
                f"an input queue needs room for one item at least, got capacity {capacity!r:.60} ({user_source()})"
            )
        if not hasattr(source, "__iter__") and not hasattr(source, "__getitem__"):
            raise FeedError(
                f"an input queue is filled from batches() or something else that gives items, got {shown(source)} "
                f"({user_source()})"
            )
        self.capacity = capacity
        self._changed = threading.Condition()  # guards what follows, and wakes who waits for a change of it
        self._items: deque[Item] = deque()
        self._ended = False  # the source gives no more
        self._error: BaseException | None = None  # the reason, if it isn't the end of the data
        self._closed = False
        self._thread = threading.Thread(target=self._fill, args=(source,), name="input queue", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[Item]:
        return self

    def __next__(self) -> Item:
        """The next item, waited for.  Raises what the source raised, or FeedError if the queue is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._ended or self._closed)
            if self._closed:
                raise FeedError("this input queue is closed")
            if not self._items:
                raise StopIteration if self._error is None else self._error
            self._changed.notify_all()
            return self._items.popleft()

    def __len__(self) -> int:
        """How many items are ready."""
        return len(self._items)

    def close(self) -> None:
        """Drop what is ready and end the thread, which finishes the item it is at.  A second call does nothing.

        A source that is a generator is closed by the thread.
        """
        with self._changed:
            self._closed = True
            self._items.clear()
            self._changed.notify_all()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def __enter__(self) -> InputQueue[Item]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _fill(self, source: Iterable[Item]) -> None:
        """What the thread does."""
        error: BaseException | None = None
        try:
            items = iter(source)
            try:
                while self._has_room():
                    self._put(next(items))
            except StopIteration:
                pass
            finally:
                if hasattr(items, "close"):
                    items.close()
        except BaseException as raised:  # whatever it is, it belongs to the taker, where it is raised again
            error = raised
        with self._changed:
            self._ended, self._error = True, error
            self._changed.notify_all()

    def _has_room(self) -> bool:
        """Waits for room; False if the queue was closed instead."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(self._items) < self.capacity)
            return not self._closed

    def _put(self, item: Item) -> None:
        with self._changed:
            if not self._closed:
                self._items.append(item)
                self._changed.notify_all()


@strict
def batches(
    arrays: Sequence[Any], size: int, *, epochs: int | None = None, seed: int = 0
) -> Iterator[tuple[np.ndarray, ...]]:
    """Mini-batches of ``size`` rows of all ``arrays`` (or lists), in a new order each epoch; the last may be shorter.

    The order follows from (seed, number of the epoch) alone.  ``epochs`` None: without end.
    Raises FeedError, at the call, if the arrays aren't equally long or empty, or ``size`` is below 1.
    """
    if isinstance(arrays, (list, tuple)):
        arrays = [as_array(each, None) if isinstance(each, (list, tuple)) else each for each in arrays]
    fits = isinstance(arrays, (list, tuple)) and all(np.ndim(each) for each in arrays)
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise FeedError(f"the seed of the order is a whole number from 0 on, got {seed!r:.60}")
    rows = {len(each) for each in arrays} if fits else set()
    if epochs is not None and (isinstance(epochs, bool) or not isinstance(epochs, (int, np.integer))):
        raise FeedError(f"epochs are a whole number, or None: without end; got {epochs!r:.60}")
    if len(rows) != 1 or 0 in rows or not isinstance(size, (int, np.integer)) or size < 1:
        found = f"arrays of {sorted(rows)} rows" if fits else f"{shown(arrays)}; a list of arrays is wanted"
        raise FeedError(f"batches of {size!r:.60} rows can't be drawn from {found} ({user_source()})")
    return _batches(arrays, rows.pop(), size, epochs, seed)


def _batches(
    arrays: Sequence[np.ndarray], rows: int, size: int, epochs: int | None, seed: int
) -> Iterator[tuple[np.ndarray, ...]]:
    for epoch in count() if epochs is None else range(epochs):
        order = np.random.default_rng((seed, epoch)).permutation(rows)
        for start in range(0, rows, size):
            chosen = order[start : start + size]
            yield tuple(each[chosen] for each in arrays)


__getattr__, __dir__ = doors("feed")
