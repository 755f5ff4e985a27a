"""What a class is promised, measured in the browser."""

from __future__ import annotations

import statistics

import pytest
from playwright.sync_api import Page

from tests.browser.harness import (
    OpenPage,
    add_layer,
    layer_buttons,
    layers,
    pause,
    play,
    playing,
    reaches,
    screenshot,
    words,
)


@pytest.mark.clock
def test_circle_is_learned_within_five_seconds_of_loading_the_page(open_page: OpenPage) -> None:
    page = open_page("/")
    play(page)
    seconds = reaches(page, 97, within=10)
    screenshot(page, "points-learned")
    print(f"97% of the unseen points after {seconds:.1f} s")
    assert seconds <= 5.0
    page.wait_for_function("() => performance.now() > 5000")
    reaches(page, 97, within=0.5)  # not by chance: it is still so


@pytest.mark.clock
def test_softmax_reads_the_digits_within_ten_seconds_of_play(open_page: OpenPage) -> None:
    page = open_page("/digits")
    page.locator(".digits-tile").nth(9).wait_for()
    start = float(page.evaluate("performance.now() / 1000"))
    play(page)
    seconds = reaches(page, 91.5, within=20) - start
    screenshot(page, "digits-softmax")
    print(f"91.5% of the 10,000 test images {seconds:.1f} s after Play")
    assert seconds <= 10.0


@pytest.mark.timeout(240)
def test_a_hidden_layer_added_by_the_button_reads_better(open_page: OpenPage) -> None:
    page = open_page("/digits")
    page.locator(".digits-tile").nth(9).wait_for()
    add_layer(page)
    assert layers(page) == [784, 128, 10]
    play(page)
    seconds = reaches(page, 97, within=180)
    screenshot(page, "digits-hidden")
    print(f"97% of the 10,000 test images with 128 hidden units after {seconds:.1f} s")


@pytest.mark.clock
def test_a_layer_comes_and_goes_within_a_fifth_of_a_second_while_training(open_page: OpenPage) -> None:
    page = open_page("/")
    play(page)
    playing(page)
    add, remove = layer_buttons(page)
    for _ in range(10):
        for button, size in ((add, 5), (remove, 4)):
            button.click()
            page.wait_for_function("size => window.layerlab?.layers.length === size", arg=size)
    durations = _layer_changes(page)
    assert len(durations) == 20
    print(f"a layer change takes {statistics.median(durations):.0f} ms (median), {max(durations):.0f} ms (most)")
    assert statistics.median(durations) <= 200
    assert layers(page) == [2, 4, 3, 1]
    pause(page)


def _layer_changes(page: Page) -> list[float]:
    """Milliseconds from each click to the painted frame with the new network."""
    return list(page.evaluate("performance.getEntriesByName('layer-change').map(entry => entry.duration)"))


def test_the_first_screen_says_what_to_do(open_page: OpenPage) -> None:
    page = open_page("/")
    page.get_by_text(words("output.start")).wait_for()
    height = page.evaluate("document.documentElement.scrollHeight")
    screenshot(page, "points-start")
    assert height <= 768, "the first screen fits 1366x768 without scrolling"
