"""The native machine's pools: windows over images, all channels side by side.  A template like ``kernels.py``."""

MAX, AVERAGE, AVERAGE_WITH_PADDING = range(3)


@njit(**LOOPS)
def part_of(kind, all_elements, on_image):
    """The part of 1 that an element of an average counts."""
    if kind == MAX:
        return zero()
    return spread(F(1) / F(all_elements if kind == AVERAGE_WITH_PADDING else max(1, on_image)))


@njit(**LOOPS)
def pool(out, image, info):
    """out (images, rows, columns, channels) of images (height, width, channels); see ``windows``."""
    s = i64s(info, WINDOW)
    rows, columns, height, width, channels = s[1], s[2], s[3], s[4], s[5]
    image0, image1, image2 = s[7], s[8], s[9]
    for picture in range(s[0]):
        for i in range(rows):
            top, bottom = bounds(i, s[10], s[12], s[14], s[16], height)
            for j in range(columns):
                left, right = bounds(j, s[11], s[13], s[15], s[17], width)
                corner = image + picture * image0 + (i * s[10] - s[14]) * image1 + (j * s[11] - s[15]) * image2
                share = part_of(s[18], height * width, (bottom - top) * (right - left))
                for c in range(0, channels, W):
                    wanted = first(channels - c)
                    found = spread(LEAST) if s[18] == MAX else zero()
                    for p in range(top, bottom):
                        for q in range(left, right):
                            x = load_part(corner + p * s[12] * image1 + q * s[13] * image2 + 4 * c, wanted)
                            found = maximum(found, x) if s[18] == MAX else add(found, x)
                    if s[18] != MAX:
                        found = mul(found, share)
                    store_part(out + 4 * (((picture * rows + i) * columns + j) * channels + c), found, wanted)


@njit(**LOOPS)
def pool_back(out, g, image, info):
    """What a pool sends back to its images: to each window's (first) largest pixel, or in equal parts."""
    s = i64s(info, WINDOW)
    rows, columns, height, width, channels = s[1], s[2], s[3], s[4], s[5]
    image0, image1, image2 = s[7], s[8], s[9]
    fill(out, 0, s[0] * s[16] * s[17] * channels)
    for picture in range(s[0]):
        for i in range(rows):
            top, bottom = bounds(i, s[10], s[12], s[14], s[16], height)
            for j in range(columns):
                left, right = bounds(j, s[11], s[13], s[15], s[17], width)
                corner = picture * image0 + (i * s[10] - s[14]) * image1 + (j * s[11] - s[15]) * image2
                share = part_of(s[18], height * width, (bottom - top) * (right - left))
                for c in range(0, channels, W):
                    wanted = first(channels - c)
                    sent = load_part(g + 4 * (((picture * rows + i) * columns + j) * channels + c), wanted)
                    if s[18] != MAX:
                        sent = mul(sent, share)
                    else:
                        best = spread(LEAST)
                        for p in range(top, bottom):
                            for q in range(left, right):
                                at = corner + p * s[12] * image1 + q * s[13] * image2 + 4 * c
                                best = maximum(best, load_part(image + at, wanted))
                    free = wanted
                    for p in range(top, bottom):
                        for q in range(left, right):
                            at = corner + p * s[12] * image1 + q * s[13] * image2 + 4 * c
                            here = free
                            if s[18] == MAX:
                                here = won(free, load_part(image + at, wanted), best)
                                free = without(free, here)
                            store_part(out + at, add(load_part(out + at, here), sent), here)
