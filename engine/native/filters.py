"""The gradients of the native machine's filters: sums over all windows of all images, by tiles.

A unit is a tile of the result, so how the work is cut never changes a sum.  Some images at a time, or some lines of
one, are gone through for all tiles: they stay in the cache.
"""

from engine.native.convolutions import beside, equal, framed, span
from engine.native.frontend import compiled, entry
from engine.native.instructions import (
    A0,
    CHANNELS,
    COUNT0,
    COUNT1,
    DILATION0,
    DILATION1,
    FILTERS,
    FRAME,
    IMAGE0,
    IMAGE2,
    IMAGES,
    INFO,
    KERNEL1,
    LINE,
    LINES,
    OUT,
    OUT0,
    OUT1,
    OUT2,
    PACKED,
    PAD0,
    PIXELS,
    SIZE0,
    STRIDE0,
    STRIDE1,
    SUMS,
    TALL,
    TILES,
    TOGETHER,
    A,
    B,
    C,
    N,
)
from engine.native.kernels import columns
from engine.native.lanes import BYTES, W
from engine.native.packing import pack_panels, shares
from engine.native.products import narrow_block
from engine.native.reductions import added, made_up
from engine.native.simd import add, i64s, load_part, store, store_part, tile, zero
from engine.native.simd import first as lanes
from engine.native.tiles import PANEL, ROWS


