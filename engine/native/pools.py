"""The native machine's pools: windows over images, all channels side by side."""

from numba import njit

from engine.native.convolutions import bounds
from engine.native.instructions import (
    AVERAGE_WITH_PADDING,
    CHANNELS,
    COUNT0,
    COUNT1,
    DILATION0,
    DILATION1,
    IMAGE0,
    IMAGE1,
    IMAGE2,
    IMAGES,
    INFO,
    KERNEL0,
    KERNEL1,
    MAX,
    OUT,
    PAD0,
    PAD1,
    POOL,
    SIZE0,
    SIZE1,
    STRIDE0,
    STRIDE1,
    WINDOW,
    A,
    B,
)
from engine.native.kernels import LEAST, LOOPS, F, columns, fill_row, i64s, kernel
from engine.native.lanes import W
from engine.native.simd import add, first, load_part, maximum, mul, spread, store_part, without, won, zero


@njit(**LOOPS)
def share(s, on_image):
    """The part of 1 that an element of an average counts."""
    return F(1) / F(s[KERNEL0] * s[KERNEL1] if s[POOL] == AVERAGE_WITH_PADDING else max(1, on_image))


@njit(**LOOPS)
def corner(s, image, i, j):
    """How far into the images the first element of a window lies, be it on padding."""
    return image * s[IMAGE0] + (i * s[STRIDE0] - s[PAD0]) * s[IMAGE1] + (j * s[STRIDE1] - s[PAD1]) * s[IMAGE2]


@kernel
def pool(at, begin, count, room):
    """out (images, rows, columns, channels) of images (height, width, channels) at A."""
    row = columns(at)
    s = i64s(row[INFO], WINDOW)
    channels, down, across, largest = s[CHANNELS], s[DILATION0] * s[IMAGE1], s[DILATION1] * s[IMAGE2], s[POOL] == MAX
    for line in range(s[IMAGES] * s[COUNT0]):
        image, i = line // s[COUNT0], line % s[COUNT0]
        top, bottom = bounds(i, s[STRIDE0], s[DILATION0], s[PAD0], s[SIZE0], s[KERNEL0])
        for j in range(s[COUNT1]):
            left, right = bounds(j, s[STRIDE1], s[DILATION1], s[PAD1], s[SIZE1], s[KERNEL1])
            window = row[A] + corner(s, image, i, j)
            for c in range(0, channels, W):
                wanted = first(channels - c)
                found = spread(LEAST) if largest else zero()
                for p in range(top, bottom):
                    for q in range(left, right):
                        x = load_part(window + p * down + q * across + 4 * c, wanted)
                        found = maximum(found, x) if largest else add(found, x)
                if not largest:
                    found = mul(found, spread(share(s, (bottom - top) * (right - left))))
                store_part(row[OUT] + 4 * ((line * s[COUNT1] + j) * channels + c), found, wanted)


@kernel
def pool_back(at, begin, count, room):
    """What a pool sends back to its images at B: the gradient at A, to a window's (first) largest pixel or in parts."""
    row = columns(at)
    s = i64s(row[INFO], WINDOW)
    channels, down, across, largest = s[CHANNELS], s[DILATION0] * s[IMAGE1], s[DILATION1] * s[IMAGE2], s[POOL] == MAX
    fill_row(row[OUT], zero(), s[IMAGES] * s[SIZE0] * s[SIZE1] * channels)
    for line in range(s[IMAGES] * s[COUNT0]):
        image, i = line // s[COUNT0], line % s[COUNT0]
        top, bottom = bounds(i, s[STRIDE0], s[DILATION0], s[PAD0], s[SIZE0], s[KERNEL0])
        for j in range(s[COUNT1]):
            left, right = bounds(j, s[STRIDE1], s[DILATION1], s[PAD1], s[SIZE1], s[KERNEL1])
            window = corner(s, image, i, j)
            for c in range(0, channels, W):
                wanted = first(channels - c)
                sent = load_part(row[A] + 4 * ((line * s[COUNT1] + j) * channels + c), wanted)
                best = spread(LEAST)
                if largest:
                    for p in range(top, bottom):
                        for q in range(left, right):
                            place = window + p * down + q * across + 4 * c
                            best = maximum(best, load_part(row[B] + place, wanted))
                else:
                    sent = mul(sent, spread(share(s, (bottom - top) * (right - left))))
                free = wanted
                for p in range(top, bottom):
                    for q in range(left, right):
                        place = window + p * down + q * across + 4 * c
                        here = won(free, load_part(row[B] + place, wanted), best) if largest else wanted
                        if largest:
                            free = without(free, here)
                        store_part(row[OUT] + place, add(load_part(row[OUT] + place, here), sent), here)
