"""Nothing is used that isn't declared, pinned and explained."""

from __future__ import annotations

import importlib.metadata
import json
import re
import sys
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement

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


@cache
def belongs_to() -> Mapping[str, list[str]]:
    """The distributions that bring each package; to find out takes half a second."""
    return importlib.metadata.packages_distributions()


@pytest.mark.parametrize("name", MODULES)
def test_what_is_imported_is_declared(name: str) -> None:
    ours = {"engine", "webapp", *sys.stdlib_module_names, *OPTIONAL}
    packages = {module.split(".")[0] for module in imports_of(name)} - ours
    missing = [one for one in packages if not {normal(each) for each in belongs_to().get(one, [])} & set(RUN)]
    assert not missing, f"{name} imports {missing}, which pyproject.toml does not name"


SYSTEMS = [("linux", "x86_64"), ("linux", "aarch64"), ("win32", "AMD64"), ("darwin", "arm64"), ("darwin", "x86_64")]


def on_system(lines: list[str], system: str, machine: str) -> dict[str, list[Requirement]]:
    """The requirements that hold there, by name."""
    found: dict[str, list[Requirement]] = {}
    for text in filter(None, (line.partition("#")[0].strip() for line in lines)):
        requirement = Requirement(text)
        marker = requirement.marker
        if marker is None or marker.evaluate({"sys_platform": system, "platform_machine": machine}):
            found.setdefault(normal(requirement.name), []).append(requirement)
    return found


@pytest.mark.parametrize("system, machine", SYSTEMS)
def test_what_is_declared_is_pinned_once_on_every_system(system: str, machine: str) -> None:
    pins = on_system((ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines(), system, machine)
    for name in {*RUN, *EXTRAS, *DEV}:
        assert len(pins.get(name, [])) == 1, f"{name} on {system} {machine}: {pins.get(name)}"
        assert {each.operator for each in pins[name][0].specifier} == {"=="}


@pytest.mark.parametrize("system, machine", SYSTEMS)
def test_the_native_executor_can_be_had_with_the_pinned_versions(system: str, machine: str) -> None:
    pins = on_system((ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines(), system, machine)
    version = {name: next(iter(pins[name][0].specifier)).version for name in ("numba", "llvmlite", "numpy")}
    (wanted,) = on_system(PROJECT["project"]["optional-dependencies"]["native"], system, machine)["numba"]
    assert wanted.specifier.contains(version["numba"])
    if (system, machine) == ("darwin", "x86_64"):  # the last with wheels for Macs with Intel, and what fits them
        assert version == {"numba": "0.62.1", "llvmlite": "0.45.1", "numpy": "2.3.5"}
        assert not wanted.specifier.contains("0.63.0")  # else pip would take its source, which needs an LLVM


@pytest.mark.parametrize("name", [*RUN, *EXTRAS, *DEV, *VENDORED])
def test_what_is_used_is_explained(name: str) -> None:
    text = (ROOT / "docs/dependencies.md").read_text(encoding="utf-8")
    assert re.search(rf"(?<![\w@/-]){re.escape(name)}(?![\w/-])", text), f"{name} has no reason in docs/dependencies.md"
