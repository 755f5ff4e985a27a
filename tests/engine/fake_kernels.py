"""CUDA kernels on the processor: the engine's own sources, compiled as C++, each thread in its turn."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

# Rounded as NumPy does it; what CUDA gives to a kernel is a variable here.
FLAGS = ("-std=c++17", "-O0", "-ffp-contract=off", "-fwrapv", "-w", "-shared", "-fPIC")
PRELUDE = """\
#include <math.h>
#define __global__
#define __device__
struct Place { unsigned x, y, z; };
static Place gridDim, blockDim, blockIdx, threadIdx;
"""
HEAD = re.compile(r'extern "C" __global__ void (\w+)\(([^)]*)\)')

waiting: dict[str, str] = {}  # sources that nobody has called yet, and their kernels' names
loaded: dict[str, Callable[..., None]] = {}  # source -> (blocks, threads, addresses of the arguments)


class RawKernel:
    """As CuPy's: compiled at the first call.  Threads run from the last to the first: no order may be relied on."""

    def __init__(self, code: str, name: str, options: tuple[str, ...] = ()) -> None:
        assert options == ("--fmad=false",), "the stand-in rounds after each operation, so the GPU has to"
        self.code, self.name = code, name
        if code not in loaded:
            waiting[code] = name

    def launch(self, grid: tuple[int, ...], block: tuple[int, ...], args: Sequence[Any]) -> None:
        if self.code not in loaded:
            compile_all()
        cells = [np.uint64(each.ctypes.data) if isinstance(each, np.ndarray) else each for each in args]
        held = [np.array(each) for each in cells]
        table = (ctypes.c_void_p * len(held))(*(each.ctypes.data for each in held))
        loaded[self.code](ctypes.c_uint(*grid), ctypes.c_uint(*block), table)


def compile_all() -> None:
    """Compile all that wait as one library, which is faster than one by one.  Skips the test without g++."""
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("the stand-in for a GPU compiles kernels with g++, which isn't installed")
    text = [PRELUDE, *(_wrapped(at, code) for at, code in enumerate(waiting))]
    with tempfile.TemporaryDirectory() as folder:
        path, made = Path(folder, "kernels.cpp"), Path(folder, "kernels.so")
        path.write_text("\n".join(text), encoding="utf-8")
        # not subprocess.run(): a test may have put another in its place
        with subprocess.Popen([compiler, *FLAGS, str(path), "-o", str(made)], stderr=subprocess.PIPE, text=True) as job:
            _, told = job.communicate()
        assert job.returncode == 0, told
        library = ctypes.CDLL(str(made))
    for code, name in waiting.items():
        loaded[code] = getattr(library, f"run_{name}")
    waiting.clear()


def _wrapped(at: int, code: str) -> str:
    """A source in a namespace of its own, and the function that runs all threads of its kernel."""
    found = HEAD.search(code)
    assert found is not None
    name, parameters = found.groups()
    types = [each.rpartition(" ")[0] for each in parameters.split(", ")]
    given = ", ".join(f"*({kind}*)cells[{place}]" for place, kind in enumerate(types))
    return f"""
namespace source{at} {{
{code}
}}
extern "C" void run_{name}(unsigned blocks, unsigned threads, void** cells) {{
    gridDim.x = blocks;
    blockDim.x = threads;
    for (blockIdx.x = blocks; blockIdx.x-- > 0;)
        for (threadIdx.x = threads; threadIdx.x-- > 0;)
            source{at}::{name}({given});
}}
"""
