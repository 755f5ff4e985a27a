"""Credits, key frames and the newest frame, without sockets or workers."""

from __future__ import annotations

import pytest

from webapp.contract.replies import Notice, Status
from webapp.stream.hub import CREDITS, Hub, run_topic
from webapp.workers.messages import FrameOut, Want

RUN = "r" * 22
TOPIC = run_topic(RUN)


class Browser:
    """Takes what it is sent and tells the blobs of the frames."""

    def __init__(self) -> None:
        self.got: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.got.append(data)

    @property
    def frames(self) -> list[str]:
        """The blobs, which are all shorter than 126 bytes here: two bytes of header stand before each."""
        return [data.split(b"\x82", 1)[1][1:].decode() for data in self.got if b'"frame"' in data]


class Stream:
    """A hub with one run, and what the run's worker was asked for."""

    def __init__(self) -> None:
        self.now = 0.0
        self.asked: list[Want] = []
        self.hub = Hub(self.asked.append, lambda: self.now)
        self.hub.add(TOPIC, RUN)
        self.count = -1

    def send(self, text: str, key: bool = False, **lenses: str) -> None:
        """A frame of the run; ``lenses`` are the blobs of those that were asked for by name."""
        self.count += 1
        self.asked.clear()
        blobs = {lens: blob.encode() for lens, blob in {"": text, **lenses}.items()}
        self.hub.frame(FrameOut(RUN, self.count, key, blobs))


@pytest.fixture
def stream() -> Stream:
    return Stream()


def test_the_worker_is_asked_for_a_key_frame_when_a_page_joins(stream):
    stream.hub.join(TOPIC, Browser())
    assert stream.asked == [Want(RUN, key=True, fresh=False)]


def test_two_frames_without_an_acknowledgement_and_no_more(stream):
    page = Browser()
    stream.hub.join(TOPIC, page)
    stream.send("first", key=True)
    assert stream.asked, "the second credit"
    stream.send("second")
    assert stream.asked == [], "no credit, no frame: it isn't even asked for"
    stream.send("third")
    assert page.frames == ["first", "second"]
    stream.hub.credit(TOPIC, page)
    assert stream.asked == [Want(RUN, key=False, fresh=True)], "it missed the third"
    stream.send("fourth")
    assert page.frames == ["first", "second", "fourth"], "the newest wins; the third is never sent"


def test_acknowledging_what_was_never_sent_gives_no_more_than_two(stream):
    page = Browser()
    stream.hub.join(TOPIC, page)
    for _ in range(10):
        stream.hub.credit(TOPIC, page)
    for number in range(10):
        stream.send(str(number), key=number == 0)
    assert len(page.frames) == CREDITS == 2


def test_a_page_that_joins_gets_no_delta_before_a_key_frame(stream):
    old, new = Browser(), Browser()
    stream.hub.join(TOPIC, old)
    stream.send("key", key=True)
    stream.hub.credit(TOPIC, old)
    stream.hub.join(TOPIC, new)
    assert Want(RUN, key=True, fresh=True) in stream.asked
    stream.send("delta")  # was under way already
    assert (old.frames, new.frames) == (["key", "delta"], [])
    assert stream.asked == [Want(RUN, key=True, fresh=True)]
    stream.hub.credit(TOPIC, old)
    stream.send("key again", key=True)
    assert (old.frames, new.frames) == (["key", "delta", "key again"], ["key again"])


def test_who_had_no_credit_for_a_key_frame_needs_the_next_one(stream):
    slow = Browser()
    stream.hub.join(TOPIC, slow)
    stream.send("key", key=True)
    stream.send("delta")
    stream.send("new data", key=True)
    stream.hub.credit(TOPIC, slow)
    assert stream.asked == [Want(RUN, key=True, fresh=True)]
    stream.send("delta of the new data")
    assert slow.frames == ["key", "delta"]
    stream.send("the new data", key=True)
    assert slow.frames == ["key", "delta", "the new data"]


def test_one_encoding_for_all_watchers(stream):
    pages = [Browser(), Browser()]
    for page in pages:
        stream.hub.join(TOPIC, page)
    stream.send("one", key=True)
    assert pages[0].got[-1] is pages[1].got[-1]


def test_a_slow_page_doesnt_hold_back_a_quick_one(stream):
    quick, slow = Browser(), Browser()
    stream.hub.join(TOPIC, quick)
    stream.hub.join(TOPIC, slow)
    for number in range(10):
        stream.send(str(number), key=number == 0)
        stream.hub.credit(TOPIC, quick)
    assert len(quick.frames) == 10
    assert slow.frames == ["0", "1"]


