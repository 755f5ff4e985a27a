"""The native machine's convolutions: tiles of products that read the windows right from the image.

Images have their padding around them already (``frame``).  What a kernel must know of the windows
lies in an array of its own, whose places :mod:`engine.native.instructions` names.
"""

from numba import njit

from engine.native.instructions import (
    A0,
    A1,
    B0,
    B1,
    C0,
    C1,
    CHANNELS,
    COUNT0,
    COUNT1,
    DILATION0,
    DILATION1,
    FILTERS,
    IMAGE0,
    IMAGE1,
    IMAGE2,
    IMAGES,
    INFO,
    KERNEL0,
    KERNEL1,
    OUT,
    PAD0,
    SIZE0,
    STRIDE0,
    STRIDE1,
    TILES,
    WINDOW,
    A,
    B,
    C,
    K,
    M,
    N,
)
from engine.native.kernels import LOOPS, columns, copy_row, f32s, i64s, kernel
from engine.native.products import shares
from engine.native.simd import tile
from engine.native.tiles import PANEL


@kernel
def frame(at, begin, count, room):
    """Put M images (K, N, C channels) into larger ones (A0, A1); what is around them stays as it is.

    From B0 pixels down and B1 across, C0 and C1 pixels apart.
    """
    row = columns(at)
    height, width, channels, apart = row[K], row[N], row[C], row[C1]
    line = 4 * width * channels
    for image in range(row[M]):
        for i in range(height):
            source = row[A] + (image * height + i) * line
            out = row[OUT] + 4 * channels * ((image * row[A0] + row[B0] + i * row[C0]) * row[A1] + row[B1])
            if apart == 1:
                copy_row(out, source, width * channels)
            else:
                for j in range(width):
                    copy_row(out + 4 * j * apart * channels, source + 4 * j * channels, channels)


@kernel
def mirrored(at, begin, count, room):
    """Filters (M, K, N, C) upside down, left to right, and with C before N."""
    row = columns(at)
    places, inner, outer = row[M] * row[K], row[N], row[C]
    o, x = f32s(row[OUT], places * inner * outer), f32s(row[A], places * inner * outer)
    for place in range(places):
        to = (places - 1 - place) * inner * outer
        for c in range(inner):
            for d in range(outer):
                o[to + d * inner + c] = x[(place * inner + c) * outer + d]


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
    """out (images, rows, columns, n) from padded images at A and filters (height, width, channels, n) at B.

    The sums begin at C (n,), if there is something.
    """
    row = columns(at)
    s, tiles = i64s(row[INFO], WINDOW), row[TILES]
    height, width, channels, n = s[KERNEL0], s[KERNEL1], s[CHANNELS], s[FILTERS]
    down, across = s[DILATION0] * s[IMAGE1], s[DILATION1] * s[IMAGE2]
    step = s[STRIDE1] * s[IMAGE2]
    runs, run = (1, width * channels) if s[DILATION1] == 1 else (width, channels)  # numbers that lie side by side
    parts, few, more = shares(s[COUNT1])
    for line in range(s[IMAGES] * s[COUNT0]):
        image, i = line // s[COUNT0], line % s[COUNT0]
        low, high = bounds(i, s[STRIDE0], s[DILATION0], s[PAD0], s[SIZE0], height)  # the others lie on padding
        for j in range(0, n, PANEL):
            wide = min(PANEL, n - j)
            start = row[C] + 4 * j if row[C] != 0 else 0
            out = row[OUT] + 4 * (line * s[COUNT1] * n + j)
            x = row[A] + image * s[IMAGE0] + i * s[STRIDE0] * s[IMAGE1]
            for part in range(parts):
                pixels = few + 1 if part < more else few
                if runs == 1 or low == high:
                    tile(
                        tiles, out, 4 * n, x + low * down, step, 4, row[B] + 4 * (low * run * n + j), 4 * n, run,
                        high - low, down, 4 * n * run, wide, start, 0, pixels,
                    )  # fmt: skip
                else:
                    begin, begin0 = start, 0
                    for q in range(low, high):
                        filters = row[B] + 4 * (q * width * channels * n + j)
                        tile(
                            tiles, out, 4 * n, x + q * down, step, 4, filters, 4 * n, run, runs, across,
                            4 * n * run, wide, begin, begin0, pixels,
                        )  # fmt: skip
                        begin, begin0 = out, 4 * n
                out += 4 * n * pixels
                x += pixels * step


@kernel
def filter_gradient(at, begin, count, room):
    """out (height, width, channels, n) from padded images at A and g (images, rows, columns, n) at B."""
    row = columns(at)
    s, tiles = i64s(row[INFO], WINDOW), row[TILES]
    width, channels, n = s[KERNEL1], s[CHANNELS], s[FILTERS]
    runs, run = (1, width * channels) if s[DILATION1] == 1 else (width, channels)
    parts, few, more = shares(run)
    for image in range(s[IMAGES]):
        for q in range(s[KERNEL0] * runs):
            down, across = q // runs * s[DILATION0], q % runs * s[DILATION1]
            low, high = reach(down - s[PAD0], s[STRIDE0], s[SIZE0], s[COUNT0])  # the other windows' pixels are padding
            x = row[A] + image * s[IMAGE0] + (down + low * s[STRIDE0]) * s[IMAGE1] + across * s[IMAGE2]
            g = row[B] + 4 * (image * s[COUNT0] + low) * s[COUNT1] * n
            out = row[OUT] + 4 * q * run * n
            for part in range(parts):
                rows = few + 1 if part < more else few
                for j in range(0, n, PANEL):
                    tile(
                        tiles, out + 4 * j, 4 * n, x, 4, s[STRIDE1] * s[IMAGE2], g + 4 * j, 4 * n, s[COUNT1],
                        high - low, s[STRIDE0] * s[IMAGE1], 4 * n * s[COUNT1], min(PANEL, n - j),
                        out + 4 * j if image else 0, 4 * n, rows,
                    )  # fmt: skip
                out += 4 * n * rows
                x += 4 * rows
