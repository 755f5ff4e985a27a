"""From the kernels' Python to machine code: Numba reads and types it, LLVM makes one object file of all.

Left to itself, Numba makes a library of each function, with copies of all that it calls, and optimises and emits
every one.  Here it only writes LLVM's language, each function once, into one module; that is optimised as a
whole.  What can be called from outside (:func:`entry`) is a plain C function on int64.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from llvmlite import binding as llvm
from llvmlite import ir
from numba import types
from numba.core import typed_passes, untyped_passes
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.registry import CPUDispatcher, cpu_target

from engine.native.lanes import I64, llvm_function
from engine.native.vectors import emitted

# What may be raised, and ends the process: whether a step that is computed is 0 can't be known before.
TRAPPED = ("range() arg 3 must not be zero", "tuple index out of range")
ENTRIES: dict[str, Any] = {}  # the functions that can be called from outside, by their names


class _Module(JITCodeLibrary):
    """The one library, to which all functions belong; nothing in it is ever run where it is compiled."""

    def add_llvm_module(self, module: Any) -> None:
        """Take a function over as it was written."""
        self._final_module.link_in(module)

    def add_linking_library(self, library: Any) -> None:
        """What a function of Numba's own needs; ours are here."""
        if library is not self:
            self._final_module.link_in(library._get_module_for_linking(), preserve=True)

    def finalize(self) -> None:
        """Nothing yet: that is :func:`code`'s."""

    _ensure_finalized = finalize

    def get_pointer_to_function(self, name: str) -> int:
        """No function is anywhere."""
        return 0

    @property
    def codegen(self) -> _Module:
        """Whom Numba tells the environments of functions; without Python objects, they need none."""
        return self

    def set_env(self, name: str, environment: object) -> None:
        """See :attr:`codegen`."""

    @property
    def module(self) -> Any:
        """What was written so far."""
        return self._final_module


class _Types:
    """What Numba knows of types, with a memory: what + makes of two whole numbers is asked for a thousand times."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._known: dict[Any, Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def resolve_function_type(self, function: Any, arguments: Any, named: Any) -> Any:
        """The signature of a call; None if there is none."""
        call = function, tuple(arguments)
        found = None if named else self._known.get(call)
        if found is None:
            found = self._inner.resolve_function_type(function, arguments, named)
            if not named:
                self._known[call] = found
        return found


@cache
def _types() -> _Types:
    return _Types(cpu_target.typing_context)


@cache
def _library() -> _Module:
    return _Module(cpu_target.target_context.codegen(), "layerlab_kernels")  # type: ignore[no-untyped-call]


_NEEDLESS = (  # passes that look for what kernels don't have: closures, arrays, with, generators, parallel loops
    untyped_passes.WithLifting, untyped_passes.InlineClosureLikes, untyped_passes.MakeFunctionToJitFunction,
    untyped_passes.InlineInlinables, untyped_passes.FindLiterallyCalls, untyped_passes.LiteralUnroll,
    typed_passes.InlineOverloads, typed_passes.NopythonRewrites, typed_passes.DumpParforDiagnostics,
)  # fmt: skip


class _Frontend(CompilerBase):
    """Numba's compiler, as far as LLVM's language."""

    def __init__(self, _: Any, target: Any, __: Any, *more: Any) -> None:
        super().__init__(_types(), target, _library(), *more)  # type: ignore[no-untyped-call]

    def define_pipelines(self) -> list[Any]:
        """Numba's passes but for the needless ones."""
        passes = DefaultPassBuilder.define_nopython_pipeline(self.state)  # type: ignore[no-untyped-call]
        passes.passes = [each for each in passes.passes if each[0] not in _NEEDLESS]
        return [passes]


class _Function(CPUDispatcher):
    """A function that is compiled when one that calls it is; for a whole number, not for 2 and once more for 3."""

    def compile(self, kinds: Any) -> Any:
        """For arguments of these types."""
        whole = isinstance(kinds, tuple)
        return super().compile(tuple(map(_general, kinds)) if whole else kinds)


def _general(kind: Any) -> Any:
    return types.int64 if isinstance(kind, types.IntegerLiteral) else kind


OPTIONS = {  # whatever Numba's variables in the environment say
    "nopython": True, "error_model": "numpy", "no_cpython_wrapper": True, "no_cfunc_wrapper": True, "_nrt": False,
    "boundscheck": False, "debug": False,
}  # fmt: skip
_FUNCTIONS: list[_Function] = []


def compiled(function: Callable[..., Any]) -> Any:
    """Make of Python a function that compiled code can call."""
    made = _Function(function, targetoptions=OPTIONS, pipeline_class=_Frontend)
    _FUNCTIONS.append(made)
    return made


def entry(function: Callable[..., None]) -> Any:
    """Make of a function on int64 one that can be called from outside, by its name."""
    name = function.__name__
    assert name not in ENTRIES, f"there is a function named {name} already"
    ENTRIES[name] = compiled(function)
    return ENTRIES[name]


@cache
def code() -> bytes:
    """All functions of :data:`ENTRIES`, and what they call, as an object file for this processor."""
    try:
        return _code(_library())
    except BaseException:  # Ctrl-C, as a rule; the next call begins with nothing
        for each in (_library, _types):
            each.cache_clear()
        for function in _FUNCTIONS:
            function._reset_overloads()  # type: ignore[attr-defined]
        raise


def _code(library: _Module) -> bytes:
    for name, function in ENTRIES.items():
        library.add_ir_module(_outside(library, name, function))  # type: ignore[no-untyped-call]
    module = library.module
    _refuse_raises(module)
    for each in (*module.functions, *module.global_variables):
        if not each.is_declaration and each.name not in ENTRIES:
            each.linkage = llvm.Linkage.internal
    return emitted(module)


def _refuse_raises(module: Any) -> None:
    """Raises TypeError if a function can raise anything but what is TRAPPED: nobody would hear of it."""
    for each in module.global_variables:
        if each.name.startswith(".const.pickledata.") and ".sha1" not in each.name:
            kind, given, place = pickle.loads(_bytes(str(each)))
            if " ".join(map(str, given)) not in TRAPPED:
                name, file, line = place
                raise TypeError(f"{name} ({Path(file).name}:{line}) raises {kind.__name__}, of which nobody would hear")


def _bytes(text: str) -> bytes:
    """What a constant of LLVM's language holds: ``c"A\\00"``."""
    found = text.split('c"', 1)[1].rsplit('"', 1)[0]
    return re.sub(rb"\\([0-9A-F]{2})", lambda byte: bytes.fromhex(byte[1].decode()), found.encode())


def _outside(library: _Module, name: str, function: Any) -> ir.Module:
    """A module with the C function ``name``, which calls a function of Numba's; one that fails ends the process."""
    context, kinds = cpu_target.target_context, (types.int64,) * function.py_func.__code__.co_argcount
    function.compile(kinds)
    module = library.create_ir_module(name)  # type: ignore[no-untyped-call]
    outside = ir.Function(module, ir.FunctionType(ir.VoidType(), [I64] * len(kinds)), name)
    b = ir.IRBuilder(outside.append_basic_block("entry"))
    inside = context.declare_function(module, function.overloads[kinds].fndesc)
    status, _ = context.call_conv.call_function(b, inside, types.void, kinds, outside.args)
    with b.if_then(status.is_error, likely=False):
        llvm_function(b, "trap", ir.VoidType(), ())
        b.unreachable()
    b.ret_void()
    return module
