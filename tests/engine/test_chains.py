"""Instructions that are done in one go: the same bits as one after the other, wherever the work is cut."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

import engine as en
from engine.native import Native, NativeProgram, problem
from engine.native import instructions as i

pytestmark = pytest.mark.skipif(problem() is not None, reason=str(problem()))
KERNEL = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 4)
SIZE = 3 * i.BLOCK + 13  # whole blocks, and a last one that ends within a vector
SEVERAL = [name for name in en.optim.OPTIMIZERS if name != "sgd"]  # whose update has several results


def updating(name: str, native: Native) -> tuple[en.Session, NativeProgram]:
    """A session of ``SIZE`` weights, and the program that takes a step."""
    with en.Graph() as graph:
        w, g = en.variable(0.0, (SIZE,), name="w"), en.placeholder((SIZE,), name="g")
        step = en.optim.OPTIMIZERS[name](0.1).apply([g], [w])
    session = en.Session(graph, executor=native)
    rng = np.random.default_rng(3)
    session.set(w, rng.normal(size=SIZE).astype("f"))
    program = session.bind(step, {g: (SIZE,)})
    assert isinstance(program, NativeProgram)
    program.feeds[g][...] = rng.normal(size=SIZE)
    return session, program


def state(session: en.Session) -> list[bytes]:
    return [np.asarray(each).tobytes() for each in session.state().values()]


@pytest.mark.parametrize("name", SEVERAL)
def test_an_update_is_done_in_one_go(name: str, native: Native) -> None:
    joined, one = updating(name, native)
    apart, other = updating(name, native)
    chains = one._code[:, i.CHAIN] > 1
    assert chains.any()
    assert (one._code[chains, i.JOINED] != 0).all(), "run: python scripts/expressions.py"
    other._code[:, i.JOINED] = 0
    one.run(3)
    other.run(3)
    assert state(joined) == state(apart)


def test_blocks_may_be_done_in_any_order(native: Native) -> None:
    session, program = updating("adam", native)
    other, pattern = updating("adam", native)
    pattern.run(1)
    place = 0
    while place < len(program._code):
        row = program._code[place]
        for unit in reversed(range(row[i.UNITS])):
            KERNEL(int(row[i.JOINED] or row[i.OP]))(row.ctypes.data, unit, 1, 0)
        place += max(1, int(row[i.CHAIN]))
    assert state(session) == state(other)


def test_a_trace_has_each_result_by_itself(native: Native) -> None:
    session, program = updating("momentum", native)
    other, pattern = updating("momentum", native)
    pattern.run(1)
    for call, _ in program.singly():
        call()
    assert state(session) == state(other)
