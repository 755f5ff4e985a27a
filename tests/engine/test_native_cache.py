"""What the native machine's cache is keyed by: exactly the sources of its compiled code."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from engine.native import machine, problem
from engine.native.machine import ENGINE, SOURCES
from tests.test_imports import imports_of

pytestmark = pytest.mark.skipif(problem() is not None, reason=str(problem()))


def test_its_sources_are_all_that_compiled_code_imports() -> None:
    waiting = [f"engine.native.{each}" for each in ("loop", *machine.KERNELS, "vectors", "tiles")]
    reached: set[str] = set()
    while waiting:
        module = waiting.pop()
        if module not in reached and module.startswith("engine."):
            reached.add(module)
            waiting += imports_of(module)
    assert {f"engine.{source.removesuffix('.py').replace('/', '.')}" for source in SOURCES} == reached


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The engine's files, to be changed."""
    found = tmp_path / "engine"
    shutil.copytree(ENGINE, found, ignore=shutil.ignore_patterns("__pycache__"))
    return found


@pytest.mark.parametrize("source", SOURCES)
def test_a_change_of_any_of_them_is_another_machine(copy: Path, source: str) -> None:
    before = machine.name(copy)
    assert before == machine.name()
    path = copy / source
    path.write_text(f"{path.read_text(encoding='utf-8')}CHANGED = 1\n", encoding="utf-8")
    assert machine.name(copy) != before


def test_a_constant_of_the_random_numbers_is_in_it(copy: Path) -> None:
    before, path = machine.name(copy), copy / "ops" / "splitmix.py"
    path.write_text(path.read_text(encoding="utf-8").replace("0x9E37", "0x9E39"), encoding="utf-8")
    assert machine.name(copy) != before


@pytest.mark.parametrize(
    "source", ["graph.py", "ops/math.py", "ops/random.py", "native/executor.py", "native/lowering.py"]
)
def test_what_is_never_compiled_changes_nothing(copy: Path, source: str) -> None:
    before, path = machine.name(copy), copy / source
    path.write_text(f"{path.read_text(encoding='utf-8')}CHANGED = 1\n", encoding="utf-8")
    assert machine.name(copy) == before


def loaded_by(statement: str) -> set[str]:
    """The modules that a fresh interpreter has after it."""
    command = [sys.executable, "-c", f"{statement}; import sys; print(*sys.modules)"]
    told = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ENGINE.parent)
    return set(told.stdout.split())


def test_the_engine_alone_loads_neither_numba_nor_the_machine() -> None:
    loaded = loaded_by("import engine")
    assert not [each for each in loaded if each.startswith(("numba", "llvmlite", "engine.native"))]


def test_the_executor_s_door_doesn_t_load_numba_until_it_is_asked() -> None:
    loaded = loaded_by("from engine import native; native.problem()")
    assert not [each for each in loaded if each.startswith(("numba", "llvmlite"))]
