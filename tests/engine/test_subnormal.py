"""Subnormal numbers count as 0 while NumPy runs a program, and only then, and only there."""

from __future__ import annotations

import ctypes
import math
import platform
import threading

import numpy as np
import pytest

import engine as en
from engine import ops
from engine.executors import subnormal

TINY = np.float32(1e-39)
FLUSHES = (platform.system(), platform.machine()) in subnormal.WORDS or platform.system() == "Windows"
where_it_works = pytest.mark.skipif(not FLUSHES, reason=f"{platform.platform()} isn't known")


def remain(value: np.ndarray) -> bool:
    """Whether arithmetic, NumPy's and Python's, knows subnormal numbers."""
    return bool((value * np.float32(1) > 0).all()) and math.ldexp(1.0, -1070) * 2.0 > 0


@where_it_works
@pytest.mark.parametrize("name", en.optim.OPTIMIZERS)
def test_what_decays_comes_out_of_the_subnormal_range(name: str):
    """Weights of which nothing is known but that they should be small, and what optimisers keep of them."""
    with en.Graph() as graph:
        w, x = en.variable(1e-36, (3,), name="w"), en.placeholder((3,))
        train = en.optim.OPTIMIZERS[name](0.1, weight_decay=1.0).minimize(ops.sum_(w * x))
    session = en.Session(graph)
    program = session.bind(train, {x: (3,)})
    program.run(1, {x: np.full((1, 3), 1e-36, "f")})
    program.run(500, {x: np.zeros((500, 3), "f")})
    held = np.abs(session.state()["float32"])
    assert not held[(held > 0) & (held < np.finfo("f").tiny)].size
    session.set(w, np.full(3, TINY))
    assert session.run(ops.sum_(w + w)) == 0


@where_it_works
def test_afterwards_all_is_as_before():
    with en.Graph() as graph:
        table, rows = en.constant(np.full(4, TINY)), en.placeholder((), "int32")
        chosen = ops.gather(table, rows) * 2.0
    session = en.Session(graph)
    assert session.run(chosen, {rows: 1}) == 0
    assert remain(np.full(4, TINY))
    with pytest.raises(en.EngineError, match="number 9 is outside"):
        session.run(chosen, {rows: 9})
    assert remain(np.full(4, TINY))
    en.trace.trace(session, chosen, {rows: 1}, repeat=2)
    assert remain(np.full(4, TINY))


@where_it_works
def test_other_threads_go_on_as_before():
    inside, found = threading.Event(), list[bool]()

    def look() -> None:
        inside.wait()
        found.append(remain(np.full(4, TINY)))

    other = threading.Thread(target=look)  # one that begins inside would have its maker's word
    other.start()
    with subnormal.Flushed():
        assert not remain(np.full(4, TINY))
        inside.set()
        other.join()
        with subnormal.Flushed():
            assert not remain(np.full(4, TINY))
        assert not remain(np.full(4, TINY))
    assert found == [True]


@pytest.mark.parametrize("system", ["Plan 9", "Windows"])
def test_where_it_isn_t_known_nothing_is_done(monkeypatch: pytest.MonkeyPatch, system: str):
    def absent(name: str | None) -> ctypes.CDLL:
        raise OSError(f"{name} isn't there")

    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(ctypes, "CDLL", absent)
    assert not changes_anything(monkeypatch)


def test_what_has_no_effect_is_not_asked_again(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(subnormal, "_posix", lambda: subnormal._nothing)
    monkeypatch.setattr(subnormal, "_windows", lambda: subnormal._nothing)
    assert not changes_anything(monkeypatch)


def changes_anything(monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether a switch that is looked for now does."""
    monkeypatch.setattr(subnormal, "switch", subnormal.switch.__wrapped__)
    with subnormal.Flushed():
        return not remain(np.full(4, TINY))
