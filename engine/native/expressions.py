"""The element-wise expressions that the native machine can do in one go, as text: ``(x0 * (x1 - x2))``.

An input's letter tells its type: x float32, t bool, u uint8, i int32; a ``?`` in front, that the result is a bool.
``(tanh(x0)); (tanh_slope(x0))`` gives two results in one go: a function and its slope, which share most of their work.
``((x0 * n1) + x2) | (x9 - (n10 * y0))`` is a chain: two instructions in one go (:func:`joined`).
Each op's own code is there by itself.  ``expressions.txt`` holds those of training steps, found by
``python scripts/expressions.py``, which builds networks with every activation, loss and optimiser.
What isn't in it is done in smaller parts, or op by op.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import engine.ops  # noqa: F401 - fills the registry
from engine.errors import EngineError
from engine.expression import operands, written
from engine.fuse import Region, value_of
from engine.graph import Tensor
from engine.native.instructions import BLOCK, INPUTS, LINK, OPERAND
from engine.op import REGISTRY, Op, attributes
from engine.ops.conv import conv2d
from engine.ops.math import add, bounded, mul, step, where
from engine.ops.matrix import matmul
from engine.ops.nn import relu
from engine.ops.pool import max_pool_back
from engine.ops.state import assign
from engine.passes import COPIES, Node
from engine.spec import Spec

_FILE = Path(__file__).with_name("expressions.txt")
LARGEST = 32  # operations of a region
CHAIN_FROM = BLOCK  # elements from which several expressions go block by block
LETTERS = {"float32": "x", "bool": "t", "uint8": "u", "int32": "i"}
CASTS = {"float32": "{0}", "bool": "select({0}, 1, 0)", "uint8": "{0}", "int32": "{0}"}  # to float32
# what has no code of its own: copies, casts, and a choice by truths
_OTHERS = ("(x0)", "(u0)", "(i0)", "(select(t0, 1, 0))", "(select(t0, x1, x2))")


def single() -> frozenset[str]:
    """Those of one op each."""
    alone = {each: text for each in REGISTRY.values() if (text := _of_op(each)) is not None}
    pairs = [f"{alone[each.slope_of]}; {text}" for each, text in alone.items() if each.slope_of is not None]
    return frozenset((*_OTHERS, *alone.values(), *pairs))


@cache
def expressions() -> tuple[str, ...]:
    """All of them, sorted."""
    return tuple(sorted(single().union(_FILE.read_text(encoding="utf-8").splitlines())))


def _of_op(op: Op) -> str | None:
    """An op's own expression, if it is one of floats."""
    if not op.code or op is where:
        return None
    try:
        result = op.spec(*[Spec((2,))] * (op.arity or 0)).dtype
    except (EngineError, TypeError):  # not for floats, or not without attributes
        return None
    inputs = [f"x{at}" for at in range(op.arity or 0)]
    numbers = {name: f"x{len(inputs) + at}" for at, name in enumerate(attributes(op, {}))}
    code = _code_of(op, result, *["float32"] * len(inputs))
    return f"{'?' if result == 'bool' else ''}({code.format(*inputs, **numbers)})"


@dataclass(frozen=True)
class Piece:
    """A result of a region, or two: the expression, and what that is of (numbers are attributes)."""

    nodes: tuple[Node, ...]
    text: str
    inputs: tuple[Node | float, ...]


def accepts(region: Region, known: Container[str]) -> bool:
    """Whether the machine computes ``region`` in one go: in ``known`` expressions, or as a product with a sum."""
    if region.product:
        return _follows(region)
    region.made = pieces(region, known)
    return region.made is not None


def _follows(region: Region) -> bool:
    """Whether a product's kernel does what follows too: a sum, relu of a convolution, relu's slope before a pool."""
    product, *rest = region.work
    ops = [node.op for node in rest]
    if region.stored != (region.last,) or product.spec.dtype != "float32" or region.last.spec != product.spec:
        return False
    if product.op is max_pool_back:
        return ops == [step, mul] and rest[0].inputs[0] is product.inputs[1] and product in rest[1].inputs
    if ops == [add, relu] and product.op is conv2d:
        return _adds_up(product, rest[0])
    return ops == [add] and product.op in (matmul, conv2d) and _adds_up(product, rest[0])


def _adds_up(product: Node, total: Node) -> bool:
    """Whether ``total`` is x + a @ b: x is a matrix, or (of a convolution too) a row that is added to all."""
    others = [each for each in total.inputs if each is not product]
    row = Spec(product.spec.shape[-1:], product.spec.dtype)
    return len(others) == 1 and (others[0].spec == row or (product.op is matmul and others[0].spec == product.spec))


