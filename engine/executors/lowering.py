"""How each op of a plan becomes instructions of the native machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from engine.executors import machine as m
from engine.passes import Node

CODES = m.op_codes()
ELEMENT_WISE = m.element_wise()
Lowering = Callable[["Table", Node, np.ndarray, Sequence[np.ndarray]], None]
LOWERINGS: dict[str, Lowering] = {}


class NotNative(Exception):
    """The machine has no instruction for this; it is done by the kernel's own calls."""


def lower(table: Table, node: Node, out: np.ndarray, inputs: Sequence[np.ndarray]) -> bool:
    """Add ``node``'s instructions to ``table``; False, with the table as it was, if there are none for it."""
    rule = LOWERINGS.get(node.op.name, _element_wise if node.op.name in ELEMENT_WISE else None)
    mark = len(table.rows)
    if rule is None or out.size == 0:
        return False
    try:
        rule(table, node, out, inputs)
    except NotNative:
        del table.rows[mark:], table.numbers[mark:]
        return False
    table.owners += [node] * (len(table.rows) - mark)
    return True


def address(array: np.ndarray) -> int:
    """Where the array's first element lies."""
    return int(array.ctypes.data)


@dataclass
class Table:
    """Neighbouring instructions to be, and the memory that only they know."""

    wrong: np.ndarray  # not 0 once a row number or label was out of range
    rows: list[list[int]] = field(default_factory=list)
    numbers: list[float] = field(default_factory=list)
    owners: list[Node] = field(default_factory=list)  # the node each row belongs to
    kept: list[np.ndarray] = field(default_factory=list)

    def add(self, kernel: str, out: np.ndarray, *inputs: np.ndarray, n: int, imm: float = 0.0, **more: int) -> None:
        """One instruction; ``more`` names further columns of :mod:`engine.executors.machine`."""
        row = [0] * m.WIDTH
        row[m.OP], row[m.OUT], row[m.N] = CODES[kernel], address(out), n
        for column, array in zip((m.A, m.B, m.C), inputs, strict=False):
            row[column] = address(array)
        for name, value in more.items():
            row[getattr(m, name.upper())] = value
        self.rows.append(row)
        self.numbers.append(imm)

    def plain(self, array: np.ndarray, shape: tuple[int, ...] | None = None) -> np.ndarray:
        """``array``, broadcast to ``shape``, without gaps: itself, or a copy that the machine makes at each run."""
        wanted = array if shape is None or array.shape == shape else np.broadcast_to(array, shape)
        if wanted.flags.c_contiguous:
            return wanted
        sizes, strides = _merged(wanted)
        if array.dtype != np.float32 or len(sizes) > 3:
            raise NotNative
        copied = np.empty(wanted.shape, array.dtype)
        self.kept.append(copied)
        s0, s1, s2 = (0,) * (3 - len(sizes)) + strides
        d0, d1, d2 = (1,) * (3 - len(sizes)) + sizes
        self.add("strided", copied, array, n=d2, m=d0, k=d1, s0=s0, s1=s1, s2=s2)
        return copied


