"""The native machine's products of matrices.

A tile (``tiles.py``) keeps some rows and columns of a result in registers while it runs along what is
summed over.  Around the tiles, a result is made in blocks whose factors stay in the caches (Goto & van de
Geijn 2008): some rows of a panel of the second factor in the first-level one, a block of the first factor in the
second.  Factors are read where they lie, or are packed first where that pays; ``matrices.py`` decides.

How a result is cut into units, blocks and tiles never changes its bits: each number of it is summed in an
order that follows from the product's sizes alone.  Strides are in bytes; ``tiles`` and ``packed`` are the
addresses of the tiles' functions.
"""

from engine.native.frontend import compiled, entry
from engine.native.instructions import (
    A0,
    A1,
    AHEAD,
    B0,
    B1,
    C0,
    DEPTH,
    INFO,
    OP,
    OUT,
    OUT_ROW,
    PACKED,
    PACKING,
    PACKS,
    PATTERN,
    TALL,
    TILES,
    UNITS,
    WIDE,
    WIDTH,
    A,
    B,
    C,
    K,
    M,
    N,
)
from engine.native.kernels import columns
from engine.native.lanes import W
from engine.native.packing import TOGETHER, pack, pack_panels, pack_tiles, shares
from engine.native.simd import (
    call_kernel,
    read,
    tile,
    write,
)
from engine.native.tiles import PANEL, ROWS

FETCHED = 16  # rows of a factor that isn't packed yet, that are fetched before they are needed


