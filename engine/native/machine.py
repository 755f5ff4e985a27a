"""The native machine: one loop over instructions, compiled once for all networks.

No network is ever compiled: a new architecture is a new table of instructions
(:mod:`engine.native.lowering`).  What is compiled lies in a cache folder, as two object files: the kernels, and
the vector code.
"""

from __future__ import annotations

import ctypes
import gc
import hashlib
import importlib
import importlib.metadata
import importlib.util
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from engine.errors import EngineError
from engine.native.cache import cached, held, tidy, used
from engine.native.crew import Crew
from engine.native.expressions import expressions
from engine.native.symbols import refuse_unknown

ENGINE = Path(__file__).resolve().parents[1]
TILES = ("tile", "tile_apart", "tile_packed", "tile_packing")  # functions of tiles.py
KERNEL_FILE = "kernels.o"
_FOLDER = "machine-"  # so begins what :func:`name` gives
KERNELS = (
    "kernels", "reductions", "moments", "softmax", "products", "rows", "convolutions", "filters", "pools", "draws",
)  # fmt: skip
# What compiled code is made from, and nothing else: tests/engine/test_native_cache.py reads it off the imports.
SOURCES = (
    *(
        f"native/{each}.py"
        for each in (
            *KERNELS,
            "bits",
            "elements",
            "frontend",
            "instructions",
            "lanes",
            "loop",
            "mathematics",
            "packing",
            "simd",
            "tiles",
            "vectors",
        )
    ),
    "expression.py",
    "ops/splitmix.py",
)


@dataclass(frozen=True, eq=False)
class Machine:
    """``run``, who helps with it, and the address of each kernel and expression that an instruction can name."""

    run: Callable[[int], None]  # see engine.native.loop
    crew: Crew
    codes: Mapping[str, int] = field(repr=False)


def problem() -> str | None:
    """Why there is no machine here; None if there can be one."""
    if importlib.util.find_spec("numba") is None:
        return "Numba isn't installed; `pip install layerlab[native]` adds it"
    if os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"):
        return "NUMBA_DISABLE_JIT is set, so Numba compiles nothing"
    return None


def load(folder: Path | str, anew: bool = False) -> Machine:
    """The machine, from the cache in ``folder`` if it is there, else compiled now: some twenty seconds.

    What is damaged there is compiled anew; with ``anew``, everything.  Where the folder can't be written, the machine
    is compiled and used all the same, which is said in the log.  Raises ImportError without Numba, EngineError if the
    engine's files have changed since they were imported.
    """
    folder, names = Path(folder) / name(), _names()
    with _LOADING.lock:
        used(folder)
        kernels, code = _kernels(folder, anew)
        data = cached(folder / _file(names), lambda: _compiled(partial(_vector_code, names), folder), anew)
        codes, vectors = _loaded(code, tuple(kernels)), _loaded(data, tuple(names.values()))
        crew = _crew(codes["help_crew"])
    run = _function(codes["run"], 1)
    named = {**codes, **{key: vectors[name] for key, name in names.items()}}
    return Machine(run, crew, MappingProxyType(named))


class _Loading:
    """One thread of a process at a time; a process that is forked off meanwhile has its own."""

    def __init__(self) -> None:
        self._begin()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._begin)  # the thread that would let go isn't there

    def _begin(self) -> None:
        self.lock = threading.Lock()


_LOADING = _Loading()


@cache
def _loaded(code: bytes, names: tuple[str, ...]) -> dict[str, int]:
    """The addresses of an object file's functions, which stay in memory as threads may be in them."""
    engine, found = importlib.import_module("engine.native.vectors").addresses(code, names)
    _ENGINES.append(engine)
    return dict(found)


_ENGINES: list[Any] = []  # who hold the code


@cache
def _crew(help_crew: int) -> Crew:
    """A process has one, however often the machine is loaded."""
    return Crew(_function(help_crew, 2))


