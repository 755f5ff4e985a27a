"""Element-wise operations that read each other become one, and so do a product and the sum that follows.

Only executors that compile their kernels ask for it: they say which expressions they know, as text
like ``(x0 * (x1 - (x2 * x2)))``.  An input's letter tells its type: x float32, t bool, u uint8, i int32.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any

import numpy as np

from engine.expression import parse, written
from engine.graph import CONSTANT, Tensor
from engine.op import Call, Op, attributes
from engine.ops.array import broadcast_like, cast, copy
from engine.ops.conv import conv2d
from engine.ops.layout import broadcast_to
from engine.ops.math import add
from engine.ops.matrix import matmul
from engine.ops.state import assign
from engine.passes import Node
from engine.spec import Spec

INPUTS = 9  # of a fused operation, at most
LETTERS = {"float32": "x", "bool": "t", "uint8": "u", "int32": "i"}


def fuse(nodes: list[Node], roots: Sequence[Node], known: Collection[str]) -> list[Node]:
    """``nodes`` (inputs before readers) with element-wise ones taken together where ``known`` has the expression.

    A node that takes others in is changed in place, so that who reads it, reads it still.
    """
    readers: dict[Node, set[Node]] = {}
    for node in nodes:
        for each in node.inputs:
            readers.setdefault(each, set()).add(node)
    changed = _changed(nodes)
    gone: set[Node] = set()
    fetched = set(roots)
    if MATMUL_ADD.name in known:
        for node in nodes:
            if node.op is add and (product := _add_up(node, readers, fetched, changed)) is not None:
                gone.add(product)
    longest = max(map(len, known))  # letters: what is longer isn't known
    for node in reversed(nodes):
        if node not in gone and template(node) is not None:
            gone |= _Group(node, readers, fetched, changed).settle(known, longest)
    kept = [node for node in nodes if node not in gone]
    made = dict.fromkeys(each for node in kept for each in node.inputs if each.order < 0)  # attributes as constants
    found = [*made, *kept]
    for at, node in enumerate(found):
        node.order = at
    return found


def _add_up(
    node: Node, readers: dict[Node, set[Node]], fetched: set[Node], changed: dict[Node, frozenset[Tensor]]
) -> Node | None:
    """Turn ``x + a @ b`` into one operation, which starts its sums from x; the product that is gone then.

    x is a matrix, or (of a convolution too) a row that is added to all.
    """
    for product, other in (node.inputs, node.inputs[::-1]):
        if product.op not in (matmul, conv2d) or readers[product] != {node} or product in fetched:
            continue
        same = product.op is matmul and other.spec == product.spec
        row = other.spec == Spec(product.spec.shape[-1:], product.spec.dtype)
        fits = product.spec == node.spec and product is not other and (same or row)
        if fits and _Group(node, readers, fetched, changed).in_time(product):
            op = MATMUL_ADD if product.op is matmul else CONV2D_ADD
            node.op, node.inputs, node.attrs = op, (*product.inputs, other), product.attrs
            for each in product.inputs:
                readers[each] = readers[each] - {product} | {node}
            return product
    return None


def _product_and_add(op: Op) -> Callable[..., Sequence[Call]]:
    def kernel(xp: Any, out: Any, a: Any, b: Any, start: Any, **how: Any) -> Sequence[Call]:
        part = xp.empty(out.shape, out.dtype)
        assert op.kernel is not None
        return [*op.kernel(xp, part, a, b, **how), partial(xp.add, start, part, out)]

    return kernel


# Not in the registry: only fused plans have them.
MATMUL_ADD = Op(
    "matmul_add", "A product added to a matrix or a row.",
    spec=lambda a, b, c, **_: c, kernel=_product_and_add(matmul), reuse=(2,),
)  # fmt: skip
CONV2D_ADD = Op(
    "conv2d_add", "A convolution, and a number for each filter.",
    spec=lambda x, filters, c, **_: c, kernel=_product_and_add(conv2d),
)  # fmt: skip


def template(node: Node) -> str | None:
    """The expression of one element-wise node, with {0}, {1} for its inputs; None if it isn't one."""
    op, kinds = node.op, [each.spec.dtype for each in node.inputs]
    if node.spec.dtype not in ("float32", "bool"):
        return None
    if op is cast:
        return {"bool": "select({0}, 1, 0)", "uint8": "{0}", "int32": "{0}"}.get(kinds[0])
    if op in (copy, broadcast_like, broadcast_to):
        return "{0}" if kinds[0] == "float32" else None
    floats = kinds[1:] if op.name == "where" else kinds
    return op.code or None if kinds and set(floats) == {"float32"} else None


