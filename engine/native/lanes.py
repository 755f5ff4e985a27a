"""Vectors of float32 while code is generated: operators that write LLVM's instructions.

A :class:`Lanes` is a vector of :data:`W` numbers in a function that is being written.  The op records'
``code``, the functions below and those of :mod:`engine.native.mathematics` are plain Python on Lanes;
:mod:`engine.native.simd` makes functions of them that compiled code calls.
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
FUSED = W > 4 or REGISTERS > 16  # whether a product and a sum can be one instruction, with one rounding
BYTES = 4 * W

FLOAT, I32, I64 = ir.FloatType(), ir.IntType(32), ir.IntType(64)
VECTOR, WORDS, TRUTHS = ir.VectorType(FLOAT, W), ir.VectorType(I32, W), ir.VectorType(ir.IntType(1), W)
FLAGS = ("contract", "nsz")  # a product and a sum may become one instruction; NaN and inf stay what they are


class Lanes:
    """Some numbers (float32, or double on the way) or truths in the function that ``builder`` is writing.

    W of them, or twice as many: two registers then go through each operation, and one's waits for the other's.
    Plain numbers mix with it.
    """

    def __init__(self, builder: ir.IRBuilder, value: ir.Value) -> None:
        self.builder, self.value = builder, value

    def of(self, other: Any) -> ir.Value:
        """``other`` as a vector: it is one, or a number for all lanes."""
        return _of(self.value.type, other)

    def kind(self, element: ir.Type) -> ir.VectorType:
        """The type of as many elements."""
        return ir.VectorType(element, self.value.type.count)

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


def _of(kind: ir.VectorType, x: Any) -> ir.Value:
    return x.value if isinstance(x, Lanes) else ir.Constant(kind, [float(x)] * kind.count)


def llvm_function(b: ir.IRBuilder, name: str, result: ir.Type, values: Sequence[ir.Value]) -> ir.Value:
    """A call of LLVM's own function ``llvm.NAME``."""
    found = b.module.globals.get(f"llvm.{name}")
    if found is None:
        found = ir.Function(b.module, ir.FunctionType(result, [each.type for each in values]), f"llvm.{name}")
    return b.call(found, values)


def named(name: str) -> Callable[..., Lanes]:
    """LLVM's function of that name on vectors of float32."""

    def function(x: Lanes, *others: Any) -> Lanes:
        values = (x.value, *map(x.of, others))
        kind = x.value.type
        return Lanes(x.builder, llvm_function(x.builder, f"{name}.v{kind.count}f32", kind, values))

    return function


sqrt, floor, _fabs = named("sqrt"), named("floor"), named("fabs")
multiply_add = named("fmuladd")  # one instruction, or two, by the processor alone: the same bits whatever stands around
_maximum, _minimum = named("maximum"), named("minimum")


class _Size(Lanes):
    """|x|.  LLVM 20 takes x for positive once its size was compared with 0: so x itself is compared."""

    def __init__(self, x: Lanes) -> None:
        super().__init__(x.builder, _fabs(x).value)
        self._x = x

    def _compare(self, sign: str, other: Any) -> Lanes:
        x = self._x
        if isinstance(other, Lanes) or other != 0 or sign not in (">", ">=", "<="):
            return super()._compare(sign, other)
        return {">": (x > 0) | (x < 0), ">=": x == x, "<=": x == 0}[sign]  # noqa: PLR0124


fabs = _Size


def select(choice: Lanes, a: Any, b: Any) -> Lanes:
    """``a`` where ``choice`` is true, else ``b``."""
    kind = next((each.value.type for each in (a, b) if isinstance(each, Lanes)), choice.kind(FLOAT))
    return Lanes(choice.builder, choice.builder.select(choice.value, _of(kind, a), _of(kind, b)))


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
