"""How each step of a plan becomes instructions of the native machine."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from ctypes import addressof, c_char
from dataclasses import dataclass, field
from functools import cache
from itertools import product
from typing import Any

import numpy as np

from engine.executors.base import together
from engine.fuse import Region
from engine.native import instructions as i
from engine.native.expressions import Piece, joined, pieces
from engine.ops.array import stretches, window
from engine.ops.lookup import MANY
from engine.passes import Node

Lowering = Callable[["Table", Node, np.ndarray, Sequence[np.ndarray]], None]
LOWERINGS: dict[str, Lowering] = {}
LONG_ROW, MANY_ROWS = 512, 256  # numbers in a row of which beginning it is a small part; rows that are worth a copy
PARTS = 64  # instructions that one element-wise operation may become
BYTES_A_NS, PRODUCTS_A_NS = 10, 50  # what kernels get through, about
USE_TILES = {
    "product": "tile", "convolution": "tile", "filter_gradient": "tile", "filter_products": "tile",
    "thin_convolution": "tile_apart", "depthwise": "tile_apart", "depthwise_gradient": "tile_apart",
}  # fmt: skip
COLUMNS = {name.lower(): place for name, place in vars(i).items() if isinstance(place, int)}
_SLOW = re.compile(r"/|sqrt|exp|log|tanh|sin|cos|pow|sigmoid|gelu")


class NotNative(Exception):
    """The machine has no instruction for this; it is done by the kernel's own calls."""


def add_instructions(table: Table, step: Region, arrays: Mapping[Node, np.ndarray]) -> bool:
    """Add what ``step`` does to ``table``; False, with the table as it was, if there are no instructions for it."""
    found = step.made or pieces(step, table.codes)
    rule = LOWERINGS.get(step.name)
    mark = len(table.rows)
    if (rule is None and found is None) or step.last.spec.size == 0:
        return False
    try:
        if found is not None:
            _chain(table, found, arrays)
        elif rule is not None:
            first, *rest = step.work
            added = [each for node in rest for each in node.inputs if each not in step.work]
            rule(table, first, arrays[step.last], [arrays[each] for each in (*first.inputs, *added)])
    except NotNative:
        del table.rows[mark:]
        return False
    return True


def _chain(table: Table, found: Sequence[Piece], arrays: Mapping[Node, np.ndarray]) -> None:
    """The results of a region one after the other: together or block by block, if there are several."""
    mark = len(table.rows)
    for piece in found:
        given = [
            arrays[each] if isinstance(each, Node) else table.keep(np.array(each, np.float32)) for each in piece.inputs
        ]
        out, *more = (arrays[each] for each in piece.nodes)
        for each in more:
            table.changes(each)
        if piece.text == "(x0)" and len(found) == 1:
            table.copy(out, given[0])
        else:
            try:
                element_wise(table, piece.text, out, [*given, *more])
            except NotNative:  # an input lies across: its elements are put side by side first
                plain = [each if each.size == 1 else table.plain(each) for each in given]
                element_wise(table, piece.text, out, [*plain, *more])
    if len(table.rows) - mark == len(found) > 1:
        head, *links = table.rows[mark:]
        head[i.CHAIN], head[i.JOINED] = len(found), table.codes.get(joined(found), 0)
        for row in links:  # the chain is shared out as one
            head[i.WORK] += row[i.WORK]
            row[i.WORK] = 0


def address(array: np.ndarray) -> int:
    """Where the array's first element lies."""
    if array.flags.carray and array.size:  # most often, and then at a third of the price
        return addressof(c_char.from_buffer(array))  # type: ignore[arg-type]
    return int(array.__array_interface__["data"][0])


@dataclass
class Packed:
    """A second factor of a product, ``bounds`` its memory: ``row`` packs it, at ``panels`` if others read them."""

    row: list[int]
    bounds: tuple[int, int]
    panels: int = 0