def _changed(nodes: Sequence[Node]) -> dict[Node, frozenset[Tensor]]:
    """For each node, the variables that have to be changed before it can be computed."""
    found: dict[Node, frozenset[Tensor]] = {}
    for node in nodes:
        own = node.variables if node.op is assign else frozenset()
        found[node] = own.union(*(found[each] for each in node.inputs))
    return found


class _Group:
    """A node and those before it that could be computed with it, one after the other."""

    def __init__(
        self, last: Node, readers: dict[Node, set[Node]], fetched: set[Node], changed: dict[Node, frozenset[Tensor]]
    ) -> None:
        self.last = last
        self._readers, self._fetched, self._changed = readers, fetched, changed
        self.inside: dict[Node, None] = {last: None}  # in the order in which they came

    def settle(self, known: Collection[str], longest: int) -> set[Node]:
        """Grow as far as it goes, and keep the largest part that is known; the nodes that are gone then."""
        best: tuple[int, str, list[Node]] | None = None
        while True:
            text, inputs = self._text()
            if len(inputs) > INPUTS or len(text) > longest:
                break
            if text in known:
                best = (len(self.inside), text, inputs)
            elif len(self.inside) == 1:  # x + x is known as x + y
                text, inputs = self._text(apart=True)
                best = (1, text, inputs) if text in known else None
            candidate = self._next()
            if candidate is None:
                break
            self.inside[candidate] = None
        if best is None:
            return set()
        count, text, inputs = best
        gone = set(list(self.inside)[1:count])
        name = "+".join(dict.fromkeys(each.op.name for each in reversed(list(self.inside)[:count])))
        op = _fused(name, list(self.inside)[:count], inputs)
        self.last.op, self.last.inputs, self.last.attrs = op, tuple(inputs), {"expression": text}
        return gone

    def _next(self) -> Node | None:
        """The latest node that only this group reads."""
        found = [each for each in self._inputs() if self._may_join(each)]
        return max(found, key=lambda each: each.order, default=None)

    def _inputs(self) -> list[Node]:
        """What the group reads from outside."""
        return [each for node in self.inside for each in node.inputs if each not in self.inside]

    def _may_join(self, node: Node) -> bool:
        if node.spec.shape != self.last.spec.shape or node.device != self.last.device or node in self._fetched:
            return False
        return template(node) is not None and self._readers[node] <= self.inside.keys() and self.in_time(node)

    def in_time(self, node: Node) -> bool:
        """Whether what ``node`` reads of variables is still there when the group's last node runs."""
        inputs = [each for each in self._inputs() if each is not node]
        for read in node.inputs:
            later = [self._changed[each] for each in (*inputs, *node.inputs) if each is not read]
            if read.variables and any(read.variables & each for each in later):
                return False
        return True

    def _text(self, apart: bool = False) -> tuple[str, list[Node]]:
        """The group's expression and its inputs, numbered as they come up; ``apart``: anew each time."""
        inputs: list[Node] = []
        names: dict[Node, str] = {}

        def named(node: Node) -> str:
            if node not in names or apart:
                names[node] = f"{LETTERS.get(node.spec.dtype, '?')}{len(inputs)}"
                inputs.append(node)
            return names[node]

        def of(node: Node) -> str:
            if node not in self.inside:
                return named(node)
            if node not in names:
                given = {str(at): of(each) for at, each in enumerate(node.inputs)}
                given |= {name: named(number) for name, number in _attributes(node).items()}
                names[node] = f"({written(parse(str(template(node))), given)})"
            return names[node]

        text = of(self.last)
        return ("?" if self.last.spec.dtype == "bool" else "") + text, inputs


def _attributes(node: Node) -> dict[str, Node]:
    """The attributes in a node's code, as nodes to read."""
    found = {}
    for name, number in attributes(node.op, node.attrs).items():
        value = np.array(number, "float32")
        found[name] = Node(CONSTANT, (), {"value": value}, Spec(()), node.tensor, order=-1)
    return found


def _fused(name: str, parts: list[Node], inputs: list[Node]) -> Op:
    """The operation that computes ``parts`` (the last first); each input may be overwritten by the result."""
    steps = sorted(((each, each.op, each.inputs, dict(each.attrs)) for each in parts), key=lambda step: step[0].order)

    def kernel(xp: Any, out: Any, *arrays: Any, **_: Any) -> Sequence[Call]:
        values: dict[Node, Any] = dict(zip(inputs, arrays, strict=True))
        calls: list[Call] = []
        for node, op, read, attrs in steps:
            values[node] = out if node is parts[0] else xp.empty(node.spec.concrete, node.spec.dtype)
            assert op.kernel is not None
            calls += op.kernel(xp, values[node], *(values[each] for each in read), **attrs)
        return calls

    flops = sum(op.flops for _, op, _, _ in steps)
    return Op(name, "", spec=parts[0].op.spec, kernel=kernel, flops=flops, reuse=tuple(range(len(inputs))))
