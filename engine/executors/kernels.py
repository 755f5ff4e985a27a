"""The native machine's kernels: plain loops on raw addresses, compiled by Numba.

This file is a template: :mod:`engine.executors.machine` puts the element-wise kernels, one set an
op record, at its end and compiles the whole as one module, so that it can be cached on disk.
Addresses are int64; arrays are float32 without gaps, row by row, unless it says otherwise.
"""

import numpy as np
from llvmlite import ir
from numba import carray, njit, types
from numba.extending import intrinsic

F = np.float32
FAST = {"nsz", "arcp", "contract", "afn", "reassoc"}  # not nnan, ninf: a diverged run must show NaN
LOOPS = {"fastmath": FAST, "error_model": "numpy", "nogil": True}
BLAS_FROM = 30_000  # multiply-adds above which BLAS wins over a plain loop


def _pointer(kind):
    @intrinsic
    def cast(typing, address):
        signature = types.CPointer(kind)(types.int64)

        def generate(context, builder, signature, arguments):
            return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

        return signature, generate

    return cast


f32, i32, u8 = _pointer(types.float32), _pointer(types.int32), _pointer(types.uint8)


@intrinsic
def call_blas(typing, function, arguments):
    """Call the routine at the address ``function`` with thirteen addresses, which lie in an array."""
    signature = types.void(types.int64, types.CPointer(types.int64))

    def generate(context, builder, signature, given):
        address = ir.IntType(64)
        kind = ir.FunctionType(ir.VoidType(), [address] * 13)
        routine = builder.inttoptr(given[0], kind.as_pointer())
        values = [builder.load(builder.gep(given[1], [ir.Constant(address, at)])) for at in range(13)]
        builder.call(routine, values)
        return context.get_dummy_value()

    return signature, generate


i64 = _pointer(types.int64)


@njit(**LOOPS)
def tanh(x):
    """Rational approximation, fitted by least squares on the relative error; within 3e-7 of tanh."""
    given, x = x, min(max(x, F(-9)), F(9))
    z = x * x
    top = F(3.30486002e-05) + z * (F(4.58699541e-08) + z * (F(-3.19145941e-11) + z * F(2.60025474e-14)))
    top = x * (F(1) + z * (F(1.38575136e-01) + z * (F(4.09632139e-03) + z * top)))
    bottom = F(1) + z * (F(4.71908469e-01) + z * (F(2.80658122e-02) + z * (F(4.35443074e-04) + z * F(1.67339718e-06))))
    return given if np.isnan(given) else top / bottom


@njit(**LOOPS)
def exp(x):
    """2^k times a polynomial on the rest; within 2e-7 of exp, relatively."""
    given, x = x, min(max(x, F(-87.3)), F(88.7))
    k = np.floor(x * F(1.4426950408889634) + F(0.5))
    r = (x - k * F(0.693359375)) - k * F(-2.12194440e-4)
    p = F(1 / 120) + r * (F(1 / 720) + r * F(1 / 5040))
    p = F(1) + r * (F(1) + r * (F(0.5) + r * (F(1 / 6) + r * (F(1 / 24) + r * p))))
    power = p * np.int32((np.int32(k) + np.int32(127)) << np.int32(23)).view(np.float32)
    return power if given == x else F(0) if given < x else given * F(np.inf)  # beyond float32: 0, inf or NaN


expm1, log1p, log, sqrt, sin, cos, floor, fabs = np.expm1, np.log1p, np.log, np.sqrt, np.sin, np.cos, np.floor, np.abs


@njit(**LOOPS)
def pow(x, y):
    return F(np.power(x, y))


@njit(**LOOPS)
def select(choice, a, b):
    return a if choice else b


@njit(**LOOPS)
def copy_bytes(out, a, count):
    o, x = carray(u8(out), count), carray(u8(a), count)
    for i in range(count):
        o[i] = x[i]


@njit(**LOOPS)
def strided(out, a, d0, d1, d2, s0, s1, s2):
    """out (d0, d1, d2) = a read with these strides (in elements; 0 repeats)."""
    o = carray(f32(out), d0 * d1 * d2)
    x = carray(f32(a), 1)
    at = 0
    for i in range(d0):
        for j in range(d1):
            start = i * s0 + j * s1
            for k in range(d2):
                o[at] = x[start + k * s2]
                at += 1


@njit(**LOOPS)
def blas(sgemm, out, a, b, m, n, k, ta, tb, lda, ldb, beta):
    """out (m, n) = a (m, k) @ b (k, n) + beta * out; row-major is column-major of the transposes."""
    letters = np.array([110, 116], np.uint8)  # "n", "t"
    sizes = np.array([n, m, k, ldb, lda], np.int32)
    factors = np.array([F(1), beta], np.float32)
    at, by, f = letters.ctypes.data, sizes.ctypes.data, factors.ctypes.data
    given = np.array([at + tb, at + ta, by, by + 4, by + 8, f, b, by + 12, a, by + 16, f + 4, out, by], np.int64)
    call_blas(sgemm, i64(given.ctypes.data))


@njit(**LOOPS)
def fill_rows(out, row, m, n):
    o, x = carray(f32(out), m * n), carray(f32(row), n)
    for i in range(m):
        for j in range(n):
            o[i * n + j] = x[j]


