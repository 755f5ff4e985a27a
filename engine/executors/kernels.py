"""The native machine's kernels beside products and element-wise operations.

This file is a template: :mod:`engine.executors.generated` puts it together with the others and
compiles the whole as one module, so that it can be cached on disk.  Addresses are int64; arrays are
float32 without gaps, row by row, unless it says otherwise.
"""

import numpy as np
from llvmlite import ir
from numba import carray, cfunc, njit, types
from numba.extending import intrinsic

from engine.executors.lanes import BYTES, W
from engine.executors.simd import *  # noqa: F403

F = np.float32
LOOPS = {"error_model": "numpy", "nogil": True}
LEAST = F(-np.inf)


def _array(kind):
    @intrinsic
    def cast(typing, address):
        signature = types.CPointer(kind)(types.int64)

        def generate(context, builder, signature, arguments):
            return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

        return signature, generate

    @njit(**LOOPS)
    def array(address, count):
        return carray(cast(address), count)

    return array


f32s, i32s, i64s, u8s, u64s = map(_array, (types.float32, types.int32, types.int64, types.uint8, types.uint64))


@njit(**LOOPS)
def copy_bytes(out, a, count):
    copy_row(out, a, count >> 2)
    done = count & ~3
    if done < count:
        o, x = u8s(out, count), u8s(a, count)
        for i in range(done, count):
            o[i] = x[i]


@njit(**LOOPS)
def fill(out, value, n):
    """n times the number at ``value``; 0 if that is no address."""
    x = splat(value) if value != 0 else zero()
    for j in range(0, n, W):
        store_part(out + 4 * j, x, first(n - j))


@njit(**LOOPS)
def strided(out, a, d0, d1, d2, s0, s1, s2):
    """out (d0, d1, d2) = a read with these strides (in elements; 0 repeats)."""
    o, x = f32s(out, d0 * d1 * d2), f32s(a, 1)
    at = 0
    for i in range(d0):
        for j in range(d1):
            start = i * s0 + j * s1
            for k in range(d2):
                o[at] = x[start + k * s2]
                at += 1


@njit(**LOOPS)
def column_sums(out, a, m, n):
    for j in range(0, n, W):
        wanted = first(n - j)
        x, y = zero(), zero()
        at = a + 4 * j
        for i in range(m >> 1):
            x = add(x, load_part(at, wanted))
            y = add(y, load_part(at + 4 * n, wanted))
            at += 8 * n
        if m & 1:
            x = add(x, load_part(at, wanted))
        store_part(out + 4 * j, add(x, y), wanted)


@njit(**LOOPS)
def row_sum(a, n):
    x, y = zero(), zero()
    j = 0
    while j + 2 * W <= n:
        x, y = add(x, load(a + 4 * j)), add(y, load(a + 4 * j + BYTES))
        j += 2 * W
    while j < n:
        x = add(x, load_part(a + 4 * j, first(n - j)))
        j += W
    return total(add(x, y))


@njit(**LOOPS)
def row_sums(out, a, m, n):
    o = f32s(out, m)
    for i in range(m):
        o[i] = row_sum(a + 4 * n * i, n)


@njit(**LOOPS)
def row_maximum(a, n):
    x = spread(LEAST)
    for j in range(0, n, W):
        wanted = first(n - j)
        x = maximum(choose(wanted, load_part(a + 4 * j, wanted), x), x)
    return largest(x)


@njit(**LOOPS)
def row_maxima(out, a, m, n):
    o = f32s(out, m)
    for i in range(m):
        o[i] = row_maximum(a + 4 * n * i, n)


@njit(**LOOPS)
def powers(out, a, n, edge, keep):
    """The sum of exp(a - edge) along a row; written to ``out`` if ``keep``."""
    sums, shift = zero(), spread(edge)
    for j in range(0, n, W):
        wanted = first(n - j)
        power = power_of_e(sub(load_part(a + 4 * j, wanted), shift))
        sums = add(sums, choose(wanted, power, zero()))
        if keep:
            store_part(out + 4 * j, power, wanted)
    return total(sums)


