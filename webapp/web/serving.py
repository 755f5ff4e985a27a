"""The HTTP server: Werkzeug's, one thread a connection, on a socket that already listens."""

from __future__ import annotations

import errno
import logging
import socket
from typing import Any

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from webapp.config import Config, ConfigError

log = logging.getLogger(__name__)


def listen(config: Config) -> socket.socket:
    """A listening socket.  Raises ConfigError, in one line, where that can't be had."""
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    try:
        return socket.create_server((config.host, config.port), family=family, backlog=128)
    except OverflowError:
        raise ConfigError(f"--port {config.port}: a port is a number from 0 to 65535.") from None
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            message = f"Port {config.port} is in use by another program; choose another one with --port."
        elif error.errno == errno.EACCES:
            message = f"Port {config.port} needs an administrator's rights; choose one above 1023 with --port."
        else:
            message = f"--host {config.host} --port {config.port}: {error.strerror or error}."
        raise ConfigError(message) from None


class _Handler(WSGIRequestHandler):
    """No route here takes a body, no connection may dawdle, and log lines go to our log."""

    timeout = 20.0  # seconds without a byte; sockets have their own limits
    disable_nagle_algorithm = True

    def run_wsgi(self) -> None:
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

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.debug("a connection from %s failed", client_address, exc_info=True)
