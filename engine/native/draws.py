"""The native machine's random numbers: the same ones as :mod:`engine.ops.random` draws."""

import numpy as np
from numba import njit

from engine.native.instructions import OUT, A, N
from engine.native.kernels import LOOPS, F, columns, f32s, i32s, kernel
from engine.ops.splitmix import FIRST, GOLDEN, SECOND

STEP, ONE, TWO = np.uint64(GOLDEN), np.uint64(FIRST), np.uint64(SECOND)


@njit(**LOOPS)
def mix(bits):
    bits = (bits ^ (bits >> np.uint64(30))) * ONE
    bits = (bits ^ (bits >> np.uint64(27))) * TWO
    return bits ^ (bits >> np.uint64(31))


@njit(**LOOPS)
def start_of(state):
    words = i32s(state, 2)
    return mix(np.uint64(words[0]) * STEP + np.uint64(words[1]))


@kernel
def uniform_numbers(at, begin, count, room):
    """N numbers from the state at A."""
    row = columns(at)
    start, o = start_of(row[A]), f32s(row[OUT], row[N])
    for i in range(row[N]):
        o[i] = F(np.int64(mix(start + np.uint64(i + 1) * STEP) >> np.uint64(40))) * F(0.5**24)


@kernel
def normal_numbers(at, begin, count, room):
    """N numbers of a bell curve from the state at A."""
    row = columns(at)
    start, o = start_of(row[A]), f32s(row[OUT], row[N])
    for i in range(row[N]):
        bits = mix(start + np.uint64(i + 1) * STEP)
        upper, lower = np.int64(bits >> np.uint64(32)), np.int64(bits & np.uint64(0xFFFFFFFF))
        distance = np.sqrt(F(-2) * np.log((F(upper) + F(0.5)) * F(0.5**32)))
        o[i] = np.cos(F(lower) * F(2 * np.pi * 0.5**32)) * distance
