"""Vectors of float32 in Numba's compiled code: two types, and the functions on them.

Numba's own loops leave it to the compiler whether they become vector instructions; these always are.
Addresses are int64.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, models, register_model

from engine.native import vectors
from engine.native.bits import is_number
from engine.native.lanes import FLOAT, I32, I64, TRUTHS, VECTOR, WORDS, Lanes, W, fabs, larger, llvm_function, select
from engine.native.mathematics import exp


class Vec(types.Type):
    """Numba's type of W float32."""


class Mask(types.Type):
    """Numba's type of W truths."""


@register_model(Vec)
class _VecModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, VECTOR)  # type: ignore[no-untyped-call]


@register_model(Mask)
class _MaskModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, TRUTHS)  # type: ignore[no-untyped-call]


VEC, MASK, INT, NUMBER, NOTHING = Vec(name="Vec"), Mask(name="Mask"), types.int64, types.float32, types.void


def _function(result: Any, *kinds: Any) -> Callable[[Callable[..., ir.Value | None]], Any]:
    """Make a Numba function of one that writes its instructions, from a builder and values of these kinds."""

    def make(write: Callable[..., ir.Value | None]) -> Any:
        def generate(context: Any, builder: ir.IRBuilder, signature: Any, given: Any) -> ir.Value:
            found = write(builder, *given)
            return context.get_dummy_value() if found is None else found

        space: dict[str, Any] = {"typing": (result(*kinds), generate)}
        names = "".join(f", x{at}" for at in range(len(kinds)))  # Numba counts the parameters of the function itself
        exec(f"def typed(context{names}):\n    return typing", space)
        return intrinsic(space["typed"])

    return make


def _of_lanes(function: Callable[..., Lanes], result: Any, *kinds: Any) -> Any:
    """Make a Numba function of one on Lanes."""
    return _function(result, *kinds)(lambda b, *given: function(*(Lanes(b, each) for each in given)).value)


f32s, f64s, i32s, i64s, u8s = (  # what lies at an address, to be read and written by index
    _function(types.CPointer(kind), INT)(lambda b, at, form=form: vectors.pointer(b, at, form))  # type: ignore[no-untyped-call]
    for kind, form in (
        (types.float32, FLOAT), (types.float64, ir.DoubleType()), (types.int32, I32), (types.int64, I64),
        (types.uint8, vectors.BYTE),
    )
)  # fmt: skip
read = _function(NUMBER, INT)(lambda b, at: b.load(vectors.pointer(b, at, FLOAT), align=4))
write = _function(NOTHING, INT, NUMBER)(lambda b, at, x: _nothing(b.store(x, vectors.pointer(b, at, FLOAT), align=4)))
load = _function(VEC, INT)(lambda b, at: b.load(vectors.pointer(b, at), align=4))
load_part = _function(VEC, INT, MASK)(vectors.masked_load)  # 0 in the other lanes, whose memory isn't touched
store = _function(NOTHING, INT, VEC)(lambda b, at, x: _nothing(b.store(x, vectors.pointer(b, at), align=4)))
store_part = _function(NOTHING, INT, VEC, MASK)(vectors.masked_store)  # the lanes are the first ones
spread = _function(VEC, NUMBER)(lambda b, x: vectors.spread(b, x, VECTOR))
splat = _function(VEC, INT)(lambda b, at: vectors.spread(b, b.load(vectors.pointer(b, at, FLOAT), align=4), VECTOR))
first = _function(MASK, INT)(vectors.first)
zero = _function(VEC)(lambda b: ir.Constant(VECTOR, [0.0] * W))

add, sub, mul = (_of_lanes(each, VEC, VEC, VEC) for each in (operator.add, operator.sub, operator.mul))
power_of_e = _of_lanes(exp, VEC, VEC)
choose = _of_lanes(select, VEC, MASK, VEC, VEC)
won = _of_lanes(lambda free, x, best: free & ((x == best) | ~is_number(x)), MASK, MASK, VEC, VEC)  # so does NaN
greater = _of_lanes(lambda x, y: select((x > y) | ~is_number(x), x, y), VEC, VEC, VEC)  # NaN if one is, whatever zeros
positive, rectified = _of_lanes(lambda x: x > 0, MASK, VEC), _of_lanes(lambda x: select(x <= 0, 0, x), VEC, VEC)
without = _of_lanes(lambda these, those: these & ~those, MASK, MASK, MASK)
finite = _of_lanes(lambda x: fabs(x) < float("inf"), MASK, VEC)
zero_lanes = _of_lanes(lambda x: x == 0, MASK, VEC)


def _bigger(x: Lanes, y: Lanes) -> Lanes:
    return select(x > y, x, y)


bigger = _of_lanes(_bigger, VEC, VEC, VEC)  # of numbers; of one and NaN it is either
# NaN is larger than any number
beats = _of_lanes(lambda x, best: (x > best) | (is_number(best) & ~is_number(x)), MASK, VEC, VEC)
as_large = _of_lanes(lambda x, best: (x == best) | ~(is_number(x) | is_number(best)), MASK, VEC, VEC)


def _mark_nan(b: ir.IRBuilder, marks: ir.Value, x: ir.Value, y: ir.Value) -> ir.Value:
    found = b.sext(b.fcmp_unordered("uno", x, y), WORDS)
    return b.bitcast(b.or_(b.bitcast(marks, WORDS), found), VECTOR)


mark_nan = _function(VEC, VEC, VEC, VEC)(_mark_nan)  # all bits of the lanes where x or y is no number, and those marked
with_marks = _function(VEC, VEC, VEC)(  # NaN where a mark is
    lambda b, x, marks: b.bitcast(b.or_(b.bitcast(x, WORDS), b.bitcast(marks, WORDS)), VECTOR)
)