@njit(**LOOPS)
def softmax_rows(out, a, m, n):
    for i in range(m):
        x, o = a + 4 * n * i, out + 4 * n * i
        share = spread(powers(o, x, n, row_maximum(x, n), True))
        for j in range(0, n, W):
            wanted = first(n - j)
            store_part(o + 4 * j, divided(load_part(o + 4 * j, wanted), share), wanted)


@njit(**LOOPS)
def log_of_sum(a, n):
    """log(sum(exp(a))) of a row."""
    edge = row_maximum(a, n)
    return edge + np.log(powers(a, a, n, edge, False))


@njit(**LOOPS)
def log_softmax_rows(out, a, m, n):
    for i in range(m):
        x, o = a + 4 * n * i, out + 4 * n * i
        shift = spread(log_of_sum(x, n))
        for j in range(0, n, W):
            wanted = first(n - j)
            store_part(o + 4 * j, sub(load_part(x + 4 * j, wanted), shift), wanted)


@njit(**LOOPS)
def chosen_loss(out, a, labels, wrong, m, n):
    """out (m,) = -log_softmax(a (m, n))[label]; a label outside 0 .. n - 1 is noted in ``wrong``."""
    o, x, y, w = f32s(out, m), f32s(a, m * n), i32s(labels, m), i32s(wrong, 1)
    for i in range(m):
        if 0 <= y[i] < n:
            o[i] = log_of_sum(a + 4 * n * i, n) - x[i * n + y[i]]
        else:
            w[0] = 1


@njit(**LOOPS)
def one_hot_rows(out, labels, wrong, m, n):
    o, y, w = f32s(out, m * n), i32s(labels, m), i32s(wrong, 1)
    for i in range(m * n):
        o[i] = F(0)
    for i in range(m):
        if 0 <= y[i] < n:
            o[i * n + y[i]] = F(1)
        else:
            w[0] = 1


@njit(**LOOPS)
def gather_rows(out, table, rows, wrong, count, width, height):
    """Rows of ``width`` bytes; a number outside 0 .. height - 1 leaves its row alone and is noted in ``wrong``."""
    r, w = i32s(rows, count), i32s(wrong, 1)
    for i in range(count):
        if 0 <= r[i] < height:
            copy_bytes(out + i * width, table + np.int64(r[i]) * width, width)
        else:
            w[0] = 1


@njit(**LOOPS)
def scatter_rows(out, g, rows, wrong, count, width, height):
    """out (height, width) = 0, with row i of g added to row rows[i]."""
    r, w, o, x = i32s(rows, count), i32s(wrong, 1), f32s(out, height * width), f32s(g, count * width)
    for i in range(height * width):
        o[i] = F(0)
    for i in range(count):
        if 0 <= r[i] < height:
            for j in range(width):
                o[r[i] * width + j] += x[i * width + j]
        else:
            w[0] = 1


@njit(**LOOPS)
def mix(bits):
    """splitmix64's last step; see :mod:`engine.ops.random`."""
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


@njit(**LOOPS)
def uniform_numbers(out, state, n):
    golden, words = np.uint64(0x9E3779B97F4A7C15), i32s(state, 2)
    start = mix(np.uint64(words[0]) * golden + np.uint64(words[1]))
    o = f32s(out, n)
    for i in range(n):
        o[i] = F(np.int64(mix(start + np.uint64(i + 1) * golden) >> np.uint64(40))) * F(0.5**24)


@njit(**LOOPS)
def normal_numbers(out, state, n):
    golden, words = np.uint64(0x9E3779B97F4A7C15), i32s(state, 2)
    start = mix(np.uint64(words[0]) * golden + np.uint64(words[1]))
    o = f32s(out, n)
    for i in range(n):
        bits = mix(start + np.uint64(i + 1) * golden)
        distance = np.sqrt(F(-2) * np.log((F(np.int64(bits >> np.uint64(32))) + F(0.5)) * F(0.5**32)))
        o[i] = np.cos(F(np.int64(bits & np.uint64(0xFFFFFFFF))) * F(2 * np.pi * 0.5**32)) * distance


@njit(**LOOPS)
def add_whole(out, a, b, n):
    """Sums of int32, as counters need them."""
    o, x, y = i32s(out, n), i32s(a, n), i32s(b, n)
    for i in range(n):
        o[i] = x[i] + y[i]
