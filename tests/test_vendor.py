"""The vendored libraries are the ones that the lock names, and need nothing from elsewhere."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest

VENDOR = Path(__file__).resolve().parent.parent / "static" / "vendor"
LOCK = json.loads((VENDOR / "lock.json").read_text(encoding="utf-8"))
FILES = {path: digest for library in LOCK for path, digest in library["files"].items()}


@pytest.mark.parametrize("path", sorted(FILES))
def test_file_is_the_locked_one(path: str) -> None:
    assert hashlib.sha256((VENDOR / path).read_bytes()).hexdigest() == FILES[path]


def test_nothing_lies_beside_the_lock() -> None:
    found = {path.relative_to(VENDOR).as_posix() for path in VENDOR.rglob("*") if path.is_file()}
    assert found - {"lock.json"} == set(FILES)


@pytest.mark.parametrize("library", LOCK, ids=lambda library: library["name"])
def test_entry_is_complete(library: dict[str, object]) -> None:
    assert set(library) == {"name", "version", "licence", "files"}
    assert re.fullmatch(r"\d+\.\d+\.\d+", str(library["version"]))
    assert library["licence"] in {"MIT", "Apache-2.0", "ISC", "BSD-3-Clause"}
    assert any("LICENSE" in path for path in library["files"])  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", sorted(path for path in FILES if path.endswith(".js")))
def test_imports_are_relative_and_vendored(path: str) -> None:
    text = (VENDOR / path).read_text(encoding="utf-8")
    for name in re.findall(r"""(?:\bfrom|\bimport)\s*["']([^"'\s]+)["']""", text):
        assert name.startswith("."), f"{path} imports {name}, which a browser can't find"
        assert ((VENDOR / path).parent / name).resolve().is_file()
    assert "sourceMappingURL" not in text
