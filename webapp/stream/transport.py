"""The server's end of the browsers' WebSockets.

Takes the place of simple-websocket under python-engineio.  What it does differently:

* a message has a greatest length, permessage-deflate is never agreed to, and binary or
  malformed packets (see :mod:`webapp.stream.packets`) close the connection with a reason;
* what was read there is what Socket.IO gets: neither library parses a client's text again;
* nothing that sends ever waits: what the system doesn't take at once is kept, up to a
  bound at which a client that doesn't read is dropped, and one thread sends it on;
* the header and the blob of a frame go out together, whoever else is sending.  A Socket.IO
  client that finds anything between the two drops the connection;
* a frame is written straight to the socket by the thread that has it, without a queue,
  and its bytes are prepared once for all clients.

The private things this leans on are ``engineio.Server._async``, the table that names the
WebSocket class, and the handler of "message" that Socket.IO puts there; :meth:`Transport.install`
fails loudly if one is no longer there.
"""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
import struct
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from wsproto import events
from wsproto.connection import Connection, ConnectionType
from wsproto.utilities import generate_accept_token

from webapp.config import Config
from webapp.locks import ordered
from webapp.stream import packets
from webapp.stream.flusher import Flusher
from webapp.stream.packets import CLOSE, PONG, TEXT, Packet, ws_frame

log = logging.getLogger(__name__)

_KEY = "HTTP_SEC_WEBSOCKET_KEY"
ENVIRON_KEY = "layerlab.websocket"
KEPT_KEY = "layerlab.kept"  # in the environ: to be called when the request has become a WebSocket
_TOO_BIG, _UNSUPPORTED, _POLICY = 1009, 1003, 1008


