"""Which element-wise operations of a plan can run as one kernel.

A kernel works on element 0, 1, 2 ... of all its arrays at once, and nobody knows in which order.
So two of its operations may touch the same memory only in step: number i of the one where number
i of the other lies.  What lies where is compared by address, so that it doesn't matter by which
views, parts of variables or reused places of the arena two operations meet.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from engine.devices import Device
from engine.op import Call
from engine.ops.array import broadcast_like, cast, copy
from engine.ops.matrix import affine, matmul
from engine.ops.state import assign, group
from engine.passes import Node
from engine.plan import Plan

LARGEST = 32  # operations of one kernel: more would run out of registers
BACK = 24  # how many kernels and calls an operation may be moved ahead of
EVERYWHERE = (0, 1 << 64)  # the bytes that a call touches of which no more is known


@dataclass(frozen=True)
class Access:
    """Where a kernel finds element i of an array: its address, and the i-th place of ``sizes`` by ``strides``.

    Axes that lie in one line are one axis, so equal accesses are the same memory in the same order.
    ``strides`` count elements; 0 repeats.
    """

    address: int
    dtype: str
    sizes: tuple[int, ...]
    strides: tuple[int, ...]

    @cached_property
    def span(self) -> tuple[int, int]:
        """The first byte that it may touch, and the one after the last."""
        itemsize = np.dtype(self.dtype).itemsize
        ends = [(size - 1) * stride for size, stride in zip(self.sizes, self.strides, strict=True)]
        low, high = sum(min(0, end) for end in ends), sum(max(0, end) for end in ends)
        return self.address + low * itemsize, self.address + (high + 1) * itemsize

    def meets(self, other: Access) -> bool:
        """Whether the two may touch one byte."""
        return _overlap(self.span, other.span)

    def out_of_step(self, other: Access) -> bool:
        """Whether element i of the one may lie where another element of the other does."""
        return self != other and self.meets(other)


def access(device: Device, array: Any, shape: Sequence[int]) -> Access:
    """How a kernel over ``shape`` reads (or writes) ``array``, which is broadcast to it."""
    gone = len(shape) - array.ndim
    own = [*(1,) * gone, *array.shape]
    steps = [*(0,) * gone, *(each // array.itemsize for each in array.strides)]
    sizes: list[int] = []
    strides: list[int] = []
    for size, had, step in zip(shape, own, steps, strict=True):
        stride = step if had == size else 0
        if size == 1:
            continue
        if sizes and strides[-1] == size * stride:
            sizes[-1], strides[-1] = sizes[-1] * size, stride
        else:
            sizes.append(size)
            strides.append(stride)
    return Access(device.address(array), array.dtype.name, tuple(sizes), tuple(strides))


@dataclass(frozen=True, eq=False)
class Element:
    """An operation on one element: ``code`` of ``reads`` (and attributes of ``node``) goes to ``out``."""

    node: Node
    code: str
    reads: tuple[Access, ...]
    out: Access
    arrays: tuple[Any, ...]  # those of reads, then that of out

    @property
    def size(self) -> int:
        return math.prod(self.out.sizes)


@dataclass(frozen=True, eq=False)
class Step:
    """Calls of the array module that stand alone, and the bytes that they read and write."""

    calls: Sequence[Call]
    reads: tuple[tuple[int, int], ...]
    writes: tuple[tuple[int, int], ...]


@dataclass(eq=False)
class Kernel:
    """Operations that run element by element, one after the other, as one call.

    ``readers`` are those of each node's value, None among them if it has to last.
    """

    readers: Mapping[Node, set[Node | None]]
    elements: list[Element] = field(default_factory=list)
    _loads: set[Access] = field(default_factory=set)
    _last: dict[Access, Element] = field(default_factory=dict)  # whose result each place holds in the end
    _nodes: set[Node | None] = field(default_factory=set)

    @property
    def size(self) -> int:
        """How many elements each operation has."""
        return self.elements[0].size

    @property
    def stored(self) -> list[Element]:
        """The operations whose results go to memory: these are read outside, too, and no later one overwrites them."""
        return [each for each in self._last.values() if not self.readers[each.node] <= self._nodes]

    @property
    def reads(self) -> Iterable[tuple[int, int]]:
        return (each.span for each in self._loads)

    @property
    def writes(self) -> Iterable[tuple[int, int]]:
        return (each.out.span for each in self.stored)

    def takes(self, other: Element) -> bool:
        """Whether ``other`` may run as this kernel's last operation.

        What isn't stored is in nobody's way: the plan may have given its place to ``other`` already.
        """
        if len(self.elements) == LARGEST or other.size != self.size:
            return False
        written = [each.out for each in self.stored]
        clash = any(each.out_of_step(done) for done in written for each in (*other.reads, other.out))
        return not clash and not any(other.out.out_of_step(each) for each in self._loads)

    def add(self, other: Element) -> None:
        self.elements.append(other)
        self._loads.update(each for each in other.reads if each not in self._last)
        self._last[other.out] = other
        self._nodes.add(other.node)


def parts(device: Device, node: Node, arrays: Sequence[Any], calls: Sequence[Call]) -> list[Element | Step]:
    """What ``node`` does: ``arrays`` are its inputs' and its own, ``calls`` what its op's kernel made of them."""
    *ins, out = arrays
    if not calls:
        return []
    if node.device or any(each.device for each in node.inputs):  # nothing is moved past a change of device
        return [Step(calls, (), (EVERYWHERE,))]
    if node.op is affine:  # a product, and a sum that may join what comes after it
        x, weights, bias = ins
        assert matmul.kernel is not None
        product = _step(device, matmul.kernel(device.xp, out, x, weights), (x, weights), out)
        added = _element(device, node, "{0} + {1}", (out, bias), out)
        return [product, added or _step(device, calls[1:], ins, out)]
    code, read = _code(node, ins)
    return [_element(device, node, code, read, out) or _step(device, calls, ins, out)]


def _code(node: Node, ins: Sequence[Any]) -> tuple[str, Sequence[Any]]:
    """The node's source ("" if it isn't element-wise), and the arrays that it is of."""
    if node.op is assign:
        return "{0}", ins[1:]
    if node.op in (copy, cast, broadcast_like):
        return "{0}", ins[:1]
    return node.op.code, ins


def _element(device: Device, node: Node, code: str, ins: Sequence[Any], out: Any) -> Element | None:
    """None if there is no source, or no element.  A plan lets no operation overwrite what it reads out of step."""
    if not code or out.size == 0:
        return None
    reads = tuple(access(device, each, out.shape) for each in ins)
    return Element(node, code, reads, access(device, out, out.shape), (*ins, out))


def _step(device: Device, calls: Sequence[Call], ins: Sequence[Any], out: Any) -> Step:
    reads = [access(device, each, each.shape).span for each in ins if each.size]
    writes = [access(device, out, out.shape).span] if out.size else []
    return Step(calls, tuple(reads), tuple(writes))


def fuse(found: Iterable[Element | Step], plan: Plan) -> list[Kernel | Step]:
    """``found``, which is in the order of ``plan``, with as many operations in a kernel as may be.

    An operation joins an earlier kernel if nothing between the two reads what it writes, or writes
    what it reads or writes: then it makes no difference that it runs earlier.
    """
    readers = _readers(plan)
    done: list[Kernel | Step] = []
    for each in found:
        if isinstance(each, Step):
            done.append(each)
            continue
        home = _home(done, each)
        if home is None:
            home = Kernel(readers)
            done.append(home)
        home.add(each)
    return done


def _readers(plan: Plan) -> dict[Node, set[Node | None]]:
    """Who reads each node's value, be it through a view; None: it is fetched, or a variable's new value."""
    found: dict[Node, set[Node | None]] = {node: set() for node in plan.nodes}
    for node in plan.nodes:
        place = plan.places.get(node)
        if node.op is assign or (place is not None and place.variable is not None):
            found[node].add(None)
        if node.op is not group and node.op.view is None:
            for each in node.inputs:
                found[each.root].add(node)
    for node in plan.fetches:
        found[node.root].add(None)
    return found


def _home(done: Sequence[Kernel | Step], element: Element) -> Kernel | None:
    """The last kernel that ``element`` may join."""
    for earlier in reversed(done[-BACK:]):
        if isinstance(earlier, Kernel) and earlier.takes(element):
            return earlier
        if _clash(earlier, element):
            return None
    return None


def _clash(earlier: Kernel | Step, element: Element) -> bool:
    """Whether the two must keep their order."""
    out, read = element.out.span, [each.span for each in element.reads]
    return any(_overlap(out, each) for each in (*earlier.reads, *earlier.writes)) or any(
        _overlap(one, other) for one in read for other in earlier.writes
    )


def _overlap(a: tuple[int, int], b: tuple[int, int]) -> bool:
    return a[0] < b[1] and b[0] < a[1]
