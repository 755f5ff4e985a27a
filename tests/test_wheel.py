"""What is installed is what was tested: the wheel holds the page and the data, and serves them."""

from __future__ import annotations

import subprocess
import sys
import urllib.request
import zipfile
from configparser import ConfigParser
from pathlib import Path

import pytest

from tests.running import ROOT, Server


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(folder.glob("layerlab-*.whl"))


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    return set(zipfile.ZipFile(wheel).namelist())


@pytest.mark.parametrize("folder", ["static", "templates"])
def test_every_file_of_the_page_is_in_the_wheel(names: set[str], folder: str) -> None:
    files = {path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob("*") if path.is_file()}
    assert files
    assert not {f"webapp/{name}" for name in files} - names


def test_the_packages_and_the_data_are_in_the_wheel_and_nothing_else(names: set[str]) -> None:
    assert {"engine/__init__.py", "webapp/contract/commands.py", "engine/datasets/mnist.npz"} <= names
    metadata = next(name for name in names if name.endswith("/METADATA")).split("/")[0]
    assert {name.split("/")[0] for name in names} == {"engine", "webapp", metadata}
    assert {f"{metadata}/licenses/LICENSE", f"{metadata}/licenses/LICENSE-DATA"} <= names


def test_the_command_is_called_layerlab(wheel: Path, names: set[str]) -> None:
    points = ConfigParser()
    entry_points = next(name for name in names if name.endswith("/entry_points.txt"))
    points.read_string(zipfile.ZipFile(wheel).read(entry_points).decode())
    assert dict(points["console_scripts"]) == {"layerlab": "webapp.cli:main"}


def test_what_the_wheel_holds_serves_the_page(wheel: Path, tmp_path: Path) -> None:
    code = tmp_path / "code"
    zipfile.ZipFile(wheel).extractall(code)
    server = Server(tmp_path / "data", code=code)
    try:
        for path, wanted in {"/": b"js/main.js", "/static/js/main.js": b"import", "/digits": b"js/main.js"}.items():
            with urllib.request.urlopen(server.url + path, timeout=10) as response:
                assert response.status == 200
                assert wanted in response.read()
    finally:
        server.stop()
