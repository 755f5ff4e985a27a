"""The trace of a step: what ran, how often, with how many bytes and operations, and for how long."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

import engine as en
from engine.trace import Trace, measure, trace


class Lesson:
    def __init__(self) -> None:
        with en.Graph() as self.graph:
            self.x, self.target = en.placeholder((None, 30), name="x"), en.placeholder((None, 5), name="target")
            y = en.layers.Dense(5, "linear", "output")(en.layers.Dense(20, "tanh", "hidden")(self.x))
            self.y, self.loss = y, en.losses.mean_squared_error(y, self.target)
            self.train = en.optim.Adam(0.1).minimize(self.loss)
        self.session = en.Session(self.graph)
        rng = np.random.default_rng(0)
        self.feeds = {each: rng.normal(size=(8, each.shape[1])).astype("f4") for each in (self.x, self.target)}


@pytest.fixture
def lesson() -> Lesson:
    return Lesson()


def test_every_operation_of_a_step_is_there_with_its_shape_bytes_and_flops(lesson):
    found = trace(lesson.session, lesson.y, lesson.feeds, repeat=3)
    first, activation, second = found.records
    assert [each.op for each in found.records] == ["affine", "tanh", "affine"]
    assert (first.name, first.shape, first.dtype) == ("hidden/affine", (8, 20), "float32")
    assert first.source.startswith("test_trace.py:")
    assert first.flops == 2 * 8 * 30 * 20
    assert first.bytes == 4 * (8 * 30 + 30 * 20 + 20 + 8 * 20)
    assert (activation.calls, activation.flops, activation.bytes) == (1, 10 * 160, 2 * 4 * 160)
    assert second.flops == 2 * 8 * 20 * 5
    program = lesson.session.bind(lesson.y, {each: value.shape for each, value in lesson.feeds.items()})
    assert sum(each.calls for each in found.records) == len(program.calls)
    assert found.arena_bytes == program.plan.arena_bytes


def test_times_are_positive_and_add_up_to_about_a_step(lesson):
    found = trace(lesson.session, lesson.train, lesson.feeds, repeat=20)
    assert all(each.seconds >= 0 for each in found.records)
    assert found.measured == pytest.approx(sum(found.by_op().values()))
    assert found.seconds / 5 < found.measured < found.seconds * 5
    assert list(found.by_op().values()) == sorted(found.by_op().values(), reverse=True)


def test_a_slow_operation_stands_first(lesson):
    with lesson.graph:
        big = en.ops.exp(en.ops.matmul(lesson.x, lesson.x, transpose_a=True, name="product")[:2])
    table = str(trace(lesson.session, big, {lesson.x: np.ones((20_000, 30), "f4")}, repeat=5)).splitlines()
    assert table[0].split()[:3] == ["share", "µs", "calls"]
    assert "matmul" in table[1]
    assert "float32(30, 30)" in table[1]
    assert "product (test_trace.py:" in table[1]
    assert table[-1].endswith("kB for their results")
    assert len(table) == 4


def test_the_variables_are_as_before(lesson):
    lesson.session.run(lesson.train, lesson.feeds)
    before = lesson.session.state()["float32"]
    trace(lesson.session, [lesson.train, lesson.loss], lesson.feeds, repeat=2)
    np.testing.assert_array_equal(lesson.session.state()["float32"], before)
    with pytest.raises(en.FeedError, match="isn't fed"):
        trace(lesson.session, lesson.train, {lesson.x: lesson.feeds[lesson.x]})


def test_a_bound_program_is_measured_as_it_runs(lesson):
    program = lesson.session.bind(lesson.train, {each: value.shape for each, value in lesson.feeds.items()})
    for tensor, value in lesson.feeds.items():
        program.feeds[tensor][...] = value
    before = lesson.session.state()["float32"]
    assert isinstance(measure(program, repeat=2), Trace)
    twin = Lesson()
    for _ in range(4):  # two runs in one go, two call by call
        twin.session.run(twin.train, twin.feeds)
    assert not np.array_equal(lesson.session.state()["float32"], before)
    np.testing.assert_array_equal(lesson.session.state()["float32"], twin.session.state()["float32"])


def test_reductions_count_what_they_read(lesson):
    with lesson.graph:
        total = en.ops.sum_(lesson.x)
    (record,) = trace(lesson.session, total, lesson.feeds, repeat=1).records
    assert (record.shape, record.flops) == ((), 8 * 30)


def test_records_are_data(lesson):
    found = trace(lesson.session, lesson.y, lesson.feeds, repeat=1)
    back = json.loads(json.dumps([dataclasses.asdict(each) for each in found.records]))
    assert back[0]["op"] == "affine"


def test_a_step_of_nothing():
    with en.Graph() as graph:
        w = en.variable(1.0, (), name="w")
    found = trace(en.Session(graph), w, repeat=1)
    assert found.records == ()
    assert "0 operations in 0 calls" in str(found)


def test_a_convolution_and_what_it_sends_back_count_their_sums():
    with en.Graph() as graph:
        x = en.placeholder((2, 6, 6, 3), name="x")
        filters = en.variable(en.init.he, (3, 3, 3, 4), name="filters")
        y = en.ops.conv2d(x, filters, padding="same")
        slopes = en.gradients(en.ops.sum_(y * y), [x, filters])
    found = trace(en.Session(graph), [y, *slopes], {x: np.ones((2, 6, 6, 3), "f4")}, repeat=1)
    counted = {each.op: each.flops for each in found.records if each.op.startswith("conv2d")}
    assert counted == dict.fromkeys(("conv2d", "conv2d_input", "conv2d_filters"), 2 * (2 * 6 * 6) * (3 * 3 * 3 * 4))
