"""A lens is a few files that lie beside each other, also for a kind that is there already."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from playwright.sync_api import Page as BrowserPage

from tests.browser.harness import Problems, axe_violations, in_address, opener
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


@pytest.fixture
def open_page(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., BrowserPage]]:
    """Pages of a server that has the toy lens; the test fails if one of them had a problem."""
    watched: list[tuple[BrowserPage, Problems]] = []
    with serving(tmp_path, "lens") as server:
        yield opener(browser.new_context, server.url, watched)
        for page, _ in watched:
            page.context.close()
    assert [problem for _, problems in watched for problem in problems.found] == []


def test_a_lens_is_opened_by_its_chip_and_by_its_key(open_page: Callable[..., BrowserPage]) -> None:
    page = open_page("/")
    lenses = page.get_by_role("radiogroup", name="View")
    expect(lenses.get_by_role("radio")).to_have_count(2)
    expect(lenses.get_by_role("radio", name="Network")).to_be_checked()
    neuron = page.locator("[data-neuron='1-2']")
    neuron.click()

    page.keyboard.press("7")
    expect(page.get_by_test_id("dead")).to_have_text("0 of 10 units say the same everywhere.")
    expect(lenses.get_by_role("radio", name="Dead units")).to_be_checked()
    expect(neuron).to_have_count(0)
    in_address(page, "lens=dead")
    assert axe_violations(page) == []

    page.keyboard.press("1")
    expect(neuron).to_have_attribute("aria-pressed", "true")  # what is picked is picked in every lens
    page.wait_for_function("() => !location.hash.includes('lens')")
    lenses.get_by_role("radio", name="Network").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_test_id("dead")).to_be_visible()

    page.get_by_role("link", name="Digits").click()
    expect(page.locator(".digits-page")).to_be_visible()
    expect(page.get_by_role("radiogroup", name="View")).to_have_count(0)


def test_the_address_opens_a_lens_and_names_one_that_isnt_there(open_page: Callable[..., BrowserPage]) -> None:
    page = open_page("/#lens=dead&noise=0.3")
    expect(page.get_by_test_id("dead")).to_contain_text("of 10 units")
    in_address(page, "noise=0.3&lens=dead")
    page.reload()
    expect(page.get_by_test_id("dead")).to_contain_text("of 10 units")
    page.goto("/#lens=nothing")
    expect(page.locator(".banner")).to_contain_text("These work: network, dead.")


def test_a_phone_has_the_lenses_above_the_stage(open_page: Callable[..., BrowserPage]) -> None:
    page = open_page("/?lang=zh", viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    chip = page.get_by_role("radiogroup", name="视图").locator("label", has_text="失效单元")
    chip.tap()
    expect(page.get_by_test_id("dead")).to_be_visible()
    box: Any = chip.bounding_box()
    assert box["height"] >= 40
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
