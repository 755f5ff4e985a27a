"""The native machine's random numbers: the same ones as :mod:`engine.ops.random` draws."""

import numpy as np

from engine.native.frontend import compiled, entry
from engine.native.instructions import OUT, A, N
from engine.native.kernels import F, columns
from engine.native.simd import f32s, i32s
from engine.ops.splitmix import FIRST, GOLDEN, SECOND

STEP, ONE, TWO = np.uint64(GOLDEN), np.uint64(FIRST), np.uint64(SECOND)


@compiled
def mix(bits):
    bits = (bits ^ (bits >> np.uint64(30))) * ONE
    bits = (bits ^ (bits >> np.uint64(27))) * TWO
    return bits ^ (bits >> np.uint64(31))


@compiled
def start_of(state):
    words = i32s(state)
    return mix(np.uint64(words[0]) * STEP + np.uint64(words[1]))


@entry
def uniform_numbers(at, begin, count, room):
    """N numbers from the state at A."""
    row = columns(at)
    start, o = start_of(row[A]), f32s(row[OUT])
    for i in range(row[N]):
        o[i] = F(np.int64(mix(start + np.uint64(i + 1) * STEP) >> np.uint64(40))) * F(0.5**24)


@entry
def normal_numbers(at, begin, count, room):
    """N numbers of a bell curve from the state at A."""
    row = columns(at)
    start, o = start_of(row[A]), f32s(row[OUT])
    for i in range(row[N]):
        bits = mix(start + np.uint64(i + 1) * STEP)
        upper, lower = np.int64(bits >> np.uint64(32)), np.int64(bits & np.uint64(0xFFFFFFFF))
        distance = np.sqrt(F(-2) * np.log((F(upper) + F(0.5)) * F(0.5**32)))
        o[i] = np.cos(F(lower) * F(2 * np.pi * 0.5**32)) * distance