def kept(folder: Path) -> bool:
    """Whether all that :func:`load` needs lies in ``folder``, whole."""
    folder = folder / name()
    return all(held(folder / each) is not None for each in (KERNEL_FILE, _file(_names())))


def _function(place: int, arguments: int) -> Callable[..., None]:
    """Compiled code as a function of int64, which lets other threads run meanwhile."""
    found: Callable[..., None] = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * arguments)(place)
    return found


def _names() -> dict[str, str]:
    """The vector code's functions, by what instructions are told to do."""
    return {**{each: each for each in TILES}, **{text: f"expression_{at}" for at, text in enumerate(expressions())}}


def _file(names: Mapping[str, str]) -> str:
    """Where the vector code lies: an op more, and only that is made anew."""
    return f"vectors-{_hash(*names)}.o"


def _kernels(folder: Path, anew: bool) -> tuple[list[str], bytes]:
    """The names of the kernels and of the loop's functions, and their code."""
    data = cached(folder / KERNEL_FILE, lambda: _compiled(_kernel_code, folder), anew)
    told, _, code = data.partition(b"\n")
    return told.decode().split(), code


def _compiled(make: Callable[[], bytes], folder: Path) -> bytes:
    """What ``make`` gives, of the sources that :func:`name` tells; old machines beside ``folder`` are removed."""
    _refuse_other_sources()
    with _uncollected():
        code = make()
    _refuse_other_sources()  # more of them were imported meanwhile
    tidy(folder.parent.glob(f"{_FOLDER}*"))
    return code


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without Python's search for circles of garbage, which takes a fifth of the time: all that is made is kept."""
    searching = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if searching:
            gc.enable()


def _refuse_other_sources() -> None:
    if sources() != IMPORTED:
        raise EngineError("the engine's files have changed since Python imported them; start Python anew")


def _kernel_code() -> bytes:
    for each in ("loop", *KERNELS):
        importlib.import_module(f"engine.native.{each}")
    frontend = importlib.import_module("engine.native.frontend")
    code: bytes = frontend.code()
    refuse_unknown(code)
    return " ".join(frontend.ENTRIES).encode() + b"\n" + code


def _hash(*texts: str) -> str:
    return hashlib.blake2b(" ".join(texts).encode(), digest_size=8).hexdigest()


def sources(engine: Path = ENGINE) -> str:
    """A digest of what compiled code is made from."""
    return _hash(*[(engine / each).read_text(encoding="utf-8") for each in SOURCES])


IMPORTED = sources()  # as they are when this package is imported: what they become later isn't what is computed with


def name(made_from: str = IMPORTED) -> str:
    """The folder inside a cache folder: it tells all that the code is made from, and for which processor.

    The expressions are told by the file of vector code in it: an op more, and only that is made anew.
    """
    llvm = importlib.import_module("llvmlite.binding")
    versions = [importlib.metadata.version(each) for each in ("numba", "llvmlite")]  # to import Numba takes a while
    told = [*versions, sys.version, llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()]
    return f"{_FOLDER}{_hash(*told, made_from)}"


def _vector_code(names: Mapping[str, str]) -> bytes:
    tiles = {text: name for text, name in names.items() if text in TILES}
    plain = {text: name for text, name in names.items() if text not in TILES}
    vectors = importlib.import_module("engine.native.vectors")
    code: bytes = vectors.compiled(vector_module(tiles), vector_module(plain))
    refuse_unknown(code)
    return code


def vector_module(names: Mapping[str, str]) -> Any:
    """LLVM's language for tiles and expressions, each a function of the name that it has in ``names``."""
    vectors, elements, tiles = (
        importlib.import_module(f"engine.native.{each}") for each in ("vectors", "elements", "tiles")
    )
    module = vectors.new_module()
    for text, name in names.items():
        if text in TILES:
            tiles.tile(module, name)
        else:
            elements.element_wise(module, name, text)
    return module
