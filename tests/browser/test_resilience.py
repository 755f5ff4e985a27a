"""What goes wrong in a class goes on, or is told in one sentence."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.harness import (
    OpenPage,
    Problems,
    has_layers,
    layers,
    opener,
    paused,
    play,
    playing,
    reaches,
    screenshot,
    steps,
    trains_on,
    words,
)
from tests.running import Server, free_port, wait_until


@pytest.mark.clock
def test_a_killed_worker_is_replaced_while_two_pages_train(browser: Browser, tmp_path: Path) -> None:
    server = Server(tmp_path, "--workers", "1")
    watched: list[tuple[Page, Problems]] = []
    try:
        open_page = opener(browser.new_context, server.url, watched)
        pages = [open_page("/"), open_page("/digits")]
        for page in pages:
            page.evaluate("window.sameDocument = true")
            play(page)
            trains_on(page)
        [worker] = server.workers()
        # a snapshot is taken each second: the runs go on from there, not from the start
        reaches(pages[0], 90, within=10)
        pages[0].wait_for_function("() => window.layerlab?.step > 500")
        worker.kill()
        killed = time.monotonic()
        worker.wait(5)
        for page in pages:
            before = steps(page)
            page.wait_for_function(
                "before => window.layerlab?.step !== before && window.layerlab?.step > 0", arg=before, timeout=3000
            )
            trains_on(page, within=3)
            playing(page)
            assert page.evaluate("window.sameDocument === true"), "the page was loaded again"
        print(f"both pages train again {time.monotonic() - killed:.1f} s after kill -9")
        assert steps(pages[0]) > 100, "training began anew instead of going on from the snapshot"
        assert worker.pid not in [other.pid for other in server.workers()]
        pages[0].get_by_text(words("notice.worker_restarted")).wait_for()
        assert not [problem for _, problems in watched for problem in problems.found]
    finally:
        for page, _ in watched:
            page.context.close()
        server.stop()


def test_a_page_whose_cookie_the_server_no_longer_knows_gets_a_new_one_by_a_reload(
    browser: Browser, tmp_path: Path
) -> None:
    port = str(free_port())
    server = Server(tmp_path / "one", "--workers", "1", "--port", port)
    watched: list[tuple[Page, Problems]] = []
    try:
        page = opener(browser.new_context, server.url, watched)("/#hidden=5")
        play(page)
        trains_on(page)
        server.stop()
        page.locator(".live-sign", has_text=words("connection.reconnecting")).wait_for()
        server = Server(tmp_path / "two", "--workers", "1", "--port", port)
        page.wait_for_function("() => performance.getEntriesByType('navigation')[0].type === 'reload'")
        has_layers(page, 2, 5, 1)
        play(page)
        trains_on(page)
        assert page.evaluate("sessionStorage.getItem('layerlab.reloaded')") is None, "the next time it may reload, too"
    finally:
        for page, _ in watched:
            page.context.close()
        server.stop()


def test_a_cookie_that_is_refused_again_is_told_in_a_sentence(browser: Browser, server: Server) -> None:
    watched: list[tuple[Page, Problems]] = []
    page = opener(browser.new_context, server.url, watched)("about:blank")
    loads: list[str] = []

    def forge(route: Route) -> None:
        """What the page got a moment ago is overwritten before it connects."""
        loads.append(route.request.url)
        page.context.add_cookies([{"name": "layerlab", "value": "forged", "url": server.url}])
        route.continue_()

    page.route("**/js/main.js", forge)
    page.goto("/")
    told = page.get_by_role("alert")
    expect(told).to_contain_text(words("error.no_identity"))
    assert len(loads) == 2, "one reload, not more"
    expect(page.locator(".badge")).to_have_text(words("connection.refused"))
    screenshot(page, "refused")
    page.unroute("**/js/main.js")
    told.get_by_role("button", name=words("action.reload")).click()
    play(page)
    trains_on(page)
    page.context.close()
    assert not watched[0][1].found


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("missing", ["**/js/page/toolbar.js", "**/js/main.js", "**/texts/*.json"])
def test_a_page_whose_scripts_are_damaged_says_so(
    browser: Browser, server: Server, language: str, missing: str
) -> None:
    watched: list[tuple[Page, Problems]] = []
    page = opener(browser.new_context, server.url, watched)("about:blank")
    page.route(missing, lambda route: route.fulfill(status=404))
    page.goto(f"/?lang={language}")
    expect(page.get_by_text(words("app.unstarted", language))).to_be_visible(timeout=8_000)
    page.unroute(missing)
    page.reload()
    page.wait_for_function("() => window.layerlab?.layers?.length > 0")
    assert page.locator(".unstarted").count() == 0
    page.context.close()


def test_the_sentence_about_damage_is_not_seen_while_the_page_loads(browser: Browser, server: Server) -> None:
    watched: list[tuple[Page, Problems]] = []
    for motion in ("no-preference", "reduce"):
        page = opener(browser.new_context, server.url, watched)("about:blank", reduced_motion=motion)
        waiting: list[Route] = []
        page.route("**/js/main.js", partial(hold, waiting))
        page.goto("/", wait_until="commit")
        sentence = page.locator(".unstarted")
        sentence.wait_for(state="attached")
        expect(sentence).to_be_hidden(timeout=3_000)  # as soon as the style sheet is there
        wait_until_routed(page, waiting)
        waiting[0].continue_()
        page.wait_for_function("() => window.layerlab?.layers?.length > 0")
        page.context.close()
    assert not [problem for _, problems in watched for problem in problems.found]


def hold(waiting: list[Route], route: Route) -> None:
    waiting.append(route)


def wait_until_routed(page: Page, waiting: list[Route]) -> None:
    while not waiting:
        page.wait_for_timeout(20)  # lets Playwright hand the request over


def test_a_reload_finds_the_run_again(open_page: OpenPage) -> None:
    page = open_page("/")
    play(page)
    page.wait_for_function("() => window.layerlab?.step > 500")
    page.reload()
    page.wait_for_function("() => window.layerlab?.step > 500")
    playing(page)
    trains_on(page)


def test_another_address_starts_a_run_that_waits(open_page: OpenPage) -> None:
    page = open_page("/")
    play(page)
    page.wait_for_function("() => window.layerlab?.step > 100")
    page.goto("about:blank")
    page.goto("/#layers=5")
    has_layers(page, 2, 5, 1)
    assert steps(page) == 0
    play(page)
    page.wait_for_function("() => window.layerlab?.step > 100")
    page.goto("/#layers=6")  # only what follows the # is new: the page isn't loaded again
    has_layers(page, 2, 6, 1)
    page.locator("button.play", has_text=words("action.play")).wait_for()
    assert steps(page) == 0


def test_a_lost_connection_comes_back_by_itself(open_page: OpenPage) -> None:
    page = open_page("/")
    play(page)
    trains_on(page)
    before = steps(page)
    page.context.set_offline(True)
    page.evaluate("window.dispatchEvent(new Event('offline'))")
    page.context.set_offline(False)
    page.wait_for_function("before => window.layerlab?.step > before + 100", arg=before)
    page.locator(".live-sign", has_text=words("connection.live")).wait_for()


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("/#rate=much", "“much”"),
        ("/#rate=99999", "10"),
        ("/#layers=4,99", "32"),
        ("/#layers=1,1,1,1,1,1,1,1,1", "8"),
        ("/#batch=100000", "250"),
        ("/#noise=NaN", "0.5"),
        ("/#activation=magic", "tanh"),
        ("/#colour=red", "colour"),
        ("/#inputs=x,x", words("setting.inputs")),
        ("/#%%%=&&&=%FF", words("fault.address")),
        ("/digits#batch=-1&page=digits", "1000"),
    ],
)
def test_a_broken_address_is_told_in_a_sentence_and_the_rest_works(
    open_page: OpenPage, address: str, sentence: str
) -> None:
    page = open_page(address)
    told = page.get_by_role("alert")
    expect(told).to_contain_text(words("fault.address"))
    expect(told).to_contain_text(sentence)
    page.wait_for_function("() => window.layerlab?.layers?.length > 0")
    play(page)
    trains_on(page)
    told.get_by_role("button", name=words("action.close")).click()
    expect(told).to_have_count(0)


def test_an_address_carries_the_whole_state(open_page: OpenPage) -> None:
    page = open_page("/#layers=8,8&data=spiral&inputs=x,y,sinx,siny&activation=relu&rate=0.03&noise=0.05")
    has_layers(page, 4, 8, 8, 1)
    expect(page.locator("select[name=activation]")).to_have_value("relu")
    expect(page.get_by_role("button", name=words("data.spiral"))).to_have_attribute("aria-pressed", "true")
    assert page.get_by_role("alert").count() == 0
    assert layers(page) == [4, 8, 8, 1]


def test_settings_behind_a_question_mark_count_too(open_page: OpenPage) -> None:
    page = open_page("/?hidden=8,8&lang=zh#rate=0.1")
    has_layers(page, 2, 8, 8, 1)
    page.wait_for_function("() => location.search === '?lang=zh' && location.hash === '#layers=8,8&rate=0.1'")
    page.get_by_text(words("output.start", "zh")).wait_for()


def test_a_playground_link_opens_with_its_settings_and_one_sentence(open_page: OpenPage) -> None:
    page = open_page(
        "/#activation=relu&batchSize=5&dataset=spiral&regDataset=reg-plane&learningRate=0.01&regularizationRate=0"
        "&noise=20&networkShape=6,4&seed=0.44&showTestData=false&discretize=false&percTrainData=70&x=true&y=true"
        "&xTimesY=false&xSquared=false&ySquared=false&cosX=false&sinX=true&cosY=false&sinY=false&problem=classification"
    )
    has_layers(page, 3, 6, 4, 1)
    told = page.locator(".banner")
    expect(told).to_have_count(1)
    expect(told).to_have_text(words("address.playground"))
    page.wait_for_function("() => location.hash.includes('share=0.7')")


def test_a_rate_that_is_much_too_large_is_noticed_and_one_button_helps(open_page: OpenPage) -> None:
    page = open_page("/#activation=relu&optimizer=sgd&rate=10")
    play(page)
    hint = page.locator(".banner.hint")
    expect(hint).to_contain_text(words("hint.jumps"), timeout=7_000)
    hint.get_by_role("button", name=words("hint.jumps.do")).click()
    expect(page.locator("select[name=rate]")).to_have_value("1")
    expect(hint).to_have_count(0)


def test_a_forged_run_id_starts_a_run_of_one_s_own(open_page: OpenPage) -> None:
    page = open_page("/")
    page.wait_for_function("() => window.layerlab?.layers?.length > 0")
    page.evaluate("sessionStorage.setItem('layerlab.run.points', 'AAAAAAAAAAAAAAAAAAAAAA')")
    page.reload()
    page.get_by_text(words("notice.run_lost")).wait_for()
    play(page)
    trains_on(page)


def test_play_in_a_thirteenth_tab_works_once_another_was_closed(open_page: OpenPage) -> None:
    page = open_page("/")
    page.wait_for_function("() => window.layerlab?.layers?.length > 0")
    runs = page.evaluate(
        """async () => {
          const { command } = await import("/static/js/core/stream.js");
          const replies = [];
          for (let n = 1; n < 12; n++) replies.push(await command({ type: "open", kind: "points", settings: {} }));
          return replies.map(({ run }) => run);
        }"""
    )
    assert len(set(filter(None, runs))) == 11
    thirteenth = page.context.new_page()
    thirteenth.goto("/")
    told = thirteenth.get_by_role("alert")
    sentence = words("error.too_many_runs", count=12)
    expect(told).to_have_text(sentence)
    play(thirteenth)
    expect(told).to_have_text(sentence)
    page.evaluate(
        """async (run) => {
          const { command } = await import("/static/js/core/stream.js");
          await command({ type: "close", run });
        }""",
        runs[0],
    )
    play(thirteenth)
    trains_on(thirteenth)
    expect(told).to_have_count(0)
    play(thirteenth)
    paused(thirteenth)


def test_a_loss_that_is_no_number_stops_the_run_and_one_button_helps(open_page: OpenPage) -> None:
    page = open_page("/#optimizer=sgd&rate=10&regularization=l2&regularization_rate=10")
    page.wait_for_function("() => window.layerlab?.layers?.length > 0")
    play(page)
    told = page.get_by_role("alert")
    expect(told).to_contain_text(words("diverged.why_strength", rate="10", strength="10"), timeout=10_000)
    told.get_by_role("button", name=words("diverged.recover_strength", strength="0.01")).click()
    expect(page.locator("select[name=regularization_rate]")).to_have_value("0.01")
    expect(page.locator("select[name=rate]")).to_have_value("10")
    trains_on(page)


def test_the_server_ends_with_all_its_workers(tmp_path: Path) -> None:
    server = Server(tmp_path, "--workers", "2")
    workers = wait_until(lambda: len(found := server.workers()) == 2 and found, "two workers")
    server.stop()
    assert not [worker for worker in workers if worker.is_running()]