class WebSocket:
    """One browser.  python-engineio reads with :meth:`wait` and writes with :meth:`send`."""

    def __init__(self, transport: Transport, sock: socket.socket) -> None:
        self._transport = transport
        self._peer = sock  # not named _sock: python-engineio would make that one wait
        self.fd = sock.fileno()
        self._proto = Connection(ConnectionType.SERVER)  # no extensions: a compressed frame is a protocol error
        self._lock = ordered("client")
        self._outgoing: deque[memoryview] = deque()
        self._outgoing_bytes = 0
        self._incoming: deque[str] = deque()
        self._parts: list[str] = []
        self._size = 0
        self._after: deque[tuple[int, Callable[[], None]]] = deque()
        self._asked = self._answered = 0
        self._join_by: float | None = time.monotonic() + transport.join_timeout
        self._computed = time.thread_time()
        self.packet = Packet()  # the one that is being handled
        self.closed = False
        self.released = False  # its descriptor may be somebody else's by now
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(sock, selectors.EVENT_READ)

    # ---- what the hub uses

    def write(self, data: bytes) -> None:
        """Send prepared bytes, now or as soon as the client takes them.  A closed socket ignores them."""
        if self._put(data):
            self._transport.flusher.watch(self)  # not under our lock: the flusher holds its own when it takes ours

    def _put(self, data: bytes) -> bool:
        """Send ``data`` as far as it goes; True if some of it has to wait."""
        with self._lock:
            if self.closed:
                return False
            if self._outgoing_bytes + len(data) > self._transport.max_outgoing:
                log.info("a client that doesn't read is dropped: %d bytes wait for it", self._outgoing_bytes)
                self._shut()
                return False
            self._outgoing.append(memoryview(data))
            self._outgoing_bytes += len(data)
            self._flush()
            return bool(self._outgoing)

    def joined(self) -> None:
        """The client has said who it is and may stay."""
        self._join_by = None

    def computed(self) -> float:
        """Seconds that the thread which reads, and calls this, has computed since it last asked: all that it does."""
        before, self._computed = self._computed, time.thread_time()
        return self._computed - before

    def after_answer(self, action: Callable[[], None]) -> None:
        """Run ``action`` when the answer to the message that is being handled is on the wire.

        So a page that opens a run has the reply before the run's first frame.
        """
        self._after.append((self._asked, action))

    @property
    def wants_answer(self) -> bool:
        """Whether the packet that is being handled asks for one."""
        return self.packet.id is not None

    # ---- what python-engineio uses

    def wait(self) -> str | None:
        """The next packet, or None when the connection is over.  What ``packets.parse`` read is in :attr:`packet`."""
        self._run_after()
        while not self._incoming and not self.closed:
            self._receive()
        if not self._incoming:
            return None
        text = self._incoming.popleft()
        try:
            self.packet = packets.parse(text)
        except packets.BadPacket as error:
            self._refuse(_POLICY, str(error))
            return None
        self._asked += self.wants_answer
        return text

    def send(self, packet: str) -> None:
        """Send an Engine.IO packet.  Raises OSError on a closed connection, which ends Engine.IO's writer."""
        if self.closed:
            raise OSError("the connection is closed")
        self.write(ws_frame(TEXT, packet.encode()))
        if packet.startswith("43"):  # the acknowledgement
            self._answered += 1
            self._run_after()

    def close(self) -> None:
        """End the connection; what the client hasn't taken yet is lost."""
        with self._lock:
            if not self.closed:
                self._put(ws_frame(CLOSE, struct.pack("!H", 1000)))
            self._shut()

    # ---- reading

    def _receive(self) -> None:
        timeout = self._transport.read_timeout
        if self._join_by is not None:
            timeout = min(timeout, max(0.0, self._join_by - time.monotonic()))
        try:
            if not self._selector.select(timeout):
                self._refuse(_POLICY, "nothing was heard from this client")
                return
            data = self._peer.recv(16384)
        except (BlockingIOError, InterruptedError):
            return
        except (OSError, ValueError):  # ValueError: closed by another thread between the two lines
            data = b""
        if not data:
            self._shut()
            return
        self._proto.receive_data(data)
        self._take(self._proto.events())

    def _take(self, happened: Iterable[events.Event]) -> None:
        for event in happened:
            if isinstance(event, events.TextMessage):
                self._size += len(event.data)
                if self._size > self._transport.max_message:
                    self._refuse(_TOO_BIG, f"a message has at most {self._transport.max_message} characters")
                    return
                self._parts.append(event.data)
                if event.message_finished:
                    self._incoming.append("".join(self._parts))
                    self._parts, self._size = [], 0
            elif isinstance(event, events.Ping):
                self.write(ws_frame(PONG, bytes(event.payload)))
            elif isinstance(event, events.CloseConnection):  # asked for by the client, or its frame was malformed
                self._refuse(1000 if event.code in {1000, 1001, 1005} else int(event.code), "")
                return
            elif isinstance(event, events.BytesMessage):
                self._refuse(_UNSUPPORTED, "binary messages are not taken")
                return

    def _refuse(self, code: int, reason: str) -> None:
        """Say why, then close.  Reads on for a moment, or the system would discard what was just said."""
        if reason:
            log.info("a socket is closed: %s", reason)
        with self._lock:
            if self.closed:
                return
            self._put(ws_frame(CLOSE, struct.pack("!H", code) + reason.encode()[:120]))
            self.closed = True
        with contextlib.suppress(OSError):
            self._peer.shutdown(socket.SHUT_WR)
            until = time.monotonic() + 1.0
            while self._selector.select(max(0.0, until - time.monotonic())) and self._peer.recv(65536):
                pass
        self._shut()

    def _run_after(self) -> None:
        while True:
            with self._lock:
                if not self._after or self._after[0][0] > self._answered:
                    return
                _, action = self._after.popleft()
            try:
                action()
            except Exception:  # a bug; python-engineio's writer, which may be the caller, would end without a word
                log.exception("what should follow an answer failed")

    # ---- writing

    def flush(self) -> bool:
        """Send what waits, as far as it goes; True when nothing waits any more."""
        with self._lock:
            self._flush()
            return self.closed or not self._outgoing

    def _flush(self) -> None:
        while self._outgoing and not self.closed:
            view = self._outgoing[0]
            try:
                sent = self._peer.send(view)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                self._shut()
                return
            self._outgoing_bytes -= sent
            if sent < len(view):
                self._outgoing[0] = view[sent:]
            else:
                self._outgoing.popleft()

    def drop(self) -> None:
        """End the connection without a word."""
        self._shut()

    def _shut(self) -> None:
        """Mark as closed and wake the reading thread, which alone gives the descriptor back."""
        with self._lock:
            self.closed = True
            self._outgoing.clear()
            self._outgoing_bytes = 0
        with contextlib.suppress(OSError):
            self._peer.shutdown(socket.SHUT_RDWR)

    def release(self) -> None:
        """Called by the reading thread when Engine.IO is through with the connection."""
        self._shut()
        self._transport.flusher.forget(self)
        self._selector.close()


