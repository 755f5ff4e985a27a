"""What the page's scripts are told of the server; the template embeds it as JSON."""

from __future__ import annotations

from typing import Any

import msgspec

from webapp.contract import wire
from webapp.contract.kind import Kind, Lens
from webapp.kinds import registry
from webapp.web.assets import KINDS
from webapp.web.modules import MAIN, reached
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


def styles_of(page: str) -> list[str]:
    """The style sheets, under static, that a page begins with: all kinds', and its own first lens's."""
    sheets = [f"{KINDS}/{kind.name}/{sheet}" for kind in registry().values() for sheet in kind.styles]
    first = next(iter(registry()[page].lenses.values()), None)
    return sheets + (lens_styles(registry()[page], first) if first else [])


def lens_styles(kind: Kind, lens: Lens) -> list[str]:
    """The style sheets of a lens, under static; the page links them when it opens the lens."""
    return [f"{KINDS}/{kind.name}/lenses/{lens.name}/{sheet}" for sheet in lens.styles]


def modules_of(page: str) -> list[str]:
    """The addresses of the modules that a page loads before it shows anything: its kind's and its first lens's, too."""
    lenses = list(registry()[page].lenses)[:1]
    return reached([MAIN, module_of(page), *(lens_module(page, lens) for lens in lenses)])


def lens_module(kind: str, lens: str) -> str:
    """The address of the module with the lens's part of the page."""
    return f"/static/{KINDS}/{kind}/lenses/{lens}/index.js"


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
                "module": lens_module(kind.name, lens.name),
                "styles": [f"/static/{sheet}" for sheet in lens_styles(kind, lens)],
            }
            for lens in kind.lenses.values()
        ],
    }
