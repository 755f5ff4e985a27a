"""A run that is asked to rest does so or says that it doesn't, and nothing that it was told before is lost."""

from __future__ import annotations

from tests.workers.bench import A, B, Bench, order
from webapp.contract.commands import Pause, Play, Set
from webapp.training.commands import Weight
from webapp.workers.messages import Rest, Rested


def test_asked_to_rest_while_its_pause_still_waits_it_pauses_and_rests():
    bench = Bench()
    bench.create()
    bench.play()
    bench.scheduler.receive(order(Pause(run=A, seq=2), 2))
    bench.scheduler.receive(Rest(A))
    bench.go(0.1)
    [rested] = bench.of(Rested)
    assert rested.rests and rested.snapshot.order == 2


def test_asked_to_rest_while_a_play_still_waits_it_says_that_it_doesnt():
    bench = Bench()
    bench.create()
    bench.scheduler.receive(order(Play(run=A, seq=2), 2))
    bench.scheduler.receive(Rest(A))
    bench.go(0.1)
    assert bench.of(Rested) == [Rested(A, rests=False)]


def test_what_waits_because_it_takes_long_is_done_before_the_run_rests():
    bench = Bench(build_cost=0.09)
    experiment = bench.create()
    bench.create(B)
    bench.play(B)
    for number in (1, 2):
        bench.scheduler.receive(order(Set(run=A, seq=number, settings={}), number))
        bench.go(0.1)
    bench.scheduler.receive(order(Weight(run=A, seq=3, layer=1, source=0, target=0, value=0.5), 3))
    bench.scheduler.receive(Rest(A))
    bench.go(5.0)
    [rested] = bench.of(Rested)
    assert rested.rests and rested.snapshot.order == 3 and experiment.value == 0.5
