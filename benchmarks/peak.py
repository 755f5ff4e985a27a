"""What one core can do at most: multiplications and additions in registers alone, and copies."""

from __future__ import annotations

import ctypes
import functools
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir

from engine.native.lanes import I64, REGISTERS, VECTOR, W, llvm_function
from engine.native.vectors import addresses, compiled, new_module, number, pointer

SUMS = REGISTERS - 8  # enough that none waits for the one before
TIMES = 200_000


def flops(rounds: int = 1) -> float:
    """Multiplications and additions a second: the best of some rounds, of a millisecond each."""
    function = _loaded()[1]
    out = ctypes.create_string_buffer(4 * W * SUMS + 64)
    place = ctypes.addressof(out)
    best = 0.0
    for _ in range(rounds):
        began = time.perf_counter()
        function(place + -place % 64, TIMES)
        best = max(best, 2 * W * SUMS * TIMES / (time.perf_counter() - began))
    return best


def copied(nbytes: int) -> float:
    """Bytes read and written a second by a copy of about so many of both, in the cache that they fit in."""
    return _copied(max(12, nbytes.bit_length()))


@functools.cache
def _copied(bits: int) -> float:
    source, target = np.zeros(1 << bits - 1, np.uint8), np.zeros(1 << bits - 1, np.uint8)
    times, best = 1 << max(0, 22 - bits), 0.0
    for _ in range(10):
        began = time.perf_counter()
        for _ in range(times):
            target[...] = source
        best = max(best, (times << bits) / (time.perf_counter() - began))
    return best


@functools.cache
def _loaded() -> tuple[Any, Callable[[int, int], None]]:
    """The code, and the function in it."""
    kept, found = addresses(_code(), ["peak"])
    return kept, ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64)(found["peak"])


def _code() -> bytes:
    module = new_module()
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [I64, I64]), "peak")
    out, times = function.args
    entry, body, after = (function.append_basic_block(name) for name in ("entry", "body", "after"))
    b = ir.IRBuilder(entry)
    starts = [b.load(pointer(b, b.add(out, number(4 * W * at)))) for at in range(SUMS)]
    b.branch(body)
    b.position_at_end(body)
    step, sums = b.phi(I64), [b.phi(VECTOR) for _ in range(SUMS)]
    half = ir.Constant(VECTOR, [0.5] * W)
    new = [llvm_function(b, f"fma.v{W}f32", VECTOR, (each, half, half)) for each in sums]
    left = b.add(step, number(1))
    b.cbranch(b.icmp_signed("<", left, times), body, after)
    step.add_incoming(number(0), entry)
    step.add_incoming(left, body)
    for phi, start, found in zip(sums, starts, new, strict=True):
        phi.add_incoming(start, entry)
        phi.add_incoming(found, body)
    b.position_at_end(after)
    for at, each in enumerate(new):
        b.store(each, pointer(b, b.add(out, number(4 * W * at))))
    b.ret_void()
    return compiled(module)
