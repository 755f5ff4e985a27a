"""The native machine: one loop over instructions, compiled once for all networks.

No network is ever compiled: a new architecture is a new table of instructions
(:mod:`engine.native.lowering`).  What is compiled lies in a cache folder: vector code as an object
file, the kernels' as Numba keeps it.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import logging
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from engine.native.cache import cached, filled, is_whole
from engine.native.crew import Crew
from engine.native.expressions import expressions

log = logging.getLogger(__name__)

ENGINE = Path(__file__).resolve().parents[1]
TILES = ("tile", "tile_apart", "tile_packed")  # functions of tiles.py
# What compiled code is made from, and nothing else: tests/engine/test_native_cache.py reads it off the imports.
KERNELS = ("kernels", "reductions", "softmax", "products", "convolutions", "filters", "pools", "draws")
SOURCES = (
    *(
        f"native/{each}.py"
        for each in (*KERNELS, "instructions", "lanes", "loop", "mathematics", "simd", "tiles", "vectors")
    ),
    "expression.py",
    "ops/splitmix.py",
)
Run = Callable[[np.ndarray, int, np.ndarray, int, int, int, int], None]  # see engine.native.loop


@dataclass(frozen=True, eq=False)
class Machine:
    """``run``, who helps with it, and the address of each kernel and expression that an instruction can name."""

    run: Run
    crew: Crew
    codes: Mapping[str, int] = field(repr=False)
    kept: Any = field(repr=False)  # what holds the vector code in memory


def problem() -> str | None:
    """Why there is no machine here; None if there can be one."""
    if importlib.util.find_spec("numba") is None:
        return "Numba isn't installed; `pip install layerlab[native]` adds it"
    if os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"):
        return "NUMBA_DISABLE_JIT is set, so Numba compiles nothing"
    return None


def load(folder: Path, anew: bool = False) -> Machine:
    """The machine, from the cache in ``folder`` if it is there (about a second), else compiled now (some more).

    What is damaged there is compiled anew; with ``anew``, everything.  Raises ImportError without Numba.
    """
    folder, known = folder / name(), expressions()
    if anew:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    vectors = importlib.import_module("engine.native.vectors")
    names = {**{each: each for each in TILES}, **{text: f"expression_{at}" for at, text in enumerate(known)}}
    data = cached(folder / f"vectors-{_hash(*known)}.o", lambda: _vector_code(names))
    kept, addresses = vectors.addresses(data, list(names.values()))
    loop, kernels = _kernels(folder)
    codes = {key: addresses[name] for key, name in names.items()}
    codes |= {name: int(each.address) for name, each in kernels.items()}
    return Machine(loop.run, _crew(loop.help_crew), MappingProxyType(codes), kept)


_crew = cache(Crew)  # a process has one, however often the machine is loaded
_COMPILED = [f"engine.native.{name}" for name in ("loop", *KERNELS)]


def _kernels(folder: Path) -> tuple[Any, Mapping[str, Any]]:
    """The module with the loop, and all kernels by name, as Numba keeps them for this place of the sources."""
    if any(name not in sys.modules for name in _COMPILED):
        files = [ENGINE / source for source in SOURCES]
        stamps = [f"{each} {each.stat().st_mtime_ns}" for each in files]  # Numba goes by them too
        place = folder / f"kernels-{_hash(*stamps)}"
        try:
            if is_whole(place):
                _import(place)
        except Exception:  # whatever it is that Numba read there, it is no machine
            log.warning("the compiled machine in %s can't be loaded; it is compiled anew", place, exc_info=True)
        if any(name not in sys.modules for name in _COMPILED):
            with filled(place) as part:
                _import(part)
    loop, kernels, *_ = (sys.modules[name] for name in _COMPILED)
    return loop, kernels.KERNELS


def _import(folder: Path) -> None:
    """Have Numba take the compiled modules from ``folder``, or compile them into it; all of them or none."""
    config = importlib.import_module("numba").config
    before, config.CACHE_DIR = config.CACHE_DIR, str(folder)
    try:
        for each in _COMPILED:
            importlib.import_module(each)
    except BaseException:
        for each in _COMPILED:
            sys.modules.pop(each, None)
        raise
    finally:
        config.CACHE_DIR = before


def name(engine: Path = ENGINE) -> str:
    """The folder inside a cache folder: it tells all that the code is made from, and for which processor.

    The expressions are told by the file of vector code in it: an op more, and only that is made anew.
    """
    llvm = importlib.import_module("llvmlite.binding")
    versions = [importlib.import_module(each).__version__ for each in ("numba", "llvmlite")]
    texts = [(engine / each).read_text(encoding="utf-8") for each in SOURCES]
    told = [*versions, sys.version, llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten(), _switches()]
    return f"machine-{_hash(*told, *texts)}"


# Of Numba: other processors than this one, and what is for debugging.
_SWITCHES = (
    "CPU_NAME", "CPU_FEATURES", "ENABLE_AVX", "OPT", "LOOP_VECTORIZE", "SLP_VECTORIZE", "DISABLE_INTEL_SVML",
    "BOUNDSCHECK", "DEBUG", "DEBUG_JIT", "DEBUG_NRT", "DEBUGINFO_DEFAULT", "EXTEND_VARIABLE_LIFETIMES",
    "ENABLE_PROFILING", "LLVM_REFPRUNE_PASS", "LLVM_REFPRUNE_FLAGS",
)  # fmt: skip


def _switches() -> str:
    """Settings that make other code of the same sources."""
    config = importlib.import_module("numba").config
    return " ".join(f"{name}={getattr(config, name, None)}" for name in _SWITCHES)


def _hash(*texts: str) -> str:
    return hashlib.blake2b(" ".join(texts).encode(), digest_size=8).hexdigest()


def _vector_code(names: Mapping[str, str]) -> bytes:
    vectors, tiles = (importlib.import_module(f"engine.native.{each}") for each in ("vectors", "tiles"))
    module = vectors.new_module()
    for text, name in names.items():
        if text in TILES:
            tiles.tile(module, name)
        else:
            vectors.element_wise(module, name, text)
    code: bytes = vectors.compiled(module)
    return code
