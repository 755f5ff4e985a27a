"""The page goes over from NumPy to the native machine while it trains."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from engine import native
from tests.browser.harness import CATALOGUES, Problems, opener, play, playing, screenshot, steps, trains_on, words
from tests.running import Server

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
