"""What workers say of runs, and what becomes of the runs of a worker that died."""

from __future__ import annotations

from collections.abc import Callable

from webapp.config import Config
from webapp.contract.replies import Notice, Status
from webapp.runs import notices
from webapp.runs.book import Book
from webapp.runs.cluster import Cluster
from webapp.runs.live import Live
from webapp.stream.hub import Hub, run_topic
from webapp.workers.messages import Drop, EventOut, FrameOut, FromRun, Rested, Snapshot, Taken


class News:
    """Listens to the cluster; its methods are called by the cluster's threads."""

    def __init__(self, config: Config, book: Book, cluster: Cluster, hub: Hub, clock: Callable[[], float]) -> None:
        self._config = config
        self._book = book
        self._cluster = cluster
        self._hub = hub
        self._clock = clock

    def receive(self, message: FromRun) -> None:
        """A worker's message; called by the thread that reads its pipe."""
        if isinstance(message, FrameOut):
            self._hub.frame(message)
            return
        with self._book.lock:
            live = self._book.live(message.run)
            if live is None:
                return  # it was forgotten while this message was under way
            if isinstance(message, Taken):
                live.settle(message.order, message.ok)
            elif isinstance(message, Snapshot):
                if message.order >= live.floor:
                    self._book.change(live, snapshot=message)
            elif isinstance(message, Rested):
                self._rested(live, message)
            elif isinstance(message, EventOut):
                if isinstance(message.event, Status):
                    live.status = message.event
                    if live.record.playing != message.event.playing:
                        self._book.change(live, playing=message.event.playing)
                self._hub.event(run_topic(message.run), message.event)

    def _rested(self, live: Live, message: Rested) -> None:
        if live.resting is None:
            return  # its worker died before it was heard, and a new one has the run
        if message.rests:
            live.asleep = True
            self._cluster.drop(Drop(live.record.id))
            if message.snapshot is not None:
                self._book.change(live, snapshot=message.snapshot)
        live.rested()

    def lost(self, runs: list[str]) -> None:
        """Give the runs of a dead worker to a new one, from their last snapshots."""
        with self._book.lock:
            for live in filter(None, map(self._book.live, runs)):
                if live.pending is not None:
                    live.settle(live.pending.order, True)  # what was wished, the new one is told
                live.rested()
                deaths = live.died(self._clock(), self._config.deaths_window)
                notice: Notice = notices.restarted(live.record.id)
                if deaths >= self._config.max_deaths:
                    self._book.change(live, playing=False)
                    notice = notices.crashing(live.record.id, deaths)
                run = live.record.id
                self._cluster.place(live.record.create_message(self._hub.sequence(run_topic(run))), force=True)
                self._hub.event(run_topic(run), notice)
                self._hub.moved(run_topic(run))