def test_a_page_that_left_hears_nothing(stream):
    page = Browser()
    stream.hub.join(TOPIC, page)
    stream.hub.leave(TOPIC, page)
    stream.send("frame", key=True)
    stream.hub.event(TOPIC, Status(run=RUN, playing=True))
    assert page.got == [] and stream.asked == []
    stream.hub.credit(TOPIC, page)
    assert stream.asked == []


def test_events_go_to_every_watcher_credit_or_not(stream):
    page = Browser()
    stream.hub.join(TOPIC, page, Status(run=RUN, playing=False, reason="paused"))
    for number in range(3):
        stream.send(str(number), key=True)
    stream.hub.event(TOPIC, Notice(run=RUN, code="worker_restarted", message="It goes on."))
    assert b'"reason":"paused"' in page.got[0]
    assert b'"worker_restarted"' in page.got[-1]


def test_a_new_worker_is_asked_afresh_for_a_key_frame(stream):
    page = Browser()
    stream.hub.join(TOPIC, page)
    stream.send("key", key=True)
    stream.asked.clear()
    stream.hub.moved(TOPIC)
    assert stream.asked == [Want(RUN, key=True, fresh=False)]
    assert stream.hub.sequence(TOPIC) == 0


def test_how_long_nobody_has_watched(stream):
    page = Browser()
    assert stream.hub.unwatched_for(TOPIC) is None, "its page is about to join"
    stream.now = 10.0
    assert stream.hub.unwatched_for(TOPIC) == 5.0
    stream.hub.expect(TOPIC)
    assert stream.hub.unwatched_for(TOPIC) is None
    stream.hub.join(TOPIC, page)
    stream.hub.expect(TOPIC)
    assert stream.hub.unwatched_for(TOPIC) is None
    stream.hub.leave_all(page)
    stream.now = 17.0
    assert stream.hub.unwatched_for(TOPIC) == 7.0


def test_what_was_removed_is_silently_ignored(stream):
    page = Browser()
    stream.hub.remove(TOPIC)
    stream.hub.join(TOPIC, page)
    stream.send("late", key=True)
    stream.hub.moved(TOPIC)
    assert page.got == [] and stream.hub.sequence(TOPIC) == -1


# ---- lenses


def test_each_page_gets_the_blob_of_its_own_lens(stream):
    one, other, third = Browser(), Browser(), Browser()
    for page, lens in ((one, "network"), (other, "graph"), (third, "graph")):
        stream.hub.join(TOPIC, page, lens=lens)
    assert stream.asked[-1].lenses == {"network", "graph"}
    stream.send("", key=True, network="n1", graph="g1")
    assert [one.frames, other.frames, third.frames] == [["n1"], ["g1"], ["g1"]]


def test_a_lens_that_nobody_has_open_is_not_asked_for(stream):
    page = Browser()
    stream.hub.join(TOPIC, page, lens="network")
    stream.hub.look_through(TOPIC, page, "graph")
    stream.send("", key=True, network="n1", graph="g1")
    assert stream.asked == [Want(RUN, key=False, fresh=False, lenses=frozenset({"graph"}))]


def test_who_changes_the_lens_gets_a_key_frame_next(stream):
    page = Browser()
    stream.hub.join(TOPIC, page, lens="network")
    stream.send("", key=True, network="n1")
    stream.hub.look_through(TOPIC, page, "graph")
    assert stream.asked[-1].key and stream.asked[-1].lenses == {"graph"}
    stream.send("", network="n2")  # was under way
    stream.send("", network="n3", graph="g3")
    assert page.frames == ["n1"]
    stream.send("", key=True, graph="g4")
    assert page.frames == ["n1", "g4"]


def test_the_same_lens_again_changes_nothing(stream):
    page = Browser()
    stream.hub.join(TOPIC, page, lens="network")
    stream.send("", key=True, network="n1")
    stream.asked.clear()
    stream.hub.look_through(TOPIC, page, "network")
    assert stream.asked == []


def test_a_frame_that_lacked_a_pages_lens_is_asked_for_again(stream):
    one, other = Browser(), Browser()
    stream.hub.join(TOPIC, one, lens="network")
    stream.hub.join(TOPIC, other, lens="graph")
    stream.send("", key=True, network="n1")  # made before the other came
    assert other.frames == [] and stream.asked[-1] == Want(RUN, True, True, frozenset({"network", "graph"}))


def test_a_topic_without_a_run_carries_what_is_told_and_asks_nobody_for_frames(stream):
    page = Browser()
    stream.hub.add("wall/7")
    stream.hub.join("wall/7", page)
    stream.hub.credit("wall/7", page)
    stream.hub.event("wall/7", Notice(run="", code="refused", message="A text."))
    assert len(page.got) == 1 and b"A text." in page.got[0] and stream.asked == []
