"""The innermost part of all products: a few rows of a result, kept in registers while their sums are formed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from llvmlite import ir

from engine.native.instructions import DEEP
from engine.native.lanes import BYTES, FLOAT, I64, REGISTERS, TRUTHS, VECTOR, W, llvm_function
from engine.native.vectors import first, loop, masked_load, masked_store, number, pointer, prefetch, spread

ROWS = 14 if REGISTERS == 32 else 6  # of a tile: its sums, two vectors and a number fill the registers
VECTORS = 2  # of a tile
PANEL = VECTORS * W  # columns of a tile
AHEAD = 24  # rows of a packed panel that are fetched before they are needed
SHORT = 32  # numbers to sum up, at most, to begin with what is added: else it comes last, as it may be large and far
LINE = 64  # bytes of a line of the caches
STAYS = 4 * PANEL * DEEP <= 1 << 14  # whether a packed panel of b stays in the first-level cache from tile to tile
NEXT = 256  # bytes of a packed a that are fetched before they are needed, if b stays
UNROLLED = 4  # steps of a packed tile's loop at a time

_NAMES = ("out", "out0", "a", "a0", "a1", "b", "b0", "k", "runs", "a2", "b2", "columns", "start", "start0")


def tile(module: ir.Module, name: str) -> None:
    """out (rows, columns) = a (rows, runs * k) @ b (runs * k, columns) + start (rows, columns), if start isn't 0.

    The function's arguments are those of :data:`_NAMES`, then ``rows``: they are shared out to tiles of at most ROWS,
    some of which have one more than the others; ``columns`` are at most PANEL.  out0, a0, start0: bytes from row to
    row.  Within a run of k numbers, those of a lie a1 bytes apart and the rows of b b0; from run to run it is a2
    and b2.  What lies b2 further on in b is fetched meanwhile.

    "tile_apart": each column has an a of its own, (rows, runs * k, columns): a's numbers stand for W side by side,
    and ``columns`` are at most W.  "tile_packed": there is one run, and the factors have no gaps, b row by row of
    PANEL, of which more than W count, and a tile by tile, each column by column.
    """
    apart, packed = name == "tile_apart", name == "tile_packed"
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [I64] * (len(_NAMES) + 1)), name)
    b = ir.IRBuilder(function.append_basic_block("entry"))
    *arguments, rows = function.args
    now: dict[str, ir.Value] = dict(zip(_NAMES, arguments, strict=True))
    wide = b.icmp_signed(">", now["columns"], number(W))
    base = b.select(wide, number(ROWS), number(0))
    parts = b.sdiv(b.add(rows, number(ROWS - 1)), number(ROWS))
    few = b.sdiv(rows, b.select(b.icmp_signed(">", parts, number(1)), parts, number(1)))
    more = b.sub(rows, b.mul(few, parts))
    moving = {each: b.alloca(I64) for each in ("out", "a", "start")}
    for each, place in moving.items():
        b.store(now[each], place)
    with loop(b, parts) as part:
        here = {each: b.load(place) for each, place in moving.items()}
        count = b.select(b.icmp_signed("<", part, more), b.add(few, number(1)), few)
        done = b.append_basic_block("done")
        switch = b.switch(b.add(count, base), done)
        for vectors in range(VECTORS if packed else 1, 2 if apart else VECTORS + 1):
            for size in range(1, ROWS + 1):
                block = b.append_basic_block("size")
                switch.add_case(number(size + ROWS * (vectors - 1)), block)
                b.position_at_end(block)
                b.call(_of_size(module, name, size, vectors), list((now | here).values()))
                b.branch(done)
        b.position_at_end(done)
        ups = {"out": now["out0"], "a": b.mul(number(4), now["k"]) if packed else now["a0"], "start": now["start0"]}
        for each, place in moving.items():
            b.store(b.add(here[each], b.mul(count, ups[each])), place)
    b.ret_void()


def _of_size(module: ir.Module, name: str, rows: int, vectors: int) -> ir.Function:
    apart, packed = name == "tile_apart", name == "tile_packed"
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [I64] * len(_NAMES)), f"{name}_{rows}_{vectors}")
    function.linkage = "internal"
    b = ir.IRBuilder(function.append_basic_block("entry"))
    now: dict[str, ir.Value] = dict(zip(_NAMES, function.args, strict=True))
    if packed:
        known = {"a0": 4, "a1": 4 * rows, "b0": 4 * PANEL, "b2": 4 * PANEL * AHEAD, "runs": 1}
        now |= {each: number(value) for each, value in known.items()}
    starts = b.icmp_signed("!=", now["start"], number(0))
    short = b.icmp_signed("<=", b.mul(now["runs"], now["k"]), number(SHORT))
    at_first, at_last = b.and_(starts, short), b.and_(starts, b.not_(short))
    last = first(b, b.sub(now["columns"], number((vectors - 1) * W)))
    everywhere = ir.Constant(TRUTHS, [1] * W)
    wanted = [*[everywhere] * (vectors - 1), last]
    read = [everywhere] * vectors if packed else wanted  # a packed panel has all columns
    sums = {(i, v): b.alloca(VECTOR) for i in range(rows) for v in range(vectors)}
    bases = range(0, rows, 3)  # three rows by one address: x86 adds a register, once or twice, for nothing
    walks, walk = {q: b.alloca(I64) for q in bases}, b.alloca(I64)

    def place(base: ir.Value, up: str, i: int, v: int) -> ir.Value:
        return b.add(b.add(base, b.mul(number(i), now[up])), number(v * BYTES))

    def steps(count: int) -> None:
        """``count`` rows of b."""
        for at in range(count):
            right = b.add(b.load(walk), b.mul(number(at), now["b0"]))
            _fetch(b, _soon(b, (rows, vectors, at), packed, b.load(walks[0]), b.add(right, now["b2"])))
            ys = [masked_load(b, b.add(right, number(v * BYTES)), read[v]) for v in range(vectors)]
            for i in range(rows):
                more = b.add(b.mul(number(at), now["a1"]), b.mul(number(i % 3), now["a0"]))
                left = b.add(b.load(walks[i // 3 * 3]), more)
                x = masked_load(b, left, last) if apart else _everywhere(b, left)
                for v in range(vectors):
                    total = sums[i, v]
                    b.store(llvm_function(b, f"fma.v{W}f32", VECTOR, (x, ys[v], b.load(total))), total)
        for q in bases:
            b.store(b.add(b.load(walks[q]), b.mul(number(count), now["a1"])), walks[q])
        b.store(b.add(b.load(walk), b.mul(number(count), now["b0"])), walk)

    _fetch(b, [place(now["out"], "out0", i, 0) for i in range(rows if packed else 0)])
    for total in sums.values():
        b.store(ir.Constant(VECTOR, [0.0] * W), total)
    with b.if_then(at_first):
        for (i, v), total in sums.items():
            b.store(masked_load(b, place(now["start"], "start0", i, v), wanted[v]), total)
    with b.if_then(at_last):
        _fetch(b, [place(now["start"], "start0", i, v) for i, v in sums], level=2)
    with loop(b, now["runs"]) as run:
        for q in bases:
            b.store(b.add(b.add(now["a"], b.mul(run, now["a2"])), b.mul(number(q), now["a0"])), walks[q])
        b.store(b.add(now["b"], b.mul(run, now["b2"])), walk)
        whole = b.and_(now["k"], number(-UNROLLED)) if packed else number(0)
        with loop(b, whole, UNROLLED):
            steps(UNROLLED if packed else 0)
        with loop(b, b.sub(now["k"], whole)):
            steps(1)
    with b.if_then(at_last):
        for (i, v), total in sums.items():
            start = masked_load(b, place(now["start"], "start0", i, v), wanted[v])
            b.store(b.fadd(b.load(total), start), total)
    for (i, v), total in sums.items():
        masked_store(b, place(now["out"], "out0", i, v), b.load(total), wanted[v])
    b.ret_void()
    return function


def _soon(
    b: ir.IRBuilder, size: tuple[int, int, int], packed: bool, a: ir.Value, later: ir.Value
) -> Iterator[ir.Value]:
    """What a step of a tile fetches: of a packed a, if b stays where it is; or the row of b that is ``later``."""
    rows, vectors, at = size
    if packed and STAYS:
        return (b.add(a, number(4 * rows * at + NEXT)) for _ in range((at + 1) % 2))
    return (b.add(later, number(line)) for line in range(0, 4 * PANEL if vectors > 1 else 0, LINE))


def _fetch(b: ir.IRBuilder, addresses: Iterable[ir.Value], level: int = 1) -> None:
    for each in addresses:
        prefetch(b, each, level)


def _everywhere(b: ir.IRBuilder, address: ir.Value) -> ir.Value:
    """One number in all lanes."""
    return spread(b, b.load(pointer(b, address, FLOAT), align=4), VECTOR)
