"""A step is done whole or not at all: wrong labels however they are made, and Ctrl-C in the middle."""

from __future__ import annotations

import signal
from _thread import interrupt_main
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import pytest

import engine as en
from engine import ops as O
from engine.executors import Executor
from engine.native import NativeProgram, load, problem
from engine.op import REGISTRY, Call, Op, op
from tests.running import MACHINE

needs_numba = pytest.mark.skipif(problem() is not None, reason=str(problem()))


@pytest.fixture(params=["NumPy", pytest.param("native", marks=needs_numba)])
def executor(request: pytest.FixtureRequest) -> Executor | None:
    return load(MACHINE) if request.param == "native" else None


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return all(np.array_equal(each, other[dtype]) for dtype, each in one.items())


def window(raw: en.Tensor) -> en.Tensor:
    return raw[1:]


def shifted(raw: en.Tensor) -> en.Tensor:
    return raw[1:] + 1


def turned(raw: en.Tensor) -> en.Tensor:
    return O.reshape(O.transpose(O.reshape(raw[1:], shape=(2, 2))), shape=(4,))


def counted(raw: en.Tensor) -> en.Tensor:
    return O.cast(O.cast(raw[1:], dtype="float32") * 1.5, dtype="int32")


def trained_by(labels: Callable[[en.Tensor], en.Tensor]) -> tuple[en.Tensor, en.Tensor, en.Tensor]:
    """A step with much to be half done: averages, a counter, momentum, an embedding; and what it is fed."""
    with en.Graph():
        x, raw = en.placeholder((4, 3), name="x"), en.placeholder((5,), "int32", name="raw")
        flow = en.layers.Dense(6, "relu", "hidden")(x) + en.layers.Embedding(4, 6)(raw[:4])
        flow = en.layers.BatchNorm(True)(flow)
        loss = en.losses.softmax_cross_entropy(en.layers.Dense(4, name="out")(flow), labels(raw))
        steps = en.variable(0.0, name="steps", trainable=False)
        step = O.group(O.assign_add(steps, 1.0), en.optim.Momentum(0.1).minimize(loss))
    return x, raw, step


@pytest.mark.parametrize("labels", [window, shifted, turned, counted], ids=lambda each: each.__name__)
def test_a_wrong_label_leaves_everything_as_before_its_step(
    executor: Executor | None, labels: Callable[[en.Tensor], en.Tensor]
) -> None:
    x, raw, step = trained_by(labels)
    session = en.Session(step.graph, executor=executor)
    good = np.tile(np.array([0, 1, 2, 1, 0], "i4"), (6, 1))
    bad = good.copy()
    bad[3, 4] = 9
    images = np.random.default_rng(0).normal(size=(6, 4, 3)).astype("f4")
    program = session.bind(step, {x: (4, 3), raw: (5,)})
    before = session.state()
    place = r"is outside 0 to 3 \(.*test_whole_steps.py:\d+\)"
    with pytest.raises(en.EngineError, match=rf"one_hot: number \d+ {place}"):
        session.run(step, {x: images[3], raw: bad[3]})
    assert same(session.state(), before)
    with pytest.raises(en.EngineError, match=rf"one_hot: number \d+ {place}"):
        program.run(6, {x: images, raw: bad})
    broken = session.state()
    session.load_state(before)
    program.run(3, {x: images, raw: good})
    assert same(broken, session.state())  # the good steps before it
    program.run(3, {x: images[3:], raw: good[3:]})  # and it goes on
    if isinstance(program, NativeProgram) and labels is window:
        assert program.whole


def test_a_wrong_row_of_an_embedding_is_told_of_by_its_line(executor: Executor | None) -> None:
    x, raw, step = trained_by(shifted)
    session = en.Session(step.graph, executor=executor)
    before = session.state()
    with pytest.raises(en.EngineError, match=r"gather: number -3 is outside 0 to 3 \(embedding/gather.*test_whole_st"):
        session.run(step, {x: np.ones((4, 3), "f4"), raw: np.array([0, 1, -3, 1, 0], "i4")})
    assert same(session.state(), before)


def test_a_constant_row_that_isn_t_there_is_refused_before_anything_runs(executor: Executor | None) -> None:
    with en.Graph() as graph:
        table = en.variable(1.0, (4, 2), name="table")
        y = O.assign(table, table + O.sum_(O.gather(table, en.constant(np.array([1, 7], "i4")))))
    session = en.Session(graph, executor=executor)
    with pytest.raises(en.EngineError, match=r"gather: number 7 is outside 0 to 3 \(gather, test_whole_steps.py"):
        session.bind(y, {})
    np.testing.assert_array_equal(session.get(table), 1)


@contextmanager
def pressing() -> Iterator[Op]:
    """An op that gives its input, and during which Ctrl-C is pressed."""

    def kernel(xp: Any, out: Any, x: Any) -> list[Call]:
        return [partial(xp.copyto, out, x), interrupt_main]

    try:
        yield op("press", "Itself, and Ctrl-C.", spec=lambda x: x, kernel=kernel, pure=False)
    finally:
        del REGISTRY["press"]


@pytest.mark.parametrize("python", [False, True], ids=["NumPy's calls alone", "a Python function"])
def test_ctrl_c_inside_a_step_is_heard_behind_it(executor: Executor | None, python: bool) -> None:
    with pressing() as press, en.Graph() as graph:
        first, second, third = (en.variable(0.0, (3,), name=name) for name in ("first", "second", "third"))
        one = O.assign(first, first + 1.0)
        chosen = O.cast(O.argmax(one), dtype="float32") if python else 0.0
        two = O.assign(second, press(one + chosen))
        place = O.cast(O.argmax(two), dtype="float32") if python else 0.0
        step = O.group(one, two, O.assign(third, two * 1.0 + place))
    session = en.Session(graph, executor=executor)
    program = session.bind(step, {})
    with pytest.raises(KeyboardInterrupt):
        program.run(1000)
    done = session.get(first)
    assert 1 <= done[0] < 1000
    np.testing.assert_array_equal(session.get(second), done)
    np.testing.assert_array_equal(session.get(third), done)
    with pytest.raises(KeyboardInterrupt):
        session.run(step)
    np.testing.assert_array_equal(session.get(third), session.get(first))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
