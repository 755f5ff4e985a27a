"""Products of matrices on the native machine: every way that a size can take, and how they are cut."""

from __future__ import annotations

import ctypes
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import engine as en
from engine.native import Native, NativeProgram, matrices, problem
from engine.native.instructions import INFO, OP, PACKS, UNITS, WIDTH
from engine.native.lowering import LOWERINGS, Table, tile_sizes

pytestmark = pytest.mark.skipif(problem() is not None, reason=str(problem()))
FEW = "few_rows_product" if problem() is None and tile_sizes()[2] == matrices.MEASURED else "product"
SIZES: dict[tuple[int, ...], list[str]] = {  # (rows, inner size, columns, a turned, b turned): the kernels that do it
    (3, 5, 37, 0, 0): ["product"],
    (10, 2, 1, 0, 0): ["thin_product"],  # whole vectors of its rows
    (10, 3, 2, 0, 1): ["thin_product"],
    (7, 32, 4, 1, 0): ["thin_product"],
    (63, 5, 3, 1, 1): ["thin_product"],  # row by row
    (1, 5, 4, 0, 0): ["thin_product"],
    (50, 1, 70, 0, 0): ["(x0 * x1)"],
    (37, 300, 70, 0, 0): ["product"],  # as they lie, in two parts
    (5, 1030, 600, 0, 0): ["product"],  # a large second factor, read in short parts
    (3, 1028, 1027, 0, 0): [FEW],  # four blocks and four numbers to sum over, eight units and three columns
    (4, 1024, 1045, 1, 0): [FEW],
    (2, 2048, 512, 0, 0): [FEW],
    (20, 70, 512, 0, 0): ["product"],  # rows of the second factor lie 2 KB apart
    (90, 40, 1100, 0, 0): ["product"],  # both packed, the second in two parts
    (700, 270, 131, 1, 0): ["product"],  # both packed, the first in three blocks; cut by rows
    (70, 300, 133, 1, 1): ["product"],
    (100, 9, 130, 0, 1): ["product"],  # fewer to sum over than a vector has
    (1, 130, 150, 0, 0): ["row_product"],
    (1, 21, 5003, 0, 0): ["row_product"],  # in three strips
    (300, 70, 1, 1, 0): ["row_product"],
    (1, 37, 30, 0, 1): ["dot_product"],
    (6, 300, 33, 0, 1): ["dot_product"],
    (101, 300, 1, 0, 0): ["dot_product"],
    (203, 50, 3, 1, 0): ["product", "turned"],
    (60, 16384 + 70, 3, 0, 0): ["product", "product", "(x0 + x1)"],
}


def table_of(native: Native, size: tuple[int, ...], start: str = "none") -> tuple[Table, Any, np.ndarray]:
    """The product's instructions, where its result goes, and what it is in float64."""
    m, k, n, across, down = size
    rng = np.random.default_rng(m * n)
    a = rng.normal(size=(k, m) if across else (m, k)).astype("f")
    b = rng.normal(size=(n, k) if down else (k, n)).astype("f")
    begin = [] if start == "none" else [rng.normal(size=n if start == "row" else (m, n)).astype("f")]
    guarded = np.full(m * n + 64, 7, "f")
    out = guarded[:-64].reshape(m, n)
    table = Table(native.machine.codes, kept=[a, b, *begin, guarded])
    node: Any = SimpleNamespace(attrs={"transpose_a": bool(across), "transpose_b": bool(down)})
    LOWERINGS["matmul"](table, node, out, [a, b, *begin])
    x, y = a.astype("d"), b.astype("d")
    return table, guarded, (x.T if across else x) @ (y.T if down else y) + (begin[0] if begin else 0)


