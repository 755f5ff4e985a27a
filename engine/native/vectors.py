"""What vector code that is made by rule is written with: loops, loads, stores; and what becomes of it.

Element-wise expressions (``elements.py``) and the tiles of products become one module in LLVM's own language, which
llvmlite compiles to an object file once a machine (:func:`compiled`) and loads in some milliseconds after that
(:func:`addresses`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir

from engine.native.lanes import FLOAT, I32, I64, VECTOR, WORDS, W, llvm_function

BYTE = ir.IntType(8)
PLAIN = ("sroa", "simplify_cfg", "instruction_combine", "new_gvn", "simplify_cfg")  # passes


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


def compiled(module: ir.Module, plain: ir.Module | None = None) -> bytes:
    """As an object file for this processor.

    ``plain``: more functions, in which a few passes find all there is: the usual ones would take five times as long.
    """
    found = _optimised(parsed(str(module)))
    if plain is not None:
        found.link_in(_optimised(parsed(str(plain)), PLAIN))
    return bytes(_target().emit_object(found))


def parsed(text: str) -> Any:
    """A module in LLVM's language as LLVM has it."""
    return llvm.parse_assembly(text)


def emitted(module: Any) -> bytes:
    """A module of LLVM's as an object file for this processor; the module is optimised."""
    return bytes(_target().emit_object(_optimised(module)))


def _optimised(module: Any, names: Sequence[str] = ()) -> Any:
    """The module after these passes, or all that are usual; loops stay as they are written."""
    module.verify()
    how = llvm.create_pipeline_tuning_options(speed_level=3)
    how.loop_unrolling = False
    builder = llvm.create_pass_builder(_target(), how)
    passes = llvm.create_new_module_pass_manager() if names else builder.getModulePassManager()
    for each in names:
        getattr(passes, f"add_{each}_pass")()
    passes.run(module, builder)
    return module


def _target() -> Any:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    features = llvm.get_host_cpu_features().flatten()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=features, opt=3, jit=True, reloc="pic", codemodel="small"
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