@compiled
def reach(shift, stride, size, windows):
    """The first and the end of those windows whose element ``shift`` pixels in lies on the image."""
    low = max(0, -(shift // stride))
    return low, max(low, min(windows, (size - 1 - shift) // stride + 1))


@compiled
def framed_images(row, s, image, images, line, lines, room):
    """As framed, of some images; also the bytes from one to the next, and of ``room`` that they take."""
    low, high = span(s, line, lines)
    apart = (high - low) * s[FRAME] if s[FRAME] else s[IMAGE0]
    source, pitch = framed(row, s, image, line, lines, room)
    for k in range(1, images):
        framed(row, s, image + k, line, lines, room + k * apart)
    return source, pitch, apart, images * (high - low) * s[FRAME]


@compiled
def add_and_keep(to, lost, x, wanted):
    """Numbers at ``to`` += x; what is lost to rounding is added to those at ``lost``, if that isn't 0."""
    if lost != 0:
        total, less = added(load_part(to, wanted), load_part(lost, wanted), x)
        store_part(to, total, wanted)
        store_part(lost, less, wanted)
    else:
        store_part(to, add(load_part(to, wanted), x), wanted)


@compiled
def sum_over_images(row, s, place, x, a0, q, images, line, lines, g, out, up, wide, rows, room):
    """A tile of the filters' gradient, row q of the windows, over some images and lines: added to ``out``.

    What registers add up lies in ``room`` meanwhile.  ``place``: bytes from image to image and from row to row;
    ``g``: where the gradients begin, and bytes from image to image, line to line, pixel to pixel.
    """
    shift, some = q * s[DILATION0] - s[PAD0], max(1, PIXELS // s[COUNT1])
    low, high = reach(shift, s[STRIDE0], s[SIZE0], s[COUNT0])  # the other windows' pixels are padding
    low, high = max(low, line), min(high, line + lines)
    start, step = 0, s[STRIDE1] * s[IMAGE2]
    for image in range(images):
        for i in range(low, max(low + 1, high), some):
            a, b = x + image * place[0] + (i * s[STRIDE0] + shift) * place[1], g[0] + image * g[1] + (i - line) * g[2]
            for pixel in range(0, s[COUNT1], PIXELS):
                tile(
                    row[TILES], room, 4 * PANEL, a + pixel * step, a0, step, b + pixel * g[3], g[3],
                    min(PIXELS, s[COUNT1] - pixel), max(0, min(some, high - i)), s[STRIDE0] * place[1], g[2], wide,
                    start, 4 * PANEL, rows,
                )  # fmt: skip
                start = room
    lost = row[C] - row[OUT] if row[C] != 0 else 0
    for i in range(rows):
        for j in range(0, wide, W):
            wanted, to = lanes(wide - j), out + i * up + 4 * j
            found = load_part(room + 4 * (i * PANEL + j), wanted)
            add_and_keep(to, to + lost if lost != 0 else 0, found, wanted)


@entry
def add_lost(at, begin, count, room):
    """out (N,) and what its sums have lost to rounding, at A (N,), made one."""
    row = columns(at)
    for j in range(0, row[N], W):
        wanted, to = lanes(row[N] - j), row[OUT] + 4 * j
        store_part(to, made_up(load_part(to, wanted), load_part(row[A] + 4 * j, wanted)), wanted)


@entry
def filter_gradient(at, begin, count, room):
    """out (height, width, channels, n), which is 0, from images at A and g (images, rows, columns, n) at B.

    A unit is a tile of it: some elements of a row of the windows, all filters, which are PANEL at most.  C, if it
    isn't 0: where what is lost to rounding is kept, which is 0 too at first.
    """
    row = columns(at)
    s = i64s(row[INFO])
    n = s[FILTERS]
    runs, run = beside(s)
    parts, few, more = shares(run)
    frames = room + 4 * ROWS * PANEL
    for image in range(0, s[IMAGES], s[TOGETHER]):
        images = min(s[TOGETHER], s[IMAGES] - image)
        for line in range(0, s[COUNT0], s[LINES]):
            lines = min(s[LINES], s[COUNT0] - line)
            source, pitch, apart, _ = framed_images(row, s, image, images, line, lines, frames)
            g = (row[B] + image * s[OUT0] + line * s[OUT1], s[OUT0], s[OUT1], s[OUT2])
            for unit in range(begin, begin + count):
                part, q = unit % parts, unit // parts
                rows, skipped = few + 1 if part < more else few, part * few + min(part, more)
                out = row[OUT] + 4 * (q * run + skipped) * n
                sum_over_images(
                    row, s, (apart, pitch), source + q % runs * s[DILATION1] * s[IMAGE2] + 4 * skipped, 4, q // runs,
                    images, line, lines, g, out, 4 * n, n, rows, room,
                )  # fmt: skip


@compiled
def pack_elements(out, a, rows, images, apart, lines, up, pixels, step):
    """What lies at ``rows`` elements of some windows, tile by tile, window by window.

    ``apart``, ``up``, ``step``: bytes from image to image, line to line, window to window.
    """
    parts, few, more = shares(rows)
    for part in range(parts):
        tall = few + 1 if part < more else few
        for image in range(images):
            for line in range(lines):
                x = a + image * apart + line * up
                for _ in range(pixels):
                    for v in range(0, tall, W):  # what is written beyond a window's numbers is written over
                        store(out + 4 * v, load_part(x + 4 * v, lanes(tall - v)))
                    out, x = out + 4 * tall, x + step
        a += 4 * tall


@compiled
def add_products(row, s, source, apart, pitch, image, images, line, lines, pixel, pixels, begin, end, room):
    """What some pixels of some lines and images give is added to some units' sums: a product of packed factors."""
    n, partial, tiles = s[FILTERS], row[A0], row[TILES]
    runs, run = beside(s)
    parts, step, had_top, had_bottom = (run + ROWS - 1) // ROWS, s[STRIDE1] * s[IMAGE2], 0, 0
    unit = begin
    while unit < end:
        q, skipped = unit // parts, unit % parts * ROWS
        last = min(unit + TALL // ROWS, end, (q + 1) * parts)
        rows, shift = min(run - skipped, (last - unit) * ROWS), q // runs * s[DILATION0] - s[PAD0]
        unit = last
        low, high = reach(shift, s[STRIDE0], s[SIZE0], s[COUNT0])  # the other windows' pixels are padding
        low, high = max(low, line), min(high, line + lines)
        if low >= high:
            continue
        whole = images * (high - low) * pixels
        top, bottom = (line, line + lines) if images == 1 else (low, high)  # of one image all lines are packed, once
        held = images * (bottom - top) * pixels
        if (top, bottom) != (had_top, had_bottom):
            had_top, had_bottom = top, bottom
            for k in range(images):
                g = row[B] + (image + k) * s[OUT0] + top * s[OUT1] + pixel * s[OUT2]
                to = room + 4 * PANEL * k * (bottom - top) * pixels
                pack_panels(to, 4 * PANEL * held, g, (bottom - top) * pixels, n, s[OUT2], 4)
        elements = room + 4 * PANEL * ((n + PANEL - 1) // PANEL) * held
        x = source + q % runs * s[DILATION1] * s[IMAGE2] + 4 * skipped + pixel * step
        x += (low * s[STRIDE0] + shift) * pitch
        pack_elements(elements, x, rows, images, apart, high - low, s[STRIDE0] * pitch, pixels, step)
        for j in range(0, n, PANEL):
            wide, to = min(PANEL, n - j), partial + 4 * ((q * run + skipped) * n + j)
            b = room + 4 * j * held + 4 * PANEL * (low - top) * pixels
            if wide > W:
                tile(row[PACKED], to, 4 * n, elements, 4, 0, b, 4 * PANEL, whole, 1, 0, 0, wide, to, 4 * n, rows)
            else:
                narrow_block(tiles, to, 4 * n, elements, b, 4 * PANEL, 0, rows, wide, whole, to, 4 * n)


@compiled
def flush(out, partial, lost, n):
    """out (n,) += partial, which becomes 0; what is lost to rounding is kept at ``lost``, if that isn't 0."""
    for j in range(0, 4 * n, BYTES):
        wanted = lanes(n - (j >> 2))
        add_and_keep(out + j, lost + j if lost != 0 else 0, load_part(partial + j, wanted), wanted)
        store_part(partial + j, zero(), wanted)


@entry
def filter_products(at, begin, count, room):
    """As filter_gradient, of any number of filters: products of what lies under the windows with g, both packed.

    A unit is a row of tiles.  A0: where up to SUMS such products are added up, which is 0 at first; if they all are, it
    is the result.
    """
    row = columns(at)
    s = i64s(row[INFO])
    _, run = beside(s)
    end, parts, sums = begin + count, (run + ROWS - 1) // ROWS, 0
    first = begin // parts * run + begin % parts * ROWS  # of the filters' rows that these units are
    moved, numbers = 4 * s[FILTERS] * first, (end // parts * run + end % parts * ROWS - first) * s[FILTERS]
    out, partial, lost = row[OUT] + moved, row[A0] + moved, row[C] + moved if row[C] != 0 else 0
    some = equal(s[COUNT1], PIXELS)
    for image in range(0, s[IMAGES], s[TOGETHER]):
        images = min(s[TOGETHER], s[IMAGES] - image)
        for line in range(0, s[COUNT0], s[LINES]):
            lines = min(s[LINES], s[COUNT0] - line)
            source, pitch, apart, size = framed_images(row, s, image, images, line, lines, room)
            packed = room + (size + LINE - 1) // LINE * LINE
            for pixel in range(0, s[COUNT1], some):
                pixels = min(some, s[COUNT1] - pixel)
                add_products(
                    row, s, source, apart, pitch, image, images, line, lines, pixel, pixels, begin, end, packed
                )
                sums += 1
                if sums == SUMS and partial != out:
                    flush(out, partial, lost, numbers)
                    sums = 0
    if sums > 0 and partial != out:
        flush(out, partial, lost, numbers)


@entry
def depthwise_gradient(at, begin, count, room):
    """out (height, width, channels), which is 0, from images at A and g (images, rows, columns, channels) at B.

    A unit is W channels of a row of the windows.  C: as there.
    """
    row = columns(at)
    s = i64s(row[INFO])
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
