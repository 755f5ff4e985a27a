"""What the native machine's cache is keyed by: exactly the sources of its compiled code."""

from __future__ import annotations

import gc
import importlib
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import pytest

from engine.errors import EngineError
from engine.native import Native, load, machine, problem
from engine.native.cache import held
from engine.native.machine import ENGINE, SOURCES
from tests.running import MACHINE
from tests.test_imports import imports_of

pytestmark = pytest.mark.skipif(problem() is not None, reason=str(problem()))


def test_its_sources_are_all_that_compiled_code_imports() -> None:
    waiting = [f"engine.native.{each}" for each in ("loop", *machine.KERNELS, "elements", "tiles")]
    reached: set[str] = set()
    while waiting:
        module = waiting.pop()
        if module not in reached and module.startswith("engine."):
            reached.add(module)
            waiting += imports_of(module)
    assert {f"engine.{source.removesuffix('.py').replace('/', '.')}" for source in SOURCES} == reached


@pytest.mark.parametrize("error", [None, KeyboardInterrupt])
def test_garbage_is_left_alone_while_it_is_compiled_and_no_longer(
    error: type[BaseException] | None, tmp_path: Path
) -> None:
    def make() -> bytes:
        assert not gc.isenabled()
        if error is not None:
            raise error
        return b"code"

    with nullcontext() if error is None else pytest.raises(error):
        machine._compiled(make, tmp_path / "machine-there")
    assert gc.isenabled()


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The engine's files, to be changed."""
    found = tmp_path / "engine"
    shutil.copytree(ENGINE, found, ignore=shutil.ignore_patterns("__pycache__"))
    return found


@pytest.mark.parametrize("source", SOURCES)
def test_a_change_of_any_of_them_is_another_machine(copy: Path, source: str) -> None:
    before = machine.name(machine.sources(copy))
    assert before == machine.name()
    path = copy / source
    path.write_text(f"{path.read_text(encoding='utf-8')}CHANGED = 1\n", encoding="utf-8")
    assert machine.name(machine.sources(copy)) != before


def test_a_constant_of_the_random_numbers_is_in_it(copy: Path) -> None:
    before, path = machine.sources(copy), copy / "ops" / "splitmix.py"
    path.write_text(path.read_text(encoding="utf-8").replace("0x9E37", "0x9E39"), encoding="utf-8")
    assert machine.sources(copy) != before


@pytest.mark.parametrize(
    "source", ["graph.py", "ops/math.py", "ops/random.py", "native/executor.py", "native/lowering.py"]
)
def test_what_is_never_compiled_changes_nothing(copy: Path, source: str) -> None:
    before, path = machine.sources(copy), copy / source
    path.write_text(f"{path.read_text(encoding='utf-8')}CHANGED = 1\n", encoding="utf-8")
    assert machine.sources(copy) == before


@pytest.mark.parametrize("when", ["before", "while"])
def test_what_is_compiled_of_other_sources_is_not_filed(copy: Path, tmp_path: Path, when: str) -> None:
    """Once they are imported, a change of the files is another machine, and this process's isn't that one."""
    code = f"""
import pathlib, engine.native
from engine.native import machine
source = pathlib.Path("engine/native/instructions.py")
def change():
    source.write_text(source.read_text() + "CHANGED = 1" + chr(10))
def compiled():
    if {when!r} == "while":
        change()
    return b""
machine._kernel_code = compiled
before = machine.name()
if {when!r} == "before":
    change()
try:
    machine.load(pathlib.Path("machines"))
except engine.EngineError as error:
    print(error, machine.name() == before)
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    changed = "the engine's files have changed since Python imported them; start Python anew"
    assert told.stdout == f"{changed} True\n", told.stderr
    assert not list((tmp_path / "machines").rglob("*.o"))


def test_where_numba_may_not_compile_there_is_no_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    assert "NUMBA_DISABLE_JIT" in str(problem())


@pytest.mark.timeout(400)  # it compiles a machine
def test_a_machine_that_is_damaged_is_made_anew_and_works(native: Native, tmp_path: Path) -> None:
    """Each of its files, in processes that have nothing of it yet."""
    folder = shutil.copytree(MACHINE / machine.name(), tmp_path / machine.name())
    for name in (machine.KERNEL_FILE, machine._file(machine._names())):
        file = folder / name
        file.write_bytes(file.read_bytes()[::-1])
        code = f"import pathlib; from engine import native; print(native.load(pathlib.Path({str(tmp_path)!r})).label)"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ENGINE.parent)
        assert done.stdout.strip() == "CPU · native", done.stderr
        assert held(file) == held(MACHINE / machine.name() / file.name)


def test_threads_that_load_it_at_once_have_one_crew(native: Native) -> None:
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda _: load(MACHINE), range(4)))
    assert {id(each.machine.crew) for each in found} == {id(native.machine.crew)}


def test_the_folder_may_be_told_as_a_text(native: Native) -> None:
    assert load(str(MACHINE)).machine.crew is native.machine.crew


def test_without_a_folder_it_is_told_what_is_missing() -> None:
    with pytest.raises(EngineError, match=r"load: missing a required argument: 'folder'.*test_native_cache.py"):
        load()  # type: ignore[call-arg]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
def test_a_child_that_was_forked_while_a_thread_loads_can_load(native: Native) -> None:
    with machine._LOADING.lock:
        child = os.fork()
        if child == 0:
            os._exit(0 if machine._LOADING.lock.acquire(blocking=False) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_what_an_object_file_lacks_is_named() -> None:
    vectors = importlib.import_module("engine.native.vectors")
    data = vectors.emitted(vectors.parsed("define void @there() {\n ret void\n}"))
    with pytest.raises(LookupError, match="no absent"):
        vectors.addresses(data, ["there", "absent"])


def loaded_by(statement: str) -> set[str]:
    """The modules that a fresh interpreter has after it."""
    command = [sys.executable, "-c", f"{statement}; import sys; print(*sys.modules)"]
    told = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ENGINE.parent)
    return set(told.stdout.split())


def test_the_engine_alone_loads_neither_numba_nor_the_machine() -> None:
    loaded = loaded_by("import engine")
    assert not [each for each in loaded if each.startswith(("numba", "llvmlite", "engine.native"))]


def test_a_compiled_machine_is_loaded_without_numba(native: Native) -> None:
    loaded = loaded_by(f"import pathlib; from engine import native; native.load(pathlib.Path({str(MACHINE)!r}))")
    assert not [each for each in loaded if each.split(".")[0] == "numba"], "it takes longer than all else"


def test_the_executor_s_door_doesn_t_load_numba_until_it_is_asked() -> None:
    loaded = loaded_by("from engine import native; native.problem()")
    assert not [each for each in loaded if each.startswith(("numba", "llvmlite"))]