@dataclass
class Table:
    """Instructions to be, one after the other, and the memory that only they know."""

    codes: Mapping[str, int]  # the address of each kernel and expression
    rows: list[list[int]] = field(default_factory=list)
    kept: list[np.ndarray] = field(default_factory=list)
    room: int = 0  # bytes that an instruction needs at most to work in
    packed: dict[Any, Packed] = field(default_factory=dict)  # by how they lie, as long as they are the same

    def add(self, kernel: str, out: np.ndarray, *inputs: np.ndarray, n: int, **more: int) -> list[int]:
        """One instruction; ``more`` names further columns of :mod:`engine.native.instructions`."""
        row = [0] * i.WIDTH
        row[i.OP], row[i.UNITS], row[i.OUT], row[i.N] = self.codes[kernel], 1, address(out), n
        row[i.WORK] = (out.nbytes + sum(each.nbytes for each in inputs)) // BYTES_A_NS
        for column, array in zip((i.A, i.B, i.C), inputs, strict=False):
            row[column] = address(array)
        for name, value in more.items():
            row[COLUMNS[name]] = value
        if self.packed:
            self.changes(out)
        if kernel in USE_TILES:
            row[i.TILES] = self.codes[USE_TILES[kernel]]
        self.rows.append(row)
        return row

    def changes(self, out: np.ndarray) -> None:
        """What was packed of this memory won't be the same."""
        low, high = np.lib.array_utils.byte_bounds(out)
        self.packed = {
            key: each for key, each in self.packed.items() if each.bounds[1] <= low or high <= each.bounds[0]
        }

    def guard(self, numbers: np.ndarray, count: int) -> np.ndarray:
        """Have a run end here if one of ``numbers`` isn't 0 to count - 1: whether that was so, and that number."""
        found = self.keep(np.zeros(2, np.int64))
        self.add("wrong_number", found, numbers, n=numbers.size, k=count)
        row = [0] * i.WIDTH
        row[i.OUT], row[i.UNITS] = address(found), 1
        self.rows.append(row)
        return found

    def keep(self, array: np.ndarray) -> np.ndarray:
        """Memory that lives as long as the program."""
        self.kept.append(array)
        return array

    def plain(self, array: np.ndarray) -> np.ndarray:
        """``array`` without gaps: itself, or a copy that the machine makes at each run.

        Its strides are those of an array without gaps: an axis of a single element may come with any.
        """
        if array.flags.c_contiguous:
            return array.reshape(-1).reshape(array.shape)
        copied = self.keep(np.empty(array.shape, array.dtype))
        self.copy(copied, array)
        return copied

    def copy(self, out: np.ndarray, array: np.ndarray) -> None:
        """``array`` (or what it is broadcast to) into ``out``; float32 with any strides, else both without gaps."""
        if array.shape != out.shape:
            array = np.broadcast_to(array, out.shape)
        if out.flags.c_contiguous and array.flags.c_contiguous:
            self.add("copy_bytes", out, array, n=out.nbytes)
        elif out.dtype != np.float32:
            raise NotNative
        else:
            try:
                element_wise(self, "(x0)", out, [array])
            except NotNative:
                sizes, (strides,) = together(array.shape, [array.strides])
                if not out.flags.c_contiguous or len(sizes) > 3:
                    raise
                s0, s1, s2 = (0,) * (3 - len(sizes)) + strides
                d0, d1, d2 = (1,) * (3 - len(sizes)) + sizes
                self.add("strided", out, array, n=d2, m=d0, k=d1, a0=s0, a1=s1, b0=s2)


