"""The native machine's products of matrices.

A tile (``tiles.py``) keeps some rows and columns of a result in registers while it runs along what is
summed over.  Both factors are read by strides, so that a transposed one doesn't have to be written out
first; convolutions use the same tiles for windows over images.  Strides are in bytes; ``tiles`` is the
address of the tiles' function.
"""

from numba import njit

from engine.native.instructions import A0, A1, B0, B1, C0, DEEP, OUT, TILES, WIDE, A, B, C, K, M, N
from engine.native.kernels import LOOPS, columns, copy_row, kernel
from engine.native.lanes import W
from engine.native.simd import read, tile, turn, write
from engine.native.tiles import PANEL, ROWS

NARROW = 4 * 256  # bytes between the rows of a factor that is read as it lies, however large it is
SHALLOW = 16  # rows of a second factor that aren't worth packing


@njit(**LOOPS)
def pack(out, b, k, n, down, across):
    """b (k, n) in panels of PANEL columns, each without gaps; the last panel's missing columns are left as they are."""
    if across == 4:
        for q in range(k):
            for j in range(0, n, PANEL):
                copy_row(out + 4 * (j * k + q * PANEL), b + q * down + 4 * j, min(PANEL, n - j))
        return
    turned = n - n % W if down == 4 and k >= W else 0  # columns that are side by side the other way, in whole blocks
    for j in range(0, turned, W):
        for q in range(0, k, W):
            g = min(q, k - W)  # the last block overlaps the one before
            turn(out + 4 * (j // PANEL * PANEL * k + g * PANEL + j % PANEL), 4 * PANEL, b + j * across + 4 * g, across)
    for j in range(turned, n):
        to, a = out + 4 * (j // PANEL * PANEL * k + j % PANEL), b + j * across
        for _ in range(k):
            write(to, read(a))
            to += 4 * PANEL
            a += down


@njit(**LOOPS)
def shares(n):
    """How many tiles n rows are shared out to, how many each gets, and how many of them get one more."""
    parts = (n + ROWS - 1) // ROWS
    few = n // parts
    return parts, few, n - few * parts


@njit(**LOOPS)
def block(tiles, out, out0, a, a0, a1, b, b0, panel, m, n, k, start, start0):
    """Tile by tile; ``panel`` is how far the panels of b lie apart."""
    parts, few, more = shares(m)
    for j in range(0, n, PANEL):
        wide = min(PANEL, n - j)
        to, x, here = out + 4 * j, a, start + 4 * j if start != 0 else 0
        for part in range(parts):
            rows = few + 1 if part < more else few
            tile(tiles, to, out0, x, a0, a1, b, b0, k, 1, 0, 0, wide, here, start0, rows)
            to, x = to + rows * out0, x + rows * a0
            if start != 0:
                here += rows * start0
        b += panel


@kernel
def product(at, begin, count, room):
    """out (M, N) = a (M, K) @ b (K, N) + start (M, N), which lies at C if there is one.

    A0, A1, B0, B1, C0: bytes from row to row and from column to column.
    """
    row = columns(at)
    tiles, out, a, b, start, start0 = row[TILES], row[OUT], row[A], row[B], row[C], row[C0]
    m, n, k, a0, a1, b0, b1 = row[M], row[N], row[K], row[A0], row[A1], row[B0], row[B1]
    if (n <= PANEL and k <= DEEP) or (b1 == 4 and (b0 <= NARROW or m <= ROWS or k <= SHALLOW)):
        panel = 4 * PANEL
        if b1 != 4:
            pack(room, b, k, n, b0, b1)
            b, b0, panel = room, 4 * PANEL, 4 * PANEL * k
        if m <= ROWS and n <= PANEL:
            tile(tiles, out, 4 * n, a, a0, a1, b, b0, k, 1, 0, 0, n, start, start0, m)
        else:
            block(tiles, out, 4 * n, a, a0, a1, b, b0, panel, m, n, k, start, start0)
        return
    for j in range(0, n, WIDE):
        wide = min(WIDE, n - j)
        for q in range(0, k, DEEP):
            depth = min(DEEP, k - q)
            pack(room, b + j * b1 + q * b0, depth, wide, b0, b1)
            here, up = (start, start0) if q == 0 else (out, 4 * n)
            block(
                tiles, out + 4 * j, 4 * n, a + q * a1, a0, a1, room, 4 * PANEL, 4 * PANEL * depth, m, wide, depth,
                here + 4 * j if here != 0 else 0, up,
            )  # fmt: skip
