"""The native machine; and machines with and without GPUs, whatever this one has."""

from __future__ import annotations

import importlib
import importlib.util
import subprocess
import sys
import types
from collections.abc import Iterator
from typing import Any

import pytest

from engine.devices import gpu_problem
from engine.native import Native, load, problem
from tests.engine.fake_cupy import FakeCuPy
from tests.running import MACHINE


@pytest.fixture(scope="session")
def native() -> Native:
    """Compiled once for all tests; those that want it are skipped where it can't be."""
    return load(MACHINE)


@pytest.fixture(params=["numpy", "native"])
def options(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What a session is made with: for NumPy's executor, and for the machine."""
    if request.param == "numpy":
        return {}
    if problem() is not None:
        pytest.skip(str(problem()))
    return {"executor": load(MACHINE)}


@pytest.fixture
def fake(monkeypatch) -> Iterator[FakeCuPy]:
    """A machine with CuPy and two GPUs."""
    module = FakeCuPy()
    monkeypatch.setitem(sys.modules, "cupy", module)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: types.SimpleNamespace(returncode=0))
    gpu_problem.cache_clear()
    yield module
    gpu_problem.cache_clear()


@pytest.fixture
def nothing(monkeypatch) -> Iterator[None]:
    """A machine without CuPy."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    gpu_problem.cache_clear()
    yield
    gpu_problem.cache_clear()


@pytest.fixture(params=["stand-in", "GPU"])
def gpu(request: pytest.FixtureRequest) -> str:
    """The name of a GPU: the stand-in's, and this machine's own if it has one."""
    if request.param == "stand-in":
        request.getfixturevalue("fake")
    elif gpu_problem() is not None:
        pytest.skip(gpu_problem() or "")
    return "gpu:0"
