"""The page goes over from NumPy to the native machine while it trains."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from engine import native
from engine.native import load
from tests.browser.harness import CATALOGUES, Problems, opener, play, playing, screenshot, steps, trains_on, words
from tests.labs import Lab
from tests.running import MACHINE, Server
from webapp.workers.compiler import Compiler

WATCH_STEPS = """() => {
  window.fell = 0;
  let last = 0;
  const look = () => {
    const step = window.layerlab?.step ?? 0;
    if (step < last) window.fell += 1;
    last = step;
    requestAnimationFrame(look);
  };
  look();
}"""


@pytest.mark.skipif(native.problem() is not None, reason=str(native.problem()))
def test_the_badge_turns_native_and_training_goes_on(browser: Browser, tmp_path: Path) -> None:
    server = Server(tmp_path, "--workers", "1", "--device", "cpu")
    watched: list[tuple[Page, Problems]] = []
    try:
        page = opener(browser.new_context, server.url, watched)("/")
        page.evaluate(WATCH_STEPS)
        play(page)
        trains_on(page)
        badge = page.locator(".badge")
        expect(badge).to_have_text("CPU · native", timeout=90_000)
        expect(badge).to_have_attribute("title", re.compile(re.escape(words("executor.native"))))
        before = steps(page)
        trains_on(page)
        playing(page)
        assert before > 0
        assert page.evaluate("window.fell") == 0, "steps were lost on the way"
        page.locator("select[name=speed]").select_option("max")
        page.wait_for_function("() => window.layerlab?.step > 200_000", timeout=60_000)
        expect(page.get_by_test_id("sentence")).to_contain_text("9")
        screenshot(page, "native")
        page.keyboard.press("?")
        expect(page.locator("dialog")).to_contain_text(CATALOGUES["en"]["executor.native"])
        assert not [problem for _, problems in watched for problem in problems.found]
    finally:
        for page, _ in watched:
            page.context.close()
        server.stop()


@pytest.fixture
def compiler(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[str | None], Any]]:
    """A server's machine is compiled when, and as, the test says: ``compiler[0](problem)``."""
    held: list[Callable[[str | None], Any]] = []
    monkeypatch.setattr(Compiler, "start", lambda _self, compiled, anew=False: held.append(compiled))
    return held


@pytest.fixture
def pages(browser: Browser, make_lab: Callable[..., Lab], compiler: object) -> Iterator[Callable[..., Page]]:
    """Opens pages of a server, ``pages.lab``, that has a machine to compile."""
    watched: list[tuple[Page, Problems]] = []
    lab = make_lab(executor="auto", workers=1, experiments=None, machine_dir=MACHINE)
    open_page = partial(opener(browser.new_context, lab.url, watched))
    open_page.lab = lab  # type: ignore[attr-defined]
    yield open_page
    assert not [problem for _, problems in watched for problem in problems.found]
    for page, _ in watched:
        page.context.close()


def fits(page: Page) -> bool:
    """Whether nothing stands out of the page on the right."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


@pytest.mark.skipif(native.problem() is not None, reason=str(native.problem()))
def test_the_badge_says_in_both_languages_that_native_is_being_compiled(pages: Any, compiler: list[Any]) -> None:
    load(MACHINE)
    page = pages("/")
    badge = page.locator(".badge")
    expect(badge).to_have_text("CPU · NumPy")
    pages.lab.pool._compiling()
    expect(badge).to_have_text("CPU · NumPy, native is being compiled …")
    expect(badge).to_have_attribute("title", re.compile(re.escape(words("executor.compiling"))))
    chinese = pages("/?lang=zh", viewport={"width": 820, "height": 700})
    expect(chinese.locator(".badge")).to_have_text("CPU · NumPy，正在编译 native……")
    expect(chinese.locator(".badge")).to_have_attribute("title", re.compile(words("executor.compiling", "zh")))
    for width in (1366, 1024, 820, 640, 360):
        page.set_viewport_size({"width": width, "height": 700})
        screenshot(page, f"compiling-{width}")
        assert fits(page), width
    page.set_viewport_size({"width": 1366, "height": 768})
    page.keyboard.press("?")
    expect(page.locator("dialog")).to_contain_text(CATALOGUES["en"]["executor.compiling"])
    compiler[0](None)
    for each in (badge, chinese.locator(".badge")):
        expect(each).to_have_text("CPU · native", timeout=60_000)
    expect(page.locator("dialog")).not_to_contain_text(CATALOGUES["en"]["executor.compiling"])


def test_the_badge_says_why_there_is_no_native_machine(pages: Any, compiler: list[Any]) -> None:
    page = pages("/")
    pages.lab.pool._compiling()
    badge = page.locator(".badge")
    expect(badge).to_have_text(words("executor.until_compiled", name="CPU · NumPy"))
    compiler[0]("OSError: no room on the disk")
    expect(badge).to_have_text("CPU · NumPy")
    sentence = words("executor.failed", problem="OSError: no room on the disk")
    expect(badge).to_have_attribute("title", re.compile(re.escape(sentence)))
