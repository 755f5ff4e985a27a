"""Vector code that is made by rule: element-wise expressions, and the tiles of products.

They become one module in LLVM's own language, which llvmlite compiles to an object file once a
machine (:func:`compiled`) and loads in some milliseconds after that (:func:`addresses`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir

from engine.expression import evaluate, parse
from engine.native import instructions as i
from engine.native.lanes import FLOAT, I32, I64, MATH, TRUTHS, VECTOR, WORDS, Lanes, W, llvm_function

BYTE = ir.IntType(8)
ELEMENTS = {"x": FLOAT, "i": I32, "u": BYTE, "t": BYTE}  # of the inputs, by the letter in an expression


def number(value: int) -> ir.Constant:
    return ir.Constant(I64, value)


@contextmanager
def loop(b: ir.IRBuilder, end: ir.Value, step: int = 1) -> Iterator[ir.Value]:
    """What is written inside is done for 0, step, 2 * step and so on below ``end``."""
    before = b.block
    head, body, after = (b.append_basic_block(name) for name in ("head", "body", "after"))
    b.branch(head)
    b.position_at_end(head)
    at = b.phi(I64)
    at.add_incoming(number(0), before)
    b.cbranch(b.icmp_signed("<", at, end), body, after)
    b.position_at_end(body)
    yield at
    at.add_incoming(b.add(at, number(step)), b.block)
    b.branch(head)
    b.position_at_end(after)


def pointer(b: ir.IRBuilder, address: ir.Value, kind: ir.Type = VECTOR) -> ir.Value:
    return b.inttoptr(address, kind.as_pointer())


def spread(b: ir.IRBuilder, value: ir.Value, kind: ir.VectorType) -> ir.Value:
    """One value in all lanes."""
    alone = b.insert_element(ir.Constant(kind, ir.Undefined), value, ir.Constant(I32, 0))
    return b.shuffle_vector(alone, ir.Constant(kind, ir.Undefined), ir.Constant(WORDS, [0] * W))


def first(b: ir.IRBuilder, count: ir.Value) -> ir.Value:
    """True in the first ``count`` lanes."""
    return b.icmp_signed("<", ir.Constant(WORDS, list(range(W))), spread(b, b.trunc(count, I32), WORDS))


def masked_load(b: ir.IRBuilder, address: ir.Value, mask: ir.Value, element: ir.Type = FLOAT) -> ir.Value:
    """The lanes of ``mask``, 0 in the others, whose memory isn't touched."""
    kind = ir.VectorType(element, W)
    nothing = ir.Constant(kind, [0] * W)
    size = ir.Constant(I32, 4 if element in (FLOAT, I32) else 1)
    given = (pointer(b, address, kind), size, mask, nothing)
    return llvm_function(b, f"masked.load.{_suffix(element)}.p0", kind, given)


def masked_store(b: ir.IRBuilder, address: ir.Value, value: ir.Value, mask: ir.Value) -> None:
    """Write the lanes of ``mask``."""
    element = value.type.element
    size = ir.Constant(I32, 4 if element == FLOAT else 1)
    place = pointer(b, address, value.type)
    llvm_function(b, f"masked.store.{_suffix(element)}.p0", ir.VoidType(), (value, place, size, mask))


def turn(b: ir.IRBuilder, out: ir.Value, out0: ir.Value, a: ir.Value, a0: ir.Value) -> None:
    """W rows of W numbers, columns for rows; out0 and a0: bytes from row to row.

    log2(W) times, blocks of half the size change places: first neighbours, then pairs, and so on.
    """
    rows = [b.load(pointer(b, b.add(a, b.mul(a0, number(at)))), align=4) for at in range(W)]
    size = 1
    while size < W:
        low = [at if at & size == 0 else at - size + W for at in range(W)]  # of the first row, and of the second
        high = [at + size if at & size == 0 else at + W for at in range(W)]
        found = list(rows)
        for at in range(W):
            if at & size == 0:
                pair = rows[at], rows[at + size]
                found[at] = b.shuffle_vector(*pair, ir.Constant(WORDS, low))
                found[at + size] = b.shuffle_vector(*pair, ir.Constant(WORDS, high))
        rows, size = found, size * 2
    for at, row in enumerate(rows):
        b.store(row, pointer(b, b.add(out, b.mul(out0, number(at)))), align=4)


def _suffix(element: ir.Type) -> str:
    return f"v{W}{'f' if element == FLOAT else 'i'}{32 if element in (FLOAT, I32) else 8}"


def compiled(module: ir.Module) -> bytes:
    """The module as an object file for this processor."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = _target()
    parsed = llvm.parse_assembly(str(module))
    parsed.verify()
    builder = llvm.create_pass_builder(target, llvm.create_pipeline_tuning_options(speed_level=3))
    builder.getModulePassManager().run(parsed, builder)
    return target.emit_object(parsed)


def _target() -> Any:
    features = llvm.get_host_cpu_features().flatten()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=features, opt=3, jit=True, codemodel="jitdefault"
    )


def addresses(data: bytes, names: Sequence[str]) -> tuple[Any, dict[str, int]]:
    """An object file's functions in memory, and what keeps them there."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _target())
    engine.add_object_file(llvm.ObjectFileRef.from_data(data))
    engine.finalize_object()
    return engine, {name: int(engine.get_function_address(name)) for name in names}


