"""What a plug-in does wrong stops the start in one line: a class never sees it as a page that fails."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.running import ROOT

KIND = "kinds/toy/__init__.py"
LENS = "kinds/points/lenses/dead.py"
LAYER = "layers/gated.py"
BOUNDED = "Annotated[float, Meta(ge=0.5, le=2.0)] = 1.0"

# What is written instead of what, in which file of which plug-in, and what the line says.
MISTAKES = {
    "a number without bounds": ("kind", KIND, BOUNDED, "float = 1.0", "ToySettings.waves: a number needs both bounds"),
    "a type without a control": ("kind", KIND, BOUNDED, "complex = 1j", "ToySettings.waves: "),
    "a default that changes": ("kind", KIND, BOUNDED, "dict = {}", "ToySettings.waves: it needs a default"),
    "no limits": ("kind", KIND, 'limits={"layers": 2, "units": 16},', "", "must bound their number"),
    "a command of that name": ("kind", KIND, 'tag="ask"', 'tag="play"', "have the type 'play'"),
    "a title without text": ("kind", KIND, '"toy.title"', '"toy.titel"', "the title 'toy.titel' stands in none"),
    "an address of the server": ("kind", KIND, 'path="/toy"', 'path="/static"', "its path '/static' must be"),
    "an address with a part": ("kind", KIND, 'path="/toy"', 'path="/<toy>"', "its path '/<toy>' must be"),
    "a key that resets": ("lens", LENS, 'key="7"', 'key="r"', "its key 'r' must be one of 1 to 7"),
    "a layer's name without text": ("gated", LAYER, '"layer.gated"', '"layer.gate"', "'layer.gate' stands in none"),
    "a layer without bounds": ("gated", LAYER, "Annotated[int, Meta(ge=1, le=512)]", "int", "Gated.units: a number"),
    "another tag than the file": ("gated", LAYER, 'tag="gated"', 'tag="gate"', "with tag='gated'"),
}


def start(plugin: Path, data_dir: Path) -> str:
    """What Layerlab says that doesn't start with this plug-in."""
    words = ["--no-browser", "--port", "0", "--workers", "1", "--executor", "numpy", "--device", "cpu"]
    command = [sys.executable, "-m", "webapp", *words, "--data-dir", str(data_dir), "--plugins", str(plugin)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout) == (1, "")
    return ended.stderr


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_stops_the_start_in_one_line(mistake: str, tmp_path: Path) -> None:
    plugin, file, right, wrong, said = MISTAKES[mistake]
    folder = shutil.copytree(Path(__file__).parent / plugin, tmp_path / "plugin")
    source = (folder / file).read_text(encoding="utf-8")
    assert right in source
    (folder / file).write_text(source.replace(right, wrong), encoding="utf-8")
    line = start(folder, tmp_path / "data")
    assert said in line
    assert line.count("\n") == 1


def test_a_kind_without_its_page_part_is_named(tmp_path: Path) -> None:
    folder = shutil.copytree(Path(__file__).parent / "kind", tmp_path / "plugin")
    (folder / "kinds/toy/page/index.js").unlink()
    assert "js/kinds/toy/index.js" in start(folder, tmp_path / "data")


def test_a_folder_that_brings_nothing_is_named(tmp_path: Path) -> None:
    assert "neither kinds/ nor layers/" in start(Path(__file__).parent / "kind" / "kinds", tmp_path / "data")
