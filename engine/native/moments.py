"""What the native machine's batch norms need: means, variances, and the sums of their gradients.

As reductions, they go in parts of a matrix (K, N) along K, and no sum is a running total.
"""

from engine.native.frontend import entry
from engine.native.instructions import A1, DEPTH, OUT, A, B, C, K, N
from engine.native.kernels import F, columns
from engine.native.lanes import W
from engine.native.reductions import RUN, added, column_sum, made_up, part, taken
from engine.native.simd import add, first, load_part, mul, spread, store_part, sub, zero


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
