"""What a browser may load: the pages of the kinds, their texts, and the files of plug-ins."""

from __future__ import annotations

import secrets
from functools import cache, partial
from importlib import metadata

from flask import Flask, Response, abort, render_template, request, send_from_directory

from webapp import layers, plugins
from webapp.config import asset_folder
from webapp.contract.kind import KindError
from webapp.kinds import registry
from webapp.web.assets import KINDS, page_folders, text_folders
from webapp.web.describe import describe, modules_of, styles_of
from webapp.web.identity import COOKIE, Identity
from webapp.web.texts import Language, Texts

_LANGUAGE_COOKIE = "layerlab_lang"
_YEAR = 365 * 24 * 3600


@cache
def version() -> str:
    """Layerlab's version; "dev" in a checkout that isn't installed."""
    try:
        return metadata.version("layerlab")
    except metadata.PackageNotFoundError:
        return "dev"


class Pages:
    """Adds the routes to ``app``.

    Texts, templates and what the modules import are read now; raises ConfigError for what is damaged.
    """

    def __init__(self, app: Flask, identity: Identity) -> None:
        self._identity = identity
        self._texts = Texts(asset_folder("static") / "i18n", text_folders())
        self._modules = {kind: modules_of(kind) for kind in registry()}
        _check_words(self._texts)
        for template in app.jinja_env.list_templates(["html"]):
            app.jinja_env.get_template(template)  # kept from now on: a page must not need a file handle more
        for kind in registry().values():
            app.add_url_rule(kind.path, kind.name, partial(self._page, kind.name))
        app.add_url_rule("/texts/<language>.json", "texts", self._catalogue)
        app.add_url_rule("/healthz", "healthz", lambda: {"status": "ok", "version": version()})
        if plugins.folders():
            app.add_url_rule(f"/static/{KINDS}/<kind>/<path:filename>", "kind_file", _kind_file)
        app.register_error_handler(404, lambda _: (self._not_found(), 404))

    def _page(self, page: str) -> Response:
        language = self._language()
        text = render_template(
            "page.html",
            lang=language.html,
            t=self._texts[language.code].__getitem__,  # {{ t("app.title") }}
            styles=styles_of(page),
            modules=self._modules[page],
            describe=describe(page, language.code, self._texts),
        )
        response = Response(text, mimetype="text/html")
        person = self._identity.verify(request.cookies.get(COOKIE, ""))
        self._identity.write(response, person or secrets.token_urlsafe(16))
        response.headers["Cache-Control"] = "no-store"  # it sets a cookie
        response.vary.add("Accept-Language")
        response.vary.add("Cookie")
        if request.args.get("lang") in self._texts:
            response.set_cookie(_LANGUAGE_COOKIE, language.code, max_age=_YEAR, samesite="Lax")
        return response

    def _not_found(self) -> Response:
        """One sentence and the way back. It is no visit: nothing is written into the browser."""
        language = self._language()
        start = next(iter(registry().values())).path
        t = self._texts[language.code].__getitem__
        response = Response(
            render_template("notfound.html", lang=language.html, t=t, start=start), mimetype="text/html"
        )
        response.headers["Cache-Control"] = "no-store"
        response.vary.add("Accept-Language")
        response.vary.add("Cookie")
        return response

    def _catalogue(self, language: str) -> Response:
        """The sentences of a language; asked for again, they are sent only if they have changed."""
        if language not in self._texts:
            abort(404)
        response = Response(self._texts.json[language], mimetype="application/json")
        response.headers["Cache-Control"] = "no-cache"
        response.add_etag()
        response.make_conditional(request)
        return response

    def _language(self) -> Language:
        """``?lang=``, else the cookie, else what the browser prefers, else English."""
        known = {language.code: language for language in self._texts.languages}
        for wish in (request.args.get("lang"), request.cookies.get(_LANGUAGE_COOKIE)):
            if wish in known:
                return known[wish]
        return known[request.accept_languages.best_match(known) or self._texts.default]


def _check_words(texts: Texts) -> None:
    """Raise KindError for the name of a kind, a lens or a layer that no text gives."""
    said = texts[texts.default]
    for kind in registry().values():
        for title in (kind.title, *(lens.title for lens in kind.lenses.values())):
            if title not in said:
                raise KindError(f"kind {kind.name}: the title {title!r} stands in none of its texts")
    for layer in layers.KINDS.values():
        if layer.words not in said:
            raise KindError(f"layer {layer.tag}: its name {layer.words!r} stands in none of its texts")


def _kind_file(kind: str, filename: str) -> Response:
    """A file of a kind's part of the page, which may be a plug-in's."""
    for folder in page_folders(kind) if kind in registry() else []:
        if (folder / filename).is_file():
            return send_from_directory(folder, filename)
    abort(404)
