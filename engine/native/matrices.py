"""How products of matrices become instructions of the native machine: which way is taken depends on their sizes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from engine.native import instructions as i
from engine.native.instructions import DEEP, LINE, TALL, WIDE
from engine.native.lowering import (
    PARTS,
    PRODUCTS_A_NS,
    NotNative,
    Packed,
    Table,
    address,
    element_wise,
    float32,
    lowering,
    tile_sizes,
)
from engine.ops.matrix import LONG, LONG_BY_VECTOR
from engine.passes import Node

FEW = 64  # rows of a first factor for which the second isn't worth packing
FEW_ROWS = 8  # that are multiplied one by one with columns without gaps
SOME_ROWS, FAR, MEASURED = 4, 2**20, 8  # rows multiplied at once with so many numbers, where vectors are so long
NEAR = 2**18  # numbers of a second factor that stays in the second-level cache: a megabyte
NARROW = 1024  # bytes from row to row of a second factor that is read as it lies
SETS, WAYS = 64, 8  # of the first-level cache: which addresses go where; lines in a set
AGAIN = 8  # panels of a second factor, for up to as many the first one isn't worth packing if it stays in that cache
THIN, SHORT = 64, 32  # rows of a result, and numbers that are summed up, of which there are so few that a loop will do
REPEATED = 4  # units at most where each packs a factor anew


@lowering("matmul", "affine", "matmul+add")
def _product(table: Table, node: Node, out: np.ndarray, ins: Sequence[np.ndarray]) -> None:
    float32(out, *ins)
    a, b, *start = ins
    a = a.swapaxes(-1, -2) if node.attrs.get("transpose_a") else a
    b = b.swapaxes(-1, -2) if node.attrs.get("transpose_b") else b
    if a.shape[-1] == 0:
        raise NotNative
    if (out.ndim, a.shape[-1]) == (2, 1) and b.strides[1] == 4 and b.size > tile_sizes()[2]:  # nothing to sum up
        element_wise(table, "(x0 + (x1 * x2))" if start else "(x0 * x1)", out, [*start, a, b])
        return
    add = add_product if out.ndim == 2 else _add_products
    add(table, out, a, b, table.plain(start[0]) if start else None)


def _add_products(table: Table, out: np.ndarray, a: np.ndarray, b: np.ndarray, start: np.ndarray | None) -> None:
    """One product for each place in the leading axes, to which the factors are broadcast."""
    many = out.shape[:-2]
    a, b = (np.broadcast_to(each, (*many, *each.shape[-2:])) for each in (a, b))
    alike = [out, a, b] if start is None or start.ndim == 1 else [out, a, b, start]
    lines = [each.reshape(-1, *each.shape[-2:]) for each in alike]
    if all(map(np.may_share_memory, lines, alike)):  # no copies: the leading axes are one
        _add_line(table, lines[0], lines[1], lines[2], start if len(lines) == 3 else lines[3])
        return
    if math.prod(many[:-1]) > PARTS:
        raise NotNative
    for at in range(many[0]):
        _add_products(table, out[at], a[at], b[at], start if len(alike) == 3 else alike[3][at])


def _add_line(table: Table, out: np.ndarray, a: np.ndarray, b: np.ndarray, start: np.ndarray | None) -> None:
    """Products at equal distances: one instruction, to which the first is a pattern; the second tells the distances."""
    mark, matrices = len(table.rows), start is not None and start.ndim == 3
    for at in range(min(2, len(out))):
        table.packed.clear()  # a pattern is for all: what each packs is its own
        add_product(table, out[at], a[at], b[at], start[at] if start is not None and matrices else start)
    found = table.rows[mark:]
    if len(out) == 1:
        return
    del table.rows[mark:]
    table.packed.clear()
    if len(found) > 2:  # each is several instructions
        if len(out) > PARTS:
            raise NotNative
        for at in range(len(out)):
            add_product(table, out[at], a[at], b[at], start[at] if start is not None and matrices else start)
        return
    info, work = address(table.keep(np.array(found[0], np.int64))), len(out) * found[0][i.WORK]
    row = table.add("several_products", out, n=0, units=len(out), info=info, work=work)
    for place, up in ((i.OUT, i.OUT_ROW), (i.A, i.A0), (i.B, i.B0), (i.C, i.C0)):
        row[place], row[up] = found[0][place], found[1][place] - found[0][place]
    table.room += i.PATTERN


def add_product(
    table: Table, out: np.ndarray, a: np.ndarray, b: np.ndarray, start: np.ndarray | None, *,
    spare: Sequence[np.ndarray] | None = None,
) -> None:  # fmt: skip
    """A product: what is too long to be summed in one go is done in halves, and so on.

    ``spare``: arrays like ``out``, one for each time that the sum is halved.
    """
    inner, long = len(b), _long(out)
    if inner <= long:
        _add_part(table, out, a, b, start)
        return
    pieces = -(-inner // long)
    if spare is None:
        spare = [table.keep(np.empty(out.shape, np.float32)) for _ in range((pieces - 1).bit_length())]
    (part, *rest), half = spare, -(-pieces // 2) * long
    add_product(table, out, a[:, :half], b[:half], start, spare=rest)
    add_product(table, part, a[:, half:], b[half:], None, spare=rest)
    element_wise(table, "(x0 + x1)", out, [out, part])


def _long(out: np.ndarray) -> int:
    """How many numbers are summed up in one go: vectors, and a few of them, aren't done in blocks."""
    if 1 in out.shape:
        return LONG_BY_VECTOR
    return 4 * LONG_BY_VECTOR if len(out) <= FEW_ROWS else LONG


