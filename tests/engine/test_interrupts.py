"""Ctrl-C in a long run, and a session that two threads use at once: nothing is left half done."""

from __future__ import annotations

import gc
import signal
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

import numpy as np
import pytest

import engine as en
from engine import ops as O
from engine.errors import EngineError
from engine.executors import Executor
from engine.native import load, problem

CACHE = Path(__file__).parents[2] / ".tools" / "machine"
needs_numba = pytest.mark.skipif(problem() is not None, reason=str(problem()))
needs_alarms = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no alarms")


@pytest.fixture(params=["NumPy", pytest.param("native", marks=needs_numba)])
def executor(request: pytest.FixtureRequest) -> Executor | None:
    return load(CACHE) if request.param == "native" else None


@pytest.fixture(scope="module")
def network() -> tuple[en.Graph, en.Tensor, en.Tensor, en.Tensor]:
    """Its graph, what it is fed, a step, and how many steps there were."""
    with en.Graph() as graph:
        x = en.placeholder((16, 2), name="x")
        w = en.variable(en.init.Normal(0.5), (2, 1), name="w")
        count = en.variable(0.0, name="count", trainable=False)
        train = en.optim.Momentum(0.01).minimize(en.losses.l2(O.tanh(x @ w)))
        step = O.group(train, O.assign(count, count + 1.0))
    return graph, x, step, count


class CtrlC(Exception):
    """What a hand does."""


@contextmanager
def pressed_after(seconds: float) -> Iterator[None]:
    def press(_number: int, _frame: FrameType | None) -> None:
        raise CtrlC

    before = signal.signal(signal.SIGALRM, press)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@needs_numba
@needs_alarms
@pytest.mark.parametrize("threads", [1, 2])
def test_a_native_run_ends_between_two_steps(network, threads: int) -> None:
    """After years of steps, that is; and it goes on as one that ended there by itself."""
    graph, x, step, count = network
    found = []
    for steps in (10**12, None):
        session = en.Session(graph, executor=load(CACHE), threads=threads)
        program = session.bind(step, {x: (16, 2)})
        program.feeds[x][...] = np.linspace(-1, 1, 32).reshape(16, 2)
        if steps is not None:
            with pytest.raises(CtrlC), pressed_after(0.2):
                program.run(steps)
            done = int(session.get(count))
            assert 0 < done < steps
        else:
            program.run(done)
        program.run(3)
        found.append(session.state()["float32"].tobytes())
    assert found[0] == found[1]


@needs_numba
@needs_alarms
def test_a_stream_that_is_broken_off_leaves_its_last_part_in_the_feed(network) -> None:
    graph, x, step, count = network
    stream = np.random.default_rng(0).normal(size=(100_000, 16, 2)).astype("f")
    session = en.Session(graph, executor=load(CACHE))
    program = session.bind(step, {x: (16, 2)})
    program.run(1, {x: stream})
    with pytest.raises(CtrlC), pressed_after(0.01):
        while True:
            program.run(100_000, {x: stream})
    done = int(session.get(count)) - 1
    np.testing.assert_array_equal(program.feeds[x], stream[(done - 1) % 100_000])
    other = en.Session(graph, executor=load(CACHE))
    other.load_state(session.state())
    program.run(5)
    again = other.bind(step, {x: (16, 2)})
    again.feeds[x][...] = stream[(done - 1) % 100_000]
    again.run(5)
    assert session.state()["float32"].tobytes() == other.state()["float32"].tobytes()


def test_a_session_at_work_in_another_thread_says_so(network, executor: Executor | None) -> None:
    graph, x, step, count = network
    session = en.Session(graph, executor=executor)
    program = session.bind(step, {x: (16, 2)})
    ended = threading.Event()

    def work() -> None:
        with suppress(EngineError):  # it may be the one who is refused
            while not ended.is_set():
                program.run(2000)

    thread = threading.Thread()
    refused = set[str]()
    calls = {
        "run": lambda: session.run(count),
        "bind": lambda: session.bind(count, {}),
        "get": lambda: session.get(count),
        "state": session.state,
        "reset": session.reset,
        "program.run": program.run,
    }
    while refused != calls.keys():
        if not thread.is_alive():
            thread = threading.Thread(target=work)
            thread.start()
        for name, call in calls.items():
            try:
                call()
            except EngineError as error:
                assert "another thread" in str(error) and "a session of its own" in str(error)
                refused.add(name)
    ended.set()
    thread.join()
    session.run(count)  # it is free again


def test_a_program_that_nobody_needs_goes_at_once(network, executor: Executor | None) -> None:
    """With its memory, and without the collector of cycles: else many shapes of batches pile up."""
    graph, x, step, _ = network
    session = en.Session(graph, executor=executor)
    program = session.bind(step, {x: (16, 2)})
    program.run()
    gone = weakref.ref(program)
    session._programs.clear()
    gc.disable()
    try:
        del program
        assert gone() is None
    finally:
        gc.enable()
