"""The modules that a page begins with: its first ones, those that they import, and so on, read from the files.

The page's head names all of them (``modulepreload``).  A browser that is told nothing finds out one import after
another, and each costs a way to the server and back.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from posixpath import dirname, normpath

from webapp.config import ConfigError
from webapp.web.assets import file_of

MAIN = "/static/js/main.js"

_COMMENT = re.compile(r"/\*.*?\*/|^\s*//[^\n]*", re.DOTALL | re.MULTILINE)
_IMPORT = re.compile(
    r"""(?:^|[;}])\s*(?:import|export)\b(?:[\w\s{},*$]*?\bfrom)?\s*["'](?P<address>[^"']+)["']""", re.MULTILINE
)


def reached(first: list[str]) -> list[str]:
    """The addresses of ``first`` and of all that they import when they are loaded, each once, ``first`` in front.

    Raises ConfigError, which names the file, for a module that isn't there or can't be read.
    """
    found = list(dict.fromkeys(first))
    importer = dict.fromkeys(found, "the page")
    for address in found:  # grows on the way
        for other in _imports_of(_place(address, importer[address])):
            target = normpath(f"{dirname(address)}/{other}")
            if target not in importer:
                importer[target] = address
                found.append(target)
    return found


def imports(source: str) -> list[str]:
    """The addresses in a module's own import and export statements; ``import()`` in its course isn't one."""
    return [match["address"] for match in _IMPORT.finditer(_COMMENT.sub("", source))]


@cache  # most modules belong to every page
def _imports_of(path: Path) -> list[str]:
    try:
        return imports(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError(f"{path}: {reason}. Installing Layerlab again mends a damaged file.") from None


def _place(address: str, importer: str) -> Path:
    path = file_of(address)
    if path is None:
        raise ConfigError(f"{importer} loads {address}, which isn't there. Installing Layerlab again mends it.")
    return path
