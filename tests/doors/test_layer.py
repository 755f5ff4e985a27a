"""A kind of layer from a folder of its own: no other file knows of it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import numpy as np
import pytest
from playwright.sync_api import Browser
from playwright.sync_api import Page as BrowserPage

from tests.browser.harness import Problems, opener
from tests.doors.counts import files_needed
from tests.labs import Page
from tests.running import ROOT, Server
from webapp.plugins import VARIABLE

FOLDER = Path(__file__).parent / "gated"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    options = ("--plugins", str(FOLDER), "--workers", "1", "--executor", "numpy", "--device", "cpu")
    running = Server(tmp_path_factory.mktemp("gated"), *options)
    yield running
    running.stop()


@pytest.fixture
def page(server: Server) -> Iterator[Page]:
    opened = Page(server.url)
    yield opened
    opened.close()


def read(address: str) -> str:
    with urlopen(address, timeout=10) as response:
        found: str = response.read().decode()
        return found


def gated(*units: int) -> dict[str, Any]:
    return {"layers": [{"type": "gated", "units": size} for size in units]}


def test_it_needs_as_many_files_as_is_said() -> None:
    files = [path for path in FOLDER.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert len(files) == files_needed("a layer")


def test_the_page_is_told_of_it_within_the_limits_of_each_kind(server: Server) -> None:
    block = re.search(r'id="describe">(.*?)</script>', read(server.url), re.DOTALL)
    assert block is not None
    told = {
        kind["name"]: kind["settings"]["layers"]
        for kind in json.loads(block[1])["kinds"]
        if "layers" in kind["settings"]
    }
    for name, most in {"points": 32, "digits": 512}.items():
        found = told[name]["item"]["kinds"]["gated"]
        assert found["title"] == "layer.gated"
        assert found["fields"] == {"units": {"type": "int", "min": 1, "max": most, "default": 4}}
    for language, word in {"en": "Gated", "zh": "门控"}.items():
        assert json.loads(read(f"{server.url}/texts/{language}.json"))["layer.gated"] == word


def test_it_trains_among_others_and_keeps_its_weights_when_it_grows(page: Page) -> None:
    run = page.open()
    reply = page.command("set", run=run, settings={"layers": [*gated(3)["layers"], {"type": "dense", "units": 2}]})
    assert reply["settings"]["layers"][0] == {"type": "gated", "units": 3}
    page.command("play", run=run)
    page.wait_frame(lambda frame: frame.step > 50 and frame.parts["layers"].tolist() == [2, 3, 2, 1])
    page.events.clear()
    page.command("pause", run=run)
    still = page.wait_event(type="status", reason="paused", playing=False, run=run)
    before = page.wait_frame(lambda frame: frame.step == still["step"] and frame.command >= still["seq"])
    seq = page.command("set", run=run, settings={"layers": [*gated(5)["layers"], {"type": "dense", "units": 2}]})["seq"]
    after = page.wait_frame(lambda frame: frame.command == seq)
    assert (after.step, after.parts["layers"].tolist()) == (before.step, [2, 5, 2, 1])
    small, large = before.parts["weights"], after.parts["weights"]
    assert np.array_equal(large[:10].reshape(2, 5)[:, :3], small[:6].reshape(2, 3))
    assert np.array_equal(large[10:20].reshape(5, 2)[:3], small[6:12].reshape(3, 2))


def test_too_many_units_are_refused_with_what_works(page: Page) -> None:
    run = page.open()
    error = page.command("set", run=run, settings=gated(4, 33))["error"]
    assert error["message"] == "layers[1].units: 33 is too many; 1 to 32 work."
    assert error["values"]["where"] == "layers[1].units"


@pytest.mark.parametrize(("many", "whole"), [(2, True), (5, False)])
def test_titles_of_neighbours_are_not_printed_over_each_other(
    server: Server, browser: Browser, many: int, whole: bool
) -> None:
    watched: list[tuple[BrowserPage, Problems]] = []
    page = opener(browser.new_context, server.url, watched)("/#layers=4" + many * ",gated:units=3")
    page.locator(f'[data-neuron="{many + 1}-2"]').wait_for()
    titles = page.locator(".layer-header h3")
    assert titles.nth(1).get_attribute("title") == titles.nth(1).text_content() == "Layer 2 · Gated"
    boxes = titles.evaluate_all("titles => titles.map((title) => title.getBoundingClientRect().toJSON())")
    assert len(boxes) == many + 1
    assert all(left["right"] <= right["left"] for left, right in pairwise(boxes)), boxes
    cut = titles.evaluate_all("titles => titles.filter((title) => title.scrollWidth > title.clientWidth).length")
    assert (cut == 0) == whole
    page.context.close()
    assert watched[0][1].found == []


TRIAL = """
import time
import numpy as np
from webapp.kinds import registry
from webapp.kinds.points.experiment import PointsExperiment

def train(points, steps):
    while steps > 0:
        steps -= points.train(steps, time.perf_counter() + 60)

settings = registry()["points"].settings_for({"layers": [{"type": "gated", "units": 3}], "regularization": "l2"})
points, other = PointsExperiment(settings), PointsExperiment(settings)
train(points, 40)
other.restore(points.snapshot())
held = points.model.layers[0].variables
assert sorted(held) == ["bias", "gate_bias", "gate_weights", "weights"]
for each in (points, other):
    train(each, 40)
states = [each.model.session.state()["float32"] for each in (points, other)]
assert np.array_equal(*states) and other.step == 80
gate = points.model.session.get(held["gate_weights"])
points.configure(registry()["points"].settings_for({"layers": [{"type": "gated", "units": 4}]}, settings))
grown = points.model.session.get(points.model.layers[0].variables["gate_weights"])
assert np.array_equal(grown[:, :3], gate)
print("kept")
"""


def test_all_of_its_weights_survive_a_snapshot_and_a_change() -> None:
    environment = os.environ | {VARIABLE: str(FOLDER)}
    done = subprocess.run([sys.executable, "-c", TRIAL], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.stdout == "kept\n", done.stderr
