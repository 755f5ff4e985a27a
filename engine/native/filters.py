"""The gradients of the native machine's filters: sums over all windows of all images, by tiles.

A unit is a tile of the result, so how the work is cut never changes a sum.  Some images at a time, or some lines of
one, are gone through for all tiles: they stay in the cache.
"""

from engine.native.convolutions import framed, span
from engine.native.frontend import compiled, entry
from engine.native.instructions import (
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
    TILES,
    TOGETHER,
    A,
    B,
    C,
    N,
)
from engine.native.kernels import columns, copy_row
from engine.native.lanes import W
from engine.native.packing import shares
from engine.native.reductions import added, made_up
from engine.native.simd import add, i64s, load_part, store_part, tile
from engine.native.simd import first as lanes
from engine.native.tiles import PANEL, ROWS


@compiled
def reach(shift, stride, size, windows):
    """The first and the end of those windows whose element ``shift`` pixels in lies on the image."""
    low = max(0, -(shift // stride))
    return low, max(low, min(windows, (size - 1 - shift) // stride + 1))


@compiled
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
            found, more = load_part(room + 4 * (i * PANEL + j), wanted), load_part(to, wanted)
            if lost != 0:
                more, less = added(more, load_part(to + lost, wanted), found)
                store_part(to, more, wanted)
                store_part(to + lost, less, wanted)
            else:
                store_part(to, add(more, found), wanted)


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

    A unit is a tile of it: some elements of a row of the windows, some filters.  C, if it isn't 0: where what is lost
    to rounding is kept, which is 0 too at first.
    """
    row = columns(at)
    s = i64s(row[INFO])
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
