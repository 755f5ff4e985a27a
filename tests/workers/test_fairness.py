"""One page's commands never cost the others their frames, and the last wish wins; with the scheduler's own clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from itertools import count

import pytest

from tests.workers.bench import Bench, order
from webapp.contract.commands import Pause, Play, Reset, RunWish, Set, Step
from webapp.contract.wire import unpack
from webapp.kinds import registry
from webapp.kinds.points.settings import PointsSettings
from webapp.training.commands import Look, Weight
from webapp.workers.inbox import Closed, Inbox, add
from webapp.workers.job import Job
from webapp.workers.messages import FrameOut, Order, Want
from webapp.workers.outbox import Outbox

OTHERS = [letter * 22 for letter in "abcdef"]
NOISY = [letter * 22 for letter in "XY"]
SECONDS = 4.0


def class_of_eight(build_cost: float, noise: Callable[[float], Iterator[RunWish]]) -> tuple[Bench, float]:
    """Six runs that train and are watched, and two of a person whose ``noise(now)`` are the commands of a moment.

    Returns the bench, and the longest that a command of the six had to wait for being done.
    """
    bench = Bench(frame_cost=0.0005)
    numbers = count(1)
    for run in OTHERS:
        bench.create(run, speed="epoch")
        bench.play(run, speed="epoch")
    bench.options = {"build_cost": build_cost, "frame_cost": 0.0005}
    for run in NOISY:
        bench.create(run, speed="epoch")
        bench.play(run, speed="epoch")
    bench.out.clear()
    bench.times.clear()
    end, next_look, waits, asked = bench.clock.now + SECONDS, bench.clock.now, [], 0.0
    while bench.clock.now < end:
        for wish in noise(bench.clock.now):
            bench.scheduler.receive(order(wish, next(numbers)))
        for run in [*OTHERS, *NOISY]:
            bench.want(run)
        job: Job = bench.scheduler._jobs[OTHERS[0]]
        if asked and not job.waiting:
            waits.append(bench.clock.now - asked)
            asked = 0.0
        if bench.clock.now >= next_look:
            next_look += 0.5
            asked = bench.clock.now
            bench.scheduler.receive(order(Look(run=OTHERS[0], seq=1, layer=1), next(numbers)))
        idle = bench.scheduler.idle_time()
        if idle == 0.0:
            bench.scheduler.turn()
        else:
            bench.clock.spend(min(1.0 if idle is None else idle + 1e-9, end - bench.clock.now))
    return bench, max(waits)


def silence(_: float) -> Iterator[RunWish]:
    return iter(())


def flood_of_sets(_: float) -> Iterator[RunWish]:
    """Several in flight for each run, always."""
    for run in NOISY:
        for number in range(3):
            yield Set(run=run, seq=number, settings={})


def flood_of_resets(_: float) -> Iterator[RunWish]:
    for run in NOISY:
        for number in range(3):
            yield Reset(run=run, seq=number)


def flood_of_all(now: float) -> Iterator[RunWish]:
    yield from flood_of_sets(now)
    for run in NOISY:
        yield Weight(run=run, seq=1, layer=1, source=0, target=0, value=1.0)
        yield Step(run=run, seq=2)
        yield Reset(run=run, seq=3)
        yield Look(run=run, seq=4)
        yield Play(run=run, seq=5)


class Hand:
    """One honest person who makes a change every ``pause`` seconds until ``until``."""

    def __init__(self, pause: float, until: float = float("inf")) -> None:
        self.pause, self.until = pause, until
        self.made: list[float] = []

    def __call__(self, now: float) -> Iterator[RunWish]:
        if not self.made or self.made[-1] + self.pause <= now < self.made[0] + self.until:
            self.made.append(now)
            yield Set(run=NOISY[0], seq=len(self.made), settings={})

    def waits(self, bench: Bench) -> list[float]:
        """Of each change, how long a frame with it took."""
        shown = [
            (time, unpack(registry().codes, message.blobs[""]).command)
            for time, message in zip(bench.times, bench.out, strict=True)
            if isinstance(message, FrameOut) and message.run == NOISY[0]
        ]
        return [
            next((time for time, seq in shown if seq >= number), float("inf")) - made
            for number, made in enumerate(self.made, 1)
        ]


def slider() -> Hand:
    """27 changes a second."""
    return Hand(1 / 27)


def frames_a_second(bench: Bench, run: str) -> float:
    return sum(frame.run == run for frame in bench.of(FrameOut)) / SECONDS


@cache
def in_peace() -> dict[str, float]:
    bench, _ = class_of_eight(0.0, silence)
    return {run: frames_a_second(bench, run) for run in OTHERS}


@pytest.mark.parametrize(
    ("noise", "build_cost"),
    [
        (flood_of_sets, 0.002),
        (flood_of_sets, 0.011),
        (flood_of_sets, 0.09),
        (flood_of_resets, 0.05),
        (flood_of_all, 0.011),
        (flood_of_all, 0.03),
        (slider(), 0.09),
    ],
)
def test_the_others_keep_their_frames_and_their_commands_are_done(noise, build_cost):
    noisy, longest = class_of_eight(build_cost, noise)
    for run, undisturbed in in_peace().items():
        assert frames_a_second(noisy, run) >= 0.9 * undisturbed
    assert longest < 0.2


@pytest.mark.parametrize(("noise", "least"), [(flood_of_sets, 1.0), (slider(), 0.5)])
def test_who_makes_the_noise_is_served_too(noise, least):
    bench, _ = class_of_eight(0.09, noise)
    made = bench.experiments[len(OTHERS)]
    assert made.calls.count("configure") >= least * SECONDS / 2, made.calls.count("configure")


@pytest.mark.parametrize("build_cost", [0.011, 0.03, 0.06, 0.09])
def test_what_a_hand_changes_is_shown_at_once_while_others_train(build_cost):
    hand = Hand(0.3, until=SECONDS - 0.3)
    bench, longest = class_of_eight(build_cost, hand)
    assert len(hand.made) > 10 and max(hand.waits(bench)) < 0.25
    assert longest < 0.2
    for run, undisturbed in in_peace().items():
        assert frames_a_second(bench, run) >= 0.65 * undisturbed


def test_a_slider_is_followed_and_where_it_stops_is_shown_soon():
    slide = Hand(1 / 27, until=2.0)
    bench, _ = class_of_eight(0.03, slide)
    assert bench.experiments[len(OTHERS)].calls.count("configure") >= 6
    slide = Hand(1 / 27, until=2.0)
    bench, _ = class_of_eight(0.09, slide)
    assert slide.waits(bench)[-1] < 0.4


def test_alone_on_a_worker_a_slider_is_followed_step_by_step():
    bench = Bench(build_cost=0.03)
    experiment = bench.create(speed="epoch")
    bench.play(speed="epoch")
    for _ in range(20):
        bench.scheduler.receive(order(Set(run="A" * 22, seq=1, settings={})))
        bench.go(1 / 27)
    assert experiment.calls.count("configure") >= 18


def settings_of(bench: Bench) -> PointsSettings:
    settings = bench.experiments[0].settings
    assert isinstance(settings, PointsSettings)
    return settings


def test_of_a_thousand_sets_sent_at_once_the_last_one_holds_and_few_are_built():
    bench = Bench(build_cost=0.002)
    experiment = bench.create(speed="epoch")
    inbox = Inbox(limit=64)
    for number in range(1000):
        settings = PointsSettings(speed="epoch", rate=(number + 1) / 1000)
        assert inbox.put(order(Set(run="A" * 22, seq=number, settings={}), number, settings)), "none is refused"
    for message in inbox.take(0.0):
        bench.scheduler.receive(message)
    bench.go(0.1)
    assert settings_of(bench).rate == 1.0
    assert experiment.calls.count("configure") == 1


RUN = "A" * 22
EDIT = Weight(run=RUN, seq=0, layer=1, source=0, target=0, value=1.0)
SET, PLAY, PAUSE = Set(run=RUN, seq=0, settings={}), Play(run=RUN, seq=0), Pause(run=RUN, seq=0)


@pytest.mark.parametrize(
    ("sent", "left"),
    [
        ([SET, SET, SET], [SET]),
        ([SET, PLAY, SET, PAUSE], [PLAY, SET, PAUSE]),
        ([EDIT, EDIT], [EDIT, EDIT]),
        ([SET, EDIT, SET, SET], [SET, EDIT, SET]),  # the weight is one of the network that the first one made
    ],
)
def test_what_waits_is_merged_to_its_newest(sent, left):
    waiting: list[Order] = []
    for number, wish in enumerate(sent):
        add(waiting, order(wish, number))
    assert [each.wish for each in waiting] == left
    assert waiting[-1].order == len(sent) - 1
    assert [each.order for each in waiting] == sorted(each.order for each in waiting)


def test_wants_are_one_want():
    inbox = Inbox(limit=1)
    inbox.put(Want(RUN, key=True, lenses=frozenset({"a"})))
    inbox.put(Want(RUN, fresh=True, lenses=frozenset({"b"})))
    assert inbox.take(0.0) == [Want(RUN, key=True, fresh=True, lenses=frozenset({"a", "b"}))]


def test_more_edits_than_may_wait_are_refused_and_what_comes_too_late_is():
    now = 5.0
    inbox = Inbox(limit=3, clock=lambda: now)
    assert [inbox.put(order(EDIT)) for _ in range(4)] == [True, True, True, False]
    late = Order("B" * 22, SET, 1, PointsSettings(), until=4.9)
    assert not inbox.put(late)
    assert inbox.put(Order("B" * 22, SET, 1, PointsSettings(), until=5.1))


def test_edits_that_were_taken_and_wait_for_their_turn_count_too():
    bench = Bench()
    bench.create()
    inbox = Inbox(3, bench.scheduler.undone)
    taken = 0
    for _ in range(10):
        taken += inbox.put(order(EDIT))
        for message in inbox.take(0.0):
            bench.scheduler.receive(message)
    assert taken == 3 == bench.scheduler.undone(RUN)


def test_what_was_accepted_stays_or_is_replaced_also_in_a_full_outbox():
    outbox = Outbox(limit=2, limit_per_run=2)
    assert outbox.put(order(SET, 1), force=False)
    for _ in range(3):
        outbox.put(Want(RUN), force=True)
    assert not outbox.put(order(EDIT, 2), force=False)
    assert outbox.put(order(SET, 3), force=False), "it takes the other one's place"
    assert [outbox.get() for _ in range(4)] == [Want(RUN)] * 3 + [order(SET, 3)]


def test_a_closed_inbox_gives_nothing_more():
    inbox = Inbox(limit=1)
    inbox.put(order(SET))
    inbox.close()
    with pytest.raises(Closed):
        inbox.take(None)
