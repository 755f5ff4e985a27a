"""The application factory: pages, their headers, and the parts behind them."""

from __future__ import annotations

import logging
import mimetypes

from flask import Flask, Response, request

from webapp.config import Config, asset_folder, resolve_device
from webapp.kinds import registry
from webapp.runs.dispatch import Runs
from webapp.stream.sockets import Sockets
from webapp.stream.transport import Transport
from webapp.web.gate import Gate
from webapp.web.handles import OUT_OF_HANDLES
from webapp.web.identity import Identity, load_secret
from webapp.web.pages import Pages
from webapp.workers.compiler import insist
from webapp.workers.pool import Pool
from webapp.workers.worker import Options

log = logging.getLogger(__name__)


def make_pool(config: Config, experiments: dict[str, str] | None = None) -> Pool:
    """The workers of a server; not started yet.  Raises ConfigError if the device, or the executor, can't be had.

    ``experiments`` ("module:Class" by kind) is for tests; else every kind brings its own.
    """
    device = resolve_device(config.device, config.executor)
    experiments = experiments or {name: kind.experiment for name, kind in registry().items()}
    options = Options(
        experiments, device, config.data_dir, config.fps, config.hang_after / 10, config.max_queue_per_run
    )
    limits = {"max_queue": config.max_queue, "max_queue_per_run": config.max_queue_per_run}
    native = config.executor != "numpy" and device == "cpu:0"
    machine_dir = config.machine_folder if native else None
    if config.executor == "native":
        insist(config.machine_folder)
    return Pool(config.workers, options, machine_dir=machine_dir, hang_after=config.hang_after, **limits)


def create_app(config: Config, pool: Pool | None = None) -> Flask:
    """A Flask application with its socket; ``app.extensions["layerlab"]`` is its :class:`Runs`, to start and stop."""
    app = Flask("webapp", static_folder=str(asset_folder("static")), template_folder=str(asset_folder("templates")))
    app.jinja_env.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "allow_nan": False}
    identity = Identity(config.secret or load_secret(config.data_dir))
    transport = Transport(config)
    runs = Runs(config, pool or make_pool(config))
    sockets = Sockets(app, config, identity, runs, transport)
    app.extensions["layerlab"] = runs
    app.extensions["layerlab.transport"] = transport
    app.extensions["layerlab.sockets"] = sockets
    app.wsgi_app = Gate(app.wsgi_app, config, transport)  # type: ignore[method-assign]
    Pages(app, identity)
    app.register_error_handler(OSError, _out_of_handles)
    app.after_request(_secure)
    mimetypes.init()  # reads files of the system, which then aren't read in a request
    return app


def _out_of_handles(error: OSError) -> Response:
    if error.errno not in OUT_OF_HANDLES:
        raise error
    log.error("a request can't be answered: %s", error)
    sentence = "The server has too many files open. Reload in ten seconds.\n服务器打开的文件太多。请过十秒再刷新。\n"
    return Response(sentence, 503, mimetype="text/plain")


def _secure(response: Response) -> Response:
    """The headers of every answer.  The page's scripts and styles are files: nothing inline is ever run."""
    socket_origin = f"{'wss' if request.is_secure else 'ws'}://{request.host}"
    policy = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data: blob:",
        "font-src": "'self'",
        "connect-src": f"'self' {socket_origin}",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    response.headers["Content-Security-Policy"] = "; ".join(f"{name} {value}" for name, value in policy.items())
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=()"
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    return response
