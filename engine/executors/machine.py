"""The native machine: one loop over instructions, compiled once for all networks.

An instruction is a row of int64: op code, addresses, sizes.  No network is ever compiled: a new
architecture is a new table of instructions.  The element-wise kernels are made from the op
records' ``code``, the others stand in ``kernels.py``; together they are written as one module
into a cache folder, so that Numba compiles them once a machine and loads them from disk later.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import engine.ops  # noqa: F401 - fills the registry
from engine.errors import EngineError
from engine.op import REGISTRY, Op
from engine.spec import Spec

# The columns of an instruction.  A step column is how many bytes an operand moves on an element
# when a chain is run block by block: 4, or 0 for a single number or a block that is used again.
OP, OUT, A, B, C, N, FORM, M, K, S0, S1, S2, S3, CHAIN, STEP_OUT, STEP_A, STEP_B, BLAS, WIDTH = range(19)
BLOCK = 1024  # elements of a chain that are worked on at a time: they stay in the first-level cache

BOTH, SCALAR_B, SCALAR_A, INTO_A = range(4)  # how a binary kernel reads its operands; the last writes over the first

Machine = Callable[[np.ndarray, np.ndarray, int, np.ndarray], None]  # (instructions, numbers, steps, streams)

KERNELS = {  # what kernels.py offers, and the columns that each takes
    "copy_bytes": "out, a, n",
    "strided": f"out, a, code[pc, {M}], code[pc, {K}], n, code[pc, {S0}], code[pc, {S1}], code[pc, {S2}]",
    "matmul": f"code[pc, {BLAS}], out, a, b, code[pc, {C}], code[pc, {M}], n, code[pc, {K}], "
    f"code[pc, {S0}], code[pc, {S1}], code[pc, {S2}], code[pc, {S3}]",
    "column_sums": f"out, a, code[pc, {M}], n",
    "row_sums": f"out, a, code[pc, {M}], n",
    "row_maxima": f"out, a, code[pc, {M}], n",
    "softmax_rows": f"out, a, code[pc, {M}], n",
    "log_softmax_rows": f"out, a, code[pc, {M}], n",
    "chosen_loss": f"out, a, b, code[pc, {C}], code[pc, {M}], n",
    "one_hot_rows": f"out, a, code[pc, {C}], code[pc, {M}], n",
    "gather_rows": f"out, a, b, code[pc, {C}], code[pc, {M}], n, code[pc, {K}]",
    "from_bytes": "out, a, n",
    "from_ints": "out, a, n",
}
NUMBER = re.compile(r"(?<![\w.{])\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
ATTRIBUTE = re.compile(r"\{([a-z_]+)\}")


def element_wise() -> dict[str, Op]:
    """The ops from one or two floats to a float whose records have ``code`` with one attribute at most."""
    return {
        op.name: op
        for op in sorted(REGISTRY.values(), key=lambda each: each.name)
        if op.code and op.arity in (1, 2) and len(set(ATTRIBUTE.findall(op.code))) <= 1 and _gives_float(op)
    }


def _gives_float(op: Op) -> bool:
    try:
        return op.spec(*[Spec((2,))] * (op.arity or 0)).dtype == "float32"
    except (EngineError, TypeError):  # not for floats, or not without attributes
        return False


def op_codes() -> dict[str, int]:
    """Each kernel's number: those of ``kernels.py`` first, then the element-wise ones."""
    return {name: at for at, name in enumerate([*KERNELS, *element_wise()])}


def attribute(op: Op, attrs: Any) -> float:
    """The number that stands for ``{name}`` in the op's code: the node's, else the kernel's default."""
    names = ATTRIBUTE.findall(op.code)
    if not names:
        return 0.0
    assert op.kernel is not None
    return float(attrs[names[0]] if names[0] in attrs else inspect.signature(op.kernel).parameters[names[0]].default)


def expression(code: str) -> str:
    """A record's ``code`` as Python: inputs x and y, numbers as float32, the attribute as ``imm``."""
    text = NUMBER.sub(lambda found: f"F({found.group()})", code.replace("{0}", "x").replace("{1}", "y"))
    return ATTRIBUTE.sub("imm", text)


def _unary(name: str, code: str) -> str:
    return f"""
@njit(**LOOPS)
def do_{name}(out, a, n, imm):
    o, p = carray(f32(out), n), carray(f32(a), n)
    for i in range(n):
        x = p[i]
        o[i] = {code}
"""


def _binary(name: str, code: str) -> str:
    return f"""
@njit(**LOOPS)
def do_{name}(out, a, b, n, form, imm):
    o, p, q = carray(f32(out), n), carray(f32(a), n), carray(f32(b), n)
    if form == {BOTH}:
        for i in range(n):
            x, y = p[i], q[i]
            o[i] = {code}
    elif form == {SCALAR_B}:
        y = q[0]
        for i in range(n):
            x = p[i]
            o[i] = {code}
    elif form == {SCALAR_A}:
        x = p[0]
        for i in range(n):
            y = q[i]
            o[i] = {code}
    else:
        for i in range(n):
            x, y = o[i], q[i]
            o[i] = {code}
"""