def new_module() -> ir.Module:
    module = ir.Module("layerlab_vectors")
    module.triple = llvm.get_default_triple()
    return module


def element_wise(module: ir.Module, name: str, text: str) -> None:
    """``name(instruction, begin, count)``: so many of its rows, or blocks of its only row, by an expression.

    Its text is one of :mod:`engine.native.expressions`.  An input is read on and on, or is one number for
    the whole row (its step is 0).
    """
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [I64] * 4), name)
    b = ir.IRBuilder(function.append_basic_block("entry"))
    at, begin, count, _ = function.args
    instruction = b.inttoptr(at, I64.as_pointer())

    def column(place: int) -> ir.Value:
        return b.load(b.gep(instruction, [number(place)]))

    blocks = b.icmp_signed("==", column(i.M), number(1))
    lo = b.select(blocks, b.mul(begin, number(i.BLOCK)), number(0))
    left, wanted = b.sub(column(i.N), lo), b.mul(count, number(i.BLOCK))
    n = b.select(b.and_(blocks, b.icmp_signed("<", wanted, left)), wanted, left)
    first_row, rows = b.select(blocks, number(0), begin), b.select(blocks, number(1), count)
    inputs = [
        _Input(b, letter, [column(i.IN + 3 * k + more) for more in range(3)], first_row, lo)
        for k, letter in enumerate(i.letters(text))
    ]
    size = 1 if text.startswith("?") else 4
    tree = parse(text.lstrip("?"))
    up = column(i.OUT_ROW)
    out = b.add(column(i.OUT), b.add(b.mul(lo, number(size)), b.mul(first_row, up)))
    whole = b.and_(n, number(-W))
    rest, some = b.sub(n, whole), first(b, b.sub(n, whole))

    def write(row: ir.Value, j: ir.Value, mask: ir.Value | None) -> None:
        values = {f"{each.letter}{k}": Lanes(b, each.read(row, j, mask)) for k, each in enumerate(inputs)}
        found = evaluate(tree, values, MATH).value
        place = b.add(b.add(out, b.mul(row, up)), b.mul(j, number(size)))
        if size == 1:
            everywhere = ir.Constant(TRUTHS, [1] * W)
            masked_store(b, place, b.zext(found, ir.VectorType(BYTE, W)), everywhere if mask is None else mask)
        elif mask is None:
            b.store(found, pointer(b, place), align=4)
        else:
            masked_store(b, place, found, mask)

    with loop(b, rows) as row:
        for each in inputs:
            each.begin(row)
        with loop(b, whole, W) as j:
            write(row, j, None)
        with b.if_then(b.icmp_signed(">", rest, number(0))):
            write(row, whole, some)
    b.ret_void()


class _Input:
    """An input of an expression in the function that is being written."""

    def __init__(self, b: ir.IRBuilder, letter: str, columns: Sequence[ir.Value], row: ir.Value, lo: ir.Value) -> None:
        start, step, up = columns
        self._b, self.letter = b, letter
        self._element = ELEMENTS[letter]
        self._size = 4 if self._element in (FLOAT, I32) else 1
        self._start, self._up = b.add(start, b.add(b.mul(lo, step), b.mul(row, up))), up
        self._moves = b.icmp_signed("!=", step, number(0))
        self._now = b.alloca(TRUTHS if letter == "t" else VECTOR)

    def begin(self, row: ir.Value) -> None:
        """At the start of a row: what it is, if it is one number."""
        b = self._b
        self._at = b.add(self._start, b.mul(row, self._up))
        one = b.load(pointer(b, self._at, self._element), align=1)
        b.store(self._converted(spread(b, one, ir.VectorType(self._element, W))), self._now)

    def read(self, row: ir.Value, j: ir.Value, mask: ir.Value | None) -> ir.Value:
        """The lanes from element ``j`` on."""
        b = self._b
        with b.if_then(self._moves):
            place = b.add(self._at, b.mul(j, number(self._size)))
            if mask is None:
                found = b.load(pointer(b, place, ir.VectorType(self._element, W)), align=1)
            else:
                found = masked_load(b, place, mask, self._element)
            b.store(self._converted(found), self._now)
        return b.load(self._now)

    def _converted(self, value: ir.Value) -> ir.Value:
        if self.letter == "t":
            return self._b.icmp_unsigned("!=", value, ir.Constant(value.type, [0] * W))
        if self.letter == "u":
            return self._b.uitofp(value, VECTOR)
        return self._b.sitofp(value, VECTOR) if self.letter == "i" else value