def do(table: Table, pieces: int) -> None:
    """Each instruction in so many pieces of its units, the last one first, each in memory of its own."""
    for row in np.array(table.rows, np.int64):
        kernel = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 4)(int(row[OP]))
        ends = np.arange(pieces + 1) * row[UNITS] // pieces
        for begin, end in [*pairwise(ends)][::-1]:
            room = np.full(table.room + 192, 0xFF, np.uint8)  # NaN
            lead = 64 + -room.ctypes.data % 64
            if end > begin:
                kernel(row.ctypes.data, int(begin), int(end - begin), room.ctypes.data + lead)
            assert (room[:lead] == 0xFF).all()
            assert (room[lead + table.room :] == 0xFF).all()


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("start", ["none", "row", "matrix"])
def test_each_way_gives_the_product(native: Native, size: tuple[int, ...], start: str) -> None:
    table, guarded, wanted = table_of(native, size, start)
    names = {code: name for name, code in native.machine.codes.items()}
    if start == "none":
        assert [names[row[OP]] for row in table.rows] == SIZES[size]
    do(table, 1)
    np.testing.assert_allclose(guarded[:-64].reshape(wanted.shape), wanted, 0, 3e-6 * size[1] ** 0.5)
    assert (guarded[-64:] == 7).all()


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_bits_do_not_depend_on_the_cut(native: Native, size: tuple[int, ...]) -> None:
    whole, once, _ = table_of(native, size, "row")
    do(whole, 1)
    for pieces in (2, 3, 100):
        table, found, _ = table_of(native, size, "row")
        do(table, pieces)
        np.testing.assert_array_equal(found, once)


@pytest.mark.parametrize("n", [512, 1024, 1536])
def test_rows_that_share_few_sets_of_the_cache_are_packed(native: Native, n: int) -> None:
    tall, panel, _ = tile_sizes()
    sizes = [(tall + 1, 64, n, 0, 0), (tall, 64, n, 0, 0), (16, 64, n + 8, 0, 0)]
    packed = [table_of(native, size)[0].rows[0][PACKS] & 1 for size in sizes]
    assert packed == [panel <= 16, False, False]


@pytest.mark.parametrize("name", ["numpy", "native"])
def test_long_sums_keep_their_digits(native: Native, name: str) -> None:
    count = 10**7
    with en.Graph() as graph:
        x, y = en.placeholder((1, None)), en.placeholder((None, 2))
        product = x @ y
    values = np.random.default_rng(1).uniform(0, 1, (count, 2)).astype("f")
    session = en.Session(graph, executor=native) if name == "native" else en.Session(graph)
    found = session.run(product, {x: np.ones((1, count), "f"), y: values})
    np.testing.assert_allclose(found[0], values.sum(axis=0, dtype="d"), 2e-6)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((4, 5, 6), (4, 6, 3)),
        ((4, 5, 6), (6, 3)),
        ((2, 1, 5, 6), (3, 6, 40)),
        ((7, 1, 6), (7, 6, 1)),
        ((5, 30, 20), (5, 20, 1)),
        ((0, 5, 6), (6, 3)),
    ],
)
@pytest.mark.parametrize("start", ["none", "row", "matrix"])
def test_products_along_further_axes(native: Native, left: Any, right: Any, start: str) -> None:
    with en.Graph() as graph:
        a, b = en.placeholder((None, *left[1:])), en.placeholder(right)
        y = a @ b
        shape = {
            "none": (),
            "row": right[-1:],
            "matrix": (*np.broadcast_shapes(left[:-2], right[:-2]), left[-2], right[-1]),
        }
        begin = en.placeholder(shape[start])
        y = y if start == "none" else y + begin
        results = [y, *en.gradients(en.ops.sum_(en.ops.square(y)), [a, b])]
    rng = np.random.default_rng(3)
    feeds = {each: rng.normal(size=size).astype("f") for each, size in ((a, left), (b, right), (begin, shape[start]))}
    session = en.Session(graph, executor=native)
    for found, wanted in zip(session.run(results, feeds), en.Session(graph).run(results, feeds), strict=True):
        np.testing.assert_allclose(found, wanted, 1e-4, 1e-4)
    np.testing.assert_allclose(session.run(a @ b, feeds), np.matmul(feeds[a], feeds[b]), 1e-4, 1e-4)
    if left[0]:
        program = session.bind(results, {each: value.shape for each, value in feeds.items()})
        assert isinstance(program, NativeProgram)
        assert program.left_to_python == []


def test_axes_that_do_not_fit_are_named_at_the_line() -> None:
    with en.Graph():
        a = en.placeholder((4, 5, 6))
        with pytest.raises(en.ShapeError, match=r"don't broadcast: 3 and 4 differ \(.*test_products.py"):
            a @ en.placeholder((3, 6, 2))
        with pytest.raises(en.ShapeError, match=r"inner sizes differ, 6 and 5 \(.*test_products.py"):
            a @ en.placeholder((5, 2))
        with pytest.raises(en.ShapeError, match=r"two matrices are needed.*reshape"):
            a @ en.placeholder((6,))


