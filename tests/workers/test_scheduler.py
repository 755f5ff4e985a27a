"""The scheduler with a clock of its own: fair slices, pacing, frames, snapshots."""

from __future__ import annotations

import math

import msgspec
import pytest

from tests.fake_experiment import DIVERGE, FAIL_AT_ONCE, STEPS_PER_EPOCH
from tests.workers.bench import A, B, Bench
from webapp.contract.commands import Pause, Play, Reset, Set, Step
from webapp.kinds.points.settings import PointsSettings
from webapp.training.commands import Look, Weight
from webapp.workers.job import SLICE
from webapp.workers.messages import Create, Drop, FrameOut, Snapshot


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_with_nothing_to_do_it_sleeps_until_a_message(bench):
    assert bench.scheduler.idle_time() is None
    bench.create()
    bench.go(0.01)
    assert bench.scheduler.idle_time() is None


def test_a_slice_is_about_four_milliseconds(bench):
    experiment = bench.create()
    bench.play()
    before = bench.clock.now
    bench.scheduler.turn()
    assert experiment.step > 0
    assert SLICE <= bench.clock.now - before < SLICE + 0.001


def test_two_runs_share_the_time_equally_even_if_one_takes_long_steps():
    bench = Bench()
    quick = bench.create(A)
    bench.options = {"seconds_per_step": 0.013}  # longer than a slice
    slow = bench.create(B)
    bench.play(A)
    bench.play(B)
    bench.go(2.0)
    assert quick.step * 0.0005 == pytest.approx(slow.step * 0.013, rel=0.1)


def test_a_run_that_slept_gets_its_share_but_no_more(bench):
    early = bench.create(A)
    late = bench.create(B)
    bench.play(A)
    bench.go(5.0)
    before = early.step
    bench.play(B)
    bench.go(1.0)
    assert late.step == pytest.approx(early.step - before, rel=0.1)


@pytest.mark.parametrize(("speed", "rate"), [("batch", 10), ("epoch", 100)])
def test_paced_training_keeps_to_the_clock(bench, speed, rate):
    experiment = bench.create(speed=speed)
    bench.play(speed=speed)
    bench.go(10.0)
    assert experiment.step == pytest.approx(10 * rate, rel=0.03)


def test_the_first_batch_comes_at_once(bench):
    experiment = bench.create(speed="batch")
    bench.play(speed="batch")
    bench.go(0.01)
    assert experiment.step >= 1


def test_play_starts_without_a_burst(bench):
    experiment = bench.create(speed="epoch")
    bench.go(5.0)  # waiting saves nothing up
    bench.play(speed="epoch")
    bench.go(0.1)
    assert experiment.step <= 0.1 * 100 + 2


def test_from_full_speed_to_a_pace_and_back_nothing_is_owed(bench):
    experiment = bench.create(speed="max")
    bench.play(speed="max")
    bench.go(2.0)
    bench.order(Set(seq=5, run=A, settings={}), PointsSettings(speed="epoch"))
    before = experiment.step
    bench.go(2.0)
    assert 2.0 * 100 * 0.9 <= experiment.step - before <= 2.25 * 100 + 2


def test_no_more_than_a_quarter_second_of_debt_is_caught_up(bench):
    experiment = bench.create(speed="epoch")
    bench.play(speed="epoch")
    bench.go(1.0)
    before = experiment.step
    bench.clock.spend(60.0)  # the machine slept
    bench.go(0.1)
    assert experiment.step - before <= 0.25 * 100 + 0.1 * 100 + 1


def test_no_want_no_frame(bench):
    experiment = bench.create()
    bench.play()
    bench.go(1.0)
    assert experiment.frames == 0 and bench.of(FrameOut) == []


def test_one_want_one_frame(bench):
    bench.create()
    bench.play()
    bench.want(key=True)
    bench.go(1.0)
    assert [frame.key for frame in bench.of(FrameOut)] == [True]


def test_frames_keep_their_interval(bench):
    bench.create()
    bench.play()
    bench.go(1.0, asks=True)
    assert 28 <= len(bench.of(FrameOut)) <= 32


def test_costly_frames_come_seldom_enough_to_leave_three_quarters_for_training():
    bench = Bench(frame_cost=0.030)
    experiment = bench.create()
    bench.play()
    bench.go(10.0, asks=True)
    assert experiment.frames * 0.030 <= 0.26 * 10
    assert experiment.frames > 50


