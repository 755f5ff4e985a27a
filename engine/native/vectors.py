"""Vector code that is made by rule: element-wise expressions, and the tiles of products.

They become one module in LLVM's own language, which llvmlite compiles to an object file once a
machine (:func:`compiled`) and loads in some milliseconds after that (:func:`addresses`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir

from engine.expression import evaluate, parse
from engine.native import instructions as i
from engine.native.lanes import FLOAT, I32, I64, VECTOR, WORDS, Lanes, W, llvm_function
from engine.native.mathematics import MATH

BYTE = ir.IntType(8)
LANES = (
    2 * W
)  # that an expression goes through at a time: while one register's results are waited for, the other's turn
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
    """Write the lanes of ``mask``, which are the first ones."""
    kind, bits = value.type, ir.IntType(value.type.count)
    size, place = ir.Constant(I32, 4 if kind.element in (FLOAT, I32) else 1), pointer(b, address, kind)
    if W == 16 or isinstance(mask, ir.Constant):
        llvm_function(b, f"masked.store.{_suffix(kind)}.p0", ir.VoidType(), (value, place, size, mask))
        return
    found = b.bitcast(mask, bits)
    with b.if_else(b.icmp_unsigned("==", found, ir.Constant(bits, -1))) as (whole, part):
        with whole:
            b.store(value, place, align=size.constant)
        with part:
            count = llvm_function(b, f"ctpop.i{kind.count}", bits, (found,))
            store_first(b, address, value, b.zext(count, I64))


def load_first(b: ir.IRBuilder, address: ir.Value, kind: ir.VectorType, count: ir.Value) -> ir.Value:
    """The first ``count`` elements of a vector, fewer than there are; the memory behind them isn't touched."""
    if W == 16 or (W == 8 and kind.element in (FLOAT, I32)):  # the processor has loads by mask
        return masked_load(b, address, first(b, count, kind.count), kind.element)
    whole = _on_stack(b, kind)
    b.store(ir.Constant(kind, None), whole)
    _copy_first(b, b.ptrtoint(whole, I64), address, kind, count)
    return b.load(whole)


def store_first(b: ir.IRBuilder, address: ir.Value, value: ir.Value, count: ir.Value) -> None:
    """Write the first ``count`` elements of a vector, fewer than there are."""
    if W == 16:
        masked_store(b, address, value, first(b, count, value.type.count))
        return
    whole = _on_stack(b, value.type)  # stores by mask are slow (AMD's AVX2), or there are none
    b.store(value, whole)
    _copy_first(b, address, b.ptrtoint(whole, I64), value.type, count)


def _on_stack(b: ir.IRBuilder, kind: ir.VectorType) -> ir.Value:
    """Memory for a vector, which is the same each time."""
    with b.goto_entry_block():
        return b.alloca(kind)


def _copy_first(b: ir.IRBuilder, to: ir.Value, at: ir.Value, kind: ir.VectorType, count: ir.Value) -> None:
    """``count`` elements, fewer than a vector has: half of it at most, a quarter at most, and so on."""
    many, size = kind.count // 2, 4 if kind.element in (FLOAT, I32) else 1
    while many:
        part, done = ir.VectorType(kind.element, many), b.and_(count, number(-2 * many))
        with b.if_then(b.icmp_signed("!=", b.and_(count, number(many)), number(0))):
            from_, onto = (b.add(each, b.mul(done, number(size))) for each in (at, to))
            b.store(b.load(pointer(b, from_, part), align=size), pointer(b, onto, part), align=size)
        many //= 2


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
    """As an object file for this processor; its loops are written as they shall be."""
    return emitted(parsed(str(module)), unroll=False)


def parsed(text: str) -> Any:
    """A module in LLVM's language as LLVM has it."""
    return llvm.parse_assembly(text)


def emitted(module: Any, unroll: bool = True) -> bytes:
    """A module of LLVM's as an object file for this processor; the module is optimised."""
    module.verify()
    target, how = _target(), llvm.create_pipeline_tuning_options(speed_level=3)
    how.loop_unrolling = unroll
    builder = llvm.create_pass_builder(target, how)
    builder.getModulePassManager().run(module, builder)
    data: bytes = target.emit_object(module)
    return data


def _target() -> Any:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    features = llvm.get_host_cpu_features().flatten()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=features, opt=3, jit=True, codemodel="jitdefault"
    )


def addresses(data: bytes, names: Sequence[str]) -> tuple[Any, dict[str, int]]:
    """An object file's functions in memory, and what keeps them there.

    Raises LookupError if one isn't in it.
    """
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _target())
    engine.add_object_file(llvm.ObjectFileRef.from_data(data))
    engine.finalize_object()
    found = {name: int(engine.get_function_address(name)) for name in names}
    if missing := [name for name, place in found.items() if not place]:
        raise LookupError(f"there is no {missing[0]} in the object file")
    return engine, found


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
    with loop(b, rows) as row:
        for each in inputs:
            each.begin(row)
        with loop(b, n, LANES) as j:
            left = b.sub(n, j)
            whole = b.icmp_signed(">=", left, number(LANES))
            read = zip(inputs, _read(b, inputs, j, whole, left), strict=True)
            values = {f"{each.letter}{k}": each.converted(value) for k, (each, value) in enumerate(read)}
            found = [evaluate(tree, values, MATH).value for tree in trees]
            if size == 1:
                found = [b.zext(each, ir.VectorType(BYTE, LANES)) for each in found]
            places = [b.add(b.add(out, b.mul(row, up)), b.mul(j, number(size))) for out, up in outs]
            _write(b, dict(zip(places, found, strict=True)), whole, left)
    b.ret_void()


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

    def __init__(self, b: ir.IRBuilder, letter: str, columns: Sequence[ir.Value], row: ir.Value, lo: ir.Value) -> None:
        start, self._step, self._up = columns
        self._b, self.letter = b, letter
        self.kind = ir.VectorType(ELEMENTS[letter], LANES)
        self._start = b.add(start, b.add(b.mul(lo, self._step), b.mul(row, self._up)))
        self._moves = b.icmp_signed("!=", self._step, number(0))
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
        if self.letter == "t":
            value = b.icmp_unsigned("!=", value, ir.Constant(value.type, None))
        elif self.letter == "u":
            value = b.uitofp(value, floats)
        elif self.letter == "i":
            value = b.sitofp(value, floats)
        return Lanes(b, value)
