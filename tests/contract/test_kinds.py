"""The records of kinds and lenses: what is at odds is named, and numbers on the wire follow from what there is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.running import ROOT
from tests.web.test_http import layerlab
from webapp.contract.errors import ProtocolError
from webapp.contract.kind import COMMON, Kind, KindError, Section
from webapp.contract.settings import Settings
from webapp.contract.wire import Codes
from webapp.kinds import Kinds, registry


def kind(name: str = "poems", path: str = "/poems", **more: object) -> Kind:
    return Kind(name=name, path=path, title=f"{name}.title", settings=Settings, experiment="x:Y", **more)  # type: ignore[arg-type]


def test_a_kind_is_there_because_its_folder_is():
    folders = {path.parent.name for path in (ROOT / "webapp/kinds").glob("*/__init__.py")}
    assert set(registry()) == folders


def test_every_kind_has_its_part_of_the_page():
    for name, found in registry().items():
        folder = ROOT / "static/js/kinds" / name
        assert (folder / "index.js").is_file()
        assert all((folder / sheet).is_file() for sheet in found.styles)


@pytest.mark.parametrize("name", ["", "Poems", "1st", "po-ems", "x" * 33])
def test_a_name_that_cant_be_a_folder_is_refused(name):
    with pytest.raises(KindError, match="name"):
        kind(name)


def test_a_path_begins_with_a_slash():
    with pytest.raises(KindError, match=r"poems.*path"):
        kind(path="poems")


@pytest.mark.parametrize("other", [kind(path="/other"), kind("other")], ids=["name", "path"])
def test_two_kinds_share_neither_name_nor_path(other):
    with pytest.raises(KindError, match="share"):
        Kinds([kind(), other])


def test_kinds_stand_in_their_order():
    assert list(Kinds([kind("b", "/b", order=2), kind("c", "/c", order=1), kind("a", "/a", order=2)])) == [
        "c",
        "a",
        "b",
    ]


def test_sections_are_numbered_from_the_common_ones_on():
    codes = registry().codes
    for name, found in registry().items():
        expected = [*COMMON, *found.sections, *(each for lens in found.lenses.values() for each in lens.sections)]
        assert list(codes.sections[name]) == [section.name for section in expected]
        assert list(codes.sections[name].values()) == list(range(1, len(expected) + 1))


def test_two_sections_of_one_name_are_refused():
    with pytest.raises(KindError, match="metrics"):
        Codes([kind("points", sections=(Section("metrics", "again"),))])  # of a name that has a folder


def test_a_lens_that_isnt_there_is_refused_and_none_is_the_first():
    points = registry()["points"]
    assert points.lens(None) == "network" == points.lens("network")
    with pytest.raises(ProtocolError) as refused:
        points.lens("kaleidoscope")
    assert refused.value.problem.code == "no_such_lens"


BROKEN = {
    "no record": ("kinds/poems/__init__.py", "x = 1\n", "webapp.kinds.poems"),
    "another name": (
        "kinds/poems/__init__.py",
        "from webapp.kinds.points import kind\n",
        "webapp.kinds.poems",
    ),
    "a lens without a record": ("kinds/points/lenses/poem.py", "x = 1\n", "webapp.kinds.points.lenses.poem"),
    "a lens on a key that is taken": (
        "kinds/points/lenses/poem.py",
        "from webapp.contract.kind import Lens\n"
        "lens = Lens(name='poem', key='1', title='lens.network', sections=(), encode=lambda points, key: [])\n",
        "poem",
    ),
}


@pytest.mark.parametrize(("file", "text", "named"), BROKEN.values(), ids=BROKEN)
def test_a_plug_in_that_cant_work_stops_the_start_in_one_line(tmp_path: Path, file, text, named):
    path = tmp_path / "plugin" / file
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    options = ["--port", "0", "--data-dir", str(tmp_path / "data"), "--plugins", str(tmp_path / "plugin")]
    done = layerlab("--no-browser", *options)
    assert done.returncode == 1 and done.stdout == ""
    assert len(done.stderr.splitlines()) == 1 and named in done.stderr, done.stderr
