"""Who watches which run, and who may have its next frame.

A client holds two credits a run; a frame takes one, an acknowledgement gives one back.
A worker is asked for a frame only when some watcher has credit, so nothing is computed
that nobody can take, and nothing queues: the newest frame wins.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from webapp.contract.replies import Notice, Status
from webapp.locks import ordered
from webapp.stream.packets import prepare_event, prepare_frame
from webapp.workers.messages import FrameOut, Want

CREDITS = 2
_ARRIVAL = 5.0  # seconds between the reply that names a run and its page being a watcher, at most


def run_topic(run: str) -> str:
    """The topic of a run: its frames and what is told of it."""
    return f"run/{run}"


class Client(Protocol):
    """Where prepared bytes for one page go; never waits."""

    def write(self, data: bytes) -> None: ...


@dataclass
class _Watcher:
    lens: str = ""  # through which it looks
    credits: int = CREDITS
    needs_key: bool = True
    seen: int = -1  # the last frame it was sent


@dataclass
class _Channel:
    """One topic as its watchers see it."""

    source: str | None = None  # the run whose frames they get
    watchers: dict[Client, _Watcher] = field(default_factory=dict)
    sequence: int = -1
    asked: Want | None = None  # what the worker was asked for and hasn't sent yet


class Hub:
    """Channels, named by topic (see :func:`run_topic`), to clients.  ``ask(want)`` reaches the run's worker."""

    def __init__(self, ask: Callable[[Want], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._ask = ask
        self._clock = clock
        self._lock = ordered("hub")
        self._channels: dict[str, _Channel] = {}
        self._unwatched_since: dict[str, float] = {}

    def add(self, topic: str, source: str | None = None) -> None:
        """A new channel, watched by nobody yet; the run ``source`` gives its frames (None: it has none)."""
        with self._lock:
            self._channels[topic] = _Channel(source)
            self.expect(topic)

    def expect(self, topic: str) -> None:
        """Somebody is about to join: for a moment the run doesn't count as unwatched."""
        with self._lock:
            if not self._channels[topic].watchers:
                self._unwatched_since[topic] = self._clock() + _ARRIVAL

    def remove(self, topic: str) -> None:
        with self._lock:
            self._channels.pop(topic, None)
            self._unwatched_since.pop(topic, None)

    def join(self, topic: str, client: Client, *greetings: Status | Notice, lens: str = "") -> None:
        """``client`` watches ``run`` through ``lens`` from now on and is told ``greetings``.

        Joining again starts afresh.
        """
        with self._lock:
            channel = self._channels.get(topic)
            if channel is None:
                return
            channel.watchers[client] = _Watcher(lens)
            self._unwatched_since.pop(topic, None)
            for event in greetings:
                client.write(_event_bytes(event))
            self._want(channel)

    def look_through(self, topic: str, client: Client, lens: str) -> None:
        """``client`` has opened another lens: the next frame that it gets is a key frame with that lens's part."""
        with self._lock:
            channel = self._channels.get(topic)
            watcher = None if channel is None else channel.watchers.get(client)
            if channel is not None and watcher is not None and watcher.lens != lens:
                watcher.lens, watcher.needs_key = lens, True
                self._want(channel)

    def leave(self, topic: str, client: Client) -> None:
        with self._lock:
            channel = self._channels.get(topic)
            if channel is not None and channel.watchers.pop(client, None) is not None and not channel.watchers:
                self._unwatched_since[topic] = self._clock()

    def leave_all(self, client: Client) -> None:
        """``client`` is gone."""
        with self._lock:
            for topic in self._channels:
                self.leave(topic, client)

    def unwatched_for(self, topic: str) -> float | None:
        """Seconds since the last watcher left; None while there is one, or one is expected."""
        with self._lock:
            since = self._unwatched_since.get(topic)
            return None if since is None or since > self._clock() else self._clock() - since

    def credit(self, topic: str, client: Client) -> None:
        """``client`` has painted a frame.  Never gives more than two credits."""
        with self._lock:
            channel = self._channels.get(topic)
            watcher = None if channel is None else channel.watchers.get(client)
            if channel is not None and watcher is not None:
                watcher.credits = min(CREDITS, watcher.credits + 1)
                self._want(channel)

    def frame(self, frame: FrameOut) -> None:
        """Hand a worker's frame to every watcher that has credit for it, each with the part of its own lens."""
        prepared: dict[str, bytes] = {}
        with self._lock:
            channel = self._channels.get(run_topic(frame.run))
            if channel is None:
                return
            channel.asked = None
            channel.sequence = frame.sequence
            for client, watcher in list(channel.watchers.items()):
                if watcher.credits == 0 or watcher.lens not in frame.blobs:
                    watcher.needs_key |= frame.key  # it can't go on from a delta that builds on this one
                elif frame.key or not watcher.needs_key:
                    if watcher.lens not in prepared:
                        prepared[watcher.lens] = prepare_frame(frame.blobs[watcher.lens])
                    watcher.credits -= 1
                    watcher.seen = frame.sequence
                    watcher.needs_key = False
                    client.write(prepared[watcher.lens])
            self._want(channel)

    def event(self, topic: str, event: Status | Notice) -> None:
        """Tell every watcher of the run."""
        with self._lock:
            channel = self._channels.get(topic)
            watchers = list(channel.watchers) if channel is not None else []
            data = _event_bytes(event) if watchers else b""
            for client in watchers:
                client.write(data)

    def moved(self, topic: str) -> None:
        """The run has a new worker, which knows nothing of what the old one was asked for."""
        with self._lock:
            channel = self._channels.get(topic)
            if channel is not None:
                channel.asked = None
                for watcher in channel.watchers.values():
                    watcher.needs_key = True
                self._want(channel)

    def sequence(self, topic: str) -> int:
        """The number of the run's last frame; -1 before the first."""
        with self._lock:
            channel = self._channels.get(topic)
            return -1 if channel is None else channel.sequence

    def _want(self, channel: _Channel) -> None:
        ready = [watcher for watcher in channel.watchers.values() if watcher.credits > 0]
        if not ready or channel.source is None:
            return
        key = any(watcher.needs_key for watcher in ready)
        fresh = any(watcher.seen < channel.sequence for watcher in ready)
        want = Want(channel.source, key, fresh, frozenset(watcher.lens for watcher in ready))
        asked = channel.asked
        if asked is None or (key and not asked.key) or (fresh and not asked.fresh) or not want.lenses <= asked.lenses:
            channel.asked = want
            self._ask(want)


def _event_bytes(event: Status | Notice) -> bytes:
    return prepare_event("event", msgspec.to_builtins(event))