def _first_true(b: ir.IRBuilder, mask: ir.Value) -> ir.Value:
    bits = b.bitcast(mask, ir.IntType(W))
    place = llvm_function(b, f"cttz.i{W}", bits.type, (bits, ir.Constant(ir.IntType(1), 0)))
    return b.zext(place, I64)


first_true = _function(INT, MASK)(_first_true)  # W if no lane is
store_whole = _function(NOTHING, INT, VEC, MASK)(  # as int32
    lambda b, at, x, mask: vectors.masked_store(b, at, b.fptosi(x, WORDS), mask)
)
prefetch = _function(NOTHING, INT)(vectors.prefetch)
turn = _function(NOTHING, INT, INT, INT, INT, INT, INT)(vectors.turn)


def _nothing(_: object) -> None:
    """Numba wants to hear that there is no value."""


def _across(combine: Callable[[Lanes, Lanes], Lanes]) -> Any:
    """A Numba function from W numbers to one: halves are combined until one lane is left."""

    def write(b: ir.IRBuilder, x: ir.Value) -> ir.Value:
        now, half = Lanes(b, x), W // 2
        while half:
            moved = [(at + half) % W for at in range(W)]
            other = b.shuffle_vector(now.value, ir.Constant(VECTOR, ir.Undefined), ir.Constant(WORDS, moved))
            now, half = combine(now, Lanes(b, other)), half // 2
        return b.extract_element(now.value, ir.Constant(I32, 0))

    return _function(NUMBER, VEC)(write)


total, largest, biggest, multiplied = (_across(each) for each in (operator.add, larger, _bigger, operator.mul))


def _beside(count: int) -> Any:
    """A Numba function: so many numbers of one vector, then as many of another; the other lanes don't matter."""
    lanes = ir.Constant(WORDS, [at if at < count else (at - count) % count + W for at in range(W)])
    return _function(VEC, VEC, VEC)(lambda b, x, y: b.shuffle_vector(x, y, lanes))


beside1, beside2, beside4 = (_beside(count) for count in (1, 2, 4))


def _call(count: int) -> Any:
    """A Numba function that calls the one at an address with ``count`` int64."""
    kind = ir.FunctionType(ir.VoidType(), [I64] * count)
    return _function(NOTHING, *[INT] * (count + 1))(
        lambda b, at, *given: _nothing(b.call(b.inttoptr(at, kind.as_pointer()), given))
    )


call_kernel, tile = _call(4), _call(15)  # tile: see tiles.py; its address comes first
give_way = _call(0)


# Subnormal numbers cost some 150 cycles each; x86 and ARM have a word that controls a thread's arithmetic.
_PROCESSOR = llvm.get_process_triple().partition("-")[0]
_ON_X86, _ON_ARM = _PROCESSOR in ("x86_64", "i686"), _PROCESSOR in ("aarch64", "arm64")
_FLUSH = 1 << 15 | 1 << 6 if _ON_X86 else 1 << 24  # MXCSR: results, and what is read; FPCR.FZ: both


def _control(b: ir.IRBuilder) -> ir.Value:
    if _ON_X86:
        word = b.alloca(I32)
        llvm_function(b, "x86.sse.stmxcsr", ir.VoidType(), (b.bitcast(word, _ANY),))
        return b.zext(b.load(word), I64)
    return llvm_function(b, "aarch64.get.fpcr", I64, ()) if _ON_ARM else ir.Constant(I64, 0)


def _set_control(b: ir.IRBuilder, value: ir.Value) -> None:
    if _ON_X86:
        word = b.alloca(I32)
        b.store(b.trunc(value, I32), word)
        llvm_function(b, "x86.sse.ldmxcsr", ir.VoidType(), (b.bitcast(word, _ANY),))
    elif _ON_ARM:
        llvm_function(b, "aarch64.set.fpcr", ir.VoidType(), (value,))


def _flush(b: ir.IRBuilder) -> ir.Value:
    before = _control(b)
    _set_control(b, b.or_(before, ir.Constant(I64, _FLUSH)))
    return before


_ANY = ir.IntType(8).as_pointer()
flush = _function(INT)(_flush)  # from now on, what is subnormal counts as 0 in this thread; gives the word as it was
set_control = _function(NOTHING, INT)(_set_control)


# Words that several threads read and write.
look = _function(INT, INT)(lambda b, at: b.load_atomic(vectors.pointer(b, at, I64), "acquire", 8))
put = _function(NOTHING, INT, INT)(
    lambda b, at, x: _nothing(b.store_atomic(x, vectors.pointer(b, at, I64), "release", 8))
)
add_to = _function(NOTHING, INT, INT)(
    lambda b, at, x: _nothing(b.atomic_rmw("add", vectors.pointer(b, at, I64), x, "acq_rel"))
)


def _swap(b: ir.IRBuilder, at: ir.Value, old: ir.Value, new: ir.Value) -> ir.Value:
    return b.extract_value(b.cmpxchg(vectors.pointer(b, at, I64), old, new, "acq_rel", "monotonic"), 1)


def _pause(b: ir.IRBuilder) -> None:
    if _ON_X86:
        llvm_function(b, "x86.sse2.pause", ir.VoidType(), ())
    elif _ON_ARM:
        llvm_function(b, "aarch64.hint", ir.VoidType(), (ir.Constant(I32, 1),))


swap = _function(types.boolean, INT, INT, INT)(_swap)  # ``old`` at an address for ``new``; whether it was ``old``
pause = _function(NOTHING)(_pause)  # while looking at a word again and again
