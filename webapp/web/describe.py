"""What the page's scripts are told of the server; the template embeds it as JSON."""

from __future__ import annotations

from typing import Any

import msgspec

from webapp.contract import wire
from webapp.contract.kind import Kind
from webapp.kinds import registry
from webapp.web.assets import KINDS
from webapp.web.texts import Texts


def describe(page: str, language: str, texts: Texts) -> dict[str, Any]:
    """All that the page would else have to repeat: kinds with their limits, languages, the wire's numbers."""
    return {
        "page": page,
        "lang": language,
        "languages": msgspec.to_builtins(texts.languages),
        "kinds": [_kind(kind) for kind in registry().values()],
        "wire": wire.describe(registry().codes),
    }


def module_of(kind: str) -> str:
    """The address of the module with the kind's part of the page."""
    return f"/static/{KINDS}/{kind}/index.js"


def _kind(kind: Kind) -> dict[str, Any]:
    return {
        "name": kind.name,
        "path": kind.path,
        "title": kind.title,
        "module": module_of(kind.name),
        "settings": kind.fields,
        "pace": dict(kind.pace),
        "lenses": [
            {
                "name": lens.name,
                "key": lens.key,
                "title": lens.title,
                "module": f"/static/{KINDS}/{kind.name}/lenses/{lens.name}/index.js",
            }
            for lens in kind.lenses.values()
        ],
    }
