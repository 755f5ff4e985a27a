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
from engine.native.kernels import columns, copy_row, fill_row
from engine.native.lanes import BYTES, W
from engine.native.packing import TOGETHER, pack, pack_panels, pack_tiles, shares
from engine.native.simd import (
    add,
    beside1,
    beside2,
    beside4,
    call_kernel,
    first,
    load,
    load_part,
    mul,
    read,
    splat,
    store,
    store_part,
    tile,
    total,
    write,
    zero,
)
from engine.native.tiles import PANEL, ROWS

STRIP = 2048  # columns of a single row that are summed up at a time: they stay in the first-level cache


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
        if packs & 1:
            pack(room, PANEL, b, k, n, b0, b1)
            b, b0 = room, 4 * PANEL
        tile(tiles, out, out0, a, a0, a1, b, b0, k, 1, 0, ahead, n, start, start0, m)
        return
    low, high, left, right = 0, m, 0, n
    if packs & 4:
        low, high = edge(m, ROWS, units, begin), edge(m, ROWS, units, begin + count)
    else:
        left, right = edge(n, PANEL, units, begin), edge(n, PANEL, units, begin + count)
    tiled = room + 4 * each * (min(n, WIDE) + PANEL)  # where a is packed
    packed = row[PACKED] if packs & 2 else 0
    once = (
        high - low <= TALL
    )  # a panel of b is read once then, so that few at a time are packed, and never left the cache
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


@compiled
def begun(start, wanted):
    """What a row's sums begin with: what lies at ``start``, or 0 if that is 0."""
    return load_part(start, wanted) if start != 0 else zero()


@compiled
def store_rows(out, n, count, s0, s1, s2, s3):
    """The first ``count`` of four rows of n numbers, which fit a vector; whole vectors of them where that is easy."""
    if n == 1:
        store_part(out, beside2(beside1(s0, s1), beside1(s2, s3)), first(count))
    elif n == 2 and W >= 8:
        store_part(out, beside4(beside2(s0, s1), beside2(s2, s3)), first(2 * count))
    elif n == 4 and W >= 8:
        store_part(out, beside4(s0, s1), first(4 * count))
        store_part(out + 32, beside4(s2, s3), first(4 * count - 8))
    else:
        wanted = first(n)
        store_part(out, s0, wanted)
        if count > 1:
            store_part(out + 4 * n, s1, wanted)
        if count > 2:
            store_part(out + 8 * n, s2, wanted)
        if count > 3:
            store_part(out + 12 * n, s3, wanted)


@entry
def thin_product(at, begin, count, room):
    """As product, of few rows that each fit a vector and of few numbers to sum up: what counts is to begin soon."""
    row = columns(at)
    out, a, b, start, start0, m, n, k = row[OUT], row[A], row[B], row[C], row[C0], row[M], row[N], row[K]
    a0, a1, b0, wanted = row[A0], row[A1], row[B0], first(n)
    if row[B1] != 4:
        pack(room, W, b, k, n, b0, row[B1])
        b, b0 = room, BYTES
    for i in range(0, m, 4):
        last = min(4, m - i) - 1  # of four rows; where there are fewer, it is taken again
        p, q = min(1, last), min(2, last)
        s0, s1 = begun(start, wanted), begun(start + p * start0, wanted)
        s2, s3 = begun(start + q * start0, wanted), begun(start + last * start0, wanted)
        x, x1, x2, x3, y = a, a + p * a0, a + q * a0, a + last * a0, b
        for _ in range(k):
            z = load_part(y, wanted)
            s0, s1 = add(s0, mul(splat(x), z)), add(s1, mul(splat(x1), z))
            s2, s3 = add(s2, mul(splat(x2), z)), add(s3, mul(splat(x3), z))
            x, x1, x2, x3, y = x + a1, x1 + a1, x2 + a1, x3 + a1, y + b0
        store_rows(out, n, last + 1, s0, s1, s2, s3)
        out, a, start = out + 16 * n, a + 4 * a0, start + 4 * start0


@compiled
def four(x, y, y0):
    """Four numbers times a vector of each of four rows from y on, added up."""
    one = add(mul(x[0], load(y)), mul(x[1], load(y + y0)))
    y += 2 * y0
    return add(one, add(mul(x[2], load(y)), mul(x[3], load(y + y0))))


@compiled
def four_parts(x, y, y0, wanted):
    """The lanes ``wanted`` of that."""
    one = add(mul(x[0], load_part(y, wanted)), mul(x[1], load_part(y + y0, wanted)))
    y += 2 * y0
    return add(one, add(mul(x[2], load_part(y, wanted)), mul(x[3], load_part(y + y0, wanted))))


