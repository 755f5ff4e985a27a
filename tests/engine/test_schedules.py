"""Schedules: as numbers, as graph, and as an optimiser's rate."""

from __future__ import annotations

import math

import numpy as np
import pytest

import engine as en
from engine.schedules import Cosine, Exponential, Schedule, StepDecay, WarmUp

# each with what it should be at some steps
KNOWN: list[tuple[Schedule, dict[int, float]]] = [
    (StepDecay(0.8, 10, 0.5), {0: 0.8, 9: 0.8, 10: 0.4, 19: 0.4, 20: 0.2, 35: 0.1}),
    (Exponential(0.5, 0.9), {0: 0.5, 1: 0.45, 10: 0.5 * 0.9**10}),
    (Exponential(0.5, 0.25, every=10), {0: 0.5, 5: 0.25, 10: 0.125}),
    (Cosine(0.2, 100), {0: 0.2, 50: 0.1, 25: 0.1 * (1 + math.sqrt(0.5)), 100: 0.0, 150: 0.0}),
    (Cosine(0.2, 100, final=0.1), {0: 0.2, 50: 0.15, 100: 0.1, 1000: 0.1}),
    (WarmUp(4, 1.0), {0: 0.25, 1: 0.5, 3: 1.0, 4: 1.0, 100: 1.0}),
    (WarmUp(10, Cosine(1.0, 100)), {0: 0.1, 9: 1.0, 10: 1.0, 60: 0.5, 110: 0.0}),
]


@pytest.mark.parametrize(("schedule", "known"), KNOWN, ids=lambda each: type(each).__name__)
def test_a_rate_follows_from_the_step_as_a_number_and_as_graph(schedule: Schedule, known: dict[int, float]):
    for step, rate in known.items():
        assert schedule(step) == pytest.approx(rate, abs=1e-12)
    with en.Graph() as graph:
        step_fed = en.placeholder((), "int32", name="step")
        in_graph = schedule(step_fed)
    session = en.Session(graph)
    for step in (*known, 7, 33, 99):
        assert session.run(in_graph, {step_fed: step}) == pytest.approx(schedule(step), rel=1e-5, abs=1e-7)


def test_a_step_comes_at_its_very_step_in_float32_too():
    with en.Graph() as graph:
        step_fed = en.placeholder((), "int32", name="step")
        in_graph = StepDecay(1.0, 49, 0.5)(step_fed)
    session = en.Session(graph)
    for step in range(0, 49 * 20, 49):
        for near in (step, step + 48):
            assert session.run(in_graph, {step_fed: near}) == pytest.approx(StepDecay(1.0, 49, 0.5)(near), rel=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_optimiser_counts_its_own_steps(dtype: str):
    schedule = StepDecay(0.5, 2, 0.5)
    with en.Graph() as graph:
        w = en.variable(0.0, (), dtype=dtype, name="w")
        train = en.optim.SGD(schedule).minimize(-w)
    session = en.Session(graph)
    program = session.bind(train, {})
    went = []
    for _ in range(5):
        before = session.get(w)
        program.run()
        went.append(float(session.get(w) - before))
    assert went == pytest.approx([schedule(step) for step in range(5)], rel=1e-6)
    session.reset()
    program.run()
    assert session.get(w) == pytest.approx(0.5)


def test_a_fed_rate_follows_a_schedule_with_one_plan():
    schedule = WarmUp(3, Cosine(0.5, 4))
    with en.Graph() as graph:
        w, rate = en.variable(0.0, (), name="w"), en.placeholder((), name="rate")
        train = en.optim.SGD(rate).minimize(-w)
    session = en.Session(graph)
    program = session.bind(train, {rate: ()})
    for step in range(8):
        session.run(train, {rate: schedule(step)})
    assert session.bind(train, {rate: ()}) is program
    assert session.get(w) == pytest.approx(sum(schedule(step) for step in range(8)), rel=1e-5)


def test_adamw_follows_a_schedule_in_its_decay_too():
    with en.Graph() as graph:
        w = en.variable(1.0, (), name="w")
        train = en.optim.AdamW(StepDecay(0.5, 1, 0.5), weight_decay=0.5).minimize(w * 0.0)
    session = en.Session(graph)
    session.bind(train, {}).run(2)
    assert session.get(w) == pytest.approx(0.75 * 0.875)


@pytest.mark.parametrize(
    "build", [lambda: StepDecay(0.1, 0), lambda: Cosine(0.1, -5), lambda: Exponential(0.1, 0.0), lambda: WarmUp(0, 0.1)]
)
def test_lengths_and_factors_are_above_zero(build):
    with pytest.raises(en.EngineError, match=r": (every|steps|factor) must be above 0, got (0|-5)"):
        build()


def test_a_schedule_keeps_its_numbers_and_compares_by_them():
    assert Cosine(0.1, 100) == Cosine(0.1, 100) != Cosine(0.1, 200)
    assert np.isclose(Cosine(0.1, 100)(50), 0.05)
