"""How factors of products are packed: numbers that a tile reads one after the other lie side by side then.

Strides are in bytes.
"""

from engine.native.frontend import compiled
from engine.native.instructions import LINE
from engine.native.kernels import copy_row
from engine.native.lanes import BYTES, W
from engine.native.simd import first, load, load_part, prefetch, read, store, store_part, turn, write
from engine.native.tiles import PANEL, ROWS

TOGETHER = 4  # panels, or twice as many tiles, that are packed side by side: whole lines are read, one after the other


@compiled
def shares(n):
    """How many tiles n rows are shared out to, how many each gets, and how many of them get one more."""
    parts = (n + ROWS - 1) // ROWS
    few = n // parts
    return parts, few, n - few * parts


@compiled
def pack(out, lanes, a, k, n, down, across):
    """A panel (k, n) as k rows of ``lanes`` numbers, n of which count; up to W rows more are written over."""
    if across == 4 and n <= W:
        wanted = first(n)
        for _ in range(k):  # what is written beyond a row's end is written over
            store(out, load_part(a, wanted))
            out, a = out + 4 * lanes, a + down
    elif across == 4:
        for q in range(k):
            copy_row(out + 4 * q * lanes, a + q * down, n)
    elif down == 4 and k * n > 3 * W:  # fewer are sooner done one by one
        for q in range(0, k, W):  # columns from the right, for the same reason
            for j in range((n - 1) // W * W, -1, -W):
                turn(out + 4 * (q * lanes + j), 4 * lanes, a + j * across + 4 * q, across, min(W, n - j), k - q)
    else:
        for j in range(n):
            to, x = out + 4 * j, a + j * across
            for _ in range(k):
                write(to, read(x))
                to, x = to + 4 * lanes, x + down


@compiled
def pack_whole(out, apart, b, k, panels, down):
    """``panels`` panels (k, PANEL) whose rows lie side by side."""
    for q in range(k):
        to, x = out + 4 * PANEL * q, b + q * down
        for _ in range(panels):
            for line in range(0, 4 * PANEL, LINE):
                prefetch(x + 8 * down + line)
            store(to, load(x))
            store(to + BYTES, load(x + BYTES))
            to, x = to + apart, x + 2 * BYTES


@compiled
def pack_panels(out, apart, b, k, n, down, across):
    """b (k, n) in panels of PANEL columns, which begin ``apart`` bytes apart."""
    j = 0
    while j < n:
        panels = min(TOGETHER, (n - j) // PANEL) if across == 4 else 0
        if panels > 0:
            pack_whole(out, apart, b + 4 * j, k, panels, down)
        else:
            pack(out, PANEL, b + j * across, k, min(PANEL, n - j), down, across)
        out, j = out + max(1, panels) * apart, j + max(1, panels) * PANEL


@compiled
def pack_across(out, a, first_part, parts, few, more, k, across):
    """Some tiles of a matrix whose rows lie across: a column of it, in which all of theirs lie, is read at a time."""
    for q in range(k):
        to, x = out, a + q * across
        for part in range(first_part, parts):
            rows = few + 1 if part < more else few
            prefetch(x + 8 * across)
            if (k - q) * rows >= W:  # what is written beyond a row's end is written over
                store(to + 4 * q * rows, load_part(x, first(rows)))
            else:
                store_part(to + 4 * q * rows, load_part(x, first(rows)), first(rows))
            to, x = to + 4 * k * rows, x + 4 * rows


@compiled
def pack_tiles(out, a, m, k, down, across):
    """a (m, k) in the rows that :func:`shares` gives each tile, columns first."""
    parts, few, more = shares(m)
    if down == 4 and ROWS <= W:
        for part in range(0, parts, 2 * TOGETHER):
            done = part * few + min(part, more)
            pack_across(out + 4 * k * done, a + 4 * done, part, min(part + 2 * TOGETHER, parts), few, more, k, across)
        return
    for part in range(parts):
        rows = few + 1 if part < more else few
        pack(out, rows, a, k, rows, across, down)
        out, a = out + 4 * k * rows, a + down * rows
