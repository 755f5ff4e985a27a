"""Vectors of float32 while code is generated: operators and functions that write LLVM's instructions.

A :class:`Lanes` is a vector of :data:`W` numbers in a function that is being written.  The op records'
``code`` and the functions below are plain Python on Lanes; :mod:`engine.native.simd` makes
functions of them that compiled code calls.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir


def _registers() -> tuple[int, int]:
    """How many float32 a vector register of this processor holds, and how many such registers there are."""
    features = llvm.get_host_cpu_features()
    if features.get("avx512f") and features.get("avx512vl"):
        return 16, 32
    if features.get("avx2") and features.get("fma"):
        return 8, 16
    return 4, 32 if features.get("neon") else 16


W, REGISTERS = _registers()
BYTES = 4 * W

FLOAT, I32, I64 = ir.FloatType(), ir.IntType(32), ir.IntType(64)
VECTOR, WORDS, TRUTHS = ir.VectorType(FLOAT, W), ir.VectorType(I32, W), ir.VectorType(ir.IntType(1), W)
FLAGS = ("contract", "nsz")  # a product and a sum may become one instruction; NaN and inf stay what they are


class Lanes:
    """W numbers (or truths) in the function that ``builder`` is writing.  Plain numbers mix with it."""

    def __init__(self, builder: ir.IRBuilder, value: ir.Value) -> None:
        self.builder, self.value = builder, value

    def of(self, other: Any) -> ir.Value:
        """``other`` as a vector: it is one, or a number for all lanes."""
        if isinstance(other, Lanes):
            return other.value
        return ir.Constant(VECTOR, [float(other)] * W)

    def _two(self, name: str, other: Any, swapped: bool = False) -> Lanes:
        pair = (self.of(other), self.value) if swapped else (self.value, self.of(other))
        return Lanes(self.builder, getattr(self.builder, name)(*pair, flags=FLAGS))

    def _compare(self, sign: str, other: Any) -> Lanes:
        return Lanes(self.builder, self.builder.fcmp_ordered(sign, self.value, self.of(other)))

    def __add__(self, other: Any) -> Lanes:
        return self._two("fadd", other)

    def __radd__(self, other: Any) -> Lanes:
        return self._two("fadd", other, swapped=True)

    def __sub__(self, other: Any) -> Lanes:
        return self._two("fsub", other)

    def __rsub__(self, other: Any) -> Lanes:
        return self._two("fsub", other, swapped=True)

    def __mul__(self, other: Any) -> Lanes:
        return self._two("fmul", other)

    def __rmul__(self, other: Any) -> Lanes:
        return self._two("fmul", other, swapped=True)

    def __truediv__(self, other: Any) -> Lanes:
        return self._two("fdiv", other)

    def __rtruediv__(self, other: Any) -> Lanes:
        return self._two("fdiv", other, swapped=True)

    def __neg__(self) -> Lanes:
        return Lanes(self.builder, self.builder.fneg(self.value))

    def __gt__(self, other: Any) -> Lanes:
        return self._compare(">", other)

    def __ge__(self, other: Any) -> Lanes:
        return self._compare(">=", other)

    def __lt__(self, other: Any) -> Lanes:
        return self._compare("<", other)

    def __le__(self, other: Any) -> Lanes:
        return self._compare("<=", other)

    def __eq__(self, other: Any) -> Lanes:  # type: ignore[override]
        return self._compare("==", other)

    def __ne__(self, other: Any) -> Lanes:  # type: ignore[override]
        return Lanes(self.builder, self.builder.fcmp_unordered("!=", self.value, self.of(other)))  # NaN differs

    def __and__(self, other: Lanes) -> Lanes:
        return Lanes(self.builder, self.builder.and_(self.value, other.value))

    def __or__(self, other: Lanes) -> Lanes:
        return Lanes(self.builder, self.builder.or_(self.value, other.value))

    def __invert__(self) -> Lanes:
        return Lanes(self.builder, self.builder.not_(self.value))

    __hash__ = None  # type: ignore[assignment]


def llvm_function(b: ir.IRBuilder, name: str, result: ir.Type, values: Sequence[ir.Value]) -> ir.Value:
    """A call of LLVM's own function ``llvm.NAME``."""
    found = b.module.globals.get(f"llvm.{name}")
    if found is None:
        found = ir.Function(b.module, ir.FunctionType(result, [each.type for each in values]), f"llvm.{name}")
    return b.call(found, values)


def _named(name: str) -> Callable[..., Lanes]:
    def function(x: Lanes, *others: Any) -> Lanes:
        values = (x.value, *map(x.of, others))
        return Lanes(x.builder, llvm_function(x.builder, f"{name}.v{W}f32", VECTOR, values))

    return function


sqrt, floor, fabs, fma = _named("sqrt"), _named("floor"), _named("fabs"), _named("fma")
sin, cos, pow_ = _named("sin"), _named("cos"), _named("pow")
_maximum, _minimum = _named("maximum"), _named("minimum")


