"""The stream as a page has it: reply before frame, credits, key frames, two pages of one run, a reload."""

from __future__ import annotations

import time

import pytest

from tests.labs import metric
from tests.running import wait_until
from webapp.stream.hub import run_topic


def number(frame):
    return frame.sequence


def frames_computed(frame):
    return metric(frame, 0)


def test_the_reply_comes_before_the_first_frame_which_is_a_key_frame(page):
    answers: list[dict[str, str]] = []

    def answered(reply):
        page.heard.append("reply")
        answers.append(reply)

    for _ in range(20):
        page.heard.clear()
        page.client.emit("command", {"type": "open", "kind": "points", "seq": 1}, callback=answered)
        wait_until(lambda: "frame" in page.heard and "status" in page.heard, "a frame and a status")
        assert page.heard[0] == "reply"
        run = answers[-1]["run"]
        assert page.frames[-1].run == run and page.frames[-1].key
        page.command("close", run=run)


def test_key_frames_have_what_deltas_leave_out(page):
    run = page.open(speed="max")
    page.command("play", run=run)
    page.wait_frame(lambda frame: not frame.key)
    keys = [frame.key for frame in page.frames]
    assert keys[0] and not any(keys[1:])
    assert all(("labels" in frame.parts) == frame.key for frame in page.frames)


def test_without_an_acknowledgement_no_third_frame_is_even_computed(page):
    page.paints = False
    run = page.open(speed="max")
    page.command("play", run=run)
    wait_until(lambda: len(page.frames) == 2, "two frames")
    time.sleep(0.5)  # in which 15 frames would come
    assert len(page.frames) == 2
    held = page.frames[-1]
    page.credit(held)
    third = page.wait_frame(lambda frame: frame.sequence > held.sequence)
    assert frames_computed(third) == frames_computed(held) + 1, "frames were computed that nobody could take"
    assert third.time - held.time > 0.4, "the frame shows the present, not what came next then"


def test_acknowledging_twice_doesnt_fill_the_pipe(page):
    page.paints = False
    run = page.open(speed="max")
    page.command("play", run=run)
    wait_until(lambda: len(page.frames) == 2, "two frames")
    for _ in range(50):
        page.credit(page.frames[0])
    time.sleep(0.5)
    assert len(page.frames) <= 4


def test_a_closed_run_computes_nothing(page):
    run = page.open(speed="max")
    page.command("play", run=run)
    page.wait_frame(lambda frame: frame.step > 10)
    page.command("close", run=run)
    last = page.frames[-1]
    time.sleep(0.3)
    page.frames.clear()
    page.open(run=run)
    again = page.wait_frame()
    assert again.key and again.step > last.step
    assert again.sequence <= last.sequence + 3, "frames were computed while nobody watched"


def test_two_pages_of_one_person_watch_one_run(lab, open_page):
    first = open_page()
    run = first.open(speed="max")
    first.command("play", run=run)
    first.wait_frame(lambda frame: not frame.key)
    second = open_page(lab, first.cookie)
    reply = second.command("open", kind="points", run=run)
    assert reply["resumed"] and reply["settings"]["speed"] == "max"
    assert second.wait_event(type="status", run=run)["playing"], "a page that joins hears that it plays"
    assert second.wait_frame().key, "and begins with a key frame"
    wait_until(lambda: set(map(number, first.frames)) & set(map(number, second.frames)), "a frame that both got")
    second.command("pause", run=run)
    first.wait_event(type="status", playing=False, reason="paused")


def test_a_paused_run_reaches_a_page_that_had_no_credit(lab, open_page):
    """The last picture before a pause is missed by a page without credit; it must get it later all the same."""
    slow = open_page()
    slow.paints = False
    run = slow.open(speed="max")
    quick = open_page(lab, slow.cookie)
    quick.open(run=run)
    quick.command("play", run=run)
    quick.wait_frame(lambda frame: frame.step > 50)
    quick.command("pause", run=run)
    last = quick.wait_frame(lambda frame: frame.step > 50 and not frame.playing)
    for frame in slow.frames[:2]:
        slow.credit(frame)
    slow.wait_frame(lambda frame: frame.step == last.step and not frame.playing)


def test_a_run_is_found_again_after_a_reload(lab, open_page):
    page = open_page()
    run = page.open(rate=0.5, speed="max")
    page.command("play", run=run)
    step = page.wait_frame(lambda frame: frame.step > 10).step
    page.close()
    again = open_page(lab, page.cookie)
    reply = again.command("open", kind="points", run=run, settings={"rate": 0.1})
    assert reply["resumed"] and reply["settings"]["rate"] == 0.5
    assert again.wait_frame().step > step, "it trained on meanwhile"


def test_a_gone_page_is_forgotten_by_the_hub(lab, open_page):
    page = open_page()
    run = page.open()
    page.close()
    wait_until(lambda: lab.runs.hub.unwatched_for(run_topic(run)) is not None, "the hub to see that the page has gone")


@pytest.mark.clock
def test_frames_come_at_the_rate_of_the_server_and_no_faster(page):
    run = page.open(speed="max")
    page.command("play", run=run)
    page.wait_frame(lambda frame: not frame.key)
    page.frames.clear()
    time.sleep(2.0)
    assert 5 <= len(page.frames) <= 64
