"""The native machine's products of few rows, which read the second factor where it lies: what counts is how."""

from engine.native.frontend import compiled, entry
from engine.native.instructions import A0, A1, B0, B1, C0, COLUMNS, DEEP, OUT, UNITS, A, B, C, K, M, N
from engine.native.kernels import columns, copy_row, fill_row
from engine.native.lanes import BYTES, W
from engine.native.packing import pack
from engine.native.products import edge
from engine.native.simd import (
    add,
    beside1,
    beside2,
    beside4,
    first,
    load,
    load_part,
    mul,
    prefetch,
    read,
    splat,
    store,
    store_part,
    total,
    write,
    zero,
)

STRIP = 2048  # columns of a single row that are summed up at a time: they stay in the first-level cache


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
def four_rows(to, b, b0, wide):
    """Four rows of ``wide`` numbers, a vector of each side by side; the four after them are fetched."""
    for j in range(0, wide, W):
        y, z = b + 4 * j, b + 4 * j + 2 * b0
        for p in range(4):
            prefetch(y + (4 + p) * b0)
        if j + W <= wide:
            p, q, r, s = load(y), load(y + b0), load(z), load(z + b0)
        else:
            wanted = first(wide - j)
            p, q = load_part(y, wanted), load_part(y + b0, wanted)
            r, s = load_part(z, wanted), load_part(z + b0, wanted)
        store(to, p)
        store(to + BYTES, q)
        store(to + 2 * BYTES, r)
        store(to + 3 * BYTES, s)
        to += 4 * BYTES


@compiled
def add_to_two(to, y, x, z, a1):
    """Two rows of COLUMNS numbers, vectors side by side, and four numbers from x and z on times four rows at y."""
    c0, c1, c2, c3 = splat(x), splat(x + a1), splat(x + 2 * a1), splat(x + 3 * a1)
    d0, d1, d2, d3 = splat(z), splat(z + a1), splat(z + 2 * a1), splat(z + 3 * a1)
    for _ in range(COLUMNS // W):
        p, q, r, s = load(y), load(y + BYTES), load(y + 2 * BYTES), load(y + 3 * BYTES)
        u, v = add(load(to), mul(c0, p)), add(load(to + BYTES), mul(d0, p))
        u, v = add(u, mul(c1, q)), add(v, mul(d1, q))
        u, v = add(u, mul(c2, r)), add(v, mul(d2, r))
        store(to, add(u, mul(c3, s)))
        store(to + BYTES, add(v, mul(d3, s)))
        to, y = to + 2 * BYTES, y + 4 * BYTES


@compiled
def store_sums(out, sums, start, wide):
    """A row of ``wide`` sums, whose vectors are every second one, and what lies at ``start`` unless that is 0."""
    for j in range(0, wide, W):
        wanted, x = first(wide - j), load(sums + 8 * j)
        store_part(out + 4 * j, add(x, load_part(start + 4 * j, wanted)) if start != 0 else x, wanted)


@entry
def few_rows_product(at, begin, count, room):
    """As product, of two rows or some more, with a factor whose rows have no gaps and are a multiple of four.

    A unit is COLUMNS columns.  Their sums stay in the first-level cache while four rows of b after the other are read
    from far away, each once.
    """
    row = columns(at)
    a, a0, a1, b0, m, k, n, c0 = row[A], row[A0], row[A1], row[B0], row[M], row[K], row[N], row[C0]
    sums = room + 16 * COLUMNS
    for strip in range(begin * COLUMNS, min(n, (begin + count) * COLUMNS), COLUMNS):
        wide, out = min(COLUMNS, n - strip), row[OUT] + 4 * strip
        for block in range(0, k, DEEP):
            fill_row(sums, zero(), COLUMNS * (m + 1 & ~1))
            for q in range(block, min(k, block + DEEP), 4):
                four_rows(room, row[B] + q * b0 + 4 * strip, b0, wide)
                for i in range(0, m, 2):
                    x = a + i * a0 + q * a1
                    add_to_two(sums + 4 * COLUMNS * i, room, x, x + a0 if i + 1 < m else x, a1)
            for i in range(m):
                start = out + 4 * n * i
                if block == 0:
                    start = row[C] + 4 * strip + c0 * i if row[C] != 0 else 0
                store_sums(out + 4 * n * i, sums + 4 * COLUMNS * (i & ~1) + BYTES * (i & 1), start, wide)


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
