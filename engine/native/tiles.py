"""The innermost part of all products: a few rows of a result, kept in registers while their sums are formed."""

from __future__ import annotations

from llvmlite import ir

from engine.native.lanes import BYTES, FLOAT, I64, REGISTERS, TRUTHS, VECTOR, W, llvm_function
from engine.native.vectors import first, loop, masked_load, masked_store, number, pointer, spread

ROWS = 14 if REGISTERS == 32 else 6  # of a tile: its sums, two vectors and a number fill the registers
VECTORS = 2  # of a tile
PANEL = VECTORS * W  # columns of a tile

_NAMES = ("out", "out0", "a", "a0", "a1", "b", "b0", "k", "runs", "a2", "b2", "columns", "start", "start0")


def tile(module: ir.Module, name: str, apart: bool = False) -> None:
    """out (rows, columns) = a (rows, runs * k) @ b (runs * k, columns) + start (rows, columns), if start isn't 0.

    With ``apart`` each column has an a of its own, (rows, runs * k, columns): a's numbers stand for W side by side.

    The function's arguments are those of :data:`_NAMES`, then ``rows``: at most ROWS; ``columns`` are at most
    PANEL (``apart``: W).  out0, a0, start0: bytes from row to row.  Within a run of k numbers, those of a lie a1
    bytes apart and the rows of b b0; from run to run it is a2 and b2.
    """
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [I64] * (len(_NAMES) + 1)), name)
    b = ir.IRBuilder(function.append_basic_block("entry"))
    *arguments, rows = function.args
    wide = b.icmp_signed(">", arguments[_NAMES.index("columns")], number(W))
    done = b.append_basic_block("done")
    switch = b.switch(b.add(rows, b.select(wide, number(ROWS), number(0))), done)
    for vectors in range(1, 2 if apart else VECTORS + 1):
        for count in range(1, ROWS + 1):
            block = b.append_basic_block("size")
            switch.add_case(number(count + ROWS * (vectors - 1)), block)
            b.position_at_end(block)
            b.call(_of_size(module, name, count, vectors, apart), arguments).tail = "tail"
            b.branch(done)
    b.position_at_end(done)
    b.ret_void()


def _of_size(module: ir.Module, name: str, rows: int, vectors: int, apart: bool) -> ir.Function:
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [I64] * len(_NAMES)), f"{name}_{rows}_{vectors}")
    function.linkage = "internal"
    b = ir.IRBuilder(function.append_basic_block("entry"))
    now = dict(zip(_NAMES, function.args, strict=True))
    starts = b.icmp_signed("!=", now["start"], number(0))
    begin = b.select(starts, now["start"], now["out"])  # where nothing is wanted, an address that exists is faster
    last = first(b, b.sub(now["columns"], number((vectors - 1) * W)))
    wanted = [*[ir.Constant(TRUTHS, [1] * W)] * (vectors - 1), last]
    sums = {(i, v): b.alloca(VECTOR) for i in range(rows) for v in range(vectors)}
    bases = range(0, rows, 3)  # three rows by one address: x86 adds a register, once or twice, for nothing
    walks, walk = {q: b.alloca(I64) for q in bases}, b.alloca(I64)

    def place(base: ir.Value, up: str, i: int, v: int) -> ir.Value:
        return b.add(b.add(base, b.mul(number(i), now[up])), number(v * BYTES))

    for (i, v), total in sums.items():
        mask = b.and_(wanted[v], spread(b, starts, TRUTHS))
        b.store(masked_load(b, place(begin, "start0", i, v), mask), total)
    with loop(b, now["runs"]) as run:
        for q in bases:
            start = b.add(now["a"], b.mul(run, now["a2"]))
            b.store(b.add(start, b.mul(number(q), now["a0"])), walks[q])
        b.store(b.add(now["b"], b.mul(run, now["b2"])), walk)
        with loop(b, now["k"]):
            right = b.load(walk)
            ys = [masked_load(b, b.add(right, number(v * BYTES)), wanted[v]) for v in range(vectors)]
            for i in range(rows):
                left = b.add(b.load(walks[i // 3 * 3]), b.mul(number(i % 3), now["a0"]))
                x = masked_load(b, left, last) if apart else _everywhere(b, left)
                for v in range(vectors):
                    total = sums[i, v]
                    b.store(llvm_function(b, f"fma.v{W}f32", VECTOR, (x, ys[v], b.load(total))), total)
            for q in bases:
                b.store(b.add(b.load(walks[q]), now["a1"]), walks[q])
            b.store(b.add(right, now["b0"]), walk)
    for (i, v), total in sums.items():
        masked_store(b, place(now["out"], "out0", i, v), b.load(total), wanted[v])
    b.ret_void()
    return function


def _everywhere(b: ir.IRBuilder, address: ir.Value) -> ir.Value:
    """One number in all lanes."""
    return spread(b, b.load(pointer(b, address, FLOAT), align=4), VECTOR)
