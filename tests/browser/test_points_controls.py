"""Each control of the 2D page does what it says, and the server agrees."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.harness import (
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
    steps,
    trains_on,
    words,
)


@pytest.fixture
def ready(page: Page) -> Page:
    """The 2D page once it has shown its first frame."""
    page.wait_for_function("() => window.layerlab?.layers?.length > 0")
    return page


def test_play_pause_step_and_reset(ready: Page) -> None:
    play(ready)
    playing(ready)
    trains_on(ready)
    pause(ready)
    before = steps(ready)
    applied(ready, lambda: ready.get_by_role("button", name=words("action.step"), exact=True).click())
    has_steps(ready, before + 25)  # 250 training points in batches of 10
    paused(ready)
    applied(ready, lambda: ready.get_by_role("button", name=words("action.reset")).click())
    has_steps(ready, 0)
    ready.get_by_text(words("output.start")).wait_for()


def test_the_keyboard_plays_pauses_steps_and_resets(ready: Page) -> None:
    ready.keyboard.press("Space")
    playing(ready)
    trains_on(ready)
    applied(ready, lambda: ready.keyboard.press("Space"))
    paused(ready)
    before = steps(ready)
    applied(ready, lambda: ready.keyboard.press("ArrowRight"))
    has_steps(ready, before + 25)
    applied(ready, lambda: ready.keyboard.press("r"))
    has_steps(ready, 0)


def test_reset_brings_back_the_very_same_first_weights(ready: Page) -> None:
    neuron = ready.locator("[data-neuron='1-0'] canvas")
    first = picture(neuron)
    play(ready)
    trains_on(ready)
    pause(ready)
    assert picture(neuron) != first
    applied(ready, lambda: ready.keyboard.press("r"))
    ready.wait_for_function(
        "first => document.querySelector('[data-neuron=\"1-0\"] canvas').toDataURL() === first", arg=first
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rate", "0.03"),
        *[("activation", each) for each in ("relu", "sigmoid", "linear", "leaky_relu", "elu", "gelu", "softplus")],
        ("optimizer", "sgd"),
        ("optimizer", "momentum"),
        ("regularization", "l1"),
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
    trains_on(ready)


def test_the_strength_of_regularisation_is_asked_for_where_there_is_one(ready: Page) -> None:
    strength = ready.locator("select[name=regularization_rate]")
    expect(strength).to_have_count(0)
    applied(ready, lambda: ready.locator("select[name=regularization]").select_option("l2"))
    applied(ready, lambda: strength.select_option("0.1"))
    in_address(ready, "regularization_rate=0.1")


@pytest.mark.parametrize("data", ["xor", "gauss", "spiral"])
def test_another_set_of_points_is_one_click(ready: Page, data: str) -> None:
    dots = ready.locator(".plane canvas").last
    before = picture(dots)
    thumb = ready.get_by_role("button", name=words(f"data.{data}"))
    applied(ready, thumb.click)
    in_address(ready, f"data={data}")
    expect(thumb).to_have_attribute("aria-pressed", "true")
    ready.wait_for_function(
        "before => [...document.querySelectorAll('.plane canvas')].at(-1).toDataURL() !== before", arg=before
    )


@pytest.mark.parametrize(("name", "shown"), [("noise", "0.15"), ("share", "60 %"), ("batch", "11")])
def test_a_slider_moves_by_key(ready: Page, name: str, shown: str) -> None:
    slider = ready.locator(f"input[name={name}]")
    applied(ready, lambda: slider.press("ArrowRight"))
    expect(ready.locator("label.slider", has=slider).locator("output")).to_have_text(shown)
    in_address(ready, f"{name}=")


@pytest.mark.parametrize(("action", "setting"), [("new_data", "data_seed"), ("new_weights", "weight_seed")])
def test_a_die_draws_anew(ready: Page, action: str, setting: str) -> None:
    applied(ready, lambda: ready.get_by_role("button", name=words(f"action.{action}")).click())
    in_address(ready, f"{setting}=")


@pytest.mark.parametrize("name", ["x2", "y2", "xy", "sinx", "siny"])
def test_an_input_is_added_and_left_out(ready: Page, name: str) -> None:
    chip = ready.locator(f"[data-input={name}]")
    for count, pressed in ((3, "true"), (2, "false")):
        applied(ready, chip.click)
        ready.wait_for_function("count => window.layerlab?.layers[0] === count", arg=count)
        expect(chip).to_have_attribute("aria-pressed", pressed)


def test_the_last_input_stays(ready: Page) -> None:
    applied(ready, ready.locator("[data-input=y]").click)
    has_layers(ready, 1, 4, 3, 1)
    last = ready.locator("[data-input=x]")
    expect(last).to_have_attribute("aria-disabled", "true")
    expect(last).to_have_attribute("title", words("network.input_last", name="x₁"))
    last.click(force=True)
    applied(ready, lambda: ready.get_by_role("button", name=words("action.reset")).click())
    assert layers(ready) == [1, 4, 3, 1]


def test_neurons_come_and_go_by_one(ready: Page) -> None:
    more = ready.get_by_role("button", name=words("network.more", layer=2))
    less = ready.get_by_role("button", name=words("network.less", layer=2))
    applied(ready, more.click)
    has_layers(ready, 2, 4, 4, 1)
    expect(ready.locator("[data-neuron^='2-']")).to_have_count(4)
    for left in (3, 2, 1):
        applied(ready, less.click)
        ready.wait_for_function("left => window.layerlab?.layers[2] === left", arg=left)
    expect(less).to_have_attribute("aria-disabled", "true")


def test_layers_go_from_none_to_eight(ready: Page) -> None:
    add, remove = layer_buttons(ready)
    for count in (3, 2):
        applied(ready, remove.click)
        ready.wait_for_function("count => window.layerlab?.layers.length === count", arg=count)
    expect(remove).to_be_disabled()
    play(ready)
    for _ in range(8):
        add_layer(ready)
    expect(add).to_be_disabled()
    assert layers(ready) == [2, *[4] * 8, 1]
    trains_on(ready)


def plane(page: Page) -> list[str]:
    """The big picture: the field and the points above it."""
    return [picture(canvas) for canvas in page.locator(".plane canvas").all()]


@pytest.mark.parametrize("name", ["unseen", "hard"])
def test_a_switch_of_the_picture(ready: Page, name: str) -> None:
    play(ready)
    trains_on(ready)
    pause(ready)
    before = plane(ready)
    switch = ready.locator(f"input[name={name}]")
    ready.locator("label.checkbox", has=switch).click()
    in_address(ready, f"{name}=1")
    assert plane(ready) != before
    ready.locator("label.checkbox", has=switch).click()
    expect(switch).not_to_be_checked()
    assert plane(ready) == before


def test_hovering_over_a_neuron_tells_what_it_sees(ready: Page) -> None:
    sentence = ready.get_by_test_id("sentence")
    plane = ready.locator(".plane canvas").first
    before = picture(plane)
    ready.locator("[data-neuron='1-2']").hover()
    expect(sentence).to_have_text(words("output.neuron", layer=1, unit=3))
    expect(ready.get_by_test_id("formula")).to_contain_text("tanh")
    ready.wait_for_function("before => document.querySelector('.plane canvas').toDataURL() !== before", arg=before)
    ready.mouse.move(5, 5)
    expect(sentence).to_have_text(words("output.start"))


def middle_of(link: Locator) -> tuple[float, float]:
    """The middle of a line, in pixels of the window."""
    x, y = link.evaluate(
        """path => {
          const point = path.getPointAtLength(path.getTotalLength() / 2).matrixTransform(path.getScreenCTM());
          return [point.x, point.y];
        }"""
    )
    return float(x), float(y)


def test_a_weight_is_read_by_hovering_and_edited_by_clicking(ready: Page) -> None:
    x, y = middle_of(ready.locator("[data-link='2-3-2']"))
    ready.mouse.move(x, y)
    expect(ready.locator(".weight-tip")).to_contain_text(words("weight.value"))
    ready.mouse.click(x, y)
    editor = ready.locator("input[name=weight]")
    editor.fill("much")
    editor.press("Enter")
    expect(ready.get_by_text(words("weight.not_a_number", text="much"))).to_be_visible()
    editor.fill("1,25")
    applied(ready, lambda: editor.press("Enter"))
    expect(editor).to_have_count(0)
    expect(ready.locator(".weight-tip")).to_contain_text("1.25")  # the mouse has not moved


def test_a_bias_is_edited_in_the_formula_of_a_pinned_neuron(ready: Page) -> None:
    ready.locator("[data-neuron='1-0']").click()
    ready.mouse.move(5, 5)
    formula = ready.get_by_test_id("formula")
    formula.get_by_role("button", name=words("weight.bias")).click()
    editor = ready.locator("input[name=weight]")
    editor.fill("-0.75")
    applied(ready, lambda: editor.press("Enter"))
    expect(formula).to_contain_text("0.75")


def test_nothing_jumps_when_a_neuron_is_looked_at_or_training_starts(ready: Page) -> None:
    def places() -> object:
        return ready.evaluate(
            """() => [".toolbar-fields", ".network-caption", ".plane", ".plot"].map(name => {
              const {x, y, width} = document.querySelector(name).getBoundingClientRect();
              return [x, y, width].map(Math.round);
            })"""
        )

    before = places()
    ready.locator("[data-neuron='2-1']").hover()
    ready.get_by_test_id("formula").wait_for()
    assert places() == before
    assert ready.evaluate("document.documentElement.scrollHeight") <= 768
    play(ready)
    playing(ready)
    expect(ready.locator(".live-sign")).to_have_text(words("connection.live"))
    assert places() == before
    pause(ready)
    expect(ready.locator(".live-sign")).to_have_text(words("live.paused"))


def test_the_curve_shows_loss_or_accuracy(ready: Page) -> None:
    play(ready)
    trains_on(ready)
    ready.locator(".segmented label", has_text=words("loss.accuracy")).click()
    expect(ready.get_by_test_id("unseen")).to_contain_text("%")
    ready.get_by_role("img", name=words("loss.plot_accuracy")).wait_for()
    ready.locator(".segmented label", has_text=words("loss.loss")).click()
    expect(ready.get_by_test_id("unseen")).not_to_contain_text("%")


def test_a_setting_is_undone_and_done_again(ready: Page) -> None:
    rate = ready.locator("select[name=rate]")
    applied(ready, lambda: rate.select_option("0.1"))
    ready.locator("#main").focus()
    applied(ready, lambda: ready.keyboard.press("Control+z"))
    expect(rate).to_have_value("0.01")
    applied(ready, lambda: ready.keyboard.press("Control+Shift+z"))
    expect(rate).to_have_value("0.1")


def test_undo_and_redo_have_buttons(ready: Page) -> None:
    undo, redo = (ready.get_by_role("button", name=words(f"action.{name}"), exact=True) for name in ("undo", "redo"))
    expect(undo).to_be_disabled()
    expect(redo).to_be_disabled()
    rate = ready.locator("select[name=rate]")
    applied(ready, lambda: rate.select_option("0.1"))
    applied(ready, undo.click)
    expect(rate).to_have_value("0.01")
    expect(undo).to_be_disabled()
    applied(ready, redo.click)
    expect(rate).to_have_value("0.1")
    expect(redo).to_be_disabled()


def test_help_lists_the_keys(ready: Page) -> None:
    ready.keyboard.press("?")
    dialog = ready.get_by_role("dialog")
    expect(dialog).to_contain_text(words("help.play"))
    dialog.get_by_role("button", name=words("action.close")).click()
    expect(dialog).to_have_count(0)
    ready.get_by_role("button", name=words("help.title")).click()
    expect(dialog).to_be_visible()
    ready.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def test_the_theme_goes_round(ready: Page) -> None:
    button = ready.locator(".header button[aria-label^='Colours']")
    seen = []
    for _ in range(3):
        seen.append(
            (button.get_attribute("aria-label"), ready.evaluate("getComputedStyle(document.body).backgroundColor"))
        )
        button.click()
    assert len({label for label, _ in seen}) == 3
    assert len({colour for _, colour in seen}) == 2  # light, dark, and as the system (which is one of them)


def test_the_language_changes_and_stays(ready: Page) -> None:
    ready.get_by_role("button", name="中文").click()
    ready.get_by_text(words("output.start", "zh")).wait_for()
    ready.reload()
    ready.get_by_text(words("output.start", "zh")).wait_for()
    assert ready.locator("html").get_attribute("lang") in ("zh", "zh-Hans", "zh-CN")


def test_the_other_page_is_one_click_away_and_back(ready: Page) -> None:
    ready.get_by_role("link", name=words("page.digits")).click()
    ready.locator(".digits-tile").nth(9).wait_for()
    ready.wait_for_function("() => location.pathname === '/digits' && location.hash === ''")
    ready.go_back()
    ready.locator("[data-neuron='1-0']").wait_for()
    has_layers(ready, 2, 4, 3, 1)