def test_a_frame_right_after_a_command_goes_first_and_waits_for_no_interval(bench):
    bench.create(A)
    bench.create(B)
    bench.play(A)
    bench.play(B)
    bench.go(1.0, asks=True)
    before = len(bench.of(FrameOut))
    bench.want(A)
    bench.order(Set(run=A, seq=5, settings={}))
    at = bench.clock.now
    bench.scheduler.turn()
    assert len(bench.of(FrameOut)) == before + 1
    assert bench.clock.now == at, "nothing else came before it"


def test_nothing_changed_no_frame(bench):
    bench.create()
    bench.want(key=True)
    bench.go(0.1)
    bench.want()
    bench.go(1.0)
    assert len(bench.of(FrameOut)) == 1
    bench.want(fresh=True)
    bench.go(0.1)
    assert len(bench.of(FrameOut)) == 2, "who missed the last one gets it although nothing changed since"


def test_an_experiment_with_new_data_sends_a_key_frame_by_itself(bench):
    experiment = bench.create()
    bench.want(key=True)
    bench.go(0.1)
    experiment.wants_key = True
    bench.want()
    bench.order(Set(run=A, seq=1, settings={}))
    bench.go(0.1)
    assert [frame.key for frame in bench.of(FrameOut)] == [True, True]


def test_frames_are_numbered_on_after_a_move(bench):
    bench.create(sequence=41)
    bench.want(key=True)
    bench.go(0.1)
    assert bench.of(FrameOut)[0].sequence == 42


def test_background_work_goes_on_while_paused_and_shows(bench):
    bench.options = {"background_slices": 5}
    experiment = bench.create()
    bench.want(key=True)
    bench.go(0.2)
    bench.want()
    bench.go(0.2)
    assert experiment.calls.count("background") == 5
    assert len(bench.of(FrameOut)) == 2


def test_background_work_doesnt_stop_training(bench):
    bench.options = {"background_slices": 10**9}
    experiment = bench.create()
    bench.play()
    bench.go(1.0)
    assert experiment.step * 0.0005 > 0.6


def test_a_snapshot_each_second_while_training(bench):
    bench.create()
    bench.play()
    bench.go(10.0)
    assert 9 <= len(bench.of(Snapshot)) <= 12
    assert bench.of(Snapshot)[-1].order == 1


def test_costly_snapshots_take_no_more_than_a_twentieth_of_the_time():
    bench = Bench()
    experiment = bench.create()
    experiment.snapshot = lambda: bench.clock.spend(0.2) or b"big"  # type: ignore[method-assign,func-returns-value]
    bench.play()
    bench.go(40.0)
    assert 8 <= len(bench.of(Snapshot)) <= 11


def test_what_a_person_did_while_paused_is_kept_too(bench):
    bench.create()
    bench.order(Weight(run=A, seq=1, layer=1, source=0, target=0, value=2.0))
    bench.go(1.0)
    assert len(bench.of(Snapshot)) == 1
    bench.go(10.0)
    assert len(bench.of(Snapshot)) == 1, "nothing happened since"


def test_a_step_trains_exactly_one_epoch_whatever_the_speed(bench):
    experiment = bench.create(speed="batch")
    bench.order(Step(run=A, seq=1, unit="epoch"), PointsSettings(speed="batch"))
    bench.go(1.0)
    assert experiment.step == STEPS_PER_EPOCH
    assert bench.statuses[-1].reason == "stepped" and not bench.statuses[-1].playing


def test_diverged(bench):
    experiment = bench.create()
    experiment.value = DIVERGE
    bench.play()
    bench.go(5.0)
    assert (bench.statuses[-1].reason, bench.statuses[-1].step) == ("diverged", 1)
    assert bench.of(Snapshot) == [], "weights that aren't numbers are no state to go on from"
    assert bench.scheduler.idle_time() is None