@compiled
def along_rows(out, b, b0, x, a1, n):
    """``out`` (n,) and four numbers from x on times four rows from b on, added up."""
    xs = splat(x), splat(x + a1), splat(x + 2 * a1), splat(x + 3 * a1)
    for j in range(0, n - 4 * W + 1, 4 * W):
        to, y = out + 4 * j, b + 4 * j
        s, t = add(load(to), four(xs, y, b0)), add(load(to + BYTES), four(xs, y + BYTES, b0))
        u = add(load(to + 2 * BYTES), four(xs, y + 2 * BYTES, b0))
        v = add(load(to + 3 * BYTES), four(xs, y + 3 * BYTES, b0))
        store(to, s)
        store(to + BYTES, t)
        store(to + 2 * BYTES, u)
        store(to + 3 * BYTES, v)
    for j in range(n // (4 * W) * (4 * W), n, W):
        wanted, to = first(n - j), out + 4 * j
        store_part(to, add(load_part(to, wanted), four_parts(xs, b + 4 * j, b0, wanted)), wanted)


@entry
def row_product(at, begin, count, room):
    """The product of a single row with a matrix whose rows have no gaps: four at a time are read on and on."""
    row = columns(at)
    a, a1, b0, k, n = row[A], row[A1], row[B0], row[K], row[N]
    left, right = edge(n, W, row[UNITS], begin), edge(n, W, row[UNITS], begin + count)
    for strip in range(left, right, STRIP):
        wide = min(STRIP, right - strip)
        out, b = row[OUT] + 4 * strip, row[B] + 4 * strip
        if row[C]:
            copy_row(out, row[C] + 4 * strip, wide)
        else:
            fill_row(out, zero(), wide)
        for q in range(0, k - 3, 4):
            along_rows(out, b + q * b0, b0, a + q * a1, a1, wide)
        for q in range(k & ~3, k):
            x = splat(a + q * a1)
            for j in range(0, wide, W):
                wanted = first(wide - j)
                to = out + 4 * j
                store_part(to, add(load_part(to, wanted), mul(x, load_part(b + q * b0 + 4 * j, wanted))), wanted)


@compiled
def dots(a, b, b1, b2, b3, k):
    """The products of a row (k,) with b (k,) and with the three that lie b1, b2 and b3 behind it, added up."""
    s0, s1, s2, s3, t0, t1, t2, t3 = zero(), zero(), zero(), zero(), zero(), zero(), zero(), zero()
    for _ in range(k // (2 * W)):
        x, z, c = load(a), load(a + BYTES), b + BYTES
        s0, t0 = add(s0, mul(x, load(b))), add(t0, mul(z, load(c)))
        s1, t1 = add(s1, mul(x, load(b + b1))), add(t1, mul(z, load(c + b1)))
        s2, t2 = add(s2, mul(x, load(b + b2))), add(t2, mul(z, load(c + b2)))
        s3, t3 = add(s3, mul(x, load(b + b3))), add(t3, mul(z, load(c + b3)))
        a, b = a + 2 * BYTES, b + 2 * BYTES
    for q in range(k // (2 * W) * 2 * W, k, W):
        wanted = first(k - q)
        x = load_part(a, wanted)
        s0, s1 = add(s0, mul(x, load_part(b, wanted))), add(s1, mul(x, load_part(b + b1, wanted)))
        s2, s3 = add(s2, mul(x, load_part(b + b2, wanted))), add(s3, mul(x, load_part(b + b3, wanted)))
        a, b = a + BYTES, b + BYTES
    return total(add(s0, t0)), total(add(s1, t1)), total(add(s2, t2)), total(add(s3, t3))


@entry
def dot_product(at, begin, count, room):
    """The product of few rows without gaps and a matrix whose columns have none: four columns at a time."""
    row = columns(at)
    a0, b1, n, start = row[A0], row[B1], row[N], row[C]
    left, right = edge(n, 4, row[UNITS], begin), edge(n, 4, row[UNITS], begin + count)
    for j in range(left, right, 4):
        last = min(3, right - j - 1)  # of the four; if there are fewer, it is taken again
        for i in range(row[M]):
            b2 = min(2, last) * b1
            found = dots(row[A] + i * a0, row[B] + j * b1, min(1, last) * b1, b2, last * b1, row[K])
            to, here = row[OUT] + 4 * (i * n + j), start + i * row[C0] + 4 * j
            for p in range(last + 1):
                write(to + 4 * p, found[p] + read(here + 4 * p) if start != 0 else found[p])


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
