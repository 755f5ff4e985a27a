"""The innermost part of all products: a few rows of a result, kept in registers while their sums are formed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from llvmlite import ir

from engine.native.instructions import DEEP, LINE
from engine.native.lanes import BYTES, FLOAT, I64, REGISTERS, TRUTHS, VECTOR, W, llvm_function
from engine.native.vectors import first, loop, masked_load, masked_store, number, pointer, prefetch, spread

ROWS = 14 if REGISTERS == 32 else 6  # of a tile: its sums, two vectors and a number fill the registers
VECTORS = 2  # of a tile
PANEL = VECTORS * W  # columns of a tile
AHEAD = 24  # rows of a packed panel that are fetched before they are needed
SHORT = 32  # numbers to sum up, at most, to begin with what is added: else it comes last, as it may be large and far
STAYS = 4 * PANEL * DEEP <= 1 << 14  # whether a packed panel of b stays in the first-level cache from tile to tile
NEXT = 256  # bytes of a packed a that are fetched before they are needed, if b stays
UNROLLED = 4  # steps of a packed tile's loop at a time

_NAMES = ("out", "out0", "a", "a0", "a1", "b", "b0", "k", "runs", "a2", "b2", "columns", "start", "start0")


def tile(module: ir.Module, name: str) -> None:
    """out (rows, columns) = a (rows, runs * k) @ b (runs * k, columns) + start (rows, columns), if start isn't 0.

    The function's arguments are those of :data:`_NAMES`, then ``rows``: they are shared out to tiles of at most ROWS
    (twice as many of whole vectors that are apart), some of which have one more than the others; ``columns`` are at
    most PANEL.  out0, a0, start0: bytes from row to row.  Within a run of k numbers, those of a lie a1 bytes apart and
    the rows of b b0; from run to run it is a2 and b2.  What lies b2 further on in b is fetched meanwhile.

    "tile_apart": each column has an a of its own, (rows, runs * k, columns): a's numbers stand for W side by side,
    and ``columns`` are at most W.  "tile_packed": there is one run, and the factors have no gaps, b row by row of
    PANEL, of which more than W count, and a tile by tile, each column by column.

    "tile_packing": there is one run, of PANEL columns, for a single tile; the rows of b are put side by side at a2.
    """
    apart, packed = name == "tile_apart", name == "tile_packed"
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [I64] * (len(_NAMES) + 1)), name)
    b = ir.IRBuilder(function.append_basic_block("entry"))
    *arguments, rows = function.args
    now: dict[str, ir.Value] = dict(zip(_NAMES, arguments, strict=True))
    wide = b.icmp_signed(">=" if apart else ">", now["columns"], number(W))
    base = b.select(wide, number(ROWS), number(0))
    tall = {1: ROWS, 2: 2 * ROWS if apart else ROWS}  # one vector of sums a row leaves room for twice as many rows
    most = b.select(wide, number(tall[2]), number(tall[1]))
    parts = b.sdiv(b.sub(b.add(rows, most), number(1)), most)
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
        # Of "tile_apart", 2 says that all lanes of its vector are wanted.
        for vectors in range(VECTORS if packed else 1, VECTORS + 1):
            for size in range(1, tall[vectors] + 1):
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
    tile_of_size = _Tile(module, name, rows, vectors)
    tile_of_size.begin()
    tile_of_size.add_up()
    tile_of_size.end()
    return tile_of_size.function


class _Tile:
    """The function for tiles of so many rows and vectors, while it is written."""

    def __init__(self, module: ir.Module, name: str, rows: int, vectors: int) -> None:
        self.apart, self.packed, self.packing = (name == f"tile_{each}" for each in ("apart", "packed", "packing"))
        kind = ir.FunctionType(ir.VoidType(), [I64] * len(_NAMES))
        self.function = ir.Function(module, kind, f"{name}_{rows}_{vectors}")
        self.function.linkage = "internal"
        self.b = b = ir.IRBuilder(self.function.append_basic_block("entry"))
        self.now: dict[str, ir.Value] = dict(zip(_NAMES, self.function.args, strict=True))
        everywhere = ir.Constant(TRUTHS, [1] * W)
        all_lanes = self.packing or (self.apart and vectors > 1)
        last = everywhere if all_lanes else first(b, b.sub(self.now["columns"], number((vectors - 1) * W)))
        self.rows, self.vectors = rows, 1 if self.apart else vectors
        if self.packed:
            known = {"a0": 4, "a1": 4 * rows, "b0": 4 * PANEL, "b2": 4 * PANEL * AHEAD, "runs": 1}
            self.now |= {each: number(value) for each, value in known.items()}
        elif self.packing:
            self.now["runs"] = number(1)
        self.wanted = [*[everywhere] * (self.vectors - 1), last]
        self.read = [everywhere] * self.vectors if self.packed else self.wanted  # a packed panel has all columns
        self.sums = {(i, v): b.alloca(VECTOR) for i in range(rows) for v in range(self.vectors)}
        bases = range(0, rows, 3)  # three rows by one address: x86 adds a register, once or twice, for nothing
        self.walks, self.walk, self.panel = {q: b.alloca(I64) for q in bases}, b.alloca(I64), b.alloca(I64)
        starts = b.icmp_signed("!=", self.now["start"], number(0))
        short = b.icmp_signed("<=", b.mul(self.now["runs"], self.now["k"]), number(SHORT))
        self.at_first, self.at_last = b.and_(starts, short), b.and_(starts, b.not_(short))

    def begin(self) -> None:
        """The sums begin with 0, or with what is added."""
        b = self.b
        _fetch(b, [self._place("out", i, 0) for i in range(self.rows if self.packed else 0)])
        b.store(self.now["a2"], self.panel)
        for total in self.sums.values():
            b.store(ir.Constant(VECTOR, [0.0] * W), total)
        with b.if_then(self.at_first):
            for (i, v), total in self.sums.items():
                b.store(masked_load(b, self._place("start", i, v), self.wanted[v]), total)
        with b.if_then(self.at_last):
            _fetch(b, [self._place("start", i, v) for i, v in self.sums], level=2)

    def add_up(self) -> None:
        """All runs, some steps at a time."""
        b, now = self.b, self.now
        with loop(b, now["runs"]) as run:
            for q, walk in self.walks.items():
                b.store(b.add(b.add(now["a"], b.mul(run, now["a2"])), b.mul(number(q), now["a0"])), walk)
            b.store(b.add(now["b"], b.mul(run, now["b2"])), self.walk)
            whole = b.and_(now["k"], number(-UNROLLED)) if self.packed else number(0)
            with loop(b, whole, UNROLLED):
                self._steps(UNROLLED if self.packed else 0)
            with loop(b, b.sub(now["k"], whole)):
                self._steps(1)

    def end(self) -> None:
        """What is added last, and the result."""
        b, sums = self.b, self.sums
        with b.if_then(self.at_last):
            for (i, v), total in sums.items():
                start = masked_load(b, self._place("start", i, v), self.wanted[v])
                b.store(b.fadd(b.load(total), start), total)
        for (i, v), total in sums.items():
            masked_store(b, self._place("out", i, v), b.load(total), self.wanted[v])
        b.ret_void()

    def _place(self, name: str, i: int, v: int) -> ir.Value:
        """The address of a row's vector in ``out`` or ``start``."""
        b = self.b
        return b.add(b.add(self.now[name], b.mul(number(i), self.now[f"{name}0"])), number(v * BYTES))

    def _steps(self, count: int) -> None:
        """``count`` rows of b."""
        b, now = self.b, self.now
        for at in range(count):
            right = b.add(b.load(self.walk), b.mul(number(at), now["b0"]))
            size = (self.rows, self.vectors, at)
            _fetch(b, _soon(b, size, self.packed, b.load(self.walks[0]), b.add(right, now["b2"])))
            ys = [masked_load(b, b.add(right, number(v * BYTES)), each) for v, each in enumerate(self.read)]
            for v, y in enumerate(ys if self.packing else []):
                masked_store(b, b.add(b.load(self.panel), number((at * VECTORS + v) * BYTES)), y, self.wanted[v])
            for i in range(self.rows):
                more = b.add(b.mul(number(at), now["a1"]), b.mul(number(i % 3), now["a0"]))
                left = b.add(b.load(self.walks[i // 3 * 3]), more)
                x = masked_load(b, left, self.wanted[0]) if self.apart else _everywhere(b, left)
                for v in range(self.vectors):
                    total = self.sums[i, v]
                    b.store(llvm_function(b, f"fma.v{W}f32", VECTOR, (x, ys[v], b.load(total))), total)
        for walk in self.walks.values():
            b.store(b.add(b.load(walk), b.mul(number(count), now["a1"])), walk)
        b.store(b.add(b.load(self.walk), b.mul(number(count), now["b0"])), self.walk)
        if self.packing:
            b.store(b.add(b.load(self.panel), number(count * VECTORS * BYTES)), self.panel)


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
