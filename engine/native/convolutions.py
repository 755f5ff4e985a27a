"""The native machine's convolutions: tiles of products that read the windows right from the image.

Where windows reach beyond its left and right side, some rows at a time are put between zeros first (``framed``);
rows above and below aren't there, and are left out of the sums.  What a kernel must know of the windows lies in an
array of its own, whose places :mod:`engine.native.instructions` names.
"""

from numba import njit

from engine.native.instructions import (
    A0,
    A1,
    AFTER,
    B0,
    B1,
    CHANNELS,
    COUNT0,
    COUNT1,
    DILATION0,
    DILATION1,
    FILTERS,
    FRAME,
    IMAGE0,
    IMAGE1,
    IMAGE2,
    IMAGES,
    INFO,
    KERNEL0,
    KERNEL1,
    LINES,
    OUT,
    OUT0,
    OUT1,
    OUT2,
    PAD0,
    PIXELS,
    SIZE0,
    STRIDE0,
    STRIDE1,
    TAKEN,
    TILES,
    TIMES,
    TOGETHER,
    WINDOW,
    A,
    B,
    C,
    K,
    M,
    N,
)
from engine.native.kernels import LOOPS, columns, copy_row, fill_row, i64s, kernel
from engine.native.lanes import W
from engine.native.products import shares
from engine.native.simd import add, load_part, read, splat, store_part, tile, turn, write, zero
from engine.native.simd import first as lanes
from engine.native.tiles import PANEL, ROWS

HELD = 1 << 18  # bytes of filters that stay in the second-level cache while images pass by


@njit(**LOOPS)
def span(s, first, lines):
    """The first and the end of the images' rows that windows of these lines reach."""
    low, reach = first * s[STRIDE0] - s[PAD0], s[DILATION0] * (s[KERNEL0] - 1) + 1
    return max(0, low), min(s[SIZE0], low + (lines - 1) * s[STRIDE0] + reach)


@njit(**LOOPS)
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


@kernel
def group_sums(at, begin, count, room):
    """out (UNITS, N) of a (UNITS, N, K)."""
    row = columns(at)
    out, a = row[OUT] + 4 * row[N] * begin, row[A] + 4 * row[N] * row[K] * begin
    for _ in range(count * row[N]):
        total = read(a)
        for e in range(1, row[K]):
            total += read(a + 4 * e)
        write(out, total)
        out, a = out + 4, a + 4 * row[K]


@kernel
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
                        turn(to + 4 * (PANEL * start + v), 4 * PANEL, source + 4 * start + (j + v) * b1, b1)
            for v in range(whole, min(PANEL, n - j)):
                for c in range(channels):
                    write(to + 4 * (PANEL * c + v), read(source + c * b0 + (j + v) * b1))
            to += panel


