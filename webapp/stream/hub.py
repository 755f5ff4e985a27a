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
    """One run as its watchers see it."""

    watchers: dict[Client, _Watcher] = field(default_factory=dict)
    sequence: int = -1
    asked: Want | None = None  # what the worker was asked for and hasn't sent yet


class Hub:
    """Channels from runs to clients.  ``ask(want)`` reaches the run's worker."""

    def __init__(self, ask: Callable[[Want], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._ask = ask
        self._clock = clock
        self._lock = ordered("hub")
        self._channels: dict[str, _Channel] = {}
        self._unwatched_since: dict[str, float] = {}

    def add(self, run: str) -> None:
        """A new run, watched by nobody yet."""
        with self._lock:
            self._channels[run] = _Channel()
            self.expect(run)

    def expect(self, run: str) -> None:
        """Somebody is about to join: for a moment the run doesn't count as unwatched."""
        with self._lock:
            if not self._channels[run].watchers:
                self._unwatched_since[run] = self._clock() + _ARRIVAL

    def remove(self, run: str) -> None:
        with self._lock:
            self._channels.pop(run, None)
            self._unwatched_since.pop(run, None)

    def join(self, run: str, client: Client, *greetings: Status | Notice, lens: str = "") -> None:
        """``client`` watches ``run`` through ``lens`` from now on and is told ``greetings``.

        Joining again starts afresh.
        """
        with self._lock:
            channel = self._channels.get(run)
            if channel is None:
                return
            channel.watchers[client] = _Watcher(lens)
            self._unwatched_since.pop(run, None)
            for event in greetings:
                client.write(_event_bytes(event))
            self._want(run, channel)

    def look_through(self, run: str, client: Client, lens: str) -> None:
        """``client`` has opened another lens: the next frame that it gets is a key frame with that lens's part."""
        with self._lock:
            channel = self._channels.get(run)
            watcher = None if channel is None else channel.watchers.get(client)
            if channel is not None and watcher is not None and watcher.lens != lens:
                watcher.lens, watcher.needs_key = lens, True
                self._want(run, channel)

    def leave(self, run: str, client: Client) -> None:
        with self._lock:
            channel = self._channels.get(run)
            if channel is not None and channel.watchers.pop(client, None) is not None and not channel.watchers:
                self._unwatched_since[run] = self._clock()

    def leave_all(self, client: Client) -> None:
        """``client`` is gone."""
        with self._lock:
            for run in self._channels:
                self.leave(run, client)

    def unwatched_for(self, run: str) -> float | None:
        """Seconds since the last watcher left; None while there is one, or one is expected."""
        with self._lock:
            since = self._unwatched_since.get(run)
            return None if since is None or since > self._clock() else self._clock() - since

    def credit(self, run: str, client: Client) -> None:
        """``client`` has painted a frame.  Never gives more than two credits."""
        with self._lock:
            channel = self._channels.get(run)
            watcher = None if channel is None else channel.watchers.get(client)
            if channel is not None and watcher is not None:
                watcher.credits = min(CREDITS, watcher.credits + 1)
                self._want(run, channel)

    def frame(self, frame: FrameOut) -> None:
        """Hand a worker's frame to every watcher that has credit for it, each with the part of its own lens."""
        prepared: dict[str, bytes] = {}
        with self._lock:
            channel = self._channels.get(frame.run)
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
            self._want(frame.run, channel)

    def event(self, event: Status | Notice) -> None:
        """Tell every watcher of the run."""
        with self._lock:
            channel = self._channels.get(event.run)
            watchers = list(channel.watchers) if channel is not None else []
            data = _event_bytes(event) if watchers else b""
            for client in watchers:
                client.write(data)

    def moved(self, run: str) -> None:
        """The run has a new worker, which knows nothing of what the old one was asked for."""
        with self._lock:
            channel = self._channels.get(run)
            if channel is not None:
                channel.asked = None
                for watcher in channel.watchers.values():
                    watcher.needs_key = True
                self._want(run, channel)

    def sequence(self, run: str) -> int:
        """The number of the run's last frame; -1 before the first."""
        with self._lock:
            channel = self._channels.get(run)
            return -1 if channel is None else channel.sequence

    def _want(self, run: str, channel: _Channel) -> None:
        ready = [watcher for watcher in channel.watchers.values() if watcher.credits > 0]
        if not ready:
            return
        key = any(watcher.needs_key for watcher in ready)
        fresh = any(watcher.seen < channel.sequence for watcher in ready)
        want = Want(run, key, fresh, frozenset(watcher.lens for watcher in ready))
        asked = channel.asked
        if asked is None or (key and not asked.key) or (fresh and not asked.fresh) or not want.lenses <= asked.lenses:
            channel.asked = want
            self._ask(want)


def _event_bytes(event: Status | Notice) -> bytes:
    return prepare_event("event", msgspec.to_builtins(event))