def _small_matmul() -> str:
    """Narrow products with the sums in registers."""
    lines = ["", "@njit(**LOOPS)", "def small_matmul(out, a, b, bias, m, n, k, sa0, sa1, sb0, sb1):"]
    lines += ["    o, x = carray(f32(out), m * n), carray(f32(a), m * k)"]
    lines += ["    y, c = carray(f32(b), n * k), carray(f32(bias), n)"]
    for width in (1, 2, 3, 4, 8):
        sums = [f"s{j}" for j in range(width)]
        lines += [f"    if n == {width}:", "        for i in range(m):"]
        lines += [f"            {s} = c[{j}] if bias != 0 else F(0)" for j, s in enumerate(sums)]
        lines += ["            for q in range(k):", "                f = x[i * sa0 + q * sa1]"]
        lines += [f"                {s} += f * y[q * sb0 + {j} * sb1]" for j, s in enumerate(sums)]
        lines += [f"            o[i * {width} + {j}] = {s}" for j, s in enumerate(sums)]
        lines += ["        return"]
    return "\n".join([*lines, "    any_matmul(out, a, b, bias, m, n, k, sa0, sa1, sb0, sb1)", ""])


def _execute() -> str:
    """``execute`` runs one instruction from element ``lo`` on."""
    lines = ["", "@njit(nogil=True, error_model='numpy')", "def execute(code, numbers, pc, lo, n):"]
    lines += [f"    op, out = code[pc, {OP}], code[pc, {OUT}] + lo * code[pc, {STEP_OUT}]"]
    lines += [f"    a = code[pc, {A}] + lo * code[pc, {STEP_A}]", f"    b = code[pc, {B}] + lo * code[pc, {STEP_B}]"]
    ops = element_wise()
    for name, number in op_codes().items():
        if name in KERNELS:
            call = f"{name}({KERNELS[name]})"
        elif ops[name].arity == 1:
            call = f"do_{name}(out, a, n, numbers[pc])"
        else:
            call = f"do_{name}(out, a, b, n, code[pc, {FORM}], numbers[pc])"
        lines += [f"    {'elif' if number else 'if'} op == {number}:", f"        {call}"]
    return "\n".join(lines)


_MACHINE = f'''

@njit(nogil=True, error_model='numpy', cache=True)
def machine(code, numbers, steps, streams):
    """Run all instructions ``steps`` times; each step first takes its part of every stream into its feed."""
    count = code.shape[0]
    for step in range(steps):
        for at in range(streams.shape[0]):
            copy_bytes(streams[at, 0], streams[at, 1] + step * streams[at, 2], streams[at, 2])
        pc = 0
        while pc < count:
            chain, n = code[pc, {CHAIN}], code[pc, {N}]
            if chain <= 1:
                execute(code, numbers, pc, 0, n)
                pc += 1
                continue
            lo = 0
            while lo < n:
                size = min(n - lo, {BLOCK})
                for link in range(pc, pc + chain):
                    execute(code, numbers, link, lo, size)
                lo += {BLOCK}
            pc += chain
'''


def source() -> str:
    """The whole module as text."""
    parts = [(Path(__file__).parent / "kernels.py").read_text(encoding="utf-8"), _small_matmul()]
    for name, op in element_wise().items():
        parts.append((_unary if op.arity == 1 else _binary)(name, expression(op.code)))
    return "\n".join([*parts, _execute(), _MACHINE])


def problem() -> str | None:
    """Why there is no machine here; None if there can be one."""
    for name, needed in (("numba", "Numba"), ("scipy", "SciPy, whose BLAS Numba calls,")):
        if importlib.util.find_spec(name) is None:
            return f"{needed} isn't installed; `pip install layerlab[native]` adds it"
    return None


def load(folder: Path) -> Machine:
    """The machine, from the cache in ``folder`` if it is there (about a second), else compiled now (some more).

    Raises ImportError without Numba.
    """
    numba = importlib.import_module("numba")
    text = source()
    digest = hashlib.blake2b(f"{numba.__version__} {sys.version} {text}".encode(), digest_size=8).hexdigest()
    name = f"layerlab_machine_{digest}"
    path = folder / f"{name}.py"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f"{name}.{os.getpid()}.part"
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    module = sys.modules.get(name)
    if module is None:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None and spec.loader is not None
        module = sys.modules[name] = importlib.util.module_from_spec(spec)  # Numba's cache finds it by its name
        spec.loader.exec_module(module)
    run: Machine = module.machine
    run(np.zeros((0, WIDTH), np.int64), np.zeros(0, np.float32), 0, np.zeros((0, 3), np.int64))
    return run


def sgemm_address() -> int:
    """Where SciPy's BLAS has its float32 matrix product; 0 without SciPy, then plain loops do it."""
    if importlib.util.find_spec("scipy") is None:
        return 0
    extending = importlib.import_module("numba.extending")
    return int(extending.get_cython_function_address("scipy.linalg.cython_blas", "sgemm"))
