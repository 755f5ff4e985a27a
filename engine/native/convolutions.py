"""The native machine's convolutions: tiles of products that read the windows right from the image.

Where windows reach beyond its left and right side, some rows at a time are put between zeros first (``framed``);
rows above and below aren't there, and are left out of the sums.  What a kernel must know of the windows lies in an
array of its own, whose places :mod:`engine.native.instructions` names.
"""

from engine.native.frontend import compiled, entry
from engine.native.instructions import (
    A0,
    A1,
    AFTER,
    B0,
    B1,
    C0,
    CHANNELS,
    COUNT0,
    COUNT1,
    DEPTH,
    DILATION0,
    DILATION1,
    FILTERS,
    FRAME,
    IMAGE0,
    IMAGE1,
    IMAGE2,
    INFO,
    KERNEL0,
    KERNEL1,
    LINE,
    LINES,
    LONG,
    OUT,
    OUT0,
    OUT1,
    OUT2,
    PAD0,
    PIXELS,
    SIZE0,
    STRIDE0,
    STRIDE1,
    SUMS,
    TAKEN,
    TILES,
    TIMES,
    A,
    B,
    C,
    K,
    M,
    N,
)
from engine.native.kernels import F, columns, copy_row, fill_row
from engine.native.lanes import BYTES, W
from engine.native.packing import shares
from engine.native.simd import (
    add,
    i64s,
    load,
    load_part,
    prefetch,
    read,
    rectified,
    splat,
    store_part,
    tile,
    total,
    turn,
    write,
    zero,
)
from engine.native.simd import first as lanes
from engine.native.tiles import PANEL, ROWS

SCRATCH = 4 * ROWS * PANEL  # bytes of a tile, with which the memory to work in begins
HELD = 1 << 18  # bytes of filters that stay in the second-level cache while images pass by


@compiled
def span(s, first, lines):
    """The first and the end of the images' rows that windows of these lines reach; none if all lie on padding."""
    begin, reach = first * s[STRIDE0] - s[PAD0], s[DILATION0] * (s[KERNEL0] - 1) + 1
    low = max(0, begin)
    return low, max(low, min(s[SIZE0], begin + (lines - 1) * s[STRIDE0] + reach))


@compiled
def beside(s):
    """Of how many runs a row of the windows is, and how many numbers lie side by side in one."""
    return (1, s[KERNEL1] * s[CHANNELS]) if s[DILATION1] == 1 else (s[KERNEL1], s[CHANNELS])


@compiled
def framed(row, s, image, first, lines, room):
    """Where an image's row 0 lies, and bytes from row to row; without gaps in ``room``, if it needs padding.

    Only rows under these lines of windows are there then.
    """
    source, pitch = row[A] + image * s[IMAGE0], s[FRAME]
    if pitch == 0:
        return source, s[IMAGE1]
    low, high = span(s, first, lines)
    channels, times = s[CHANNELS] // s[TIMES], s[TIMES]
    taken, after = s[TAKEN] * channels, s[AFTER] * s[CHANNELS]
    before = (pitch >> 2) - taken * times - after
    to = room
    for y in range(low, high):
        fill_row(to, zero(), before)
        x, out = source + y * s[IMAGE1], to + 4 * before
        if times == 1:
            copy_row(out, x, taken)
        else:
            for at in range(taken):
                for e in range(0, times, W):
                    store_part(out + 4 * (at * times + e), splat(x + 4 * at), lanes(times - e))
        fill_row(out + 4 * taken * times, zero(), after)
        to += pitch
    return room - low * pitch, pitch


