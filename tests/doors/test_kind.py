"""A kind of page is one folder: put there, it has its page, its settings, its command and its section."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.browser.harness import Problems, in_address, opener, pause, play, playing, steps, trains_on
from tests.doors.counts import files_needed
from tests.doors.running import described, files_of, serving


def test_a_kind_needs_as_many_files_as_contributing_says() -> None:
    assert len(files_of("kind")) == files_needed("a kind")


def test_a_kind_of_ones_own_is_described_like_the_others(tmp_path: Path) -> None:
    with serving(tmp_path, "kind") as server:
        toy = described(server, "/toy")["kinds"][-1]
        assert described(server, "/toy")["page"] == "toy"
    assert (toy["name"], toy["path"], toy["title"]) == ("toy", "/toy", "toy.title")
    assert (toy["settings"]["waves"]["min"], toy["settings"]["waves"]["max"]) == (0.5, 2.0)


def test_a_kind_of_ones_own_opens_in_the_browser_and_trains(browser: Browser, tmp_path: Path) -> None:
    watched: list[tuple[Page, Problems]] = []
    with serving(tmp_path, "kind") as server:
        page = opener(browser.new_context, server.url, watched)("/")
        page.get_by_role("navigation").get_by_role("link", name="A wave").click()
        expect(page).to_have_url(re.compile("/toy"))
        play(page)
        playing(page)
        trains_on(page)
        page.locator("select[name=speed]").select_option("max")
        page.wait_for_function("() => /says 0\\.9|says 1\\.0/.test(document.body.innerText)", timeout=60_000)

        page.locator("input[name=x]").fill("-0.5")  # its command
        expect(page.get_by_test_id("answer")).to_contain_text("At x = -0.50")
        page.wait_for_function("() => /says -0\\.9|says -1\\.0/.test(document.body.innerText)", timeout=30_000)
        pause(page)

        page.locator("input[name=waves]").fill("2")  # its setting
        in_address(page, "waves=2")
        before = steps(page)
        play(page)
        page.wait_for_function("before => window.layerlab?.step > before + 1000", arg=before, timeout=30_000)
        page.wait_for_function("() => /says -?0\\.[01]/.test(document.body.innerText)", timeout=30_000)

        page.reload()
        expect(page.locator("input[name=waves]")).to_have_value("2")
        expect(page.get_by_test_id("answer")).to_contain_text("At x = -0.50")
        page.context.close()
    assert watched[0][1].found == []


def test_tabs_that_do_not_fit_scroll_to_the_page_that_is_shown(browser: Browser, tmp_path: Path) -> None:
    watched: list[tuple[Page, Problems]] = []
    with serving(tmp_path, "kind") as server:
        page = opener(browser.new_context, server.url, watched)("/", viewport={"width": 390, "height": 844})
        tabs = page.get_by_role("navigation").get_by_role("link")
        expect(tabs).to_have_count(3)
        boxes = tabs.evaluate_all("tabs => tabs.map((tab) => [tab.scrollWidth, tab.clientWidth])")
        assert all(wanted <= given for wanted, given in boxes), boxes
        last = tabs.filter(has_text="A wave")
        expect(last).not_to_be_in_viewport(ratio=0.99)
        page.goto("/toy")
        expect(last).to_be_in_viewport(ratio=0.99)  # a part of a pixel is lost in rounding
        expect(tabs.first).not_to_be_in_viewport(ratio=0.99)
        tabs.first.focus()
        expect(tabs.first).to_be_in_viewport(ratio=0.99)
        page.context.close()
    assert watched[0][1].found == []
