"""The native machine's reductions: sums, largest numbers and products along axes, and what batch norms need.

What is reduced is (M, K, N) along K: vectors of columns go down the rows, and a row (N is 1) goes by vectors too.
K is cut into parts of DEPTH, each a row of the result and a unit of work; an instruction after it reduces the parts.
No sum is a running total: blocks of RUN vectors are added up, and what their sum's rounding loses is kept beside it.
"""

from engine.native.frontend import compiled, entry
from engine.native.instructions import A0, A1, DEPTH, OUT, PARTS, A, B, C, K, N
from engine.native.kernels import LEAST, F, columns
from engine.native.lanes import BYTES, W
from engine.native.simd import (
    add,
    as_large,
    beats,
    bigger,
    biggest,
    choose,
    finite,
    first,
    first_true,
    i32s,
    largest,
    load,
    load_part,
    maximum,
    mul,
    multiplied,
    spread,
    store,
    store_part,
    store_whole,
    sub,
    total,
    write,
    zero,
)

RUN = 32  # vectors that are combined one after the other


@compiled
def part(row, unit):
    """A unit's share of the work: where it begins, how many rows it has, and where its result goes."""
    i, q = unit, 0
    if row[PARTS] > 1:
        i = unit // row[PARTS]
        q = (unit - i * row[PARTS]) * row[DEPTH]
    return row[A] + i * row[A0] + q * row[A1], min(row[K] - q, row[DEPTH]), row[OUT] + 4 * row[N] * unit


@compiled
def taken(a, whole, wanted):
    """A vector, or the lanes ``wanted`` of one that isn't ``whole``."""
    if whole:
        return load(a)
    return load_part(a, wanted)


@compiled
def added(s, lost, x):
    """s + x, and all that was lost to rounding so far (Knuth's two-sum)."""
    t = add(s, x)
    z = sub(t, s)
    return t, add(lost, add(sub(s, sub(t, z)), sub(x, z)))


@compiled
def made_up(s, lost):
    """The sum with what was lost; where it is inf there is no telling what was."""
    return choose(finite(s), add(s, lost), s)


def _four(combine, start, keep):
    """A function that reduces four columns of whole vectors side by side, so that each line is read once."""

    @compiled
    def four(a, step, count):
        """A few rows of four vectors as one."""
        s, t, u, v = spread(start), spread(start), spread(start), spread(start)
        w, x, y, z = s, t, u, v
        for _ in range(count >> 1):
            b = a + step
            s, t = combine(s, load(a)), combine(t, load(a + BYTES))
            u, v = combine(u, load(a + 2 * BYTES)), combine(v, load(a + 3 * BYTES))
            w, x = combine(w, load(b)), combine(x, load(b + BYTES))
            y, z = combine(y, load(b + 2 * BYTES)), combine(z, load(b + 3 * BYTES))
            a = b + step
        if count & 1:
            s, t = combine(s, load(a)), combine(t, load(a + BYTES))
            u, v = combine(u, load(a + 2 * BYTES)), combine(v, load(a + 3 * BYTES))
        return combine(s, w), combine(t, x), combine(u, y), combine(v, z)

    @compiled
    def store_four(out, a, step, count):
        """``count`` rows of four vectors as one."""
        s, t, u, v = four(a, step, min(count, RUN))
        lost_s = lost_t = lost_u = lost_v = zero()
        for done in range(RUN, count, RUN):
            w, x, y, z = four(a + done * step, step, min(count - done, RUN))
            if keep:
                s, lost_s = added(s, lost_s, w)
                t, lost_t = added(t, lost_t, x)
                u, lost_u = added(u, lost_u, y)
                v, lost_v = added(v, lost_v, z)
            else:
                s, t, u, v = combine(s, w), combine(t, x), combine(u, y), combine(v, z)
        if keep and count > RUN:
            s, t, u, v = made_up(s, lost_s), made_up(t, lost_t), made_up(u, lost_u), made_up(v, lost_v)
        store(out, s)
        store(out + BYTES, t)
        store(out + 2 * BYTES, u)
        store(out + 3 * BYTES, v)

    return store_four


