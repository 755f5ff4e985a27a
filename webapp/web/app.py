"""The application factory: pages, their headers, and the parts behind them."""

from __future__ import annotations

import json
import logging
import mimetypes
import secrets
from functools import cache, partial
from importlib import metadata
from typing import Any

from flask import Flask, Response, render_template, request

from webapp.config import Config, asset_folder, resolve_device
from webapp.contract import wire
from webapp.kinds import registry
from webapp.runs.dispatch import Runs
from webapp.stream.sockets import Sockets
from webapp.stream.transport import Transport
from webapp.web.gate import Gate
from webapp.web.handles import OUT_OF_HANDLES
from webapp.web.identity import COOKIE, Identity, load_secret
from webapp.workers.pool import Pool
from webapp.workers.worker import Options

log = logging.getLogger(__name__)

LANGUAGES = ("en", "zh")
_LANGUAGE_COOKIE = "layerlab_lang"
_YEAR = 365 * 24 * 3600


@cache
def version() -> str:
    """Layerlab's version; "dev" in a checkout that isn't installed."""
    try:
        return metadata.version("layerlab")
    except metadata.PackageNotFoundError:
        return "dev"


def make_pool(config: Config, experiments: dict[str, str] | None = None) -> Pool:
    """The workers of a server; not started yet.  Raises ConfigError if the device can't be had.

    ``experiments`` ("module:Class" by kind) is for tests; else every kind brings its own.
    """
    device = resolve_device(config.device, config.executor)
    experiments = experiments or {name: kind.experiment for name, kind in registry().items()}
    options = Options(experiments, device, config.data_dir, config.fps)
    limits = {"max_queue": config.max_queue, "max_queue_per_run": config.max_queue_per_run}
    native = config.executor != "numpy" and device == "cpu:0"
    return Pool(config.workers, options, machine_dir=config.machine_folder if native else None, **limits)


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
    _add_routes(app, config, identity)
    app.after_request(_secure)
    for name in app.jinja_env.list_templates(extensions=["html"]):
        app.jinja_env.get_template(name)  # kept from now on: a page must not need a file handle more
    mimetypes.init()  # reads files of the system, which then aren't read in a request
    return app


def _add_routes(app: Flask, config: Config, identity: Identity) -> None:
    for kind in registry().values():
        app.add_url_rule(kind.path, kind.name, partial(_page, kind.name, config, identity))

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        return {"status": "ok", "version": version()}

    @app.errorhandler(OSError)
    def out_of_handles(error: OSError) -> Response:
        if error.errno not in OUT_OF_HANDLES:
            raise error
        log.error("a request can't be answered: %s", error)
        sentence = (
            "The server has too many files open. Reload in ten seconds.\n服务器打开的文件太多。请过十秒再刷新。\n"
        )
        return Response(sentence, 503, mimetype="text/plain")

    @app.errorhandler(404)
    def not_found(_: Exception) -> tuple[Response, int]:
        return _not_found(), 404


def _page(page: str, config: Config, identity: Identity) -> Response:
    language = _language()
    context = {
        "page": page,
        "lang": language,
        "languages": LANGUAGES,
        "t": lambda key: _catalogue(language)[key],  # {{ t("app.title") }}; read only if a template asks
        "version": version(),
        "describe": _describe(page, language, config),
        "styles": [f"js/kinds/{kind.name}/{sheet}" for kind in registry().values() for sheet in kind.styles],
    }
    response = Response(render_template("page.html", **context), mimetype="text/html")
    person = identity.verify(request.cookies.get(COOKIE, ""))
    identity.write(response, person or secrets.token_urlsafe(16))
    response.headers["Cache-Control"] = "no-store"  # it sets a cookie
    response.vary.add("Accept-Language")
    response.vary.add("Cookie")
    if request.args.get("lang") in LANGUAGES:
        response.set_cookie(_LANGUAGE_COOKIE, language, max_age=_YEAR, samesite="Lax")
    return response


def _not_found() -> Response:
    """One sentence and the way back. It is no visit: nothing is written into the browser."""
    language = _language()
    catalogue = _catalogue(language)
    response = Response(
        render_template(
            "notfound.html", lang=language, t=catalogue.__getitem__, start=next(iter(registry().values())).path
        ),
        mimetype="text/html",
    )
    response.headers["Cache-Control"] = "no-store"
    response.vary.add("Accept-Language")
    response.vary.add("Cookie")
    return response


def _describe(page: str, language: str, config: Config) -> dict[str, Any]:
    """What the page's scripts need to know of the server; the template embeds it as JSON."""
    return {
        "page": page,
        "lang": language,
        "languages": LANGUAGES,
        "version": version(),
        "fps": config.fps,
        "credits": 2,
        "settings": {name: kind.fields for name, kind in registry().items()},
        "pace": {name: dict(kind.pace) for name, kind in registry().items()},
        "wire": wire.describe(registry().codes),
    }


def _language() -> str:
    """``?lang=``, else the cookie, else what the browser prefers, else English."""
    for wish in (request.args.get("lang"), request.cookies.get(_LANGUAGE_COOKIE)):
        if wish in LANGUAGES:
            return wish
    return request.accept_languages.best_match(LANGUAGES) or LANGUAGES[0]


def _catalogue(language: str) -> dict[str, Any]:
    path = asset_folder("static") / "i18n" / f"{language}.json"
    catalogue: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return catalogue


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
