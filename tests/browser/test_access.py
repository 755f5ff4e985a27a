"""Everybody can use the page: axe finds nothing to complain about in any of its states."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from tests.browser.harness import OpenPage, axe_violations, play, screenshot, trains_on

Act = Callable[[Page], None]
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}


def start(_: Page) -> None:
    """As it is first seen."""


def run(page: Page) -> None:
    play(page)
    trains_on(page)


def mistakes(page: Page) -> None:
    run(page)
    page.locator(".digits-output .segmented label").nth(1).click()
    page.locator(".digits-sample.wrong").first.wait_for()


def mix_ups(page: Page) -> None:
    run(page)
    page.locator(".digits-output .segmented label").nth(2).click()
    page.locator(".digits-confusion td").first.wait_for()


def hover(page: Page) -> None:
    page.locator("[data-neuron='1-1']").click()
    page.get_by_test_id("formula").wait_for()


def help_open(page: Page) -> None:
    page.keyboard.press("?")
    page.get_by_role("dialog").wait_for()


STATES: list[tuple[str, str, Act, dict[str, object]]] = [
    ("start", "/", start, {}),
    ("running", "/", run, {}),
    ("dark", "/", run, {"color_scheme": "dark"}),
    ("chinese", "/", run, {"locale": "zh-CN"}),
    ("phone", "/", run, PHONE),
    ("phone-dark-chinese", "/", start, {**PHONE, "color_scheme": "dark", "locale": "zh-CN"}),
    ("neuron", "/", hover, {}),
    ("six-layers-1180", "/#layers=4,4,4,4,4,4", run, {"viewport": {"width": 1180, "height": 768}, "locale": "zh-CN"}),
    ("help", "/", help_open, {}),
    ("broken-address", "/#rate=much&layers=99", start, {}),
    ("digits-start", "/digits", start, {}),
    ("digits-running", "/digits", run, {}),
    ("digits-dark", "/digits", run, {"color_scheme": "dark"}),
    ("digits-chinese", "/digits", run, {"locale": "zh-CN"}),
    ("digits-phone", "/digits", run, PHONE),
    ("digits-hidden", "/digits#layers=128,64&page=digits", run, {}),
    ("digits-mistakes", "/digits", mistakes, {}),
    ("digits-mix-ups", "/digits", mix_ups, {}),
]


@pytest.mark.parametrize(("name", "path", "act", "options"), STATES, ids=[state[0] for state in STATES])
def test_axe_finds_nothing(open_page: OpenPage, name: str, path: str, act: Act, options: dict[str, object]) -> None:
    page = open_page(path, **options)
    page.wait_for_function("() => window.layerlab?.layers?.length > 0")
    if path.startswith("/digits"):
        page.locator(".digits-sample").first.wait_for()
    act(page)
    screenshot(page, f"state-{name}")
    violations = axe_violations(page)
    assert not violations, "\n".join(violations)


@pytest.mark.parametrize("path", ["/", "/digits"])
@pytest.mark.parametrize("width", [1366, 1180, 768, 390, 320])
def test_nothing_sticks_out_to_the_side(open_page: OpenPage, path: str, width: int) -> None:
    page = open_page(path, viewport={"width": width, "height": 768})
    page.wait_for_function("() => window.layerlab?.layers?.length > 0")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("path", ["/", "/digits"])
def test_the_first_screen_fits_without_scrolling(open_page: OpenPage, path: str) -> None:
    page = open_page(path)
    page.wait_for_function("() => window.layerlab?.layers?.length > 0")
    assert page.evaluate("document.documentElement.scrollHeight") <= 768
