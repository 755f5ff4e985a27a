"""Ctrl-C in a long run, and a session that two threads use at once: nothing is left half done."""

from __future__ import annotations

import gc
import signal
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from time import monotonic
from types import FrameType

import numpy as np
import pytest

import engine as en
from engine import ops as O
from engine.errors import EngineError
from engine.executors import Executor
from engine.native import Native, load, problem
from tests.running import MACHINE

needs_numba = pytest.mark.skipif(problem() is not None, reason=str(problem()))
needs_alarms = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no alarms")


@pytest.fixture(params=["NumPy", pytest.param("native", marks=needs_numba)])
def executor(request: pytest.FixtureRequest) -> Executor | None:
    return load(MACHINE) if request.param == "native" else None


Network = tuple[en.Graph, en.Tensor, en.Tensor, en.Tensor]


def of_size(rows: int, inputs: int, units: int) -> Network:
    """Its graph, what it is fed, a step, and how many steps there were."""
    with en.Graph() as graph:
        x = en.placeholder((rows, inputs), name="x")
        w = en.variable(en.init.Normal(0.5), (inputs, units), name="w")
        count = en.variable(0.0, name="count", trainable=False)
        train = en.optim.Momentum(0.01).minimize(en.losses.l2(O.tanh(x @ w)))
        step = O.group(train, O.assign(count, count + 1.0))
    return graph, x, step, count


@pytest.fixture(scope="module")
def network() -> Network:
    return of_size(16, 2, 1)


@contextmanager
def pressed_after(seconds: float) -> Iterator[None]:
    """Ctrl-C."""

    def press(_number: int, _frame: FrameType | None) -> None:
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGALRM, press)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@needs_numba
@needs_alarms
@pytest.mark.clock
@pytest.mark.parametrize(("threads", "size"), [(1, (16, 2, 1)), (2, (256, 256, 256))])
def test_a_native_run_ends_between_two_steps_within_a_fifth_of_a_second(
    threads: int, size: tuple[int, int, int], native: Native, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After years of steps, that is; and it goes on as one that ended there by itself."""
    monkeypatch.setattr(native.machine.crew, "cores", 2)
    graph, x, step, count = of_size(*size)
    found = []
    for steps in (10**12, None):
        session = en.Session(graph, executor=native, threads=threads)
        program = session.bind(step, {x: size[:2]})
        assert program.threads == threads
        program.feeds[x][...] = np.linspace(-1, 1, size[0] * size[1]).reshape(size[:2])
        if steps is not None:
            began = monotonic()
            with pytest.raises(KeyboardInterrupt), pressed_after(0.3):
                program.run(steps)
            assert monotonic() - began < 0.3 + 0.2
            done = int(session.get(count))
            assert 0 < done < steps
        else:
            program.run(done)
        program.run(3)
        found.append(session.state()["float32"].tobytes())
    assert found[0] == found[1]


@needs_numba
@needs_alarms
def test_a_stream_that_is_broken_off_leaves_its_last_part_in_the_feed(network, native) -> None:
    graph, x, step, count = network
    stream = np.random.default_rng(0).normal(size=(100_000, 16, 2)).astype("f")
    session = en.Session(graph, executor=native)
    program = session.bind(step, {x: (16, 2)})
    program.run(1, {x: stream})
    with pytest.raises(KeyboardInterrupt), pressed_after(0.01):
        for _ in range(10_000):  # minutes
            program.run(100_000, {x: stream})
    done = int(session.get(count)) - 1
    np.testing.assert_array_equal(program.feeds[x], stream[(done - 1) % 100_000])
    other = en.Session(graph, executor=native)
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

    thread = threading.Thread(target=work)
    thread.start()
    refused = set[str]()
    calls = {
        "run": lambda: session.run(count),
        "bind": lambda: session.bind(count, {}),
        "get": lambda: session.get(count),
        "state": session.state,
        "reset": session.reset,
        "program.run": program.run,
    }
    end = monotonic() + 60
    try:
        while refused != calls.keys() and monotonic() < end:
            if not thread.is_alive():
                thread = threading.Thread(target=work)
                thread.start()
            for name, call in calls.items():
                try:
                    call()
                except EngineError as error:
                    assert "another thread" in str(error) and "a session of its own" in str(error)
                    refused.add(name)
    finally:
        ended.set()
        thread.join()
    assert refused == calls.keys()
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
