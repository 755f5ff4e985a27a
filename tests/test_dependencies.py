"""Nothing is used that isn't declared, pinned and explained."""

from __future__ import annotations

import importlib.metadata
import json
import re
import sys
import tomllib
from pathlib import Path

import pytest

from tests.test_imports import MODULES, imports_of

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
OPTIONAL = {"cupy", "numba", "llvmlite"}  # extras: devices.py and machine.py say so where they are missing


def names_in(lines: list[str]) -> list[str]:
    found = [re.match(r"[\w.-]+", line) for line in lines]
    return [normal(match.group()) for match in found if match]


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


RUN = names_in(PROJECT["project"]["dependencies"])
EXTRAS = [name for extra in PROJECT["project"]["optional-dependencies"].values() for name in names_in(extra)]
DEV = names_in(PROJECT["dependency-groups"]["dev"])
VENDORED = [library["name"] for library in json.loads((ROOT / "static/vendor/lock.json").read_text(encoding="utf-8"))]


@pytest.mark.parametrize("name", MODULES)
def test_what_is_imported_is_declared(name: str) -> None:
    ours = {"engine", "webapp", *sys.stdlib_module_names, *OPTIONAL}
    packages = {module.split(".")[0] for module in imports_of(name)} - ours
    belongs_to = importlib.metadata.packages_distributions()
    missing = [one for one in packages if not {normal(each) for each in belongs_to.get(one, [])} & set(RUN)]
    assert not missing, f"{name} imports {missing}, which pyproject.toml does not name"


@pytest.mark.parametrize("name", [*RUN, *EXTRAS, *DEV])
def test_what_is_declared_is_pinned(name: str) -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if normal(line.partition("==")[0]) == name]
    assert len(pins) == 1
    assert "==" in pins[0]


@pytest.mark.parametrize("name", [*RUN, *EXTRAS, *DEV, *VENDORED])
def test_what_is_used_is_explained(name: str) -> None:
    text = (ROOT / "docs/dependencies.md").read_text(encoding="utf-8")
    assert re.search(rf"(?<![\w@/-]){re.escape(name)}(?![\w/-])", text), f"{name} has no reason in docs/dependencies.md"
