"""A real server with a plug-in, and what a page of it is sent."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from tests.running import Server
from webapp.contract.wire import Codes

HERE = Path(__file__).parent


def files_of(plugin: str) -> list[Path]:
    """All files of the plug-in ``tests/doors/PLUGIN``, which are all there is to it."""
    found = (path for path in (HERE / plugin).rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return sorted(path.relative_to(HERE / plugin) for path in found)


@contextmanager
def serving(data_dir: Path, *plugins: str) -> Iterator[Server]:
    """Layerlab as a person starts it, with these plug-ins of tests/doors."""
    options = [word for plugin in plugins for word in ("--plugins", str(HERE / plugin))]
    server = Server(data_dir, "--workers", "1", "--device", "cpu", "--executor", "numpy", *options)
    try:
        yield server
    finally:
        server.stop()


def described(server: Server, path: str = "/") -> dict[str, Any]:
    """What the server tells a page of itself."""
    with urlopen(server.url + path, timeout=10) as response:
        html = response.read().decode()
    block = re.search(r'id="describe">(.*?)</script>', html, re.DOTALL)
    assert block is not None
    told: dict[str, Any] = json.loads(block[1])
    return told


def codes_of(told: dict[str, Any]) -> Codes:
    """The numbers of kinds and sections as that server has them."""
    codes = Codes(())
    codes.kinds = {name: int(code) for code, name in told["wire"]["kinds"].items()}
    codes.sections = {
        kind: {name: int(code) for code, name in names.items()} for kind, names in told["wire"]["sections"].items()
    }
    return codes
