"""The first thing a request meets: is it meant for this server, and from its own page?"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from webapp.config import Config
from webapp.stream.transport import Transport

SOCKET_PATH = "/socket.io"
_MAX_QUERY = 4096


class Gate:
    """WSGI middleware.

    The exact Host check keeps out pages of other names that were made to point here (DNS
    rebinding); the exact Origin check keeps other sites' scripts off the socket, which
    browsers would open for them with the person's cookie.
    """

    def __init__(self, app: Callable[..., Iterable[bytes]], config: Config, transport: Transport) -> None:
        self._app = app
        self._hosts = config.hosts
        self._transport = transport

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        problem = self._problem(environ)
        if problem is None:
            return self._app(environ, start_response)
        status, text = problem
        body = f"{text}\n".encode()
        headers = [
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("X-Content-Type-Options", "nosniff"),
        ]
        start_response(status, headers)
        return [body]

    def _problem(self, environ: dict[str, Any]) -> tuple[str, str] | None:
        host = environ.get("HTTP_HOST", "").lower()
        if host not in self._hosts:
            names = " or ".join(sorted(self._hosts))
            return "400 Bad Request", f"The host name {host[:80]!r} isn't this server's; open {names}."
        path: str = environ.get("PATH_INFO", "")
        if path != SOCKET_PATH and not path.startswith(f"{SOCKET_PATH}/"):
            return None
        origin = environ.get("HTTP_ORIGIN", "")
        if origin != f"{environ['wsgi.url_scheme']}://{host}":
            return "403 Forbidden", f"The origin {origin[:80]!r} may not open a socket here; the page's own may."
        if len(environ.get("QUERY_STRING", "")) > _MAX_QUERY:
            return "414 URI Too Long", f"A query has at most {_MAX_QUERY} characters."
        return self._transport.problem(environ)
