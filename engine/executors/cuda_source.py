"""The source of a fused kernel: one line an operation, made from the op records' ``code``.

The arithmetic is that of NumPy: each operation is rounded by itself, numbers have the type of what
they meet, and what isn't a number stays so.  Sizes and strides are arguments, so that networks
which differ in nothing else run the same kernels and nothing is compiled for them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from engine.executors.fusion import Access, Element, Kernel
from engine.expression import parse, written
from engine.op import attributes

TYPES = {
    "float32": "float", "float64": "double", "int32": "int", "int64": "long long", "uint8": "unsigned char",
    "bool": "bool",
}  # fmt: skip
SUFFIXES = {"float32": "f", "int64": "LL"}
OPTIONS = ("--fmad=false",)  # a product and a sum are rounded twice, as NumPy does it
FAR = 1 << 30  # from here on, an int could overflow while it counts elements

HELPERS = """\
template <typename T> __device__ inline T larger(T a, T b) { return a >= b || a != a ? a : b; }
template <typename T> __device__ inline T smaller(T a, T b) { return a <= b || a != a ? a : b; }
template <typename C, typename T> __device__ inline T chosen(C first, T a, T b) { return first ? a : b; }
template <typename T> __device__ inline T magnitude(T x) { return x < 0 ? -x : x; }
__device__ inline float magnitude(float x) { return fabsf(x); }
__device__ inline double magnitude(double x) { return fabs(x); }
"""
# CUDA's own max and min drop NaN, its fabs takes whole numbers for double, and it has no select
RENAMED = {"max": "larger", "min": "smaller", "select": "chosen", "fabs": "magnitude"}


@dataclass(frozen=True)
class Source:
    """A kernel's source: with comments for people (:attr:`text`), without them for the compiler.

    :attr:`code` depends on nothing but the operations and how their arrays lie, so equal kernels of
    different networks are compiled once.
    """

    name: str
    text: str
    code: str
    arguments: tuple[Any, ...]  # arrays, then the numbers of elements, sizes and strides


def source(kernel: Kernel) -> Source:
    """The source of ``kernel``, which stores the results that are asked for outside."""
    return _Writer(kernel, kernel.stored).write()


def expression(element: Element, names: Sequence[str]) -> str:
    """``element``'s code as C++, of the variables ``names``."""
    dtype = element.reads[-1].dtype
    values = {str(at): name for at, name in enumerate(names)}
    extra = attributes(element.node.op, element.node.attrs)
    values |= {name: f"({literal(value, dtype)})" for name, value in extra.items()}
    text = written(parse(element.code), values, lambda value: literal(value, dtype), RENAMED)
    return text if text not in names or element.out.dtype == dtype else f"({TYPES[element.out.dtype]}){text}"


def literal(value: float, dtype: str) -> str:
    """A number of this dtype, to its last digit."""
    if not dtype.startswith("float"):
        return f"{int(value)}{SUFFIXES.get(dtype, '')}"
    return f"{float(np.dtype(dtype).type(value))!r}{SUFFIXES.get(dtype, '')}"


@dataclass
class _Writer:
    """Collects the lines and arguments of one kernel."""

    kernel: Kernel
    stored: Sequence[Element]
    lines: list[tuple[str, str]] = field(default_factory=list)  # code, comment
    values: dict[Access, str] = field(default_factory=dict)  # the variable that holds what lies there now
    pointers: dict[tuple[int, str], tuple[str, Any]] = field(default_factory=dict)  # name and array, by address
    numbers: dict[int, str] = field(default_factory=dict)  # sizes and strides

    def write(self) -> Source:
        for at, element in enumerate(self.kernel.elements):
            names = [self._read(each, array) for each, array in zip(element.reads, element.arrays, strict=False)]
            name = self.values[element.out] = f"v{at}"
            node, kind = element.node, TYPES[element.out.dtype]
            self.lines.append((f"const {kind} {name} = {expression(element, names)};", _comment(node)))
        for element in self.stored:
            pointer, index = self._pointer(element.out, element.arrays[-1]), self._index(element.out)
            self.lines.append((f"{pointer}[{index}] = {self.values[element.out]};", ""))
        return self._source()

    def _read(self, place: Access, array: Any) -> str:
        """The variable that holds what lies at ``place``; it is loaded if none does."""
        if place not in self.values:
            name = self.values[place] = f"x{len(self.values)}"
            pointer = self._pointer(place, array)
            self.lines.append((f"const {TYPES[place.dtype]} {name} = {pointer}[{self._index(place)}];", ""))
        return self.values[place]

    def _pointer(self, place: Access, array: Any) -> str:
        return self.pointers.setdefault((place.address, place.dtype), (f"p{len(self.pointers)}", array))[0]

    def _index(self, place: Access) -> str:
        """Where element i of ``place`` lies, in elements from its first."""
        terms, after = [], 1  # after: how many elements lie in the axes behind this one
        for at in reversed(range(len(place.sizes))):
            size, stride = place.sizes[at], place.strides[at]
            if stride:
                row = "i" if after == 1 else f"i / {self._number(after)}"
                column = row if at == 0 else f"{row} % {self._number(size)}"
                terms.append(column if stride == 1 else f"({column}) * {self._number(stride)}")
            after *= size
        return " + ".join(reversed(terms)) or "0"

    def _number(self, value: int) -> str:
        return self.numbers.setdefault(value, f"n{len(self.numbers)}")

    def _source(self) -> Source:
        kernel, written = self.kernel, {(each.out.address, each.out.dtype) for each in self.stored}
        far = max([kernel.size, *(each[1] - each[0] for each in (*kernel.reads, *kernel.writes))]) >= FAR
        index, number = ("long long", np.int64) if far else ("int", np.int32)
        parameters = [
            f"{'' if place in written else 'const '}{TYPES[place[1]]}* {name}"
            for place, (name, _) in self.pointers.items()
        ]
        parameters += [f"{index} {name}" for name in ("n", *self.numbers.values())]
        head = f"({', '.join(parameters)}) {{"
        start, every = f"blockIdx.x * ({index})blockDim.x + threadIdx.x", f"({index})blockDim.x * gridDim.x"
        loop = f"    for ({index} i = {start}; i < n; i += {every}) {{"
        body = [loop, *(f"        {code}" for code, _ in self.lines), "    }", "}", ""]
        name = _name(kernel, "\n".join([head, *body]))
        first = f'extern "C" __global__ void {name}{head}'
        told = [f"        {code}{f'  // {comment}' if comment else ''}" for code, comment in self.lines]
        return Source(
            name=name,
            text="\n".join([first, loop, *told, *body[-3:]]),
            code="\n".join([HELPERS, first, *body]),
            arguments=(*(array for _, array in self.pointers.values()), *map(number, (kernel.size, *self.numbers))),
        )


def _name(kernel: Kernel, code: str) -> str:
    """Names the operations (the first of many), and tells kernels of the same ones apart."""
    ops = [element.node.op.name for element in kernel.elements]
    shown = [*ops[:6], "and_more"] if len(ops) > 6 else ops
    return f"{'_'.join(shown)}_{hashlib.blake2b(code.encode(), digest_size=4).hexdigest()}"


def _comment(node: Any) -> str:
    """The op and the user's tensor; letters that C++ reads even in comments are left out."""
    name = "".join(letter if letter.isprintable() and letter != "\\" else "?" for letter in node.tensor.name)
    return f"{node.op.name}: {name}"
