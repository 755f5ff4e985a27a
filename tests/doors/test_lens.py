"""A lens is a few files that lie beside each other, also for a kind that is there already."""

from __future__ import annotations

from pathlib import Path

from tests.doors.counts import files_needed
from tests.doors.running import codes_of, described, files_of, serving
from tests.labs import Page


def test_a_lens_needs_as_many_files_as_contributing_says() -> None:
    assert len(files_of("lens")) == files_needed("a lens")


def test_two_pages_of_one_run_look_through_different_lenses(tmp_path: Path) -> None:
    with serving(tmp_path, "lens") as server:
        told = described(server)
        (points,) = [kind for kind in told["kinds"] if kind["name"] == "points"]
        assert [(lens["name"], lens["key"]) for lens in points["lenses"]] == [("network", "1"), ("dead", "7")]
        one = Page(server.url, codes=codes_of(told))
        other = Page(server.url, one.cookie, codes=codes_of(told))
        run = one.open("points")
        assert other.command("open", kind="points", run=run, lens="dead")["ok"]
        first = other.wait_frame()
        assert first.key and "dead" in first.parts and "maps" not in first.parts
        assert first.parts["dead"].shape == (first.parts["layers"].sum(),)
        one.command("play", run=run)
        one.wait_frame(lambda frame: frame.step > 0 and not frame.key)
        assert all("maps" in frame.parts and "dead" not in frame.parts for frame in one.frames)

        seen = len(other.frames)
        assert other.command("lens", run=run, lens="network")["ok"]
        changed = other.wait_frame(lambda frame: "maps" in frame.parts, "a frame through the other lens")
        assert changed.key, "it stands alone: there is nothing of this lens that it could be laid over"
        between = list(other.frames)[seen : other.frames.index(changed)]
        assert all("dead" in frame.parts for frame in between)
        for page in (one, other):
            page.close()