@njit(**LOOPS)
def bounds(window, stride, dilation, pad, size, elements):
    """The first and the end of those elements of a window that lie on the image; none if all do on padding."""
    begin = window * stride - pad
    if dilation == 1:
        low, high = max(0, -begin), min(elements, size - begin)
    else:
        low, high = max(0, (dilation - 1 - begin) // dilation), min(elements, (size - 1 - begin) // dilation + 1)
    return low, max(low, high)


@njit(**LOOPS)
def reach(shift, stride, size, windows):
    """The first and the end of those windows whose element ``shift`` pixels in lies on the image."""
    low = max(0, -(shift // stride))
    return low, max(low, min(windows, (size - 1 - shift) // stride + 1))


@kernel
def convolution(at, begin, count, room):
    """Lines of the result from images at A and panels of filters at B; the sums begin at C (n,), if there is something.

    Some panels at a time pass over all lines, so that they are read from the cache.
    """
    row = columns(at)
    s, tiles = i64s(row[INFO], WINDOW), row[TILES]
    height, width, channels, n = s[KERNEL0], s[KERNEL1], s[CHANNELS], s[FILTERS]
    across, step = s[DILATION1] * s[IMAGE2], s[STRIDE1] * s[IMAGE2]
    runs, run = (1, width * channels) if s[DILATION1] == 1 else (width, channels)  # numbers that lie side by side
    size = 4 * PANEL * run * runs  # of a panel's part for one row of the windows
    together = max(1, HELD // max(1, size * height)) * PANEL
    parts, few, more = shares(s[COUNT1])
    for block in range(0, n, together):
        unit = begin
        while unit < begin + count:
            image, first = unit // s[COUNT0], unit % s[COUNT0]
            lines = min(s[LINES], s[COUNT0] - first, begin + count - unit)
            source, pitch = framed(row, s, image, first, lines, room)
            down = s[DILATION0] * pitch
            for i in range(first, first + lines):
                low, high = bounds(i, s[STRIDE0], s[DILATION0], s[PAD0], s[SIZE0], height)
                line = source + (i * s[STRIDE0] - s[PAD0]) * pitch + low * down
                result = row[OUT] + image * s[OUT0] + i * s[OUT1]
                for j in range(block, min(n, block + together), PANEL):
                    wide = min(PANEL, n - j)
                    start = row[C] + 4 * j if row[C] != 0 else 0
                    filters = row[B] + j // PANEL * size * height + low * size
                    x, out = line, result + 4 * j
                    for part in range(parts):
                        pixels = few + 1 if part < more else few
                        if runs == 1 or low == high:
                            tile(
                                tiles, out, s[OUT2], x, step, 4, filters, 4 * PANEL, run, high - low, down, size, wide,
                                start, 0, pixels,
                            )  # fmt: skip
                        else:
                            here, up = start, 0
                            for q in range(high - low):
                                tile(
                                    tiles, out, s[OUT2], x + q * down, step, 4, filters + q * size, 4 * PANEL, run,
                                    runs, across, 4 * PANEL * run, wide, here, up, pixels,
                                )  # fmt: skip
                                here, up = out, s[OUT2]
                        out += pixels * s[OUT2]
                        x += pixels * step
            unit += lines


@kernel
def depthwise(at, begin, count, room):
    """Lines of the result from images at A and filters (height, width, channels) at B, B0 and B1 bytes apart."""
    row = columns(at)
    s, tiles = i64s(row[INFO], WINDOW), row[TILES]
    across, step = s[DILATION1] * s[IMAGE2], s[STRIDE1] * s[IMAGE2]
    parts, few, more = shares(s[COUNT1])
    unit = begin
    while unit < begin + count:
        image, first = unit // s[COUNT0], unit % s[COUNT0]
        lines = min(s[LINES], s[COUNT0] - first, begin + count - unit)
        source, pitch = framed(row, s, image, first, lines, room)
        for i in range(first, first + lines):
            low, high = bounds(i, s[STRIDE0], s[DILATION0], s[PAD0], s[SIZE0], s[KERNEL0])
            x = source + (i * s[STRIDE0] - s[PAD0] + low * s[DILATION0]) * pitch
            out = row[OUT] + image * s[OUT0] + i * s[OUT1]
            for part in range(parts):
                pixels = few + 1 if part < more else few
                for c in range(0, s[CHANNELS], W):
                    tile(
                        tiles, out + 4 * c, s[OUT2], x + 4 * c, step, across, row[B] + low * row[B0] + 4 * c, row[B1],
                        s[KERNEL1], high - low, s[DILATION0] * pitch, row[B0], min(W, s[CHANNELS] - c), 0, 0, pixels,
                    )  # fmt: skip
                out += pixels * s[OUT2]
                x += pixels * step
        unit += lines


@njit(**LOOPS)
def gradients_at_hand(row, s, image, images, line, lines, room):
    """The gradients of these windows in ``room``, in panels without gaps; if there are more than one panel."""
    panel = 4 * PANEL * images * lines * s[COUNT1]
    for k in range(images):
        g = row[B] + (image + k) * s[OUT0] + line * s[OUT1]
        for pixel in range(lines * s[COUNT1]):
            to = room + 4 * PANEL * (k * lines * s[COUNT1] + pixel)
            for j in range(0, s[FILTERS], PANEL):
                copy_row(to, g + 4 * j, min(PANEL, s[FILTERS] - j))
                to += panel
            g += s[OUT2]


@njit(**LOOPS)
def sum_over_images(row, s, place, x, a0, q, images, line, lines, g, out, up, wide, rows, room):
    """A tile of the filters' gradient, row q of the windows, over some images and lines: added to ``out``.

    What registers add up lies in ``room`` meanwhile.  ``place``: bytes from image to image and from row to row;
    ``g``: where the gradients begin, and bytes from image to image, line to line, pixel to pixel.
    """
    shift, some = q * s[DILATION0] - s[PAD0], max(1, PIXELS // s[COUNT1])
    low, high = reach(shift, s[STRIDE0], s[SIZE0], s[COUNT0])  # the other windows' pixels are padding
    low, high = max(low, line), min(high, line + lines)
    start = 0
    for image in range(images):
        for i in range(low, max(low + 1, high), some):
            tile(
                row[TILES], room, 4 * PANEL, x + image * place[0] + (i * s[STRIDE0] + shift) * place[1], a0,
                s[STRIDE1] * s[IMAGE2], g[0] + image * g[1] + (i - line) * g[2], g[3], s[COUNT1],
                max(0, min(some, high - i)), s[STRIDE0] * place[1], g[2], wide, start, 4 * PANEL, rows,
            )  # fmt: skip
            start = room
    for i in range(rows):
        for j in range(0, wide, W):
            wanted, to = lanes(wide - j), out + i * up + 4 * j
            store_part(to, add(load_part(to, wanted), load_part(room + 4 * (i * PANEL + j), wanted)), wanted)


@kernel
def filter_gradient(at, begin, count, room):
    """out (height, width, channels, n), which is 0, from images at A and g (images, rows, columns, n) at B.

    A unit is a tile of it: some elements of a row of the windows, some filters.
    """
    row = columns(at)
    s = i64s(row[INFO], WINDOW)
    n = s[FILTERS]
    runs, run = (1, s[KERNEL1] * s[CHANNELS]) if s[DILATION1] == 1 else (s[KERNEL1], s[CHANNELS])
    parts, few, more = shares(run)
    frames = room + 4 * ROWS * PANEL
    for image in range(0, s[IMAGES], s[TOGETHER]):
        images = min(s[TOGETHER], s[IMAGES] - image)
        for line in range(0, s[COUNT0], s[LINES]):
            lines = min(s[LINES], s[COUNT0] - line)
            low, high = span(s, line, lines)
            apart = (high - low) * s[FRAME] if s[FRAME] else s[IMAGE0]
            source, pitch = framed(row, s, image, line, lines, frames)
            for k in range(1, images):
                framed(row, s, image + k, line, lines, frames + k * apart)
            packed = frames + images * (high - low) * s[FRAME]
            pixels = lines * s[COUNT1]
            if n > PANEL:
                gradients_at_hand(row, s, image, images, line, lines, packed)
            for unit in range(begin, begin + count):
                part, q, j = unit % parts, unit // parts % (s[KERNEL0] * runs), unit // parts // (s[KERNEL0] * runs)
                rows, skipped = few + 1 if part < more else few, part * few + min(part, more)
                if n > PANEL:
                    up = 4 * PANEL
                    g = (packed + j * up * images * pixels, up * pixels, up * s[COUNT1], up)
                else:
                    g = (row[B] + image * s[OUT0] + line * s[OUT1], s[OUT0], s[OUT1], s[OUT2])
                out = row[OUT] + 4 * ((q * run + skipped) * n + j * PANEL)
                sum_over_images(
                    row, s, (apart, pitch), source + q % runs * s[DILATION1] * s[IMAGE2] + 4 * skipped, 4, q // runs,
                    images, line, lines, g, out, 4 * n, min(PANEL, n - j * PANEL), rows, room,
                )  # fmt: skip


@kernel
def depthwise_gradient(at, begin, count, room):
    """out (height, width, channels), which is 0, from images at A and g (images, rows, columns, channels) at B.

    A unit is W channels of a row of the windows.
    """
    row = columns(at)
    s = i64s(row[INFO], WINDOW)
    channels, across = s[CHANNELS], s[DILATION1] * s[IMAGE2]
    blocks = (channels + W - 1) // W
    frames = room + 4 * ROWS * PANEL
    for image in range(s[IMAGES]):
        for line in range(0, s[COUNT0], s[LINES]):
            lines = min(s[LINES], s[COUNT0] - line)
            source, pitch = framed(row, s, image, line, lines, frames)
            for unit in range(begin, begin + count):
                c, q = unit % blocks * W, unit // blocks
                g = (row[B] + image * s[OUT0] + line * s[OUT1] + 4 * c, 0, s[OUT1], s[OUT2])
                for element in range(0, s[KERNEL1], ROWS):
                    out = row[OUT] + 4 * ((q * s[KERNEL1] + element) * channels + c)
                    sum_over_images(
                        row, s, (0, pitch), source + element * across + 4 * c, across, q, 1, line, lines, g, out,
                        4 * channels, min(W, channels - c), min(ROWS, s[KERNEL1] - element), room,
                    )  # fmt: skip
