"""The native machine's pools: windows over images, all channels side by side."""

from engine.native.convolutions import bounds
from engine.native.frontend import compiled, entry
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
    A,
    B,
    C,
    K,
)
from engine.native.kernels import LEAST, F, columns, fill_row
from engine.native.lanes import W
from engine.native.reductions import RUN, added, made_up
from engine.native.simd import (
    add,
    choose,
    first,
    greater,
    i64s,
    load_part,
    mul,
    positive,
    spread,
    store_part,
    without,
    won,
    zero,
)


@compiled
def share(s, on_image):
    """The part of 1 that an element of an average counts."""
    return F(1) / F(s[KERNEL0] * s[KERNEL1] if s[POOL] == AVERAGE_WITH_PADDING else max(1, on_image))


@compiled
def across(s, j):
    """The first and the end of those elements of a window across that lie on the image."""
    begin = j * s[STRIDE1] - s[PAD1]
    if begin >= 0 and begin + s[DILATION1] * (s[KERNEL1] - 1) < s[SIZE1]:
        return 0, s[KERNEL1]
    return bounds(j, s[STRIDE1], s[DILATION1], s[PAD1], s[SIZE1], s[KERNEL1])


@compiled
def largest(window, height, width, down, right, wanted):
    """The largest numbers of a window of so many elements; NaN if there is one."""
    if height == 2 and width == 2:  # as most are
        upper = greater(load_part(window, wanted), load_part(window + right, wanted))
        return greater(upper, greater(load_part(window + down, wanted), load_part(window + down + right, wanted)))
    best = spread(LEAST)
    for p in range(height):
        for q in range(width):
            best = greater(best, load_part(window + p * down + q * right, wanted))
    return best


@compiled
def sum_of(window, height, width, down, right, wanted):
    """The sums of a window, row by row; of a large one, with what is lost to rounding."""
    found, lost = zero(), zero()
    for p in range(height):
        for begin in range(0, width, RUN):
            line = zero()
            for q in range(begin, min(width, begin + RUN)):
                line = add(line, load_part(window + p * down + q * right, wanted))
            if height > RUN or width > RUN:
                found, lost = added(found, lost, line)
            else:
                found = add(found, line)
    return made_up(found, lost)


@entry
def pool(at, begin, count, room):
    """out (images, rows, columns, channels) of images (height, width, channels) at A.  A unit is a row of an image."""
    row = columns(at)
    s = i64s(row[INFO])
    channels, down, right = s[CHANNELS], s[DILATION0] * s[IMAGE1], s[DILATION1] * s[IMAGE2]
    for line in range(begin, begin + count):
        image, i = line // s[COUNT0], line % s[COUNT0]
        top, bottom = bounds(i, s[STRIDE0], s[DILATION0], s[PAD0], s[SIZE0], s[KERNEL0])
        source = row[A] + image * s[IMAGE0] + (i * s[STRIDE0] - s[PAD0]) * s[IMAGE1] + top * down
        for c in range(0, channels, W):
            wanted, out = first(channels - c), row[OUT] + 4 * (line * s[COUNT1] * channels + c)
            for j in range(s[COUNT1]):
                left, end = across(s, j)
                window = source + (j * s[STRIDE1] - s[PAD1]) * s[IMAGE2] + left * right + 4 * c
                height, width = bottom - top, end - left
                if s[POOL] == MAX:
                    found = largest(window, height, width, down, right, wanted)
                else:
                    found = sum_of(window, height, width, down, right, wanted)
                    found = mul(found, spread(share(s, height * width)))
                store_part(out, found, wanted)
                out += 4 * channels


@entry
def pool_pick(at, begin, count, room):
    """out (images, rows, columns, channels): the number at A where images at B are (first) largest in each window."""
    row = columns(at)
    s = i64s(row[INFO])
    channels, down, right = s[CHANNELS], s[DILATION0] * s[IMAGE1], s[DILATION1] * s[IMAGE2]
    for line in range(begin, begin + count):
        image, i = line // s[COUNT0], line % s[COUNT0]
        top, bottom = bounds(i, s[STRIDE0], s[DILATION0], s[PAD0], s[SIZE0], s[KERNEL0])
        begins = image * s[IMAGE0] + (i * s[STRIDE0] - s[PAD0]) * s[IMAGE1] + top * down
        for j in range(s[COUNT1]):
            left, end = across(s, j)
            window = begins + (j * s[STRIDE1] - s[PAD1]) * s[IMAGE2] + left * right
            for c in range(0, channels, W):
                wanted = first(channels - c)
                best = largest(row[B] + window + 4 * c, bottom - top, end - left, down, right, wanted)
                found, free = zero(), wanted
                for p in range(bottom - top):
                    for q in range(end - left):
                        place = window + p * down + q * right + 4 * c
                        here = won(free, load_part(row[B] + place, wanted), best)
                        found, free = choose(here, load_part(row[A] + place, wanted), found), without(free, here)
                store_part(row[OUT] + 4 * ((line * s[COUNT1] + j) * channels + c), found, wanted)