class Transport:
    """All sockets of a server and their limits."""

    def __init__(self, config: Config) -> None:
        self.max_message = config.max_message
        self.max_outgoing = config.max_outgoing
        self.max_clients = config.max_clients
        self.join_timeout = config.join_timeout
        self.read_timeout = config.ping_interval + config.ping_timeout + 2.0  # Engine.IO has given up by then
        self.flusher = Flusher()
        self.clients: set[WebSocket] = set()

    def install(self, server: Any) -> None:
        """Make ``server`` (a ``socketio.Server``) use our sockets.  Raises RuntimeError if it no longer can."""
        engine = getattr(server, "eio", None)
        table = getattr(engine, "_async", None)
        handlers = getattr(engine, "handlers", None)
        if engine is None or not (isinstance(table, dict) and "websocket" in table):
            raise RuntimeError(
                "this python-engineio has no table of WebSocket classes; use a version of constraints.txt"
            )
        if not (isinstance(handlers, dict) and "message" in handlers):
            raise RuntimeError("this python-socketio doesn't listen for messages; use a version of constraints.txt")
        engine._async = {**table, "websocket": lambda handler, _server: _Upgrade(self, handler)}
        take = handlers["message"]
        engine.on("message", lambda sid, _text: take(sid, server.environ[sid][ENVIRON_KEY].packet))

    def problem(self, environ: dict[str, Any]) -> tuple[str, str] | None:
        """Why this request can't become a WebSocket: an HTTP status and a sentence; None if it can."""
        upgrade = environ.get("HTTP_UPGRADE", "").lower() == "websocket" and environ["REQUEST_METHOD"] == "GET"
        if not (upgrade and environ.get("HTTP_SEC_WEBSOCKET_VERSION") == "13" and environ.get(_KEY)):
            return "400 Bad Request", "Here a WebSocket handshake (version 13, with a key) is expected."
        if len(self.clients) >= self.max_clients:
            return "503 Service Unavailable", f"{self.max_clients} pages are connected. Close one, then reload."
        return None


class _Upgrade:
    """The WSGI application of one upgrade request; returns when the connection is over."""

    def __init__(self, transport: Transport, handler: Callable[[WebSocket], object]) -> None:
        self._transport = transport
        self._handler = handler

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., object]) -> list[bytes]:
        transport = self._transport
        sock: socket.socket = environ["werkzeug.socket"]
        accept = generate_accept_token(environ[_KEY].encode()).decode()
        sock.sendall(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
        )
        client = WebSocket(transport, sock)
        environ[ENVIRON_KEY] = client
        environ[KEPT_KEY]()
        transport.clients.add(client)
        try:
            self._handler(client)
        finally:
            transport.clients.discard(client)
            client.release()
        raise ConnectionAbortedError  # tells Werkzeug that this connection carries no HTTP answer