def _add_part(table: Table, out: np.ndarray, a: np.ndarray, b: np.ndarray, start: np.ndarray | None) -> None:
    """out (m, n) = a (m, k) @ b (k, n) + start: nothing, a row that is added to all, or a matrix."""
    (m, k), n, vector = a.shape, b.shape[1], tile_sizes()[2]
    if n == 1 and m > 1 and k >= vector and (start is None or start.ndim == 2):  # a row is done better than a column
        a, b, m, n = b.T, a.T, n, m
    (a0, a1), (b0, b1) = _steps(a), _steps(b)
    thin = n <= vector and m <= THIN and k <= SHORT
    if (
        n < vector and m >= 4 * n > 4 and a0 == 4 and a1 != 4 and start is None and not thin
    ):  # wide is done better than tall
        wide = table.keep(np.empty((n, m), np.float32))
        _add_part(table, wide, b.T, a.T, None)
        table.add("turned", out, wide, m=m, n=n)
        return
    more = {"m": m, "n": n, "k": k, "a0": a0, "a1": a1, "b0": b0, "b1": b1}
    more["work"] = m * n * k // PRODUCTS_A_NS
    if start is not None:
        more |= {"c": address(start), "c0": 0 if start.ndim == 1 else 4 * n}
    if a1 == 4 and b0 == 4 and b1 != 4 and (k >= vector if m == 1 else m <= FEW_ROWS and k >= DEEP):
        table.add("dot_product", out, a, b, units=-(-n // 4), **more)
    elif thin:
        table.add("thin_product", out, a, b, **more)
        table.room = max(table.room, 4 * vector * (k + vector))
    elif 1 < m <= SOME_ROWS and b1 == 4 and k % 4 == 0 and k * n >= FAR and vector == MEASURED:
        table.add("few_rows_product", out, a, b, units=-(-n // i.COLUMNS), **more)
        table.room = max(table.room, 4 * i.COLUMNS * (4 + m + 1))
    elif m == 1 and b1 == 4 and k * n > 2**14:
        table.add("row_product", out, a, b, units=-(-n // vector), **more)
    else:
        _add_tiles(table, out, a, b, more)


def _add_tiles(table: Table, out: np.ndarray, a: np.ndarray, b: np.ndarray, more: dict[str, int]) -> None:
    """The general way, in tiles: whether factors are packed, and how the result is cut."""
    tall, panel, vector = tile_sizes()
    m, n, k, a0, a1, b0 = (more[each] for each in ("m", "n", "k", "a0", "a1", "b0"))
    lies = more["b1"] == 4 and (m <= FEW or ((b0 <= NARROW or k * n <= NEAR) and m <= 4 * FEW))
    if m > tall and 4 * panel <= LINE and min(k, DEEP) > _held(b0):  # a panel is read again when the cache has lost it
        lies = False
    if a1 != 4 and m > FEW:  # a first factor that lies across is worth packing where it is read often
        lies = more["b1"] == 4 and n < 4 * panel
    tiled = not lies and m > tall and n >= 4 * panel and (n > AGAIN * panel or _scattered(a0, a1, k))
    depth = DEEP
    if lies and m <= FEW and k * n > 2 * NEAR:  # from farther away rows are read on and on, a few at a time
        depth = 64 if m <= 16 else 128
    depth = -(-k // -(-k // depth))
    by_rows = (lies or tiled) and m > n
    units = min(-(-m // tall) if by_rows else -(-n // panel), REPEATED if tiled else m + n)
    packs = (0 if lies else 1) + (2 if tiled else 0) + (4 if by_rows else 0)
    more |= {"packed": table.codes["tile_packed"], "packing": table.codes["tile_packing"]}
    ahead = 8 * (b0 if lies else 4 * panel)
    row = table.add("product", out, a, b, units=units, packs=packs, depth=depth, ahead=ahead, **more)
    if not lies and not by_rows:
        _keep_panels(table, row, b)
    if not lies:  # packing writes over some rows behind a panel or a tile
        needed = depth * (min(n, WIDE) + panel + (min(m, TALL) if tiled else 0))
        table.room = max(table.room, 4 * (needed + vector * (panel + max(panel, tall + vector))))


def _keep_panels(table: Table, row: list[int], b: np.ndarray) -> None:
    """Have a factor packed once for all products with it, as in a recurrent layer's steps, while nothing writes it."""
    known = (address(b), b.strides, b.shape)
    former = table.packed.setdefault(known, Packed(row, np.lib.array_utils.byte_bounds(b)))
    if former.row is row:
        return
    _, panel, vector = tile_sizes()
    if former.panels == 0:
        kept = table.keep(np.empty(-(-b.shape[1] // panel) * panel * (len(b) + vector) + LINE, np.float32))
        former.panels = address(kept) + -address(kept) % LINE
        former.row[i.PACKS], former.row[i.INFO] = former.row[i.PACKS] | 8, former.panels
    row[i.PACKS], row[i.INFO] = row[i.PACKS] | 24, former.panels
    for each in (former.row, row):
        if each[i.PACKS] & 2 and not _scattered(each[i.A0], each[i.A1], each[i.K]):
            each[i.PACKS] ^= 2  # else each thread would pack the first factor
            each[i.UNITS] = -(-each[i.N] // panel)


def _scattered(a0: int, a1: int, k: int) -> bool:
    """Whether what a tile reads of a first factor that isn't packed lies in few places of the nearest cache."""
    return 2 * _held(a1) < min(k, DEEP) if a0 == 4 else _held(a0) < 2 * tile_sizes()[0]


def _held(apart: int) -> int:
    """Lines, so many bytes apart, that the first-level cache holds."""
    return WAYS * (SETS // math.gcd(apart // LINE, SETS) if apart % LINE == 0 else SETS)


def _steps(matrix: np.ndarray) -> tuple[int, int]:
    """Bytes from row to row and from column to column; those of a matrix without gaps where there is one alone."""
    rows, columns = matrix.shape
    down, across = matrix.strides
    across = 4 if columns == 1 else across
    return 4 * columns if rows == 1 and across == 4 else down, across
