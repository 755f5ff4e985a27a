"""Sends on to the clients that couldn't take everything at once: one thread for all of them."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from typing import Protocol

from webapp.locks import ordered
from webapp.threads import forever


class Flushable(Protocol):
    """A client with something that waits to be sent."""

    fd: int
    released: bool  # set under the flusher's lock: its descriptor may be somebody else's by now

    def flush(self) -> bool:
        """Send what waits, as far as it goes; True when nothing waits any more."""
        ...

    def drop(self) -> None:
        """End the connection: sending on to it failed in a way that nobody foresaw."""
        ...


class Flusher:
    """One thread that sends on to the clients that couldn't take everything at once."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._near, self._far = socket.socketpair()
        self._near.setblocking(False)
        self._far.setblocking(False)
        self._selector.register(self._far, selectors.EVENT_READ)
        self._changed = threading.Condition(ordered("flusher"))
        self._new: list[Flushable] = []
        self._leaving: list[Flushable] = []
        self._watched: set[Flushable] = set()
        self._registered: set[Flushable] = set()  # the thread's own: those of the watched that the selector knows
        self._thread: threading.Thread | None = None

    def watch(self, client: Flushable) -> None:
        """Flush ``client`` whenever it takes more, until nothing waits."""
        with self._changed:
            if client in self._watched or client.released:
                return
            self._watched.add(client)
            self._new.append(client)
            if self._thread is None:
                self._thread = forever("flusher", self._loop)
        self._wake()

    def forget(self, client: Flushable) -> None:
        """Return when the thread no longer looks at ``client``, whose descriptor may be closed then."""
        with self._changed:
            client.released = True
            if client not in self._watched:
                return
            self._leaving.append(client)
            self._wake()
            self._changed.wait_for(lambda: client not in self._watched)

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):  # a full pipe wakes the thread as well
            self._near.send(b"!")

    def _loop(self) -> None:
        self._wake()  # a fault may have come between the byte that woke us and what it stood for
        while True:
            ready = [key.data for key, _ in self._selector.select() if key.data is not None]
            done = [client for client in ready if self._flush(client)]
            with contextlib.suppress(BlockingIOError):
                self._far.recv(4096)
            with self._changed:
                while self._new:
                    self._register(self._new.pop())
                for client in {*done, *self._leaving} & self._registered:
                    if client.released or self._flush(client):  # else something was written since
                        self._leave(client)
                self._leaving.clear()
                self._changed.notify_all()

    def _register(self, client: Flushable) -> None:
        try:
            self._selector.register(client.fd, selectors.EVENT_WRITE, client)
        except Exception:
            self._give_up(client)
            raise
        self._registered.add(client)

    def _flush(self, client: Flushable) -> bool:
        try:
            return client.flush()
        except Exception:
            self._give_up(client)
            raise

    def _leave(self, client: Flushable) -> None:
        self._registered.discard(client)
        self._watched.discard(client)
        self._selector.unregister(client.fd)

    def _give_up(self, client: Flushable) -> None:
        """Part from a client whose flush raised: the fault ends the loop, and must not end the next one too."""
        with self._changed:
            if client in self._registered:
                self._leave(client)
            self._watched.discard(client)
            self._changed.notify_all()
        client.drop()
