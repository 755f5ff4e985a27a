"""The HTTP server: Werkzeug's, one thread a connection, on a socket that already listens."""

from __future__ import annotations

import contextlib
import errno
import io
import logging
import socket
import socketserver
import threading
import time
from typing import Any

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from webapp.config import Config, ConfigError
from webapp.stream.transport import KEPT_KEY
from webapp.web.connections import Connections
from webapp.web.handles import OUT_OF_HANDLES, most_connections

log = logging.getLogger(__name__)


def listen(config: Config) -> socket.socket:
    """A listening socket.  Raises ConfigError, in one line, where that can't be had."""
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    try:
        return socket.create_server((config.host, config.port), family=family, backlog=128)
    except UnicodeError:
        raise ConfigError(f"--host {config.host!r}: that can't be a computer's name.") from None
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            message = f"Port {config.port} is in use by another program; choose another one with --port."
        elif error.errno == errno.EACCES:
            message = f"Port {config.port} needs an administrator's rights; choose one above 1023 with --port."
        else:
            message = f"--host {config.host} --port {config.port}: {error.strerror or error}."
        raise ConfigError(message) from None


_FULL = (
    "All {} connections of this server are in use. Wait ten seconds, then reload.\n"
    "这台服务器的 {} 个连接都在使用中。请等十秒，再刷新页面。\n"
)


class _Input(io.RawIOBase):
    """What a client sends, as long as it is in time: a byte now and then doesn't keep a connection open."""

    def __init__(self, connection: socket.socket, seconds: float) -> None:
        self._connection = connection
        self._until = time.monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Raises TimeoutError when the time is over."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("the request didn't arrive in time")
        for_answers = self._connection.gettimeout()
        self._connection.settimeout(left)
        try:
            return self._connection.recv_into(buffer)
        finally:
            self._connection.settimeout(for_answers)


class _Handler(WSGIRequestHandler):
    """No route here takes a body, no connection may dawdle, and log lines go to our log."""

    server: HttpServer
    timeout = 20.0  # seconds in which a client has to take a piece of its answer; sockets have their own limits
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.rfile.close()
        self.rfile = io.BufferedReader(_Input(self.connection, self.server.head_timeout))

    def make_environ(self) -> dict[str, Any]:
        return {**super().make_environ(), KEPT_KEY: lambda: self.server.connections.keep(self.connection)}

    def run_wsgi(self) -> None:
        self.server.connections.answering(self.connection)
        if self.headers.get("Transfer-Encoding") or self.headers.get("Content-Length", "0") != "0":
            self.close_connection = True
            self.send_error(413, "no request here has a body")
            return
        super().run_wsgi()

    def connection_dropped(self, error: BaseException, environ: dict[str, Any] | None = None) -> None:
        self.close_connection = True

    def version_string(self) -> str:
        return "Layerlab"

    def log(self, type: str, message: str, *args: Any) -> None:
        log.debug(message, *args)


class HttpServer(ThreadedWSGIServer):
    """Serves ``app`` on ``listener`` until :meth:`shutdown`."""

    def __init__(self, listener: socket.socket, config: Config, app: Any) -> None:
        super().__init__(config.host, config.port, app, handler=_Handler, fd=listener.fileno())
        listener.close()  # the server has its own copy of the descriptor
        self.head_timeout = config.head_timeout
        self.connections = Connections(most_connections(config), patience=config.head_timeout)

    def serve_forever(self, poll_interval: float = 0.2) -> None:
        """Until :meth:`shutdown`; a signal is the caller's business, and so is closing the socket."""
        socketserver.BaseServer.serve_forever(self, poll_interval)

    def get_request(self) -> tuple[socket.socket, Any]:
        """The next connection.  Raises OSError if there is none after all."""
        try:
            return super().get_request()
        except OSError as error:
            if error.errno in OUT_OF_HANDLES:
                log.error("no connection can be taken: %s", error.strerror)
                self.connections.free_one()
                time.sleep(0.1)  # it would be asked for again at once
            raise

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread of its own, or say why not."""
        if self.connections.admit(request):
            super().process_request(request, client_address)
            return
        log.warning("a connection was refused: all %d are in use", self.connections.most)
        if self.connections.may_refuse():
            threading.Thread(target=self._refuse, args=(request,), name="refusal", daemon=True).start()
        else:
            self.shutdown_request(request)

    def shutdown_request(self, request: Any) -> None:
        """The end of every connection."""
        self.connections.end(request)
        super().shutdown_request(request)

    def _refuse(self, connection: socket.socket) -> None:
        try:
            _say(connection, _FULL.format(self.connections.most, self.connections.most))
        finally:
            self.shutdown_request(connection)
            self.connections.refused()

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.debug("a connection from %s failed", client_address, exc_info=True)


def _say(connection: socket.socket, text: str) -> None:
    """Answer 503 with ``text``, whatever was asked."""
    body = text.encode()
    head = (
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\nRetry-After: 10\r\nConnection: close\r\n\r\n"
    )
    connection.settimeout(1.0)
    with contextlib.suppress(OSError):  # gone, or too slow to be told
        connection.sendall(head.encode() + body)
        connection.shutdown(socket.SHUT_WR)
        rest = _Input(connection, 1.0)
        while rest.read(65536):  # closed with something unread, it would lose what was just said
            pass
