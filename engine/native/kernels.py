"""The native machine's kernels beside products and element-wise operations.

A kernel is a function that Numba compiles, of an instruction's address, of which units of its work are
wanted (``count`` from ``begin`` on; an instruction of UNITS 1 is done whole), and of the address of
memory to work in, which nobody else uses meanwhile.  It reads from the instruction's columns what it works on.
Arrays are float32 without gaps, row by row, unless it says otherwise.
"""

import numpy as np

from engine.native.frontend import compiled, entry
from engine.native.instructions import A0, A1, B0, OUT, A, B, K, M, N
from engine.native.lanes import BYTES, W
from engine.native.simd import (
    f32s,
    f64s,
    first,
    i32s,
    i64s,
    load,
    load_part,
    read,
    splat,
    store,
    store_part,
    u8s,
    write,
    zero,
)

F = np.float32
LEAST = F(-np.inf)


@compiled
def columns(at):
    """An instruction's columns."""
    return i64s(at)


@compiled
def copy_row(out, a, n):
    """n numbers that lie side by side."""
    end = a + 4 * n
    while a + BYTES <= end:
        store(out, load(a))
        a += BYTES
        out += BYTES
    if a < end:
        wanted = first((end - a) >> 2)
        store_part(out, load_part(a, wanted), wanted)


@compiled
def copy_numbers(out, a, count):
    """``count`` bytes."""
    copy_row(out, a, count >> 2)
    done = count & ~3
    if done < count:
        o, x = u8s(out), u8s(a)
        for i in range(done, count):
            o[i] = x[i]


@entry
def copy_bytes(at, begin, count, room):
    row = columns(at)
    copy_numbers(row[OUT], row[A], row[N])


@compiled
def fill_row(out, x, n):
    """n times the number that all lanes of x hold."""
    for j in range(0, n, W):
        store_part(out + 4 * j, x, first(n - j))


@entry
def fill(at, begin, count, room):
    row = columns(at)
    fill_row(row[OUT], splat(row[A]), row[N])


@entry
def strided(at, begin, count, room):
    """out (M, K, N) = a read with the strides A0, A1, B0 (in bytes; 0 repeats, below 0 goes back)."""
    row = columns(at)
    to = row[OUT]
    for i in range(row[M]):
        for j in range(row[K]):
            a = row[A] + i * row[A0] + j * row[A1]
            for _ in range(row[N]):
                write(to, read(a))
                to += 4
                a += row[B0]


@entry
def wrong_number(at, begin, count, room):
    """Two int64: whether one of N numbers at A is outside 0 .. K - 1, and the first of those.  A guard comes next."""
    row = columns(at)
    numbers, found = i32s(row[A]), i64s(row[OUT])
    for i in range(row[N]):
        if numbers[i] < 0 or numbers[i] >= row[K]:
            found[0], found[1] = 1, numbers[i]
            return


@entry
def one_hot_rows(at, begin, count, room):
    """out (M, N) of labels at A (M,); one outside 0 .. N - 1 has none (:func:`wrong_number` found it before)."""
    row = columns(at)
    m, n = row[M], row[N]
    o, labels = f32s(row[OUT]), i32s(row[A])
    fill_row(row[OUT], zero(), m * n)
    for i in range(m):
        if 0 <= labels[i] < n:
            o[i * n + labels[i]] = F(1)


@entry
def gather_rows(at, begin, count, room):
    """M rows of N bytes, their numbers at B; one outside 0 .. K - 1 leaves its row alone."""
    row = columns(at)
    numbers = i32s(row[B])
    for i in range(row[M]):
        if 0 <= numbers[i] < row[K]:
            copy_numbers(row[OUT] + i * row[N], row[A] + np.int64(numbers[i]) * row[N], row[N])


@compiled
def number_wide(places, k, numbers, m, most):
    """Number the rows that more than ``most`` of ``numbers`` (m,) name, -1, -2, ..., in ``places`` (k,); how many."""
    for to in range(k):
        places[to] = 0
    for i in range(m):
        if 0 <= numbers[i] < k:
            places[numbers[i]] += 1
    found = 0
    for to in range(k):
        if places[to] > most:
            found += 1
            places[to] = -found
    return found


@entry
def scatter_rows(at, begin, count, room):
    """out (K, N) = 0, with row i of a (M, N) added to row numbers[i], those at B, unless that isn't there.

    A row to which more than A0 are added has its sum in float64, as ``places`` says: -1 for the first of them, -2, ...
    """
    row = columns(at)
    n, many = row[N], row[M] > row[A0]
    numbers = i32s(row[B])
    o, x = f32s(row[OUT]), f32s(row[A])
    places, wide = i32s(room), f64s(room + (4 * row[K] + 7 & ~7))
    fill_row(row[OUT], zero(), row[K] * n)
    if many:
        for j in range(number_wide(places, row[K], numbers, row[M], row[A0]) * n):
            wide[j] = 0
    for i in range(row[M]):
        to = np.int64(numbers[i])
        if to < 0 or to >= row[K]:
            continue
        if many and places[to] < 0:
            start = (-1 - places[to]) * n
            for j in range(n):
                wide[start + j] += x[i * n + j]
        else:
            for j in range(n):
                o[to * n + j] += x[i * n + j]
    if many:
        for to in range(row[K]):
            if places[to] < 0:
                for j in range(n):
                    o[to * n + j] = F(wide[(-1 - places[to]) * n + j])


@entry
def add_whole(at, begin, count, room):
    """Sums of int32, as counters need them, read on and on (A0, B0 are 1) or always the same (0)."""
    row = columns(at)
    o, x, y = i32s(row[OUT]), i32s(row[A]), i32s(row[B])
    for i in range(row[N]):
        o[i] = x[i * row[A0]] + y[i * row[B0]]


@entry
def equal_whole(at, begin, count, room):
    """Which of int32 are the same, as bytes; they are read as by add_whole."""
    row = columns(at)
    o, x, y = u8s(row[OUT]), i32s(row[A]), i32s(row[B])
    for i in range(row[N]):
        o[i] = x[i * row[A0]] == y[i * row[B0]]


@entry
def bytes_to_whole(at, begin, count, room):
    """Bytes as int32."""
    row = columns(at)
    o, x = i32s(row[OUT]), u8s(row[A])
    for i in range(row[N]):
        o[i] = x[i]