def select(choice: Lanes, a: Any, b: Any) -> Lanes:
    """``a`` where ``choice`` is true, else ``b``."""
    return Lanes(choice.builder, choice.builder.select(choice.value, choice.of(a), choice.of(b)))


def larger(x: Any, y: Any) -> Lanes:
    """The larger one; NaN if one of them is.  Where one is a number, that is a single instruction."""
    if not isinstance(y, Lanes):
        return select(x < y, y, x)
    return _maximum(x, y) if isinstance(x, Lanes) else _maximum(y, x)


def smaller(x: Any, y: Any) -> Lanes:
    """The smaller one; NaN if one of them is.  Where one is a number, that is a single instruction."""
    if not isinstance(y, Lanes):
        return select(x > y, y, x)
    return _minimum(x, y) if isinstance(x, Lanes) else _minimum(y, x)


def tanh(x: Lanes) -> Lanes:
    """Rational approximation, fitted by least squares on the relative error; within 3e-7 of tanh."""
    x = smaller(larger(x, -9), 9)
    z = x * x
    top = 3.30486002e-05 + z * (4.58699541e-08 + z * (-3.19145941e-11 + z * 2.60025474e-14))
    top = x * (1 + z * (1.38575136e-01 + z * (4.09632139e-03 + z * top)))
    bottom = 1 + z * (4.71908469e-01 + z * (2.80658122e-02 + z * (4.35443074e-04 + z * 1.67339718e-06)))
    return top / bottom


def exp(x: Lanes) -> Lanes:
    """2^k times a polynomial on the rest; within 2e-7 of exp, relatively.  Beyond float32: 0 or inf."""
    given, is_number = x, fabs(x) >= 0
    x = smaller(larger(select(is_number, x, 0), -104), 89)
    k = floor(x * 1.4426950408889634 + 0.5)
    r = (x - k * 0.693359375) - k * -2.12194440e-4
    p = 1 / 120 + r * (1 / 720 + r * (1 / 5040))
    p = 1 + r * (1 + r * (0.5 + r * (1 / 6 + r * (1 / 24 + r * p))))
    half = floor(k * 0.5)  # 2^128 has no place in float32, nor has 2^-150, but their halves have
    return select(is_number, p * _two_to(half) * _two_to(k - half), given)


def _two_to(k: Lanes) -> Lanes:
    """2^k for whole numbers k from -126 to 127, by the bits of float32's exponent."""
    b = k.builder
    whole = b.add(b.fptosi(k.value, WORDS), ir.Constant(WORDS, [127] * W))
    return Lanes(b, b.bitcast(b.shl(whole, ir.Constant(WORDS, [23] * W)), VECTOR))


def log(x: Lanes) -> Lanes:
    """The exponent's bits, and a polynomial on the rest (Cephes' logf); within 2e-7, relatively, of log."""
    b = x.builder
    tiny = x < 1.17549435e-38  # float32's subnormal numbers have no exponent of their own
    scaled = select(tiny, x * 8388608.0, x)
    bits = b.bitcast(scaled.value, WORDS)
    exponent = b.sub(b.ashr(bits, ir.Constant(WORDS, [23] * W)), ir.Constant(WORDS, [126] * W))
    rest = b.or_(b.and_(bits, ir.Constant(WORDS, [0x007FFFFF] * W)), ir.Constant(WORDS, [0x3F000000] * W))
    e, m = Lanes(b, b.sitofp(exponent, VECTOR)), Lanes(b, b.bitcast(rest, VECTOR))
    low = m < 0.70710678
    e = select(low, e - 1, e) - select(tiny, 23, 0)
    m = select(low, m + m, m) - 1
    p = -1.2420140846e-1 + m * (1.1676998740e-1 + m * (-1.1514610310e-1 + m * 7.0376836292e-2))
    p = -2.4999993993e-1 + m * (2.0000714765e-1 + m * (-1.6668057665e-1 + m * (1.4249322787e-1 + m * p)))
    z = m * m
    found = e * 0.693359375 + (m + (m * z * (3.3333331174e-1 + m * p) - e * 2.12194440e-4 - 0.5 * z))
    found = select(x < float("inf"), found, x)
    return select(x > 0, found, select(x == 0, -float("inf"), float("nan")))


def expm1(x: Lanes) -> Lanes:
    """exp(x) - 1 without loss near 0 (Kahan's way over the logarithm)."""
    u = exp(x)
    near = select(u == 1, x, (u - 1) * x / log(u))
    return select(fabs(x) < 30, near, u - 1)


def log1p(x: Lanes) -> Lanes:
    """log(1 + x) without loss near 0 (Kahan's way: what 1 + x rounded away is made up for)."""
    u = 1 + x
    return select(u == 1, x, select(u < float("inf"), log(u) * x / (u - 1), u))


MATH: dict[str, Any] = {  # the words of the op records' ``code``
    "tanh": tanh, "exp": exp, "log": log, "expm1": expm1, "log1p": log1p, "sqrt": sqrt, "floor": floor,
    "fabs": fabs, "sin": sin, "cos": cos, "pow": pow_, "select": select, "max": larger, "min": smaller,
}  # fmt: skip
