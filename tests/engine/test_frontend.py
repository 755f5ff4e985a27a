"""How kernels become machine code: the same whatever the environment says, whole, and without errors that get lost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.native import problem
from engine.native.machine import ENGINE

pytestmark = pytest.mark.skipif(problem() is not None, reason=str(problem()))


def code_of_two_kernels(**switches: str) -> str:
    """A digest of the code, from a process of its own with these in its environment."""
    code = """
import hashlib
from engine.native import frontend, kernels
for name in set(frontend.ENTRIES) - {"fill", "copy_bytes"}:
    del frontend.ENTRIES[name]
print(hashlib.sha256(frontend.code()).hexdigest())
"""
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ENGINE.parent,
        env={**os.environ, **switches},
    ).stdout  # fmt: skip


def test_switches_for_debugging_make_no_other_machine() -> None:
    """What Numba's variables say isn't part of the key, so it may change nothing."""
    assert code_of_two_kernels() == code_of_two_kernels(
        NUMBA_BOUNDSCHECK="1", NUMBA_OPT="0", NUMBA_DEBUGINFO="1", NUMBA_EXTEND_VARIABLE_LIFETIMES="1"
    )


def test_after_ctrl_c_it_is_compiled_from_the_beginning() -> None:
    code = """
from engine.native import frontend, kernels
for name in set(frontend.ENTRIES) - {"fill", "copy_bytes"}:
    del frontend.ENTRIES[name]
good, calls = frontend._outside, []
def interrupted(*given):
    calls.append(given)
    if len(calls) == 2:
        raise KeyboardInterrupt
    return good(*given)
frontend._outside = interrupted
try:
    frontend.code()
except KeyboardInterrupt:
    print(len(frontend.code()) > 1000, len(calls))
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ENGINE.parent)
    assert told.stdout == "True 4\n", told.stderr


KERNELS = """
import ctypes, sys
from engine.native import frontend, vectors
from engine.native.frontend import compiled, entry
from engine.native.simd import i64s

@compiled
def checked(x):
    if x > 3:
        raise ValueError("too much")
    return x

@entry
def raises(at, begin, count, room):
    i64s(at)[0] = checked(begin)

@entry
def asserts(at, begin, count, room):
    assert begin == 0
    i64s(at)[0] = 1

@entry
def steps(at, begin, count, room):
    found = i64s(at)
    for each in range(0, begin, count):
        found[0] = each

for name in set(frontend.ENTRIES) - {sys.argv[1]}:
    del frontend.ENTRIES[name]
code = frontend.code()
engine, places = vectors.addresses(code, ["steps"])
found = ctypes.c_int64(-1)
call = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 4)(places["steps"])
for step in (4, 0):
    call(ctypes.addressof(found), 10, step, 0)
    print(found.value, flush=True)
"""


def compiled_with(tmp_path: Path, kernel: str) -> subprocess.CompletedProcess[str]:
    """A process that compiles one of KERNELS, and calls it."""
    file = tmp_path / "lesson.py"
    file.write_text(KERNELS)
    return subprocess.run(
        [sys.executable, str(file), kernel], capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(ENGINE.parent)},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kernel", "error"),
    [
        ("raises", r"checked (lesson.py:10) raises ValueError"),
        ("asserts", "asserts (lesson.py:19) raises AssertionError"),
    ],
)
def test_a_kernel_that_can_raise_is_refused(tmp_path: Path, kernel: str, error: str) -> None:
    tried = compiled_with(tmp_path, kernel)
    assert tried.stderr.splitlines()[-1] == f"TypeError: {error}, of which nobody would hear"


def test_a_step_of_0_ends_the_process(tmp_path: Path) -> None:
    """Else the rest of the table would be computed of what isn't there."""
    tried = compiled_with(tmp_path, "steps")
    assert tried.stdout == "8\n", tried.stderr
    assert tried.returncode not in (0, 1)