def test_products_with_a_common_factor_pack_it_each_for_itself(native: Native) -> None:
    """They may be different threads', and packing writes over some rows of the next part."""
    with en.Graph() as graph:
        a, w = en.placeholder((3, 40, 261)), en.placeholder((250, 261))
        y = en.ops.matmul(a, w, transpose_b=True)
    program = en.Session(graph, executor=native).bind(y, {each: each.spec.concrete for each in (a, w)})
    assert isinstance(program, NativeProgram)
    (row,) = [row for row in program._code if row[OP] == native.machine.codes["several_products"]]
    pattern = (ctypes.c_int64 * WIDTH).from_address(int(row[INFO]))
    assert pattern[OP] == native.machine.codes["product"]
    assert pattern[PACKS] & 24 == 0


@pytest.mark.parametrize("m", [15, 32, 100, 168])
@pytest.mark.parametrize("n", [257, 300, 319])
def test_few_numbers_to_sum_up_beside_many_columns(native: Native, m: int, n: int) -> None:
    """Packing them writes farther over a panel's end than there are rows; what lies behind is in use."""
    rng = np.random.default_rng(3)
    values = rng.normal(size=(m, 2)).astype("f"), rng.normal(size=(n, 2)).astype("f")
    with en.Graph() as graph:
        a, b = (en.placeholder(each.shape) for each in values)
        y = en.ops.matmul(a, b, transpose_b=True)
    found = en.Session(graph, executor=native).run(y, dict(zip((a, b), values, strict=True)))
    np.testing.assert_allclose(found, values[0] @ values[1].T, 1e-5, 1e-6)


def test_a_factor_of_several_products_is_packed_once_while_it_is_the_same(native: Native) -> None:
    rng = np.random.default_rng(2)
    weights, x = rng.normal(size=(300, 512)).astype("f"), rng.normal(size=(4, 20, 300)).astype("f")
    out, other = np.empty((4, 20, 512), "f"), np.zeros_like(weights)
    table = Table(native.machine.codes)
    for at in range(4):
        matrices.add_product(table, out[at], x[at], weights, None)
        if at == 2:
            table.copy(weights, other)
    rows = [row for row in table.rows if row[OP] == native.machine.codes["product"]]
    assert [row[PACKS] & 24 for row in rows] == ([8, 24, 24, 0] if tile_sizes()[1] <= 16 else [0, 0, 0, 0])
    wanted = x[:3] @ weights
    do(table, 3)
    np.testing.assert_allclose(out[:3], wanted, 0, 1e-4)
    assert (out[3] == 0).all()


@given(
    rows=st.lists(st.sampled_from([1, 3, 6, 7, 20, 70]), min_size=2, max_size=4),
    size=st.tuples(st.sampled_from([2, 33, 100, 300]), st.sampled_from([1, 5, 12, 16, 40, 100])),
    turned=st.tuples(st.booleans(), st.booleans()),
    changed=st.integers(0, 4),
    pieces=st.sampled_from([1, 3]),
)
def test_products_with_one_factor_are_right_whatever_their_sizes(
    native: Native, *, rows: list[int], size: tuple[int, int], turned: tuple[bool, bool], changed: int, pieces: int
) -> None:
    """Small ones have a way of their own, in which nothing is kept for the others."""
    (k, n), rng = size, np.random.default_rng(5)
    weights = rng.normal(size=(n, k) if turned[1] else (k, n)).astype("f")
    new, table, found, wanted = -weights, Table(native.machine.codes), [], []
    for at, m in enumerate(rows):
        x = rng.normal(size=(k, m) if turned[0] else (m, k)).astype("f")
        table.kept.append(x)
        now = new if at > changed else weights
        wanted.append((x.T if turned[0] else x).astype("d") @ (now.T if turned[1] else now))
        found.append(np.full((m, n), np.nan, "f"))
        factors = x.T if turned[0] else x, weights.T if turned[1] else weights
        matrices.add_product(table, found[-1], *factors, None)
        if at == changed:
            table.copy(weights, new)
    do(table, pieces)
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, 0, 1e-5 * k**0.5)