def element_wise(table: Table, text: str, out: np.ndarray, inputs: Sequence[np.ndarray]) -> None:
    """An expression of inputs that are broadcast to ``out``: an instruction, or one for each of a few outer parts.

    Behind the inputs comes the second result, if there are two.
    """
    out, inputs = _in_long_rows(table, out, inputs)
    shape, strides = together(out.shape, [_strides(each, out.shape) for each in (out, *inputs)])
    if shape and strides[0][-1] != out.itemsize:  # the result lies across: rows of one number
        shape, strides = (*shape, 1), [(*each, 0) for each in strides]
    outer, rows, n = shape[:-2], shape[-2] if len(shape) > 1 else 1, shape[-1] if shape else 1
    sizes = [each.itemsize for each in (out, *inputs)]
    steps = [each[-1] if each else 0 for each in strides]
    if any(step not in (0, size) for step, size in zip(steps, sizes, strict=True)):
        raise NotNative
    if math.prod(outer) > PARTS:
        raise NotNative
    ups = [each[-2] if len(each) > 1 else 0 for each in strides]
    for place in product(*map(range, outer)):
        moved = [sum(p * s for p, s in zip(place, each[:-2], strict=True)) for each in strides]
        row = table.add(text, out, n=n, m=rows, out_row=ups[0])
        row[i.UNITS] = rows if rows > 1 else -(-n // i.BLOCK)
        row[i.WORK] = int(rows * n * _nanoseconds(text))
        row[i.OUT] += moved[0]
        for at, array in enumerate(inputs):
            row[i.IN + 3 * at : i.IN + 3 * at + 3] = [address(array) + moved[at + 1], steps[at + 1], ups[at + 1]]


def _strides(array: np.ndarray, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Those that it has when it is broadcast to ``shape``."""
    if array.shape == shape:
        return array.strides
    lead = len(shape) - array.ndim
    own = zip(array.strides, array.shape, shape[lead:], strict=True)
    return (0,) * lead + tuple([step if size == wanted else 0 for step, size, wanted in own])


def _in_long_rows(
    table: Table, out: np.ndarray, inputs: Sequence[np.ndarray]
) -> tuple[np.ndarray, Sequence[np.ndarray]]:
    """The same with several rows as one, if they are short and many: to begin a row takes as long as some numbers."""
    n = out.shape[-1] if out.ndim > 1 else 1
    several = math.gcd(out.size // n, 1 << max(0, LONG_ROW // n).bit_length() - 1) if 1 < n <= LONG_ROW // 2 else 1
    rows = [each.size == n and each.shape[-1:] == (n,) and each.dtype == np.float32 for each in inputs]
    whole = [each.shape == out.shape and each.flags.c_contiguous for each in inputs]
    alike = all(a or b or each.size == 1 for a, b, each in zip(rows, whole, inputs, strict=True))
    if several == 1 or out.size < MANY_ROWS * n or not (alike and any(rows) and out.flags.c_contiguous):
        return out, inputs
    found = []
    for each, is_row, is_whole in zip(inputs, rows, whole, strict=True):
        if is_row:
            found.append(table.keep(np.empty((several, n), np.float32)))
            table.copy(found[-1], each.reshape(n))
        else:
            found.append(each.reshape(-1, several * n) if is_whole else each.reshape(1))
    return out.reshape(-1, several * n), [each.reshape(-1) if a else each for a, each in zip(rows, found, strict=True)]


@cache
def _nanoseconds(text: str) -> float:
    """Some time that an element of an expression takes."""
    return 0.04 * len(i.operands(text)) + 0.3 * len(_SLOW.findall(text))


def lowering(*names: str) -> Callable[[Lowering], Lowering]:
    """Register how these ops become instructions."""

    def register(found: Lowering) -> Lowering:
        LOWERINGS.update(dict.fromkeys(names, found))
        return found

    return register


def float32(*arrays: np.ndarray) -> None:
    """Raises NotNative for what the machine doesn't compute with."""
    if any(each.dtype != np.float32 for each in arrays):
        raise NotNative


def tile_sizes() -> tuple[int, int, int]:
    """Rows and columns of a tile, and numbers in a vector: this processor's, which only a machine can ask for."""
    from engine.native.lanes import W
    from engine.native.tiles import PANEL, ROWS

    return ROWS, PANEL, W


def int32(array: np.ndarray) -> np.ndarray:
    """Raises NotNative unless it is whole numbers without gaps."""
    if array.dtype != np.int32 or not array.flags.c_contiguous:
        raise NotNative
    return array


@lowering("one_hot")
def _one_hot(table: Table, node: Node, out: np.ndarray, ins: Sequence[np.ndarray]) -> None:
    float32(out)
    table.add("one_hot_rows", out, int32(ins[0]), n=out.shape[-1], m=ins[0].size)


@lowering("gather")
def _gather(table: Table, node: Node, out: np.ndarray, ins: Sequence[np.ndarray]) -> None:
    rows, numbers = ins
    if not rows.flags.c_contiguous:
        raise NotNative
    width = out.nbytes // max(1, numbers.size)
    table.add("gather_rows", out, rows, int32(numbers), m=numbers.size, n=width, k=len(rows))


@lowering("scatter_add")
def _scatter_add(table: Table, node: Node, out: np.ndarray, ins: Sequence[np.ndarray]) -> None:
    g, numbers = ins
    float32(out)
    width, m = out.size // len(out), numbers.size
    table.room = max(table.room, 4 * len(out) + 8 + 8 * width * (m // MANY) if m > MANY else 0)
    table.add("scatter_rows", out, table.plain(g), int32(numbers), m=m, n=width, k=len(out), a0=MANY)


@lowering("random_uniform", "random_normal")
def _random(table: Table, node: Node, out: np.ndarray, ins: Sequence[np.ndarray]) -> None:
    float32(out)
    table.add(
        "uniform_numbers" if node.op.name == "random_uniform" else "normal_numbers", out, int32(ins[0]), n=out.size
    )


@lowering("add", "equal")
def _whole(table: Table, node: Node, out: np.ndarray, ins: Sequence[np.ndarray]) -> None:
    if any(each.shape != out.shape and each.size != 1 for each in ins):
        raise NotNative
    a, b = map(int32, ins)
    table.add(f"{node.op.name}_whole", out, a, b, n=out.size, a0=int(a.size != 1), b0=int(b.size != 1))


@lowering("broadcast_like", "broadcast_to", "copy", "assign", "pack", "concat", "slice_fill", "pad")
def _copies(table: Table, node: Node, out: np.ndarray, ins: Sequence[np.ndarray]) -> None:
    name, attrs = node.op.name, node.attrs
    if name == "pack":
        for place, part in zip(stretches([each.size for each in ins]), ins, strict=True):
            if address(out[place]) != address(part):
                table.copy(out[place].reshape(part.shape), part)
    elif name == "concat":
        axis = attrs.get("axis", 0) % out.ndim
        for place, part in zip(stretches([each.shape[axis] for each in ins], axis), ins, strict=True):
            table.copy(out[place], part)
    elif name in ("slice_fill", "pad"):
        float32(out)
        value = table.keep(np.array([attrs.get("value", 0.0)], np.float32))
        table.add("fill", out, value, n=out.size)
        if name == "pad":
            ends = [(b, b + size) for (b, _), size in zip(attrs["widths"], ins[0].shape, strict=True)]
            table.copy(window(out, tuple(slice(*each) for each in ends)), ins[0])
        else:
            table.copy(window(out, attrs["index"]), ins[0])
    elif name == "assign":
        table.copy(out, ins[1])
    else:
        table.copy(out, ins[0])


@lowering("cast")
def _cast(table: Table, node: Node, out: np.ndarray, ins: Sequence[np.ndarray]) -> None:
    """Truths or bytes as int32, to be counted."""
    if ins[0].dtype not in (np.bool_, np.uint8):
        raise NotNative
    table.add("bytes_to_whole", int32(out), table.plain(ins[0]), n=out.size)
