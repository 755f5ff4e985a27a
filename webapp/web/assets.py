"""Where the files of the page lie: those of the installation, and those that plug-ins bring for their kinds."""

from __future__ import annotations

from pathlib import Path

from webapp import layers, plugins
from webapp.config import asset_folder
from webapp.kinds import registry

KINDS = "js/kinds"  # under static
_STATIC = "/static/"


def page_folders(kind: str) -> list[Path]:
    """The folders with the kind's part of the page: here, and in the plug-ins that have one."""
    folders = [asset_folder("static") / KINDS / kind]
    folders += [folder / "kinds" / kind / "page" for folder in plugins.folders()]
    return [folder for folder in folders if folder.is_dir()]


def file_of(address: str) -> Path | None:
    """The file that is served under ``address`` ("/static/..."); None if there is none."""
    if not address.startswith(_STATIC):
        return None
    name = address.removeprefix(_STATIC)
    places = [asset_folder("static") / name]
    if name.startswith(f"{KINDS}/"):
        kind, _, rest = name.removeprefix(f"{KINDS}/").partition("/")
        places = [folder / rest for folder in page_folders(kind)]
    return next((path for path in places if path.is_file()), None)


def text_folders() -> list[Path]:
    """The folders with the texts that only a kind, one of its lenses or a kind of layer has."""
    found = [texts for folder in layers.__path__ for texts in sorted(Path(folder).glob("texts/*"))]
    for kind in registry():
        for folder in page_folders(kind):
            found += [folder / "texts", *sorted(folder.glob("lenses/*/texts"))]
    return [folder for folder in found if folder.is_dir()]
