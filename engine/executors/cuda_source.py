"""The source of a region's kernel: one line an operation, made from the op records' ``code``.

The arithmetic is that of NumPy: each operation is rounded by itself, numbers have the type of what
they meet, and what isn't a number stays so.  Sizes and strides are arguments, so that networks
which differ in nothing else run the same kernels and nothing is compiled for them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from engine.devices import Device
from engine.executors.base import together
from engine.expression import Tree, expanded, parse, written
from engine.fuse import Region, value_of
from engine.op import attributes
from engine.passes import Node

TYPES = {
    "float32": "float", "float64": "double", "int32": "int", "int64": "long long", "uint8": "unsigned char",
    "bool": "bool",
}  # fmt: skip
SUFFIXES = {"float32": "f", "int64": "LL"}
OPTIONS = ("--fmad=false",)  # a product and a sum are rounded twice, as NumPy does it
FAR = 1 << 28  # elements from which on an int could overflow while it counts bytes

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
SUM = parse("{0} + {1}")


@dataclass(frozen=True)
class Access:
    """Where a kernel finds element i of an array: its address, and the i-th place of ``sizes`` by ``strides``.

    Axes that lie in one line are one axis.  ``strides`` count elements; 0 repeats.
    """

    address: int
    dtype: str
    sizes: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def reach(self) -> int:
        """How many elements its first and its last lie apart."""
        return sum((size - 1) * abs(stride) for size, stride in zip(self.sizes, self.strides, strict=True))


def access(device: Device, array: Any, shape: Sequence[int]) -> Access:
    """How a kernel over ``shape`` reads (or writes) ``array``, which is broadcast to it."""
    sizes, (steps,) = together(shape, [device.xp.broadcast_to(array, shape).strides])
    strides = tuple(step // array.itemsize for step in steps)
    return Access(device.address(array), array.dtype.name, sizes, strides)


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


def source(device: Device, step: Region, arrays: Mapping[Node, Any], product: Any = None) -> Source:
    """The source of ``step``'s kernel.  ``product`` holds what it goes on from, if it begins with one."""
    return _Writer(device, step, arrays, product).write()


def literal(value: float, dtype: str) -> str:
    """A number of this dtype, to its last digit."""
    if not dtype.startswith("float"):
        return f"{int(value)}{SUFFIXES.get(dtype, '')}"
    return f"{float(np.dtype(dtype).type(value))!r}{SUFFIXES.get(dtype, '')}"


def _line(node: Node, tree: Tree, names: Sequence[str], dtype: str) -> str:
    """An element of ``node`` as C++, of the variables ``names``, the last of which is of ``dtype``."""
    values = dict(zip(map(str, range(len(names))), names, strict=True))
    values |= {name: f"({literal(value, dtype)})" for name, value in attributes(node.op, node.attrs).items()}
    text = written(expanded(tree), values, lambda value: literal(value, dtype), RENAMED)
    return text if text not in names or node.spec.dtype == dtype else f"({TYPES[node.spec.dtype]}){text}"


@dataclass
class _Writer:
    """Collects the lines and arguments of one kernel."""

    device: Device
    step: Region
    arrays: Mapping[Node, Any]
    product: Any
    lines: list[tuple[str, str]] = field(default_factory=list)  # code, comment
    loaded: dict[Access, str] = field(default_factory=dict)  # the variable that holds what lies there
    values: dict[Node, str] = field(default_factory=dict)  # the variable that holds an operation's result
    pointers: dict[tuple[int, str], tuple[str, Any]] = field(default_factory=dict)  # name and array, by address
    numbers: dict[int, str] = field(default_factory=dict)  # sizes and strides

    def write(self) -> Source:
        for at, node in enumerate(self.step.work):
            self.values[node] = f"v{at}"
            self.lines.append((f"const {TYPES[node.spec.dtype]} v{at} = {self._value(node)};", _comment(node)))
        return self._source([self._store(node) for node in self.step.stored])

    def _value(self, node: Node) -> str:
        if node.element is not None:
            tree, read = node.element
            return _line(node, tree, [self._read(each) for each in read], read[-1].spec.dtype)
        names = [self._load(self.product), self._read(node.inputs[-1])]  # what the bias is added to
        return _line(node, SUM, names, node.spec.dtype)

    def _read(self, node: Node) -> str:
        """The variable that holds ``node``'s element."""
        inside = value_of(node)
        return self.values[inside] if inside in self.values else self._load(self.arrays[node])

    def _load(self, array: Any) -> str:
        place = access(self.device, array, self.step.last.spec.concrete)
        if place not in self.loaded:
            name = self.loaded[place] = f"x{len(self.loaded)}"
            element = f"{self._pointer(place, array)}[{self._index(place)}]"
            self.lines.append((f"const {TYPES[place.dtype]} {name} = {element};", ""))
        return self.loaded[place]

    def _store(self, node: Node) -> Access:
        """Write a result; where it goes."""
        place = access(self.device, self.arrays[node], node.spec.concrete)
        pointer = self._pointer(place, self.arrays[node])
        self.lines.append((f"{pointer}[{self._index(place)}] = {self.values[node]};", ""))
        return place

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

    def _source(self, stored: Sequence[Access]) -> Source:
        size, written = self.step.last.spec.size, {(each.address, each.dtype) for each in stored}
        far = max([size, *(each.reach for each in (*self.loaded, *stored))]) >= FAR
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
        name = _name(self.step, "\n".join([head, *body]))
        first = f'extern "C" __global__ void {name}{head}'
        told = [f"        {code}{f'  // {comment}' if comment else ''}" for code, comment in self.lines]
        return Source(
            name=name,
            text="\n".join([first, loop, *told, *body[-3:]]),
            code="\n".join([HELPERS, first, *body]),
            arguments=(*(array for _, array in self.pointers.values()), *map(number, (size, *self.numbers))),
        )


def _name(step: Region, code: str) -> str:
    """Names the operations (the first of many), and tells kernels of the same ones apart."""
    ops = [node.op.name for node in step.work]
    shown = [*ops[:6], "and_more"] if len(ops) > 6 else ops
    return f"{'_'.join(shown)}_{hashlib.blake2b(code.encode(), digest_size=4).hexdigest()}"


def _comment(node: Node) -> str:
    """The op and the user's tensor; letters that C++ reads even in comments are left out."""
    name = "".join(letter if letter.isprintable() and letter != "\\" else "?" for letter in node.tensor.name)
    return f"{node.op.name}: {name}"
