"""One network on several cores: the same bits, whoever does the work; and one thread at a time for each session."""

from __future__ import annotations

import ctypes
import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import engine as en
from engine import ops as O
from engine.native import Native, NativeProgram, problem
from engine.native import instructions as i

needs_numba = pytest.mark.skipif(problem() is not None, reason=str(problem()))
ROOT = Path(__file__).parents[2]
STEPS = 30


@pytest.fixture
def four(native: Native, monkeypatch: pytest.MonkeyPatch) -> Native:
    """With four threads, however few cores there are, and with work for them in small networks too."""
    monkeypatch.setattr(native.machine.crew, "cores", 4)
    monkeypatch.setattr("engine.native.executor.SHARED_FROM", 0)
    return native


def wide(size: int = 60_000) -> tuple[en.Graph, en.Tensor, en.Tensor]:
    """Element-wise work on a long vector, on its rows, and by blocks: enough to be shared."""
    with en.Graph() as graph:
        x = en.placeholder((size,), name="x")
        w = en.variable(en.init.Normal(1.0), (size,), name="w")
        table = O.reshape(w, shape=(-1, 100)) + en.variable(en.init.Normal(1.0), (100,), name="row")
        loss = O.sum_(O.square(O.tanh(w) - x)) + O.sum_(O.tanh(table))
        train = en.optim.Adam(0.01).minimize(loss)
    return graph, x, train


def stream(size: int = 60_000, steps: int = STEPS) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(steps, size)).astype("f")


def after(native: Native, threads: int, steps: int = STEPS) -> bytes:
    graph, x, train = wide()
    session = en.Session(graph, executor=native, threads=threads)
    session.bind(train, {x: (60_000,)}).run(steps, {x: stream(steps=steps)})
    return session.state()["float32"].tobytes()


@needs_numba
def test_any_number_of_threads_gives_the_same_bits(four: Native) -> None:
    alone = after(four, 1)
    assert all(after(four, threads) == alone for threads in (2, 3, 4))
    helpers = [each.name for each in threading.enumerate() if each.name.startswith("layerlab-core")]
    assert helpers == ["layerlab-core-2", "layerlab-core-3", "layerlab-core-4"]


@needs_numba
def test_helpers_take_part(four: Native) -> None:
    """Instruction by instruction in one thread, the last parts are done by helpers, in memory of their own."""
    seen = set[int]()

    def kernel(at: int, begin: int, count: int, room: int) -> None:  # it runs with Python's lock
        seen.add(threading.get_ident())
        marks[begin : begin + count] = room
        time.sleep(0.01)

    marks = np.zeros(16, np.int64)
    code = np.zeros((1, i.WIDTH), np.int64)
    compiled = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 4)(kernel)
    code[0, [i.OP, i.UNITS, i.WORK]] = ctypes.cast(compiled, ctypes.c_void_p).value or 0, len(marks), 10**9
    four.machine.crew.call(3)
    told = np.zeros(i.CALL, np.int64)
    told[[i.TABLE, i.LENGTH, i.STEPS, i.MEMORY, i.SHARE, i.THREADS]] = code.ctypes.data, 1, 1, 1000, 10, 4
    told[i.CREW] = four.machine.crew.address
    four.machine.run(told.ctypes.data)
    assert len(seen) > 1
    assert set(marks) <= {1000, 1010, 1020, 1030}
    assert marks[0] == 1000
    assert len(set(marks)) == len(seen)


@needs_numba
def test_runs_in_several_threads_share_one_crew(four: Native) -> None:
    alone, found = after(four, 1), []
    threads = [threading.Thread(target=lambda: found.append(after(four, 3))) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert found == [alone] * 4


@needs_numba
def test_a_chain_s_work_counts_once(native: Native) -> None:
    """What decides about threads is the time that instructions take: a chain is no more than its operations alone."""
    with en.Graph() as graph:
        x = en.placeholder((60_000,), name="x")
        y = [O.tanh(x), O.exp(x * 0.5)]
    program = en.Session(graph, executor=native).bind(y, {x: (60_000,)})
    code = program._code  # type: ignore[attr-defined]
    assert code[:, i.CHAIN].max() > 1
    alone = [
        en.Session(graph, executor=native).bind(each, {x: (60_000,)})._code[:, i.WORK].sum()  # type: ignore[attr-defined]
        for each in y
    ]
    assert code[:, i.WORK].sum() == sum(alone)


@needs_numba
def test_threads_may_be_numpy_s_whole_number(native: Native) -> None:
    with en.Graph() as graph:
        y = en.variable(1.0, name="w") * 2.0
    session = en.Session(graph, executor=native, threads=np.int64(2))  # type: ignore[arg-type]
    assert type(session.threads) is int
    assert (session.threads, float(session.run(y))) == (2, 2.0)


@needs_numba
def test_the_crew_is_called_by_one_thread_at_a_time(native: Native, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two sessions in two threads may call it at once; what it counts is changed inside its lock."""
    crew = native.machine.crew
    crew.call(1)
    inside: list[bool] = []
    monkeypatch.setattr(crew._helpers[0], "call", lambda: inside.append(crew._lock.locked()))
    crew.call(1)
    assert inside == [True]


@needs_numba
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system doesn't fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_program_that_was_bound_before_a_fork_calls_the_new_process_s_crew(four: Native) -> None:
    graph, x, train = wide()
    program = en.Session(graph, executor=four).bind(train, {x: (60_000,)})
    program.run(1, {x: stream(steps=1)})
    assert isinstance(program, NativeProgram)
    child = os.fork()
    if child == 0:
        program.run(1, {x: stream(steps=1)})
        os._exit(0 if program._launch._told[i.CREW] == four.machine.crew.address else 1)
    assert os.waitpid(child, 0)[1] == 0