@compiled
def lines_of(row, s, begin, count):
    """The lines of windows in these units of what is sent back: images, which are 0 then; or lines, if K is 1.

    K: in how many windows a pixel lies: 0 if in several, 1 if in one, 2 if in one or none.
    """
    if row[K] == 1:
        return begin, begin + count
    fill_row(row[OUT] + begin * s[IMAGE0], zero(), count * s[IMAGE0] >> 2)
    return begin * s[COUNT0], (begin + count) * s[COUNT0]


@compiled
def sent_to(out, x, best, sent, free, wanted):
    """Give a pixel what is sent, or 0, and say which of the channels that were ``free`` still are."""
    here = won(free, load_part(x, wanted), best)
    store_part(out, choose(here, sent, zero()), wanted)
    return without(free, here)


@entry
def max_pool_back(at, begin, count, room):
    """The gradients of windows at A, each to its window's (first) largest pixel of the images at B.

    C: whether they are sent on only through pixels above 0 (relu's slope).
    """
    row = columns(at)
    s = i64s(row[INFO])
    channels, down, right = s[CHANNELS], s[DILATION0] * s[IMAGE1], s[DILATION1] * s[IMAGE2]
    for line in range(*lines_of(row, s, begin, count)):
        image, i = line // s[COUNT0], line % s[COUNT0]
        top, bottom = bounds(i, s[STRIDE0], s[DILATION0], s[PAD0], s[SIZE0], s[KERNEL0])
        begins = image * s[IMAGE0] + (i * s[STRIDE0] - s[PAD0]) * s[IMAGE1] + top * down
        for c in range(0, channels, W):
            wanted, g = first(channels - c), row[A] + 4 * (line * s[COUNT1] * channels + c)
            for j in range(s[COUNT1]):
                left, end = across(s, j)
                window = begins + (j * s[STRIDE1] - s[PAD1]) * s[IMAGE2] + left * right + 4 * c
                free, out, x = wanted, row[OUT] + window, row[B] + window
                best = largest(x, bottom - top, end - left, down, right, wanted)
                sent = load_part(g, wanted)
                g += 4 * channels
                if row[C] != 0:
                    sent = mul(sent, choose(positive(best), spread(F(1)), zero()))
                if row[K] != 0 and bottom - top == 2 and end - left == 2:  # as most are
                    free = sent_to(out, x, best, sent, free, wanted)
                    free = sent_to(out + right, x + right, best, sent, free, wanted)
                    free = sent_to(out + down, x + down, best, sent, free, wanted)
                    sent_to(out + down + right, x + down + right, best, sent, free, wanted)
                    continue
                for p in range(bottom - top):
                    for q in range(end - left):
                        place = p * down + q * right
                        if row[K] != 0:
                            free = sent_to(out + place, x + place, best, sent, free, wanted)
                            continue
                        here = won(free, load_part(x + place, wanted), best)
                        free = without(free, here)
                        more = choose(here, sent, zero())
                        store_part(out + place, add(load_part(out + place, wanted), more), wanted)


@entry
def avg_pool_back(at, begin, count, room):
    """The gradients of windows at A, to each pixel its part."""
    row = columns(at)
    s = i64s(row[INFO])
    channels, down, right = s[CHANNELS], s[DILATION0] * s[IMAGE1], s[DILATION1] * s[IMAGE2]
    for line in range(*lines_of(row, s, begin, count)):
        image, i = line // s[COUNT0], line % s[COUNT0]
        top, bottom = bounds(i, s[STRIDE0], s[DILATION0], s[PAD0], s[SIZE0], s[KERNEL0])
        begins = row[OUT] + image * s[IMAGE0] + (i * s[STRIDE0] - s[PAD0]) * s[IMAGE1] + top * down
        for j in range(s[COUNT1]):
            left, end = across(s, j)
            window = begins + (j * s[STRIDE1] - s[PAD1]) * s[IMAGE2] + left * right
            part = spread(share(s, (bottom - top) * (end - left)))
            for c in range(0, channels, W):
                wanted = first(channels - c)
                sent = mul(load_part(row[A] + 4 * ((line * s[COUNT1] + j) * channels + c), wanted), part)
                for p in range(bottom - top):
                    for q in range(end - left):
                        place = window + p * down + q * right + 4 * c
                        store_part(place, add(load_part(place, wanted), sent) if row[K] == 0 else sent, wanted)
