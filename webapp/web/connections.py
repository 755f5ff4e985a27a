"""How many connections are open, and who gives way when there are too many."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from dataclasses import dataclass
from typing import Literal

from webapp.web.handles import MARGIN

State = Literal["asking", "answered", "kept", "leaving"]


@dataclass(slots=True)
class _Open:
    since: float
    state: State


class Connections:
    """The open connections of a server: at most ``most``, of whatever kind.

    When all are taken, the oldest one that hasn't sent its request yet gives way to a new one, or
    the oldest that takes longer than ``patience`` seconds over its answer.  WebSockets don't:
    they are people's pages.  So a hundred half-sent requests keep nobody out.
    """

    def __init__(self, most: int, patience: float) -> None:
        self.most = most
        self._patience = patience
        self._lock = threading.Lock()
        self._open: dict[socket.socket, _Open] = {}  # the oldest first
        self._refusing = 0

    def admit(self, connection: socket.socket) -> bool:
        """Count ``connection`` among the open ones, if there is room or somebody gives way."""
        with self._lock:
            if self._taken() >= self.most and not self._give_way():
                return False
            self._open[connection] = _Open(time.monotonic(), "asking")
            return True

    def answering(self, connection: socket.socket) -> None:
        """The request is there; now it is our turn."""
        self._become(connection, "answered")

    def keep(self, connection: socket.socket) -> None:
        """It has become a WebSocket."""
        self._become(connection, "kept")

    def end(self, connection: socket.socket) -> None:
        """It is about to be closed."""
        with self._lock:
            self._open.pop(connection, None)

    def free_one(self) -> None:
        """Have one give way although there seemed to be room: the system has run out of handles."""
        with self._lock:
            self._give_way()

    def may_refuse(self) -> bool:
        """Whether there is room to tell one more why it is refused; then :meth:`refused` has to follow."""
        with self._lock:
            room = self._refusing < MARGIN
            self._refusing += room
            return room

    def refused(self) -> None:
        """It was told."""
        with self._lock:
            self._refusing -= 1

    def _become(self, connection: socket.socket, state: State) -> None:
        with self._lock:
            found = self._open.get(connection)
            if found is not None and found.state != "leaving":
                found.state = state

    def _taken(self) -> int:
        return sum(found.state != "leaving" for found in self._open.values())

    def _give_way(self) -> bool:
        """End one connection, if one may be ended; its own thread closes it."""
        if sum(found.state == "leaving" for found in self._open.values()) >= MARGIN:
            return False
        now = time.monotonic()
        for connection, found in self._open.items():
            if found.state == "asking" or (found.state == "answered" and now - found.since > self._patience):
                found.state = "leaving"
                with contextlib.suppress(OSError):  # it has hung up by itself
                    connection.shutdown(socket.SHUT_RDWR)
                return True
        return False