@compiled
def edge(n, grain, units, unit):
    """Where a unit of n rows or columns begins, a multiple of ``grain`` as far as there are enough."""
    return min(n, (n + grain - 1) // grain * unit // units * grain)


@compiled
def block(tiles, packed, out, out0, a, a0, a1, b, b0, panel, ahead, m, n, k, start, start0):
    """Panel by panel; ``panel`` is how far those of b lie apart.  ``packed`` isn't 0: both factors are packed."""
    for j in range(0, n, PANEL):
        wide, to, here = min(PANEL, n - j), out + 4 * j, start + 4 * j if start != 0 else 0
        if packed == 0:
            tile(tiles, to, out0, a, a0, a1, b, b0, k, 1, 0, ahead, wide, here, start0, m)
        elif wide > W:
            tile(packed, to, out0, a, 4, 0, b, b0, k, 1, 0, ahead, wide, here, start0, m)
        else:
            narrow_block(tiles, to, out0, a, b, b0, ahead, m, wide, k, here, start0)
        b += panel


@compiled
def narrow_block(tiles, out, out0, a, b, b0, ahead, m, n, k, start, start0):
    """A few columns of a block whose factors are packed, tile by tile."""
    parts, few, more = shares(m)
    for part in range(parts):
        rows = few + 1 if part < more else few
        tile(tiles, out, out0, a, 4, 4 * rows, b, b0, k, 1, 0, ahead, n, start, start0, rows)
        out, a = out + rows * out0, a + 4 * k * rows
        if start != 0:
            start += rows * start0


@compiled
def pack_on_the_way(row, low, high, left, right, packed, tiled, room):
    """A product of few rows: the first tile along a panel of b packs it in passing, for those below."""
    m, n, out0, a0, a1, b0 = high - low, row[N], 4 * row[N], row[A0], row[A1], row[B0]
    _, few, more = shares(m)
    rows = few + 1 if more > 0 else few
    for q in range(0, row[K], row[DEPTH]):
        deep = min(row[DEPTH], row[K] - q)
        x, first0, first1, below = row[A] + low * a0 + q * a1, a0, a1, rows * a0
        if packed != 0:
            pack_tiles(tiled, x, m, deep, a0, a1)
            x, first0, first1, below = tiled, 4, 4 * rows, 4 * deep * rows
        here, here0 = (row[C], row[C0]) if q == 0 else (row[OUT], out0)
        for j in range(left, right, PANEL):
            wide, y, out = min(PANEL, n - j), row[B] + 4 * j + q * b0, row[OUT] + 4 * j + low * out0
            start = here + 4 * j + low * here0 if here != 0 else 0
            if wide < PANEL:
                pack(room, PANEL, y, deep, wide, b0, 4)
                block(
                    row[TILES], packed, out, out0, x, a0, a1, room, 4 * PANEL, 0, row[AHEAD], m, wide, deep, start,
                    here0,
                )  # fmt: skip
                continue
            tile(
                row[PACKING], out, out0, x, first0, first1, y, b0, deep, 1, room, FETCHED * b0, wide, start, here0, rows
            )  # fmt: skip
            if m > rows:
                block(
                    row[TILES], packed, out + rows * out0, out0, x + below, a0, a1, room, 4 * PANEL, 0, row[AHEAD],
                    m - rows, wide, deep, start + rows * here0 if start != 0 else 0, here0,
                )  # fmt: skip


@compiled
def single_tile(row, room):
    """A product that is no larger than a tile."""
    b, b0 = row[B], row[B0]
    if row[PACKS] & 1:
        pack(room, PANEL, b, row[K], row[N], b0, row[B1])
        b, b0 = room, 4 * PANEL
    tile(
        row[TILES], row[OUT], 4 * row[N], row[A], row[A0], row[A1], b, b0, row[K], 1, 0, row[AHEAD], row[N], row[C],
        row[C0], row[M],
    )  # fmt: skip


@entry
def product(at, begin, count, room):
    """out (M, N) = a (M, K) @ b (K, N) + start (M, N), which lies at C if there is one.

    A0, A1, B0, B1, C0: bytes from row to row and from column to column.  PACKS: 1 if b is packed, 2 if a is too, 4 if
    units are rows of the result (else columns); 8 if b's panels, with W rows more each, are kept at INFO for another
    product, 16 if that is this one.  DEPTH: how much of K is summed at a time; AHEAD: how far ahead b is fetched,
    in bytes.
    """
    row = columns(at)
    tiles, out, a, b, start, start0 = row[TILES], row[OUT], row[A], row[B], row[C], row[C0]
    m, n, k, a0, a1, b0, b1 = row[M], row[N], row[K], row[A0], row[A1], row[B0], row[B1]
    packs, each, ahead, units, out0 = row[PACKS], row[DEPTH], row[AHEAD], row[UNITS], 4 * row[N]
    if m <= ROWS and n <= PANEL and k <= each and packs < 8:
        single_tile(row, room)
        return
    low, high, left, right = 0, m, 0, n
    if packs & 4:
        low, high = edge(m, ROWS, units, begin), edge(m, ROWS, units, begin + count)
    else:
        left, right = edge(n, PANEL, units, begin), edge(n, PANEL, units, begin + count)
    tiled = room + 4 * (each * (min(n, WIDE) + PANEL) + W * PANEL)  # where a is packed: b overruns its end by W rows
    packed = row[PACKED] if packs & 2 else 0
    once = high - low <= TALL  # b is read once: few panels at a time are packed, and are in the nearest cache still
    if low < high and once and packs & 25 == 1 and b1 == 4:
        pack_on_the_way(row, low, high, left, right, packed, tiled, room)
        return
    step = TOGETHER * PANEL if once else WIDE
    for q in range(0, k, each):
        deep = min(each, k - q)
        here, here0 = (start, start0) if q == 0 else (out, out0)
        for j in range(left, right, step):
            wide = min(step, right - j)
            y, y0, panel = b + j * b1 + q * b0, b0, 4 * PANEL
            if packs & 1:
                to, y0, panel = room, 4 * PANEL, 4 * PANEL * deep
                if packs & 8:
                    panel = 4 * PANEL * (k + W)
                    to = row[INFO] + j // PANEL * panel + 4 * PANEL * q
                if not packs & 16:
                    pack_panels(to, panel, y, deep, wide, b0, b1)
                y = to
            for i in range(low, high, TALL):
                tall = min(TALL, high - i)
                x = a + i * a0 + q * a1
                if packs & 2:
                    if j == left or not once:
                        pack_tiles(tiled, x, tall, deep, a0, a1)
                    x = tiled
                block(
                    tiles, packed, out + 4 * j + i * out0, out0, x, a0, a1, y, y0, panel, ahead, tall, wide, deep,
                    here + 4 * j + i * here0 if here != 0 else 0, here0,
                )  # fmt: skip


@entry
def turned(at, begin, count, room):
    """out (M, N) of a (N, M): columns for rows."""
    row = columns(at)
    out, a, m, n = row[OUT], row[A], row[M], row[N]
    whole = max(0, m - W) // W * W  # rows behind which there are W more: what is written there is written over
    for q in range(0, whole, W):
        pack(out + 4 * q * n, n, a + 4 * q, W, n, 4, 4 * m)
    for q in range(whole, m):
        for j in range(n):
            write(out + 4 * (q * n + j), read(a + 4 * (j * m + q)))


@entry
def several_products(at, begin, count, room):
    """UNITS products: what is at INFO, with OUT, A, B and C moved on by OUT_ROW, A0, B0 and C0 bytes each time."""
    row, pattern, inner = columns(at), columns(columns(at)[INFO]), columns(room)
    for unit in range(begin, begin + count):
        for column in range(WIDTH):
            inner[column] = pattern[column]
        inner[OUT], inner[A] = row[OUT] + unit * row[OUT_ROW], row[A] + unit * row[A0]
        inner[B], inner[C] = row[B] + unit * row[B0], row[C] + unit * row[C0]
        call_kernel(inner[OP], room, 0, inner[UNITS], room + PATTERN)