def _folds(combine, across, start, keep):
    """A function that reduces an instruction's units: ``combine`` of two vectors, ``across`` of one's lanes.

    ``keep``: whether that is a sum.
    """

    @compiled
    def run(a, step, count, whole, wanted):
        """A few vectors that lie ``step`` bytes apart, as one."""
        x, y, z, u = spread(start), spread(start), spread(start), spread(start)
        for _ in range(count >> 2):
            x = combine(x, taken(a, whole, wanted))
            y = combine(y, taken(a + step, whole, wanted))
            z = combine(z, taken(a + 2 * step, whole, wanted))
            u = combine(u, taken(a + 3 * step, whole, wanted))
            a += 4 * step
        for _ in range(count & 3):
            x = combine(x, taken(a, whole, wanted))
            a += step
        return combine(combine(x, y), combine(z, u))

    @compiled
    def down(a, step, count, whole, wanted):
        """``count`` vectors that lie ``step`` bytes apart, as one."""
        s, lost = run(a, step, min(count, RUN), whole, wanted), zero()
        for done in range(RUN, count, RUN):
            x = run(a + done * step, step, min(count - done, RUN), whole, wanted)
            if keep:
                s, lost = added(s, lost, x)
            else:
                s = combine(s, x)
        return made_up(s, lost) if keep and count > RUN else s

    store_four = _four(combine, start, keep)

    @compiled
    def along(a, n):
        """n numbers side by side, as one."""
        whole = n - n % W
        rest = first(n - whole)
        x = choose(rest, load_part(a + 4 * whole, rest), spread(start))
        return across(combine(x, down(a, BYTES, whole // W, True, rest)) if whole else x)

    @compiled
    def units(at, begin, count):
        row = columns(at)
        n = row[N]
        for unit in range(begin, begin + count):
            a, k, out = part(row, unit)
            if n == 1:
                write(out, along(a, k))
                continue
            wide = n - n % (4 * W)
            for j in range(0, wide, 4 * W):
                store_four(out + 4 * j, a + 4 * j, row[A1], k)
            for j in range(wide, n, W):
                wanted = first(n - j)
                store_part(out + 4 * j, down(a + 4 * j, row[A1], k, j + W <= n, wanted), wanted)

    return down, along, units


column_sum, _, _sums = _folds(add, total, F(0), True)
_, row_maximum, _maxima = _folds(maximum, largest, LEAST, False)
_, _, _products = _folds(mul, multiplied, F(1), False)
_, edge, _ = _folds(bigger, biggest, LEAST, False)  # of a row of numbers alone, which is faster


@entry
def sums(at, begin, count, room):
    """out (M, parts, N) of a (M, K, N); A0, A1: bytes from matrix to matrix and from row to row."""
    _sums(at, begin, count)


@entry
def maxima(at, begin, count, room):
    """As sums."""
    _maxima(at, begin, count)


@entry
def products(at, begin, count, room):
    """As sums."""
    _products(at, begin, count)


@entry
def whole_sums(at, begin, count, room):
    """out (M, N) of int32 a (M, K, N); a unit is one of the M."""
    row = columns(at)
    k, n = row[K], row[N]
    for i in range(begin, begin + count):
        a, o = i32s(row[A] + 4 * i * k * n), i32s(row[OUT] + 4 * i * n)
        for j in range(n):
            o[j] = 0
        for q in range(k):
            for j in range(n):
                o[j] += a[q * n + j]


@entry
def places(at, begin, count, room):
    """out (M, N), int32: where along K the (first) largest of a (M, K, N) lies; a unit is one of the M.

    A number that is none is larger than all.
    """
    row = columns(at)
    k, n = row[K], row[N]
    for i in range(begin, begin + count):
        a, out = row[A] + 4 * i * k * n, row[OUT] + 4 * i * n
        if n == 1:
            best, j = spread(row_maximum(a, k)), 0
            while j < k:
                wanted = first(k - j)
                found = first_true(as_large(load_part(a + 4 * j, wanted), best))
                j += found
                if found < W:
                    break
            i32s(out)[0] = j
            continue
        for j in range(0, n, W):
            wanted = first(n - j)
            best, place = load_part(a + 4 * j, wanted), zero()
            for q in range(1, k):
                x = load_part(a + 4 * (q * n + j), wanted)
                better = beats(x, best)
                best, place = choose(better, x, best), choose(better, spread(F(q)), place)
            store_whole(out + 4 * j, place, wanted)


@entry
def moment_parts(at, begin, count, room):
    """out (parts, 3, N) of a (K, N): mean, what that leaves of the mean, and the sum of squares about the mean."""
    row = columns(at)
    n, step = row[N], row[A1]
    for unit in range(begin, begin + count):
        a, k, _ = part(row, unit)
        out, share = row[OUT] + 12 * n * unit, spread(F(1) / F(k))
        for j in range(0, n, W):
            wanted, whole = first(n - j), j + W <= n
            mean = mul(column_sum(a + 4 * j, step, k, whole, wanted), share)
            x, y, u, v = zero(), zero(), zero(), zero()
            now = a + 4 * j
            for _ in range(k >> 1):
                d, e = sub(taken(now, whole, wanted), mean), sub(taken(now + step, whole, wanted), mean)
                x, y, u, v = add(x, d), add(y, e), add(u, mul(d, d)), add(v, mul(e, e))
                now += 2 * step
            if k & 1:
                d = sub(taken(now, whole, wanted), mean)
                x, u = add(x, d), add(u, mul(d, d))
            rest = mul(add(x, y), share)
            store_part(out + 4 * j, mean, wanted)
            store_part(out + 4 * (n + j), rest, wanted)
            store_part(out + 4 * (2 * n + j), sub(add(u, v), mul(spread(F(k)), mul(rest, rest))), wanted)


@entry
def moments(at, begin, count, room):
    """out (3, N) = center, rest, variance of what moment_parts found of K rows, the mean being center + rest.

    A row was C rows of N numbers side by side.
    """
    row = columns(at)
    n, k, depth, groups = row[N], row[K], row[DEPTH], row[C]
    wide, share = 4 * n * groups, spread(F(1) / F(k * groups))
    for j in range(0, n, W):
        wanted = first(n - j)
        base, rest, variance = load_part(row[A] + 4 * j, wanted), zero(), zero()
        for squares in range(2):
            s, lost = zero(), zero()
            for g in range(groups):
                now = row[A] + 4 * (g * n + j)
                for done in range(0, k, depth):
                    weight = spread(F(min(k - done, depth)))
                    d = sub(add(sub(load_part(now, wanted), base), load_part(now + wide, wanted)), rest)
                    x = mul(weight, d)
                    if squares:
                        x = add(load_part(now + 2 * wide, wanted), mul(x, d))
                    s, lost = added(s, lost, x)
                    now += 3 * wide
            if squares:
                variance = mul(made_up(s, lost), share)
            else:
                rest = mul(made_up(s, lost), share)
        center = add(base, rest)
        store_part(row[OUT] + 4 * j, center, wanted)
        store_part(row[OUT] + 4 * (n + j), add(sub(base, center), rest), wanted)
        store_part(row[OUT] + 4 * (2 * n + j), variance, wanted)


@entry
def slope_parts(at, begin, count, room):
    """out (parts, 2, N) of g at A (K, N): its sum, and that of g times what x at B (K, N) is above C (N,)."""
    row = columns(at)
    n, step = row[N], row[A1]
    for unit in range(begin, begin + count):
        a, k, _ = part(row, unit)
        out, b = row[OUT] + 8 * n * unit, row[B] + a - row[A]
        for j in range(0, n, W):
            wanted, whole = first(n - j), j + W <= n
            center = load_part(row[C] + 4 * j, wanted)
            s, lost, t, missed = zero(), zero(), zero(), zero()
            g, x = a + 4 * j, b + 4 * j
            for q in range(0, k, RUN):
                s0, s1, t0, t1 = zero(), zero(), zero(), zero()
                now = min(k - q, RUN)
                for _ in range(now >> 1):
                    g0, g1 = taken(g, whole, wanted), taken(g + step, whole, wanted)
                    s0, s1 = add(s0, g0), add(s1, g1)
                    t0 = add(t0, mul(g0, sub(taken(x, whole, wanted), center)))
                    t1 = add(t1, mul(g1, sub(taken(x + step, whole, wanted), center)))
                    g, x = g + 2 * step, x + 2 * step
                if now & 1:
                    g0 = taken(g, whole, wanted)
                    s0, t0 = add(s0, g0), add(t0, mul(g0, sub(taken(x, whole, wanted), center)))
                s, lost = added(s, lost, add(s0, s1))
                t, missed = added(t, missed, add(t0, t1))
            store_part(out + 4 * j, made_up(s, lost), wanted)
            store_part(out + 4 * (n + j), made_up(t, missed), wanted)
