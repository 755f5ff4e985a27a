"""Each control of the digits page does what it says, and the server agrees."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.harness import (
    OpenPage,
    add_layer,
    applied,
    has_layers,
    has_steps,
    in_address,
    layer_buttons,
    layers,
    pause,
    paused,
    picture,
    play,
    playing,
    reaches,
    screenshot,
    steps,
    trains_on,
    words,
)


@pytest.fixture
def ready(open_page: OpenPage) -> Page:
    """The digits page once it has shown its first frame."""
    page = open_page("/digits")
    page.locator(".digits-tile").nth(9).wait_for()
    return page


def train_a_little(page: Page) -> None:
    """Until the network reads nine of ten, then pause."""
    play(page)
    reaches(page, 90, within=20)
    pause(page)


def test_play_pause_step_and_reset(ready: Page) -> None:
    play(ready)
    playing(ready)
    trains_on(ready)
    pause(ready)
    before = steps(ready)
    applied(ready, lambda: ready.get_by_role("button", name=words("action.step"), exact=True).click())
    ready.wait_for_function("before => window.layerlab?.step > before", arg=before)
    paused(ready)
    assert steps(ready) <= before + 600  # 60,000 images in batches of 100
    applied(ready, lambda: ready.get_by_role("button", name=words("action.reset")).click())
    ready.get_by_text(words("digits.sentence_start")).wait_for()
    has_steps(ready, 0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rate", "0.1"),
        ("activation", "tanh"),
        ("optimizer", "adam"),
        ("regularization", "l2"),
        ("speed", "batch"),
        ("speed", "max"),
    ],
)
def test_a_choice_of_the_toolbar_takes_effect_while_training(ready: Page, name: str, value: str) -> None:
    play(ready)
    trains_on(ready)
    applied(ready, lambda: ready.locator(f"select[name={name}]").select_option(value))
    in_address(ready, f"{name}={value}")
    playing(ready)
    trains_on(ready, within=10)


def test_the_batch_size_moves_by_key(ready: Page) -> None:
    applied(ready, lambda: ready.locator("input[name=batch]").press("ArrowRight"))
    in_address(ready, "batch=200")


def test_first_weights_are_drawn_anew(ready: Page) -> None:
    applied(ready, lambda: ready.get_by_role("button", name=words("action.new_weights")).click())
    in_address(ready, "weight_seed=")


def test_the_ten_weight_images_fill_in_while_training(ready: Page) -> None:
    images = ready.locator(".digits-tile canvas")
    before = [picture(image) for image in images.all()]
    train_a_little(ready)
    after = [picture(image) for image in images.all()]
    assert len(after) == 10
    assert all(new != old for new, old in zip(after, before, strict=True))
    assert len(set(after)) == 10


def test_a_weight_image_tells_what_speaks_for_its_digit(ready: Page) -> None:
    ready.locator(".digits-tile").nth(3).hover()
    lens = ready.get_by_role("tooltip")
    expect(lens).to_contain_text(words("digits.card_digit", digit=3))
    ready.mouse.move(5, 5)
    expect(lens).to_have_count(0)


def test_layers_and_neurons_come_and_go(ready: Page) -> None:
    remove = layer_buttons(ready)[1]
    expect(remove).to_be_disabled()
    play(ready)
    add_layer(ready)
    assert layers(ready) == [784, 128, 10]
    applied(ready, ready.get_by_role("button", name=words("network.less", layer=1)).click)
    has_layers(ready, 784, 64, 10)
    applied(ready, ready.get_by_role("button", name=words("network.more", layer=1)).click)
    has_layers(ready, 784, 128, 10)
    add_layer(ready)
    trains_on(ready)
    units = ready.get_by_role("slider", name=words("digits.units_of", layer=2))
    units.press("ArrowRight")
    expect(units).to_have_attribute("aria-valuenow", "2")
    expect(ready.get_by_role("tooltip")).to_contain_text(words("digits.card_unit", unit=2, layer=2))
    for left in (3, 2):
        applied(ready, remove.click)
        ready.wait_for_function("left => window.layerlab?.layers.length === left", arg=left)
    trains_on(ready)


def test_a_test_image_is_looked_at_and_its_probabilities_shown(ready: Page) -> None:
    train_a_little(ready)
    sample = ready.locator(".digits-sample").nth(5)
    applied(ready, sample.click)
    expect(sample).to_have_attribute("aria-pressed", "true")
    number = (sample.get_attribute("aria-label") or "").split(":")[0].split()[-1]
    expect(ready.locator(".digits-chosen")).to_contain_text(number)
    seen = ready.get_by_test_id("answer").inner_text()
    answer = sample.inner_text().split()[-1]
    assert seen == words("digits.answer", digit=answer)


def test_the_next_test_image_is_a_button_away(ready: Page) -> None:
    first = ready.locator(".digits-sample[aria-pressed=true]").get_attribute("aria-label")
    applied(ready, ready.get_by_role("button", name=words("digits.next_picture")).click)
    ready.wait_for_function(
        "first => document.querySelector('.digits-sample[aria-pressed=true]')?.ariaLabel !== first", arg=first
    )


def test_the_gallery_shows_mistakes_and_mix_ups(ready: Page) -> None:
    train_a_little(ready)
    choice = ready.locator(".digits-output .segmented label")
    applied(ready, choice.filter(has_text=words("digits.gallery_mistakes")).click)
    in_address(ready, "gallery=mistakes")
    expect(ready.locator(".digits-sample.wrong").first).to_be_visible()
    expect(ready.locator(".digits-sample.right")).to_have_count(0)
    choice.filter(has_text=words("digits.gallery_confusion")).click()
    table = ready.locator(".digits-confusion td")
    expect(table).to_have_count(100)
    assert sum(int(text or 0) for text in table.all_inner_texts()) == 10_000
    applied(ready, choice.filter(has_text=words("digits.gallery_sample")).click)
    expect(ready.locator(".digits-sample.right").first).to_be_visible()


def probabilities(page: Page) -> list[str]:
    """What stands above the ten weight images."""
    return page.locator(".digits-tile-head").all_inner_texts()


def test_probabilities_move_while_a_digit_is_drawn(ready: Page) -> None:
    train_a_little(ready)
    pad = ready.get_by_role("img", name=words("digits.pad"))
    box = pad.bounding_box()
    assert box is not None
    before = probabilities(ready)
    ready.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.15 * box["height"])
    ready.mouse.down()
    for part in range(15, 90, 5):
        ready.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + part / 100 * box["height"])
    ready.wait_for_function(
        """before => {
          const now = [...document.querySelectorAll(".digits-tile-head")].map((head) => head.innerText);
          return now.join() !== before.join();
        }""",
        arg=before,
    )  # the button is still down
    expect(ready.get_by_test_id("answer")).to_have_text(words("digits.answer", digit=1))
    ready.mouse.up()
    screenshot(ready, "digits-drawn")
    clear = ready.get_by_role("button", name=words("digits.clear"))
    applied(ready, clear.click)
    expect(clear).to_be_disabled()
    ready.wait_for_function(
        "() => [...document.querySelectorAll('.digits-sample')].some((one) => one.ariaPressed === 'true')"
    )


def test_a_drawing_is_let_go_when_the_page_is_loaded_again(ready: Page) -> None:
    box = ready.get_by_role("img", name=words("digits.pad")).bounding_box()
    assert box is not None
    ready.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 4)
    ready.mouse.down()
    ready.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    ready.mouse.up()
    picked = ready.locator(".digits-sample[aria-pressed=true]")
    expect(picked).to_have_count(0)
    ready.reload()
    expect(picked).to_have_count(1)  # the pad is empty: the network looks at a test image again


def test_every_panel_says_the_same_once_numbers_overflow(open_page: OpenPage) -> None:
    page = open_page("/digits#layers=128,64&rate=10&activation=linear")
    page.locator(".digits-tile").first.wait_for()
    play(page)
    expect(page.get_by_test_id("sentence")).to_have_text(words("digits.sentence_overflowed"), timeout=20_000)
    expect(page.get_by_test_id("answer")).to_have_text(words("digits.overflowed"))
    assert set(page.locator(".digits-column.output .share").all_inner_texts()) == {"–"}
    assert all("–" in text for text in page.locator(".digits-sample").all_inner_texts())
    page.locator(".digits-output .segmented label").filter(has_text=words("digits.gallery_confusion")).click()
    expect(page.get_by_text(words("digits.confusion_overflowed"))).to_be_visible()


COUNT_DRAWN = """async () => {
  const { options } = await import("/static/vendor/preact/preact.js");
  const then = options.diffed;
  window.drawn = [];
  options.diffed = (node) => {
    if (typeof node.type === "function") window.drawn.push(node.type.name);
    then?.(node);
  };
}"""


def pictures(page: Page) -> list[str]:
    """The weights of all units shown: that of a dead one no longer changes."""
    return [picture(canvas) for canvas in page.locator(".digits-tile canvas").all()]


def test_frames_are_painted_and_only_a_new_network_is_built(open_page: OpenPage) -> None:
    page = open_page("/digits#layers=16,8")
    page.locator(".digits-tile").nth(15).wait_for()
    play(page)
    trains_on(page)
    page.evaluate(COUNT_DRAWN)
    before = pictures(page)
    answers = page.locator(".digits-gallery").inner_text()
    page.wait_for_function("from => window.layerlab.step > from + 2000", arg=steps(page))
    built = {
        "Page",
        "DataPanel",
        "Network",
        "Tiles",
        "UnitGrid",
        "Probabilities",
        "OutputPanel",
        "GalleryTile",
        "Picture",
    }
    assert built.isdisjoint(page.evaluate("window.drawn"))
    assert pictures(page) != before
    assert page.locator(".digits-gallery").inner_text() != answers
    add_layer(page)
    page.wait_for_function("() => window.drawn.includes('UnitGrid')")


def test_a_layer_that_is_pointed_at_may_be_taken_away(open_page: OpenPage) -> None:
    page = open_page("/digits#layers=16,8")
    page.locator(".digits-units canvas").hover()
    page.locator("#digits-card").wait_for()
    layer_buttons(page)[1].evaluate("button => button.click()")  # the pointer stays where it is
    has_layers(page, 784, 16, 10)
    page.locator("#digits-card").wait_for(state="detached")


def test_drawing_works_with_a_finger(open_page: OpenPage) -> None:
    page = open_page("/digits", viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page.locator(".digits-tile").nth(9).wait_for()
    pad = page.get_by_role("img", name=words("digits.pad"))
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    assert box is not None
    touch = page.context.new_cdp_session(page)
    x = box["x"] + box["width"] / 2

    def finger(kind: str, *parts: float) -> None:
        points = [{"x": x, "y": box["y"] + part * box["height"]} for part in parts]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    scrolled = page.evaluate("scrollY")
    finger("touchStart", 0.2)
    for part in range(25, 85, 5):
        finger("touchMove", part / 100)
    finger("touchEnd")
    expect(page.get_by_role("button", name=words("digits.clear"))).to_be_enabled()
    page.get_by_role("img", name=words("digits.seen_drawing")).wait_for()
    assert page.evaluate("scrollY") == scrolled, "a finger on the pad draws; it must not move the page"
