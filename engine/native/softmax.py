"""The native machine's softmax and cross-entropy, a row at a time: a unit is a row.

Each row's largest number is subtracted before anything else, so that nothing overflows and nothing is lost where
all are large.
"""

import numpy as np

from engine.native.frontend import compiled, entry
from engine.native.instructions import OUT, A, B, N
from engine.native.kernels import F, columns
from engine.native.lanes import BYTES, W
from engine.native.reductions import RUN, added, made_up, row_top
from engine.native.simd import (
    add,
    choose,
    f32s,
    first,
    i32s,
    load,
    load_part,
    mul,
    power_of_e,
    spread,
    store,
    store_part,
    sub,
    total,
    write,
    zero,
    zero_lanes,
)

ONE = F(1)


@compiled
def powers(out, a, n, top, keep):
    """The sum of exp(a - top) along a row; written to ``out`` if ``keep``.  Two vectors wait for each other."""
    s, lost, shift = zero(), zero(), spread(top)
    for begin in range(0, n, RUN * W):
        now, beside, end = zero(), zero(), min(n, begin + RUN * W)
        whole = begin + (end - begin) // (2 * W) * (2 * W)
        for j in range(begin, whole, 2 * W):
            x, y = power_of_e(sub(load(a + 4 * j), shift)), power_of_e(sub(load(a + 4 * j + BYTES), shift))
            now, beside = add(now, x), add(beside, y)
            if keep:
                store(out + 4 * j, x)
                store(out + 4 * j + BYTES, y)
        for j in range(whole, end, W):
            wanted = first(n - j)
            power = power_of_e(sub(load_part(a + 4 * j, wanted), shift))
            now = add(now, choose(wanted, power, zero()))
            if keep:
                store_part(out + 4 * j, power, wanted)
        now = add(now, beside)
        s, lost = added(s, lost, now) if begin else (now, lost)
    return total(made_up(s, lost))


@compiled
def scale(out, n, share):
    """n numbers times the number in all lanes of ``share``."""
    whole = n // W * W
    for j in range(0, whole, W):
        store(out + 4 * j, mul(load(out + 4 * j), share))
    if whole < n:
        wanted, out = first(n - whole), out + 4 * whole
        store_part(out, mul(load_part(out, wanted), share), wanted)


@entry
def softmax_rows(at, begin, count, room):
    """out (M, N) of a (M, N)."""
    row = columns(at)
    n = row[N]
    for i in range(begin, begin + count):
        a, out = row[A] + 4 * n * i, row[OUT] + 4 * n * i
        scale(out, n, spread(ONE / powers(out, a, n, row_top(a, n), True)))


@entry
def log_softmax_rows(at, begin, count, room):
    """out (M, N) of a (M, N)."""
    row = columns(at)
    n = row[N]
    for i in range(begin, begin + count):
        a, out = row[A] + 4 * n * i, row[OUT] + 4 * n * i
        top = row_top(a, n)
        shift, less = spread(top), spread(np.log(powers(out, a, n, top, False)))
        for j in range(0, n, W):
            wanted = first(n - j)
            store_part(out + 4 * j, sub(sub(load_part(a + 4 * j, wanted), shift), less), wanted)


@entry
def chosen_loss(at, begin, count, room):
    """out (M,) = -log_softmax(a (M, N))[label], labels at B; one outside 0 .. N - 1 is left out."""
    row = columns(at)
    n = row[N]
    o, x, labels = f32s(row[OUT]), f32s(row[A]), i32s(row[B])
    for i in range(begin, begin + count):
        if 0 <= labels[i] < n:
            a = row[A] + 4 * n * i
            top = row_top(a, n)
            o[i] = np.log(powers(a, a, n, top, False)) - (x[i * n + labels[i]] - top)


@entry
def shared_loss(at, begin, count, room):
    """out (M,) = -sum(labels * log_softmax(a (M, N))), the labels (M, N) at B; a label 0 counts for nothing."""
    row = columns(at)
    n = row[N]
    for i in range(begin, begin + count):
        a, labels = row[A] + 4 * n * i, row[B] + 4 * n * i
        top = row_top(a, n)
        shift, logarithm = spread(top), spread(np.log(powers(a, a, n, top, False)))
        s, lost = zero(), zero()
        for j in range(0, n, W):
            wanted = first(n - j)
            label = load_part(labels + 4 * j, wanted)
            x = mul(label, sub(logarithm, sub(load_part(a + 4 * j, wanted), shift)))
            s, lost = added(s, lost, choose(zero_lanes(label), zero(), x))
        write(row[OUT] + 4 * i, total(made_up(s, lost)))