@compiled
def summed(tiles, out, up, a, a0, a1, b, b0, k, runs, a2, b2, wide, rows, room):
    """Tiles (tiles.py): of many numbers in sums of SUMS sums of PIXELS, which lie in ``room`` meanwhile."""
    if k * runs <= LONG:
        tile(tiles, out, up, a, a0, a1, b, b0, k, runs, a2, b2, wide, 0, 0, rows)
        return
    deep, some = min(k, PIXELS), max(1, PIXELS // k)
    for first in range(0, rows, ROWS):
        few, to, x, start, held = min(ROWS, rows - first), out + first * up, a + first * a0, 0, 0
        for run in range(0, runs, some):
            for q in range(0, k, deep):
                tile(
                    tiles, room, 4 * PANEL, x + run * a2 + q * a1, a0, a1, b + run * b2 + q * b0, b0, min(deep, k - q),
                    min(some, runs - run), a2, b2, wide, room if held > 0 else 0, 4 * PANEL, few,
                )  # fmt: skip
                held += 1
                if held == SUMS:
                    add_rows(to, up, room, start, wide, few)
                    start, held = to, 0
        if held > 0:
            add_rows(to, up, room, start, wide, few)


@compiled
def add_rows(out, up, found, start, wide, rows):
    """out (rows, wide) = what was ``found`` + what lies at ``start``, if that isn't 0, as out does."""
    for i in range(rows):
        for j in range(0, wide, W):
            wanted, here = lanes(wide - j), i * up + 4 * j
            x = load_part(found + 4 * (i * PANEL + j), wanted)
            store_part(out + here, add(x, load_part(start + here, wanted)) if start != 0 else x, wanted)


@entry
def group_sums(at, begin, count, room):
    """out (UNITS, N) of a (UNITS, N, K)."""
    row = columns(at)
    out, a = row[OUT] + 4 * row[N] * begin, row[A] + 4 * row[N] * row[K] * begin
    for _ in range(count * row[N]):
        found = read(a)
        for e in range(1, row[K]):
            found += read(a + 4 * e)
        write(out, found)
        out, a = out + 4, a + 4 * row[K]


@entry
def filter_panels(at, begin, count, room):
    """Filters (M, K, C, N), by strides A0, A1, B0, B1, as a matrix (M * K * C, N) in panels of PANEL columns.

    A unit is what is the same element of all windows: C rows.
    """
    row = columns(at)
    channels, n, b0, b1 = row[C], row[N], row[B0], row[B1]
    panel = 4 * PANEL * row[M] * row[K] * channels
    for unit in range(begin, begin + count):
        source = row[A] + unit // row[K] * row[A0] + unit % row[K] * row[A1]
        to = row[OUT] + 4 * PANEL * unit * channels
        for j in range(0, n, PANEL):
            whole = 0
            if b1 == 4:
                for c in range(channels):
                    copy_row(to + 4 * PANEL * c, source + c * b0 + 4 * j, min(PANEL, n - j))
                whole = PANEL
            elif b0 == 4 and channels >= W:
                whole = min(PANEL, n - j) // W * W
                for v in range(0, whole, W):
                    for c in range(0, channels, W):
                        start = min(c, channels - W)  # the last block overlaps the one before
                        turn(to + 4 * (PANEL * start + v), 4 * PANEL, source + 4 * start + (j + v) * b1, b1, W, W)
            for v in range(whole, min(PANEL, n - j)):
                for c in range(channels):
                    write(to + 4 * (PANEL * c + v), read(source + c * b0 + (j + v) * b1))
            to += panel


@compiled
def bounds(window, stride, dilation, pad, size, elements):
    """The first and the end of those elements of a window that lie on the image; none if all do on padding."""
    begin = window * stride - pad
    if dilation == 1:
        low, high = max(0, -begin), min(elements, size - begin)
    else:
        low, high = max(0, (dilation - 1 - begin) // dilation), min(elements, (size - 1 - begin) // dilation + 1)
    return low, max(low, high)


@compiled
def equal(number, most):
    """How many at a time, so that each time there are about as many, and at most so many: one at least."""
    times = max(1, (number + most - 1) // most)
    return max(1, (number + times - 1) // times)


@compiled
def rectify(out, up, pixels, wide):
    """Numbers below 0 become 0 (relu), in so many rows ``up`` bytes apart."""
    if up == 4 * wide:
        pixels, wide = 1, pixels * wide
    for pixel in range(pixels):
        for j in range(0, wide, W):
            wanted, to = lanes(wide - j), out + pixel * up + 4 * j
            store_part(to, rectified(load_part(to, wanted)), wanted)


@compiled
def add_lines(row, s, first, lines, source, pitch, out, filters, wide, start, q, rows, e, runs, c, deep):
    """To some lines of the result, some columns of it, is added what some of the windows' numbers are for.

    ``rows`` of the windows from row q on; or of one row ``runs`` from run e on; ``deep`` numbers of a run, from
    number c on.  What comes first has the sums begin at ``start``.
    """
    down, across, step = s[DILATION0] * pitch, s[DILATION1] * s[IMAGE2], s[STRIDE1] * s[IMAGE2]
    _, run = beside(s)
    size = 4 * PANEL * s[KERNEL1] * s[CHANNELS]  # of what the panel has for a row of the windows
    a2, b2 = (down, size) if rows > 1 else (across, 4 * PANEL * run if runs > 1 else 0)
    for i in range(first, first + lines):
        low, high = bounds(i, s[STRIDE0], s[DILATION0], s[PAD0], s[SIZE0], s[KERNEL0])
        begin, end = max(low, q), min(high, q + rows)
        fresh = e == 0 and c == 0 and (q <= low < q + rows if low < high else q == 0)
        if begin < end or fresh:
            x, to = source + (i * s[STRIDE0] - s[PAD0]) * pitch + begin * down + e * across + 4 * c, out + i * s[OUT1]
            b = filters + begin * size + 4 * PANEL * (e * run + c)
            tile(
                row[TILES], to, s[OUT2], x, step, 4, b, 4 * PANEL, deep, max(0, end - begin) * runs, a2, b2, wide,
                start if fresh else to, 0 if fresh else s[OUT2], s[COUNT1],
            )  # fmt: skip


@entry
def convolution(at, begin, count, room):
    """Lines of the result from images at A and panels of filters at B; the sums begin at C (n,), if there is something.

    C0: whether numbers below 0 become 0 (relu).
    Some panels at a time pass over all lines, so that they are read from the cache, and of a panel, what DEPTH numbers
    of each window meet: it stays in the nearest one.
    """
    row = columns(at)
    s = i64s(row[INFO])
    height, n = s[KERNEL0], s[FILTERS]
    runs, run = beside(s)
    size = 4 * PANEL * run * runs * height  # of a panel
    together = max(1, HELD // max(1, size)) * PANEL
    deep = equal(run, row[DEPTH])
    few = max(1, row[DEPTH] // max(1, run)) if deep == run else 1  # runs, or rows of one run each
    rows_at_once, runs_at_once = (equal(height, few), 1) if runs == 1 else (1, equal(runs, few))
    for block in range(0, n, together):
        unit = begin
        while unit < begin + count:
            image, first = unit // s[COUNT0], unit % s[COUNT0]
            lines = min(s[LINES], s[COUNT0] - first, begin + count - unit)
            source, pitch = framed(row, s, image, first, lines, room)
            out = row[OUT] + image * s[OUT0]
            for j in range(block, min(n, block + together), PANEL):
                start, filters = row[C] + 4 * j if row[C] != 0 else 0, row[B] + j // PANEL * size
                for q in range(0, max(1, height), rows_at_once):
                    for e in range(0, runs, runs_at_once):
                        for c in range(0, max(1, run), deep):
                            add_lines(
                                row, s, first, lines, source, pitch, out + 4 * j, filters, min(PANEL, n - j), start, q,
                                min(rows_at_once, height - q), e, min(runs_at_once, runs - e), c, min(deep, run - c),
                            )  # fmt: skip
            if row[C0] != 0:
                for i in range(first, first + lines):
                    rectify(out + i * s[OUT1] + 4 * block, s[OUT2], s[COUNT1], min(n - block, together))
            unit += lines


@entry
def depthwise(at, begin, count, room):
    """Lines of the result from images at A and filters (height, width, channels) at B, B0 and B1 bytes apart."""
    row = columns(at)
    s, tiles = i64s(row[INFO]), row[TILES]
    across, step = s[DILATION1] * s[IMAGE2], s[STRIDE1] * s[IMAGE2]
    unit = begin
    while unit < begin + count:
        image, first = unit // s[COUNT0], unit % s[COUNT0]
        lines = min(s[LINES], s[COUNT0] - first, begin + count - unit)
        source, pitch = framed(row, s, image, first, lines, room + SCRATCH)
        for i in range(first, first + lines):
            low, high = bounds(i, s[STRIDE0], s[DILATION0], s[PAD0], s[SIZE0], s[KERNEL0])
            x = source + (i * s[STRIDE0] - s[PAD0] + low * s[DILATION0]) * pitch
            out = row[OUT] + image * s[OUT0] + i * s[OUT1]
            for ahead in range(s[OUT1], s[OUT1] + s[COUNT1] * s[OUT2], LINE):  # a vector of each pixel is written first
                prefetch(out + ahead)
            for c in range(0, s[CHANNELS], W):
                summed(
                    tiles, out + 4 * c, s[OUT2], x + 4 * c, step, across, row[B] + low * row[B0] + 4 * c, row[B1],
                    s[KERNEL1], high - low, s[DILATION0] * pitch, row[B0], min(W, s[CHANNELS] - c), s[COUNT1], room,
                )  # fmt: skip
        unit += lines


@entry
def thin_convolution(at, begin, count, room):
    """:func:`convolution` with a few filters (n, height, width, channels) at B: W channels at a time, added up at last.

    What lies side by side in a row of the windows must be a multiple of W numbers.
    """
    row = columns(at)
    s, tiles = i64s(row[INFO]), row[TILES]
    step, run, n, found_at = s[STRIDE1] * s[IMAGE2], s[KERNEL1] * s[CHANNELS], s[FILTERS], room + SCRATCH
    parts, few, more = shares(s[COUNT1])
    unit = begin
    while unit < begin + count:
        image, first = unit // s[COUNT0], unit % s[COUNT0]
        lines = min(s[LINES], s[COUNT0] - first, begin + count - unit)
        source, pitch = framed(row, s, image, first, lines, room + SCRATCH + ROWS * BYTES)
        for i in range(first, first + lines):
            low, high = bounds(i, s[STRIDE0], s[DILATION0], s[PAD0], s[SIZE0], s[KERNEL0])
            x = source + (i * s[STRIDE0] - s[PAD0] + low * s[DILATION0]) * pitch
            out = row[OUT] + image * s[OUT0] + i * s[OUT1]
            for part in range(parts):
                pixels = few + 1 if part < more else few
                for d in range(n):
                    filters = row[B] + 4 * run * (d * s[KERNEL0] + low)
                    summed(
                        tiles, found_at, BYTES, x, step, BYTES, filters, BYTES, run // W, high - low,
                        s[DILATION0] * pitch, 4 * run, W, pixels, room,
                    )  # fmt: skip
                    for pixel in range(pixels):
                        found = total(load(found_at + pixel * BYTES)) + (read(row[C] + 4 * d) if row[C] != 0 else F(0))
                        write(out + pixel * s[OUT2] + 4 * d, F(0) if row[C0] != 0 and found <= 0 else found)
                out += pixels * s[OUT2]
                x += pixels * step
        unit += lines
