"""A real browser: what the browser tests stand on."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, ConsoleMessage, Locator, Page, Request, Response

from tests.running import ROOT
from webapp.web.assets import text_folders
from webapp.web.texts import Texts

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


def chromium() -> str:
    """The browser to start: what LAYERLAB_CHROMIUM names, else one of the system; "" is Playwright's own."""
    named = os.environ.get("LAYERLAB_CHROMIUM")
    if named is not None:
        return named
    return next((path for name in BROWSERS if (path := shutil.which(name))), "")


class Problems:
    """What a page must never do: write an error, throw, fail to load something, break its CSP."""

    def __init__(self, page: Page) -> None:
        self.found: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.found.append(f"uncaught: {error}"))
        page.on("requestfailed", self._request_failed)
        page.on("response", self._response)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.found.append(f"console {message.type}: {message.text} ({message.location.get('url')})")

    def _request_failed(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # the page was left while something was loading
            self.found.append(f"request failed: {request.url}: {request.failure}")

    def _response(self, response: Response) -> None:
        if response.status >= 400:
            self.found.append(f"status {response.status}: {response.url}")


def axe_violations(page: Page) -> list[str]:
    """What axe finds, one line a violation."""
    results = Axe().run(page).response
    return [
        f"{found['id']} ({found['impact']}): {found['help']}: "
        + "; ".join(f"{node['target']} {node['html'][:120]}" for node in found["nodes"][:4])
        for found in results["violations"]
    ]


def screenshot(page: Page, name: str) -> None:
    """Keep a picture in the folder that LAYERLAB_SCREENSHOTS names, if it does."""
    if folder := os.environ.get("LAYERLAB_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png")


OpenPage = Callable[..., Page]


def opener(new_context: Callable[..., BrowserContext], base: str, watched: list[tuple[Page, Problems]]) -> OpenPage:
    """A function that opens ``path`` in a fresh browser profile: another person's page."""

    def open_page(path: str = "/", **options: Any) -> Page:
        options = {"viewport": {"width": 1366, "height": 768}, "locale": "en-GB", **options}
        page = new_context(base_url=base, **options).new_page()
        page.set_default_timeout(10_000)
        watched.append((page, Problems(page)))
        page.goto(path)
        return page

    return open_page


_TEXTS = Texts(ROOT / "static/i18n", text_folders())
CATALOGUES = {language.code: _TEXTS[language.code] for language in _TEXTS.languages}


def words(key: str, language: str = "en", **values: object) -> str:
    """What the page says for ``key`` of its catalogue."""
    return CATALOGUES[language][key].format(**values)


def play(page: Page) -> None:
    """Press the button; it is Pause while the network trains."""
    page.locator("button.play").click()


def playing(page: Page) -> None:
    """Wait until the network trains."""
    page.locator("button.play", has_text=words("action.pause")).wait_for()


def paused(page: Page) -> None:
    """Wait until it doesn't."""
    page.locator("button.play", has_text=words("action.play")).wait_for()


def pause(page: Page) -> None:
    """Press the button and wait for the frame that shows where training stopped."""
    applied(page, lambda: play(page))
    paused(page)


def rest(page: Page) -> None:
    """Let the run rest: unwatched it would train on for a minute, beside the next test."""
    either = "|".join(words("action.pause", language) for language in CATALOGUES)
    button = page.locator("button.play", has_text=re.compile(either))
    # looked at and pressed in one go: a run that diverges stops by itself
    button.evaluate_all("buttons => buttons.forEach((button) => button.click())")
    button.wait_for(state="detached")


def steps(page: Page) -> int:
    """Batches trained, as the newest painted frame says."""
    return int(page.evaluate("window.layerlab?.step ?? 0"))


def layers(page: Page) -> list[int]:
    """Units per layer, inputs first, as the newest painted frame says."""
    return list(page.evaluate("window.layerlab?.layers ?? []"))


def has_steps(page: Page, count: int) -> None:
    """Wait until the newest painted frame is of step ``count``."""
    page.wait_for_function("count => window.layerlab?.step === count", arg=count)


def has_layers(page: Page, *units: int) -> None:
    """Wait until the newest painted frame shows a network of these units."""
    page.wait_for_function("units => window.layerlab?.layers?.join() === units", arg=",".join(map(str, units)))


def reaches(page: Page, percent: float, within: float) -> float:
    """Seconds since the page was asked for when its sentence tells ``percent`` or more; fails after ``within`` more."""
    found = page.wait_for_function(
        """percent => {
          const sentence = document.querySelector("[data-testid=sentence]")?.textContent ?? "";
          const number = parseFloat(/[\\d.]+(?=\\s?%)/.exec(sentence)?.[0] ?? "0");
          return number >= percent && performance.now() / 1000;
        }""",
        arg=percent,
        timeout=1000 * within,
    )
    return float(found.json_value())


def trains_on(page: Page, within: float = 5.0) -> None:
    """Wait until the network has trained further than now."""
    before = steps(page)
    page.wait_for_function("before => window.layerlab?.step > before", arg=before, timeout=1000 * within)


def layer_buttons(page: Page) -> tuple[Locator, Locator]:
    """The buttons that add and remove a hidden layer."""
    bar = page.get_by_role("toolbar")
    return tuple(bar.get_by_role("button", name=words(f"action.{action}_layer")) for action in ("add", "remove"))  # type: ignore[return-value]


def add_layer(page: Page) -> None:
    """Press the + button and see that there is a layer more."""
    before = len(layers(page))
    layer_buttons(page)[0].click()
    page.wait_for_function("count => window.layerlab?.layers.length === count", arg=before + 1)


def applied(page: Page, act: Callable[[], object]) -> None:
    """Do ``act`` and wait until a frame shows that the server has applied the command that it sent."""
    page.wait_for_function("() => window.layerlab?.lastApplied !== undefined")
    before = page.evaluate("window.layerlab?.lastApplied")
    act()
    page.wait_for_function("before => window.layerlab?.lastApplied > before", arg=before)
    refused = page.locator(".banner.problem")
    assert refused.count() == 0, refused.all_inner_texts()


def in_address(page: Page, part: str) -> None:
    """Wait until the address holds ``part``."""
    page.wait_for_function("part => decodeURIComponent(location.hash).includes(part)", arg=part)


def picture(canvas: Locator) -> str:
    """The pixels of a canvas, to compare."""
    return str(canvas.evaluate("canvas => canvas.toDataURL()"))