def test_a_diverged_run_tells_what_would_help_with_the_settings_of_now(bench):
    overshooting = PointsSettings(rate=1.0, regularization="l2", regularization_rate=3.0)
    bench.create().value = DIVERGE
    bench.order(Play(run=A, seq=1), overshooting)
    bench.go(5.0)
    assert bench.statuses[-1].values == {"cause": "regularization", "regularization_rate": 0.1}
    bench.order(Set(run=A, seq=2, settings={}), msgspec.structs.replace(overshooting, rate=0.1))
    bench.go(1.0)
    assert (bench.statuses[-1].reason, bench.statuses[-1].values["cause"]) == ("diverged", "rate")


def test_pausing_for_the_web_process_says_its_reason(bench):
    bench.create()
    bench.play()
    bench.order(Pause(run=A, seq=1), reason="unwatched")
    assert bench.statuses[-1].reason == "unwatched"


def test_a_failed_command_pauses_and_tells(bench, caplog):
    bench.create()
    bench.play()
    bench.order(Weight(run=A, seq=2, layer=1, source=0, target=0, value=FAIL_AT_ONCE))
    assert [notice.code for notice in bench.notices] == ["internal_error"]
    assert not bench.statuses[-1].playing
    assert "asked to fail" in caplog.text, "the log has the traceback"


def test_a_run_that_cant_start_is_told_and_tried_again_by_a_command(bench, monkeypatch):
    monkeypatch.setattr(bench.scheduler, "_make", lambda kind, settings: 1 / 0)
    bench.receive(Create(run=A, kind="points", settings=PointsSettings()))
    assert bench.notices[0].code == "internal_error"
    bench.go(1.0)
    monkeypatch.setattr(bench.scheduler, "_make", bench.make)
    bench.order(Reset(run=A, seq=1))
    bench.want(key=True)
    bench.go(0.1)
    assert len(bench.of(FrameOut)) == 1


def test_a_run_taken_over_goes_on_from_its_snapshot_with_the_settings_that_hold_now(bench):
    old = bench.create()
    bench.play()
    bench.go(3.0)
    snapshot = bench.of(Snapshot)[-1]
    after = Bench()
    now = PointsSettings(rate=0.5, speed="max")
    look = Look(run=A, seq=1, layer=1)
    after.receive(
        Create(run=A, kind="points", settings=now, playing=True, snapshot=snapshot, replay=(look,), sequence=9, order=7)
    )
    new = after.experiments[-1]
    assert 0 < new.step <= old.step
    assert new.calls == ["configure", "look"] and new.settings == now
    after.go(0.1)
    assert new.step > 0 and after.statuses[0].playing


def test_a_dropped_run_is_forgotten(bench):
    experiment = bench.create()
    bench.play()
    bench.scheduler.receive(Drop(A))
    bench.want()
    bench.play()
    bench.go(1.0)
    assert experiment.step == 0 and bench.scheduler.idle_time() is None


def test_a_new_executor_is_told(bench):
    experiment = bench.create()
    bench.play()
    experiment.executor = "CPU · native"
    bench.go(0.1)
    assert bench.statuses[-1].executor == "CPU · native" and bench.statuses[-1].playing


def test_every_run_goes_over_to_the_machine_and_one_that_stands_still_keeps_its_reason(bench):
    playing, stopped = bench.create(A), bench.create(B)
    bench.play(A)
    stopped.value = DIVERGE
    bench.play(B)
    bench.go(1.0)
    bench.scheduler.use_machine(lambda *_: None)
    told = {status.run: status for status in bench.statuses[-2:]}
    assert {status.executor for status in told.values()} == {"Fake, native"}
    assert told[A].playing and told[A].step == playing.step > 0
    assert (told[B].playing, told[B].reason, told[B].step) == (False, "diverged", 1)


def test_runs_that_come_later_or_come_back_get_the_machine_too(bench):
    bench.create(A)
    bench.play(A)
    bench.go(3.0)
    bench.scheduler.use_machine(lambda *_: None)
    assert bench.create(B).executor == "Fake, native"
    back = bench.create(A, snapshot=bench.of(Snapshot)[-1])
    assert back.executor == "Fake, native" and back.step > 0
    assert [status.executor for status in bench.statuses[-2:]] == ["Fake, native"] * 2


def test_a_speed_of_zero_never_spins(bench, monkeypatch):
    experiment = bench.create()
    monkeypatch.setattr(experiment, "steps_per_second", lambda: 0.0)
    bench.play()
    bench.go(2.0)
    assert bench.scheduler.idle_time() in (None, math.inf)
