"""The native machine's kernels as one module of text, for Numba to compile and to keep on disk.

``products.py``, ``kernels.py`` and ``pools.py`` are templates, written by hand.  Each kernel becomes a
function of its instruction, which is called by its address: compiling one function that holds them
all would take minutes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from engine.executors.instructions import (
    BLOCK,
    CHAIN,
    KERNELS,
    N,
    OP,
    WIDTH,
    WINDOW,
)
from engine.executors.tiles import PANEL, ROWS

TEMPLATES = ("kernels", "products", "pools")
_CONSTANTS = {"PANEL": PANEL, "ROWS": ROWS, "WINDOW": WINDOW}


def _kernel(name: str, columns: Sequence[int]) -> str:
    """A kernel of the templates as a function of its instruction."""
    given = ", ".join(f"row[{column}]" for column in columns)
    head = "@cfunc(types.void(types.int64, types.int64, types.int64), cache=True, error_model='numpy')"
    lines = [head, f"def unit_{name}(at, lo, n):", f"    row = i64s(at, {WIDTH})", f"    {name}({given})"]
    return "\n".join(["", "", *lines])


_MACHINE = f'''


@njit(nogil=True, error_model='numpy', cache=True)
def machine(code, steps, streams):
    """Run all instructions ``steps`` times; each step first takes its part of every stream into its feed."""
    begin, end = code.ctypes.data, code.ctypes.data + {8 * WIDTH} * code.shape[0]
    for step in range(steps):
        for at in range(streams.shape[0]):
            copy_bytes(streams[at, 0], streams[at, 1] + step * streams[at, 2], streams[at, 2])
        now = begin
        while now < end:
            row = i64s(now, {WIDTH})
            chain, n = row[{CHAIN}], row[{N}]
            if chain <= 1:
                call_kernel(row[{OP}], now, 0, n)
                now += {8 * WIDTH}
                continue
            for lo in range(0, n, {BLOCK}):
                for link in range(chain):
                    one = now + {8 * WIDTH} * link
                    call_kernel(i64s(one, {WIDTH})[{OP}], one, lo, min(n - lo, {BLOCK}))
            now += {8 * WIDTH} * chain
'''


def source() -> str:
    """The whole module: ``unit_NAME`` for each kernel, and ``machine``."""
    folder = Path(__file__).parent
    kernels, *others = ((folder / f"{name}.py").read_text(encoding="utf-8") for name in TEMPLATES)
    given = "\n".join(f"{name} = {value}" for name, value in _CONSTANTS.items())
    return "\n".join([kernels, given, *others, *(_kernel(*each) for each in KERNELS.items()), _MACHINE])
