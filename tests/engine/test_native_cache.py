"""What the native machine's cache is keyed by: exactly the sources of its compiled code."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.native import machine, problem
from engine.native.cache import cached
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


def key(**switches: str) -> str:
    """The key in a process of its own, with these in its environment."""
    command = [sys.executable, "-c", "from engine.native import machine; print(machine.name())"]
    environment = {**os.environ, **switches}
    return subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=ENGINE.parent, env=environment
    ).stdout


def test_switches_for_debugging_make_another_machine() -> None:
    keys = [key(), key(NUMBA_BOUNDSCHECK="1"), key(NUMBA_OPT="0"), key(NUMBA_CPU_NAME="nehalem", NUMBA_CPU_FEATURES="")]
    assert len(set(keys)) == len(keys)
    assert keys[0].strip() == machine.name()


def test_where_numba_may_not_compile_there_is_no_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    assert "NUMBA_DISABLE_JIT" in str(problem())


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:300])


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    for at in range(100, 600, 100):
        data[at] ^= 0xFF
    path.write_bytes(data)


DAMAGES = [emptied, cut, flipped, Path.unlink]


class Compiler:
    """Takes the place of Numba: what it compiles is one file."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.compiled = 0
        self._patch = monkeypatch
        monkeypatch.setattr(machine, "_COMPILED", ["engine.native.pretended_loop", "engine.native.pretended"])
        monkeypatch.setattr(machine, "_import", self.take)

    def take(self, folder: Path) -> None:
        file = folder / "kernel" / "code.nbc"
        if not file.exists():
            self.compiled += 1
            file.parent.mkdir()
            file.write_bytes(bytes(range(256)) * 4)
        assert file.read_bytes() == bytes(range(256)) * 4, "LLVM ends the process over this"
        for name in machine._COMPILED:
            self._patch.setitem(sys.modules, name, types.SimpleNamespace(KERNELS={"a": "kernel"}))

    def load(self, folder: Path) -> None:
        """In a process that has nothing of it yet."""
        for name in machine._COMPILED:
            sys.modules.pop(name, None)
        machine._kernels(folder)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("which", ["*/*.nbc", "seal"])
def test_damaged_kernels_are_compiled_once_more(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, damage: Callable[[Path], None], which: str
) -> None:
    compiler = Compiler(monkeypatch)
    for _ in range(2):
        compiler.load(tmp_path)
    assert compiler.compiled == 1
    [file] = tmp_path.glob(f"*/{which}")
    file.write_bytes(file.read_bytes() * 20)
    damage(file)
    for _ in range(2):
        compiler.load(tmp_path)
    assert compiler.compiled == 2
    assert len(list(tmp_path.iterdir())) == 1, "what was left aside must not stay"


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_vector_code_is_compiled_once_more(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    path, made = tmp_path / "vectors.o", list[int]()

    def make() -> bytes:
        made.append(1)
        return bytes(range(256)) * 4

    cached(path, make)
    damage(path)
    assert [cached(path, make), cached(path, make)] == [bytes(range(256)) * 4] * 2
    assert len(made) == 2


def test_what_numba_cannot_read_is_compiled_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole, but of another program that has the name: all of its modules go, none stays half loaded."""
    compiler = Compiler(monkeypatch)
    compiler.load(tmp_path)
    good = compiler.take

    def fails_once(folder: Path) -> None:
        monkeypatch.setattr(machine, "_import", good)
        raise EOFError("Ran out of input")

    monkeypatch.setattr(machine, "_import", fails_once)
    compiler.load(tmp_path)
    assert compiler.compiled == 2


def test_a_failed_compilation_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiler = Compiler(monkeypatch)

    def full(folder: Path) -> None:
        (folder / "half").write_bytes(b"half")
        raise OSError("the disk is full")

    monkeypatch.setattr(machine, "_import", full)
    with pytest.raises(OSError, match="full"):
        compiler.load(tmp_path)
    assert not list(tmp_path.iterdir())


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
