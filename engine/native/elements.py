"""Element-wise expressions as vector code: a function of each text of :mod:`engine.native.expressions`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from llvmlite import ir

from engine.expression import evaluate, parse
from engine.native import instructions as i
from engine.native.lanes import FLOAT, I32, I64, Lanes, W
from engine.native.mathematics import MATH
from engine.native.vectors import BYTE, load_first, loop, number, pointer, spread, store_first

LANES = 2 * W  # that an expression goes through at a time: one register's results are waited for in the other's turn
ELEMENTS = {"x": FLOAT, "i": I32, "u": BYTE, "t": BYTE}  # of the inputs, by the letter in an expression


def element_wise(module: ir.Module, name: str, text: str) -> None:
    """``name(instruction, begin, count)``: so many of its rows, or blocks of its only row, by an expression.

    An input is read on and on, or is one number for the whole row (its step is 0).  A result may lie where an input
    does: what is written has been read.  The links of a chain are instructions that follow each other; they are done
    at the same time, and what one reads of another doesn't go through memory.
    """
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [I64] * 4), name)
    b = ir.IRBuilder(function.append_basic_block("entry"))
    told = _Told(b, *function.args[:3])
    size, links = 1 if text.startswith("?") else 4, text.lstrip("?").split(i.LINK)
    trees = [parse(each) for link in links for each in link.split("; ")]
    inputs, numbers = told.operands(text)
    outs = [told.start(link * i.WIDTH + i.OUT, number(size), link * i.WIDTH + i.OUT_ROW) for link in range(len(links))]
    if len(trees) > len(links):
        second = i.IN + 3 * len(inputs)
        outs.append(told.start(second, number(size), second + 2))
    with loop(b, told.rows) as row:
        for each in inputs.values():
            each.begin(row)
        with loop(b, told.n, LANES) as j:
            left = b.sub(told.n, j)
            whole = b.icmp_signed(">=", left, number(LANES))
            read = _read(b, list(inputs.values()), j, whole, left)
            values = numbers | {key: each.converted(x) for (key, each), x in zip(inputs.items(), read, strict=True)}
            for at, tree in enumerate(trees):
                values[f"y{at}"] = evaluate(tree, values, MATH)
            found = [values[f"y{at}"].value for at in range(len(trees))]
            if size == 1:
                found = [b.zext(each, ir.VectorType(BYTE, LANES)) for each in found]
            places = [b.add(b.add(out, b.mul(row, up)), b.mul(j, number(size))) for out, up in outs]
            _write(b, dict(zip(places, found, strict=True)), whole, left)
    b.ret_void()


class _Told:
    """What an instruction, or a chain of them, says, and which part of it is wanted."""

    def __init__(self, b: ir.IRBuilder, at: ir.Value, begin: ir.Value, count: ir.Value) -> None:
        self._b, self._instruction = b, pointer(b, at, I64)
        blocks = b.icmp_signed("==", self._column(i.M), number(1))
        self._lo = b.select(blocks, b.mul(begin, number(i.BLOCK)), number(0))
        left, wanted = b.sub(self._column(i.N), self._lo), b.mul(count, number(i.BLOCK))
        self.n = b.select(b.and_(blocks, b.icmp_signed("<", wanted, left)), wanted, left)
        self._first = b.select(blocks, number(0), begin)
        self.rows = b.select(blocks, number(1), count)

    def _column(self, place: int) -> ir.Value:
        return self._b.load(self._b.gep(self._instruction, [number(place)]))

    def start(self, place: int, step: ir.Value, up: int) -> tuple[ir.Value, ir.Value]:
        """Where the wanted part of what column ``place`` names begins, and how far its rows lie apart."""
        b, apart = self._b, self._column(up)
        return b.add(self._column(place), b.add(b.mul(self._lo, step), b.mul(self._first, apart))), apart

    def operands(self, text: str) -> tuple[dict[str, _Input], dict[str, Lanes]]:
        """The inputs that an expression reads on and on, by their names, and those that are known to be one number."""
        b, inputs, numbers = self._b, dict[str, _Input](), dict[str, Lanes]()
        for at, letter in i.operands(text).items():
            link, own = divmod(at, i.INPUTS)
            place = link * i.WIDTH + i.IN + 3 * own
            if letter == "n":
                one = b.load(pointer(b, self._column(place), FLOAT), align=4)
                numbers[f"n{at}"] = Lanes(b, spread(b, one, ir.VectorType(FLOAT, LANES)))
            else:  # in a chain, that is a row of floats
                step = number(4) if i.LINK in text else self._column(place + 1)
                inputs[f"{letter}{at}"] = _Input(b, letter, step, *self.start(place, step, place + 2))
        return inputs, numbers


def _read(b: ir.IRBuilder, inputs: Sequence[_Input], j: ir.Value, whole: ir.Value, left: ir.Value) -> list[ir.Value]:
    """The inputs' elements from ``j`` on: LANES of them, or those that are left."""
    places = [each.place(j) for each in inputs]
    with b.if_else(whole) as (all_of_them, some):
        with all_of_them:
            read = [b.load(pointer(b, at, each.kind), align=1) for each, at in zip(inputs, places, strict=True)]
            ended = b.block
        with some:
            rest = [load_first(b, at, each.kind, left) for each, at in zip(inputs, places, strict=True)]
            broken_off = b.block
    found = [b.phi(each.kind) for each in inputs]
    for value, one, other in zip(found, read, rest, strict=True):
        value.add_incoming(one, ended)
        value.add_incoming(other, broken_off)
    return found


def _write(b: ir.IRBuilder, values: Mapping[ir.Value, ir.Value], whole: ir.Value, left: ir.Value) -> None:
    """Each of the vectors at its place: all lanes, or as many as are left."""
    with b.if_else(whole) as (all_of_them, some):
        with all_of_them:
            for place, value in values.items():
                b.store(value, pointer(b, place, value.type), align=1)
        with some:
            for place, value in values.items():
                store_first(b, place, value, left)


class _Input:
    """An input of an expression in the function that is being written."""

    def __init__(self, b: ir.IRBuilder, letter: str, step: ir.Value, start: ir.Value, up: ir.Value) -> None:
        self._b, self._letter, self._step, self._start, self._up = b, letter, step, start, up
        self.kind = ir.VectorType(ELEMENTS[letter], LANES)
        self._moves = b.icmp_signed("!=", step, number(0))
        self._same = b.alloca(self.kind)  # what doesn't move, in all lanes

    def begin(self, row: ir.Value) -> None:
        """At the start of a row."""
        b = self._b
        at = b.add(self._start, b.mul(row, self._up))
        one = b.load(pointer(b, at, self.kind.element), align=1)
        b.store(spread(b, one, self.kind), self._same)
        self._at = b.select(self._moves, at, b.ptrtoint(self._same, I64))

    def place(self, j: ir.Value) -> ir.Value:
        """Where the elements from ``j`` on lie."""
        return self._b.add(self._at, self._b.mul(j, self._step))

    def converted(self, value: ir.Value) -> Lanes:
        """The numbers, or truths, that the elements stand for."""
        b, floats = self._b, ir.VectorType(FLOAT, LANES)
        if self._letter == "t":
            value = b.icmp_unsigned("!=", value, ir.Constant(value.type, None))
        elif self._letter == "u":
            value = b.uitofp(value, floats)
        elif self._letter == "i":
            value = b.sitofp(value, floats)
        return Lanes(b, value)