def pieces(region: Region, known: Container[str]) -> list[Piece] | None:
    """An expression for each result of an element-wise region, in order; None if one isn't ``known``."""
    several = len(region.stored) > 1
    codes = {node: _code(node) for node in region.work}
    if not all(codes.values()):
        return None
    found, inside = list[Piece](), set[Node]()
    for node in region.stored:
        own = {each: codes[each] for each in codes if each is node or each not in region.stored} if several else codes
        writer = _Writer(own, codes)
        piece = writer.piece(node)
        if piece.text not in known and len(writer.inside) == 1:  # x + x is known as x + y
            piece = _Writer(own, codes, apart=True).piece(node)
        if len(piece.inputs) > INPUTS or any(not _is_cheap(each) for each in inside & writer.inside):
            return None
        inside |= writer.inside
        if found and node.op.slope_of is found[-1].nodes[-1].op and piece.inputs == found[-1].inputs:
            function = found.pop()
            piece = Piece((*function.nodes, node), f"{function.text}; {piece.text}", piece.inputs)
        if piece.text not in known:
            return None
        found.append(piece)
    whole = not several or len(inside) == len(region.work)
    return found if whole and (len(found) < 2 or (_is_long(region) and _goes_by_blocks(found))) else None


def joined(found: Sequence[Piece]) -> str:
    """Several pieces as the text of a chain that is done in one go; "" if one of them has two results."""
    if any(len(piece.nodes) > 1 for piece in found):
        return ""
    names, links = dict[Node | float, str](), list[str]()
    for link, piece in enumerate(found):
        own = list[str]()
        for at, each in enumerate(piece.inputs, INPUTS * link):
            moves = isinstance(each, Node) and each.spec.size > 1
            own.append(names.setdefault(each, f"x{at}") if moves else f"n{at}")
        links.append(OPERAND.sub(lambda match, own=own: own[int(match[2])], piece.text))  # type: ignore[misc]
        names[piece.nodes[0]] = f"y{link}"
    return LINK.join(links)


def _is_long(region: Region) -> bool:
    """Whether each result, and each input that is no single number, is one long row of floats."""
    size, nodes = region.last.spec.size, (*region.stored, *region.inputs)
    long = all(each.spec.size == 1 or (each.spec.size == size and each.gapless) for each in nodes)
    return long and all(each.spec.dtype == "float32" for each in nodes)


def _is_cheap(node: Node) -> bool:
    """Whether two results may each compute it for themselves, which costs less than to write it down."""
    return node.op is bounded


def _goes_by_blocks(found: list[Piece]) -> bool:
    """Whether none reads what an earlier one has changed by then."""
    changed = set[Tensor]()
    for piece in found:
        if any(each.variables & changed for each in piece.inputs if isinstance(each, Node)):
            return False
        changed.update(*(node.into.variables for node in piece.nodes if node.into))
    return True


def _code(node: Node) -> str:
    """An element of ``node``, with places for inputs and attributes; "" if the machine has nothing for it."""
    if node.element is None:
        return ""
    return _code_of(node.op, node.spec.dtype, *(each.spec.dtype for each in node.reads))


@cache
def _code_of(op: Op, result: str, *read: str) -> str:
    """The code of an element-wise op that makes ``result`` of what it reads (dtypes)."""
    if op is assign:  # a copy, which has instructions of its own
        return ""
    if op in COPIES:
        return CASTS.get(read[0], "") if result == "float32" else ""
    floats = {*(read[1:] if op is where else read)} == {"float32"}
    return written(op.tree, {name: f"{{{name}}}" for name in operands(op.tree)}) if floats else ""


class _Writer:
    """Writes a result of a region as an expression, its inputs numbered as they come up; ``apart``: anew each time."""

    def __init__(self, own: Mapping[Node, str], region: Container[Node], apart: bool = False) -> None:
        self._own, self._region, self._apart = own, region, apart  # own: what it is made of, and their codes
        self._names: dict[Node, str] = {}
        self._inputs: list[Node | float] = []
        self.inside: set[Node] = set()

    def piece(self, node: Node) -> Piece:
        text = self._of(node)
        return Piece((node,), f"?{text}" if node.spec.dtype == "bool" else text, tuple(self._inputs))

    def _of(self, node: Node) -> str:
        node = value if (value := value_of(node)) in self._region else node
        if node not in self._names or self._apart:
            inside = node in self._own
            self._names[node] = self._written(node) if inside else self._input(node, LETTERS.get(node.spec.dtype, "!"))
        return self._names[node]

    def _written(self, node: Node) -> str:
        self.inside.add(node)
        read = [self._of(each) for each in node.reads]
        numbers = {name: self._input(value, "x") for name, value in attributes(node.op, node.attrs).items()}
        return f"({self._own[node].format(*read, **numbers)})"

    def _input(self, value: Node | float, letter: str) -> str:
        self._inputs.append(value)
        return f"{letter}{len(self._inputs) - 1}"