@njit(**LOOPS)
def matmul(sgemm, out, a, b, bias, m, n, k, sa0, sa1, sb0, sb1):
    """out (m, n) = a (m, k) @ b (k, n) + bias (n,), if bias isn't 0; strides in elements; ``sgemm`` may be 0."""
    if sgemm != 0 and m * n * k >= BLAS_FROM:
        if bias != 0:
            fill_rows(out, bias, m, n)
        ta, tb = int(sa1 != 1), int(sb1 != 1)
        blas(sgemm, out, a, b, m, n, k, ta, tb, sa1 if ta else sa0, sb1 if tb else sb0, F(bias != 0))
        return
    small_matmul(out, a, b, bias, m, n, k, sa0, sa1, sb0, sb1)


@njit(**LOOPS)
def any_matmul(out, a, b, bias, m, n, k, sa0, sa1, sb0, sb1):
    o, x, y = carray(f32(out), m * n), carray(f32(a), m * k), carray(f32(b), n * k)
    c = carray(f32(bias), n)
    for i in range(m):
        for j in range(n):
            o[i * n + j] = c[j] if bias != 0 else F(0)
        for q in range(k):
            f = x[i * sa0 + q * sa1]
            if sb1 == 1:
                for j in range(n):
                    o[i * n + j] += f * y[q * sb0 + j]
            else:
                for j in range(n):
                    o[i * n + j] += f * y[q * sb0 + j * sb1]


@njit(**LOOPS)
def column_sums(out, a, m, n):
    o, x = carray(f32(out), n), carray(f32(a), m * n)
    for j in range(n):
        o[j] = F(0)
    for i in range(m):
        for j in range(n):
            o[j] += x[i * n + j]


@njit(**LOOPS)
def row_sums(out, a, m, n):
    o, x = carray(f32(out), m), carray(f32(a), m * n)
    for i in range(m):
        total = F(0)
        for j in range(n):
            total += x[i * n + j]
        o[i] = total


@njit(**LOOPS)
def row_maxima(out, a, m, n):
    o, x = carray(f32(out), m), carray(f32(a), m * n)
    for i in range(m):
        largest = x[i * n]
        for j in range(1, n):
            largest = max(largest, x[i * n + j])
        o[i] = largest


@njit(**LOOPS)
def softmax_rows(out, a, m, n):
    o, x = carray(f32(out), m * n), carray(f32(a), m * n)
    for i in range(m):
        edge = x[i * n]
        for j in range(1, n):
            edge = max(edge, x[i * n + j])
        total = F(0)
        for j in range(n):
            power = exp(x[i * n + j] - edge)
            o[i * n + j] = power
            total += power
        for j in range(n):
            o[i * n + j] /= total


@njit(**LOOPS)
def log_softmax_rows(out, a, m, n):
    o, x = carray(f32(out), m * n), carray(f32(a), m * n)
    for i in range(m):
        edge = x[i * n]
        for j in range(1, n):
            edge = max(edge, x[i * n + j])
        total = F(0)
        for j in range(n):
            total += exp(x[i * n + j] - edge)
        shift = edge + np.log(total)
        for j in range(n):
            o[i * n + j] = x[i * n + j] - shift


@njit(**LOOPS)
def chosen_loss(out, a, labels, wrong, m, n):
    """out (m,) = -log_softmax(a (m, n))[label]; a label outside 0 .. n - 1 is noted in ``wrong``."""
    o, x, y, w = carray(f32(out), m), carray(f32(a), m * n), carray(i32(labels), m), carray(i32(wrong), 1)
    for i in range(m):
        if not 0 <= y[i] < n:
            w[0] = 1
            continue
        edge = x[i * n]
        for j in range(1, n):
            edge = max(edge, x[i * n + j])
        total = F(0)
        for j in range(n):
            total += exp(x[i * n + j] - edge)
        o[i] = edge + np.log(total) - x[i * n + y[i]]


@njit(**LOOPS)
def one_hot_rows(out, labels, wrong, m, n):
    o, y, w = carray(f32(out), m * n), carray(i32(labels), m), carray(i32(wrong), 1)
    for i in range(m):
        if not 0 <= y[i] < n:
            w[0] = 1
        for j in range(n):
            o[i * n + j] = F(1) if y[i] == j else F(0)


@njit(**LOOPS)
def gather_rows(out, table, rows, wrong, count, width, height):
    """Rows of ``width`` bytes; a number outside 0 .. height - 1 leaves its row alone and is noted in ``wrong``."""
    r, w = carray(i32(rows), count), carray(i32(wrong), 1)
    for i in range(count):
        if 0 <= r[i] < height:
            copy_bytes(out + i * width, table + np.int64(r[i]) * width, width)
        else:
            w[0] = 1


@njit(**LOOPS)
def from_bytes(out, a, count):
    """uint8 (or bool) to float32."""
    o, x = carray(f32(out), count), carray(u8(a), count)
    for i in range(count):
        o[i] = F(x[i])


@njit(**LOOPS)
def from_ints(out, a, count):
    o, x = carray(f32(out), count), carray(i32(a), count)
    for i in range(count):
        o[i] = F(x[i])
