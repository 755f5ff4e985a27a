"""What functions of vectors are put together from: the bits of numbers, doubles of them, polynomials."""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from engine.native.lanes import FLOAT, I32, I64, VECTOR, WORDS, Lanes, W, llvm_function

DOUBLE = ir.DoubleType()
WHOLE = 1.5 * 2.0**23  # added to a number it leaves no digits behind the point, and the number in the lowest bits
WHOLE_DOUBLE = 1.5 * 2.0**52


def polynomial(x: Lanes, *coefficients: float) -> Lanes:
    """The constant comes first.  By Estrin's rule: pairs, pairs of pairs and so on, which wait less for each other."""
    terms: list[Any] = list(coefficients)
    while len(terms) > 1:
        pairs = [low + x * high for low, high in zip(terms[::2], terms[1::2], strict=False)]
        terms, x = [*pairs, *terms[2 * len(pairs) :]], x * x
    return terms[0]


def words(x: Lanes, value: int) -> ir.Constant:
    """A whole number in as many lanes."""
    return ir.Constant(x.kind(I32), [value] * x.value.type.count)


def bits(x: Lanes) -> ir.Value:
    return x.builder.bitcast(x.value, x.kind(I32))


def of_bits(x: Lanes, value: ir.Value) -> Lanes:
    """In the function of ``x``."""
    return Lanes(x.builder, x.builder.bitcast(value, x.kind(FLOAT)))


def signed(x: Lanes, sign: ir.Value) -> Lanes:
    """``x`` with its sign turned where the highest bit of ``sign`` is set."""
    b = x.builder
    return of_bits(x, b.xor(bits(x), b.and_(sign, words(x, 1 << 31))))


def is_number(x: Lanes) -> Lanes:
    """False for NaN."""
    return x == x  # noqa: PLR0124


def wide(x: Lanes) -> Lanes:
    """As double."""
    return Lanes(x.builder, x.builder.fpext(x.value, x.kind(DOUBLE)))


def narrow(x: Lanes) -> Lanes:
    return Lanes(x.builder, x.builder.fptrunc(x.value, x.kind(FLOAT)))


def whole(x: Lanes) -> tuple[Lanes, ir.Value]:
    """The nearest whole number to each double, and its lowest 32 bits."""
    b = x.builder
    shifted = x + WHOLE_DOUBLE
    return shifted - WHOLE_DOUBLE, b.trunc(b.bitcast(shifted.value, x.kind(I64)), x.kind(I32))


def reciprocal(x: Lanes) -> Lanes:
    """1 / x within a last place or two, for x from 1 to 2^120.

    AVX-512 has 14 binary digits of it, and a step of Newton's doubles them: half the time of a division.
    """
    if W == 16:
        near = _in_halves(
            x, "x86.avx512.rcp14.ps.512", ir.Constant(VECTOR, ir.Undefined), ir.Constant(ir.IntType(16), -1)
        )
        return near + near * (1 - x * near)
    return 1 / x


def _in_halves(x: Lanes, name: str, *more: ir.Value) -> Lanes:
    """LLVM's function of that name, of W numbers and ``more``."""
    b, count = x.builder, x.value.type.count
    if count == W:
        return Lanes(b, llvm_function(b, name, VECTOR, (x.value, *more)))
    parts = [range(at, at + W) for at in range(0, count, W)]
    halves = [b.shuffle_vector(x.value, x.value, ir.Constant(WORDS, list(part))) for part in parts]
    found = [llvm_function(b, name, VECTOR, (half, *more)) for half in halves]
    return Lanes(b, b.shuffle_vector(*found, ir.Constant(x.kind(I32), list(range(count)))))