def _merged(array: np.ndarray) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Sizes and strides (in elements) with neighbouring axes that lie in one line taken together."""
    sizes: list[int] = []
    strides: list[int] = []
    for size, stride in zip(array.shape, (each // array.itemsize for each in array.strides), strict=True):
        if size == 1:
            continue
        if sizes and strides[-1] == size * stride:
            sizes[-1], strides[-1] = sizes[-1] * size, stride
        else:
            sizes.append(size)
            strides.append(stride)
    return tuple(sizes), tuple(strides)


def lowering(*names: str) -> Callable[[Lowering], Lowering]:
    """Register how these ops become instructions."""

    def register(found: Lowering) -> Lowering:
        LOWERINGS.update(dict.fromkeys(names, found))
        return found

    return register


def _element_wise(table: Table, node: Node, out: np.ndarray, ins: Sequence[np.ndarray]) -> None:
    if any(each.dtype != np.float32 for each in (out, *ins)):
        raise NotNative
    imm = m.attribute(node.op, node.attrs)
    if len(ins) == 1:
        table.add(node.op.name, out, table.plain(ins[0]), n=out.size, imm=imm, step_out=4, step_a=4)
        return
    a, b = ins
    name, n = node.op.name, out.size
    if a.size == 1 and n > 1:
        table.add(name, out, a, table.plain(b, out.shape), n=n, imm=imm, form=m.SCALAR_A, step_out=4, step_b=4)
    elif b.size == 1 and n > 1:
        table.add(name, out, table.plain(a, out.shape), b, n=n, imm=imm, form=m.SCALAR_B, step_out=4, step_a=4)
    else:
        a, b = table.plain(a, out.shape), table.plain(b, out.shape)
        form = m.INTO_A if address(a) == address(out) else m.BOTH
        table.add(name, out, a, b, n=n, imm=imm, form=form, step_out=4, step_a=4, step_b=4)


@lowering("matmul")
def _matmul(table: Table, node: Node, out: np.ndarray, ins: Sequence[np.ndarray]) -> None:
    a, b = ins
    a = a.T if node.attrs.get("transpose_a") else a
    b = b.T if node.attrs.get("transpose_b") else b
    _product(table, out, a, b)


@lowering("affine")
def _affine(table: Table, node: Node, out: np.ndarray, ins: Sequence[np.ndarray]) -> None:
    _product(table, out, ins[0], ins[1], ins[2])


def _product(table: Table, out: np.ndarray, a: np.ndarray, b: np.ndarray, bias: np.ndarray | None = None) -> None:
    if out.dtype != np.float32:
        raise NotNative
    a, b = (each if 4 in each.strides else table.plain(each) for each in (a, b))
    rows, inner = a.shape
    strides = [each // 4 for array in (a, b) for each in array.strides]
    more = {"c": 0 if bias is None else address(table.plain(bias)), "s0": strides[0], "s1": strides[1]}
    table.add(
        "matmul", out, a, b, n=b.shape[1], m=rows, k=inner, s2=strides[2], s3=strides[3], blas=m.sgemm_address(), **more
    )


@lowering("sum_like", "sum", "max")
def _reduction(table: Table, node: Node, out: np.ndarray, ins: Sequence[np.ndarray]) -> None:
    x = ins[0]
    if out.dtype != np.float32:
        raise NotNative
    kind = node.op.name
    if out.size == 1:
        rows, columns, last = 1, x.size, True
    elif x.ndim == 2 and out.size == x.shape[1] and (kind == "sum_like" or node.attrs.get("axis") in (0, (0,))):
        (rows, columns), last = x.shape, False
    elif kind != "sum_like" and node.attrs.get("axis") in (-1, x.ndim - 1, (x.ndim - 1,)):
        rows, columns, last = out.size, x.shape[-1], True
    else:
        raise NotNative
    if kind == "max" and not last:
        raise NotNative
    table.add(
        "row_maxima" if kind == "max" else "row_sums" if last else "column_sums", out, table.plain(x), n=columns, m=rows
    )


@lowering("softmax", "log_softmax")
def _softmax(table: Table, node: Node, out: np.ndarray, ins: Sequence[np.ndarray]) -> None:
    if out.dtype != np.float32:
        raise NotNative
    columns = out.shape[-1]
    table.add(f"{node.op.name}_rows", out, table.plain(ins[0]), n=columns, m=out.size // columns)


def _numbers(array: np.ndarray) -> np.ndarray:
    if array.dtype != np.int32 or not array.flags.c_contiguous:
        raise NotNative
    return array


@lowering("one_hot")
def _one_hot(table: Table, node: Node, out: np.ndarray, ins: Sequence[np.ndarray]) -> None:
    if out.dtype != np.float32:
        raise NotNative
    table.add("one_hot_rows", out, _numbers(ins[0]), n=out.shape[-1], m=ins[0].size, c=address(table.wrong))


@lowering("cross_entropy")
def _cross_entropy(table: Table, node: Node, out: np.ndarray, ins: Sequence[np.ndarray]) -> None:
    if out.dtype != np.float32:
        raise NotNative
    logits = table.plain(ins[0])
    table.add("chosen_loss", out, logits, _numbers(ins[1]), n=logits.shape[-1], m=out.size, c=address(table.wrong))


@lowering("gather")
def _gather(table: Table, node: Node, out: np.ndarray, ins: Sequence[np.ndarray]) -> None:
    rows, numbers = ins
    if not rows.flags.c_contiguous:
        raise NotNative
    width = out.nbytes // max(1, numbers.size)
    table.add("gather_rows", out, rows, _numbers(numbers), n=width, m=numbers.size, k=len(rows), c=address(table.wrong))


@lowering("broadcast_like", "copy")
def _copy(table: Table, node: Node, out: np.ndarray, ins: Sequence[np.ndarray]) -> None:
    x = np.broadcast_to(ins[0], out.shape)
    if x.flags.c_contiguous:
        table.add("copy_bytes", out, x, n=out.nbytes)
        return
    sizes, strides = _merged(x)
    if out.dtype != np.float32 or len(sizes) > 3:
        raise NotNative
    s0, s1, s2 = (0,) * (3 - len(sizes)) + strides
    d0, d1, d2 = (1,) * (3 - len(sizes)) + sizes
    table.add("strided", out, x, n=d2, m=d0, k=d1, s0=s0, s1=s1, s2=s2)


@lowering("assign")
def _assign(table: Table, node: Node, out: np.ndarray, ins: Sequence[np.ndarray]) -> None:
    if not (out.flags.c_contiguous and ins[1].flags.c_contiguous):
        raise NotNative
    table.add("copy_bytes", out, ins[1], n=out.nbytes)


@lowering("pack")
def _pack(table: Table, node: Node, out: np.ndarray, ins: Sequence[np.ndarray]) -> None:
    start = 0
    for part in ins:
        window = out[start : start + part.size]
        start += part.size
        if address(window) != address(part):
            table.add("copy_bytes", window, table.plain(part), n=part.nbytes)


@lowering("cast")
def _cast(table: Table, node: Node, out: np.ndarray, ins: Sequence[np.ndarray]) -> None:
    kernel = {"uint8": "from_bytes", "bool": "from_bytes", "int32": "from_ints"}.get(ins[0].dtype.name)
    if out.dtype != np.float32 or kernel is None or not ins[0].flags.c_contiguous:
        raise NotNative
    table.add(kernel, out, ins[0], n=out.size)
