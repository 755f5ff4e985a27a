"""Runs that nobody watches: they rest, are paused, are forgotten.

One that stands still gives its memory back after half a minute: its worker hands over its state and forgets it.
A playing one is paused after a minute (a reload or a lost wifi is back by then; a closed laptop shouldn't
train all night).  After an hour a run is forgotten.
"""

from __future__ import annotations

import threading

from webapp.config import Config
from webapp.contract.commands import Pause
from webapp.runs.book import Book
from webapp.runs.cluster import Cluster
from webapp.stream.hub import Hub, run_topic
from webapp.threads import forever
from webapp.workers.messages import Drop, Order, Rest


class Sweeper:
    """Looks at all runs about once a second, in a thread of its own."""

    def __init__(self, config: Config, book: Book, cluster: Cluster, hub: Hub) -> None:
        self._config = config
        self._book = book
        self._cluster = cluster
        self._hub = hub
        self._stopping = threading.Event()

    def start(self) -> None:
        """From now on, until :meth:`stop`."""
        forever("sweeper", self._sweep_forever)

    def stop(self) -> None:
        """Let the thread end."""
        self._stopping.set()

    def _sweep_forever(self) -> None:
        config = self._config
        while not self._stopping.wait(min(1.0, config.pause_unwatched_after / 4, config.rest_unwatched_after / 4)):
            self.sweep()

    def sweep(self) -> None:
        """Look once."""
        config = self._config
        for run, idle, playing in self._unwatched():
            if idle >= config.forget_unwatched_after:
                self.forget(run)
            elif playing:
                if idle >= config.pause_unwatched_after:
                    self._pause(run, "unwatched")
            elif idle >= config.rest_unwatched_after:
                self._rest(run)

    def _unwatched(self) -> list[tuple[str, float, bool]]:
        """Of each run that nobody watches: its id, for how many seconds, and whether it plays."""
        with self._book.lock:
            found = [(record, self._hub.unwatched_for(run_topic(record.id))) for record in self._book.store.all()]
            return [(record.id, idle, record.playing) for record, idle in found if idle is not None]

    def forget(self, run: str) -> None:
        """As if it had never been."""
        with self._book.lock:
            self._book.remove(run)
            self._hub.remove(run_topic(run))
            self._cluster.drop(Drop(run))

    def _pause(self, run: str, reason: str) -> None:
        """Have it stand still; not now, if its worker has too much to do."""
        with self._book.lock:
            live = self._book.live(run)
            if live is None or live.asleep or live.resting or live.pending:
                return
            wish = Pause(run=run, seq=live.record.seq)
            order = Order(run, wish, live.orders + 1, live.record.settings, reason, merge="newest")
            if self._cluster.post(run, order):
                live.orders += 1
                self._book.change(live, playing=False, order=live.orders)

    def _rest(self, run: str) -> None:
        """Have its worker hand over its state and forget it, which :class:`webapp.runs.news.News` hears of."""
        with self._book.lock:
            live = self._book.live(run)
            if live is None or live.asleep or live.resting or live.pending:
                return
            if self._cluster.post(run, Rest(run)):
                live.resting = threading.Event()
