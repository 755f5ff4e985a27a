"""Sends on to the clients that couldn't take everything at once: one thread for all of them."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from typing import Protocol


class Flushable(Protocol):
    """A client with something that waits to be sent."""

    fd: int
    released: bool  # set under the flusher's lock: its descriptor may be somebody else's by now

    def flush(self) -> bool:
        """Send what waits, as far as it goes; True when nothing waits any more."""
        ...


class Flusher:
    """One thread that sends on to the clients that couldn't take everything at once."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._near, self._far = socket.socketpair()
        self._near.setblocking(False)
        self._far.setblocking(False)
        self._selector.register(self._far, selectors.EVENT_READ)
        self._changed = threading.Condition()
        self._new: list[Flushable] = []
        self._leaving: list[Flushable] = []
        self._watched: set[Flushable] = set()
        self._thread: threading.Thread | None = None

    def watch(self, client: Flushable) -> None:
        """Flush ``client`` whenever it takes more, until nothing waits."""
        with self._changed:
            if client in self._watched or client.released:
                return
            self._watched.add(client)
            self._new.append(client)
            if self._thread is None:
                self._thread = threading.Thread(target=self._loop, name="flusher", daemon=True)
                self._thread.start()
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
        registered: set[Flushable] = set()
        while True:
            done = [key.data for key, _ in self._selector.select() if key.data is not None and key.data.flush()]
            with contextlib.suppress(BlockingIOError):
                self._far.recv(4096)
            with self._changed:
                for client in self._new:
                    self._selector.register(client.fd, selectors.EVENT_WRITE, client)
                    registered.add(client)
                self._new.clear()
                for client in {*done, *self._leaving} & registered:
                    if not client.released and not client.flush():
                        continue  # something was written since
                    registered.discard(client)
                    self._selector.unregister(client.fd)
                    self._watched.discard(client)
                self._leaving.clear()
                self._changed.notify_all()
