"""The native machine's reductions: sums, largest numbers and products along axes.

What is reduced is (M, K, N) along K: vectors of columns go down the rows, and a row (N is 1) goes by vectors too.
K is cut into parts of DEPTH, each a row of the result and a unit of work; an instruction after it reduces the parts.
No sum is a running total: blocks of RUN vectors are added up, and what their sum's rounding loses is kept beside it.
"""

from engine.native.frontend import compiled, entry
from engine.native.instructions import A0, A1, DEPTH, OUT, PARTS, A, K, N
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
    mark_nan,
    mul,
    multiplied,
    spread,
    store,
    store_part,
    store_whole,
    sub,
    total,
    with_marks,
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


@compiled
def unmarked(marks, x, y):
    return marks


@compiled
def as_it_is(x, marks):
    return x


def _four(combine, start, keep, seen):
    """A function that reduces four columns of whole vectors side by side, so that each line is read once."""
    mark, marked = seen

    @compiled
    def two(s, marks, a, b):
        """A column so far, with a vector of each of two rows."""
        x, y = load(a), load(b)
        return combine(s, combine(x, y)), mark(marks, x, y)

    @compiled
    def four(a, step, count):
        """A few rows of four vectors as one."""
        s, t, u, v = spread(start), spread(start), spread(start), spread(start)
        p, q, r, z = zero(), zero(), zero(), zero()
        for _ in range(count >> 1):
            b = a + step
            s, p = two(s, p, a, b)
            t, q = two(t, q, a + BYTES, b + BYTES)
            u, r = two(u, r, a + 2 * BYTES, b + 2 * BYTES)
            v, z = two(v, z, a + 3 * BYTES, b + 3 * BYTES)
            a = b + step
        s, t, u, v = marked(s, p), marked(t, q), marked(u, r), marked(v, z)
        if count & 1:
            s, t = joined(s, load(a)), joined(t, load(a + BYTES))
            u, v = joined(u, load(a + 2 * BYTES)), joined(v, load(a + 3 * BYTES))
        return s, t, u, v

    @compiled
    def joined(x, y):
        return marked(combine(x, y), mark(zero(), x, y))

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
                s, t, u, v = joined(s, w), joined(t, x), joined(u, y), joined(v, z)
        if keep and count > RUN:
            s, t, u, v = made_up(s, lost_s), made_up(t, lost_t), made_up(u, lost_u), made_up(v, lost_v)
        store(out, s)
        store(out + BYTES, t)
        store(out + 2 * BYTES, u)
        store(out + 3 * BYTES, v)

    return joined, store_four


def _folds(combine, across, start, keep=False, seen=(unmarked, as_it_is)):
    """A function that reduces an instruction's units: ``combine`` of two vectors, ``across`` of one's lanes.

    ``keep``: whether that is a sum.  ``seen``: what is noted of pairs of vectors beside, as it may be lost when they
    are combined, and how that comes to the result: for two vectors that takes less than a ``combine`` without loss.
    """
    mark, marked = seen
    joined, store_four = _four(combine, start, keep, seen)

    @compiled
    def run(a, step, count, whole, wanted):
        """A few vectors that lie ``step`` bytes apart, as one."""
        s, t, p, q = spread(start), spread(start), zero(), zero()
        for _ in range(count >> 2):
            x, y = taken(a, whole, wanted), taken(a + step, whole, wanted)
            s, p = combine(s, combine(x, y)), mark(p, x, y)
            x, y = taken(a + 2 * step, whole, wanted), taken(a + 3 * step, whole, wanted)
            t, q = combine(t, combine(x, y)), mark(q, x, y)
            a += 4 * step
        s = joined(marked(s, p), marked(t, q))
        for _ in range(count & 3):
            s = joined(s, taken(a, whole, wanted))
            a += step
        return s

    @compiled
    def down(a, step, count, whole, wanted):
        """``count`` vectors that lie ``step`` bytes apart, as one."""
        if not keep:
            return run(a, step, count, whole, wanted)
        s, lost = run(a, step, min(count, RUN), whole, wanted), zero()
        for done in range(RUN, count, RUN):
            s, lost = added(s, lost, run(a + done * step, step, min(count - done, RUN), whole, wanted))
        return made_up(s, lost) if count > RUN else s

    @compiled
    def along(a, n):
        """n numbers side by side, as one."""
        whole = n - n % W
        rest = first(n - whole)
        x = choose(rest, load_part(a + 4 * whole, rest), spread(start))
        return across(joined(x, down(a, BYTES, whole // W, True, rest)) if whole else x)

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


column_sum, _, _sums = _folds(add, total, F(0), keep=True)
_, row_maximum, _maxima = _folds(bigger, largest, LEAST, seen=(mark_nan, with_marks))
_, _, _products = _folds(mul, multiplied, F(1))
_, row_top, _ = _folds(bigger, biggest, LEAST)  # of a row of numbers alone


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
