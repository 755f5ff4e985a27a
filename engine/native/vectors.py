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
from engine.native.lanes import FLOAT, I32, I64, VECTOR, WORDS, Lanes, W, llvm_function
from engine.native.mathematics import MATH

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
    return b.shuffle_vector(alone, ir.Constant(kind, ir.Undefined), ir.Constant(ir.VectorType(I32, kind.count), None))


def first(b: ir.IRBuilder, count: ir.Value, lanes: int = W) -> ir.Value:
    """True in the first ``count`` of some lanes."""
    kind, most = ir.VectorType(I32, lanes), ir.Constant(count.type, lanes)
    count = b.trunc(b.select(b.icmp_signed("<", count, most), count, most), I32)  # 2^32 + 1 would be 1 else
    return b.icmp_signed("<", ir.Constant(kind, list(range(lanes))), spread(b, count, kind))


def masked_load(
    b: ir.IRBuilder, address: ir.Value, mask: ir.Value, element: ir.Type = FLOAT, others: ir.Value | None = None
) -> ir.Value:
    """The lanes of ``mask``, and ``others`` (or 0) in the others, whose memory isn't touched."""
    kind = ir.VectorType(element, mask.type.count)
    size = ir.Constant(I32, 4 if element in (FLOAT, I32) else 1)
    given = (pointer(b, address, kind), size, mask, ir.Constant(kind, None) if others is None else others)
    return llvm_function(b, f"masked.load.{_suffix(kind)}.p0", kind, given)


def masked_store(b: ir.IRBuilder, address: ir.Value, value: ir.Value, mask: ir.Value) -> None:
    """Write the lanes of ``mask``; all of them at once, as a rule, where stores by mask are slow (AMD's AVX2, ARM)."""
    size, place = 4 if value.type.element == FLOAT else 1, pointer(b, address, value.type)

    def some() -> None:
        given = (value, place, ir.Constant(I32, size), mask)
        llvm_function(b, f"masked.store.{_suffix(value.type)}.p0", ir.VoidType(), given)

    if W == 16 or isinstance(mask, ir.Constant):
        some()
        return
    bits = ir.IntType(mask.type.count)
    with b.if_else(b.icmp_unsigned("==", b.bitcast(mask, bits), ir.Constant(bits, -1))) as (whole, part):
        with whole:
            b.store(value, place, align=size)
        with part:
            some()


def prefetch(b: ir.IRBuilder, address: ir.Value, level: int = 1) -> None:
    """Fetch what lies there into the first-level cache, meanwhile; any address will do."""
    how = [ir.Constant(I32, each) for each in (0, 4 - level, 1)]  # to be read, into that level, as data
    llvm_function(b, "prefetch.p0", ir.VoidType(), [pointer(b, address, BYTE), *how])


def turn(b: ir.IRBuilder, *given: ir.Value) -> None:
    """Of (out, out0, a, a0, count, n): ``count`` rows of n numbers, W at most, columns for rows.

    out0 and a0: bytes from row to row.  W rows of W numbers are written: what there isn't becomes any number.
    log2(W) times, blocks of half the size change places: first neighbours, then pairs, and so on.
    """
    out, out0, a, a0, count, n = given
    wanted, last = first(b, n), b.sub(count, number(1))
    rows = []
    for at in range(W):
        row = b.select(b.icmp_signed("<", number(at), last), number(at), last)
        rows.append(masked_load(b, b.add(a, b.mul(a0, row)), wanted))
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


def _suffix(kind: ir.VectorType) -> str:
    element = kind.element
    return f"v{kind.count}{'f' if element == FLOAT else 'i'}{32 if element in (FLOAT, I32) else 8}"


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
    the whole row (its step is 0).  A result may lie where an input does: what is written has been read.
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
    trees = [parse(each) for each in text.lstrip("?").split("; ")]
    second = i.IN + 3 * len(inputs)
    outs = [
        (b.add(column(place), b.add(b.mul(lo, number(size)), b.mul(first_row, column(up)))), column(up))
        for place, up in [(i.OUT, i.OUT_ROW), (second, second + 2)][: len(trees)]
    ]
    whole = b.and_(n, number(-2 * W))
    rest = b.sub(n, whole)

    def write(row: ir.Value, j: ir.Value, mask: ir.Value | None) -> None:
        values = {f"{each.letter}{k}": Lanes(b, each.read(j, mask)) for k, each in enumerate(inputs)}
        for tree, (out, up) in zip(trees, outs, strict=True):
            found = evaluate(tree, values, MATH).value
            if size == 1:
                found = b.zext(found, ir.VectorType(BYTE, found.type.count))
            place = b.add(b.add(out, b.mul(row, up)), b.mul(j, number(size)))
            if mask is None:
                b.store(found, pointer(b, place, found.type), align=size)
            else:
                masked_store(b, place, found, mask)

    with loop(b, rows) as row:
        for each in inputs:
            each.begin(row)
        with loop(b, whole, 2 * W) as j:  # two registers: while one's result is waited for, the other's is worked on
            write(row, j, None)
        with loop(b, rest, W) as j:
            write(row, b.add(whole, j), first(b, b.sub(rest, j)))
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
        self._now = {lanes: b.alloca(ir.VectorType(self._element, lanes)) for lanes in (W, 2 * W)}

    def begin(self, row: ir.Value) -> None:
        """At the start of a row: what it is, if it is one number."""
        b = self._b
        self._at = b.add(self._start, b.mul(row, self._up))
        one = b.load(pointer(b, self._at, self._element), align=1)
        for lanes, now in self._now.items():
            b.store(spread(b, one, ir.VectorType(self._element, lanes)), now)

    def read(self, j: ir.Value, mask: ir.Value | None) -> ir.Value:
        """The 2 W elements from ``j`` on; with a mask, W."""
        b, now = self._b, self._now[2 * W if mask is None else W]
        place = b.add(self._at, b.mul(j, number(self._size)))
        if W == 16 or (W == 8 and self._size == 4):  # the processor has loads by mask: no branch, one loop
            moves = spread(b, self._moves, ir.VectorType(ir.IntType(1), now.type.pointee.count))
            mask = moves if mask is None else b.and_(moves, mask)
            return self._converted(masked_load(b, place, mask, self._element, b.load(now)))
        with b.if_then(self._moves):
            if mask is None:
                b.store(b.load(pointer(b, place, now.type.pointee), align=1), now)
            else:
                b.store(masked_load(b, place, mask, self._element), now)
        return self._converted(b.load(now))

    def _converted(self, value: ir.Value) -> ir.Value:
        if self.letter == "t":
            return self._b.icmp_unsigned("!=", value, ir.Constant(value.type, None))
        floats = ir.VectorType(FLOAT, value.type.count)
        if self.letter == "u":
            return self._b.uitofp(value, floats)
        return self._b.sitofp(value, floats) if self.letter == "i" else value
