"""The native machine's products: matrices and convolutions, all of them by one small kernel.

A tile (``tiles.py``) keeps some rows and columns of a result in registers while it runs along what is
summed over; both factors are read by strides, so that neither a transposed matrix nor the windows of
an image have to be written out first.  Like ``kernels.py``, this is a template.  Strides are in bytes;
``tiles`` is the address of the tiles' function.
"""

NARROW = 4 * 256  # bytes between the rows of a factor that is read as it lies, however large it is
SHALLOW = 16  # rows of a second factor that aren't worth packing
DEEP, WIDE = 256, 512  # rows and columns of the second factor that are packed at a time: half of a second-level cache


@njit(**LOOPS)
def copy_row(out, a, n):
    """n numbers that lie side by side."""
    end = a + 4 * n
    while a + BYTES <= end:
        store(out, load(a))
        a += BYTES
        out += BYTES
    if a < end:
        wanted = first((end - a) >> 2)
        store_part(out, load_part(a, wanted), wanted)


@njit(**LOOPS)
def pack(out, b, k, n, down, across):
    """b (k, n) in panels of PANEL columns, each without gaps; the last panel's missing columns are left as they are."""
    if across == 4:
        for q in range(k):
            for j in range(0, n, PANEL):
                copy_row(out + 4 * (j * k + q * PANEL), b + q * down + 4 * j, min(PANEL, n - j))
        return
    if down == 4 and n >= W and k >= W:  # side by side the other way: turn blocks of W rows and W columns
        for j in range(0, n, W):
            for q in range(0, k, W):
                h, g = min(j, n - W), min(q, k - W)  # the last ones overlap those before
                turn(out + 4 * (h // PANEL * PANEL * k + g * PANEL + h % PANEL), 4 * PANEL, b + h * across + 4 * g, across)
        return
    for j in range(n):
        to = f32s(out + 4 * (j // PANEL * PANEL * k + j % PANEL), k * PANEL)
        step = down >> 2
        x = f32s(b + j * across, k * step)
        for q in range(k):
            to[q * PANEL] = x[q * step]


@njit(**LOOPS)
def product(tiles, out, a, b, start, start0, m, n, k, a0, a1, b0, b1, room):
    """out (m, n) = a (m, k) @ b (k, n) + start (m, n), if start isn't 0.

    a0, a1, b0, b1, start0: bytes from row to row and from column to column.  ``room``: memory to pack in.
    """
    if n <= PANEL and k <= DEEP or b1 == 4 and (b0 <= NARROW or m <= ROWS or k <= SHALLOW):
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
        columns = min(WIDE, n - j)
        for q in range(0, k, DEEP):
            depth = min(DEEP, k - q)
            pack(room, b + j * b1 + q * b0, depth, columns, b0, b1)
            here, up = (start, start0) if q == 0 else (out, 4 * n)
            block(
                tiles, out + 4 * j, 4 * n, a + q * a1, a0, a1, room, 4 * PANEL, 4 * PANEL * depth, m, columns, depth,
                here + 4 * j if here != 0 else 0, up,
            )  # fmt: skip


@njit(**LOOPS)
def block(tiles, out, out0, a, a0, a1, b, b0, panel, m, n, k, start, start0):
    """Tile by tile; ``panel`` is how far the panels of b lie apart."""
    parts = (m + ROWS - 1) // ROWS
    few = m // parts
    more = m - few * parts  # so many tiles have a row more
    for j in range(0, n, PANEL):
        columns = min(PANEL, n - j)
        to, x, here = out + 4 * j, a, start + 4 * j if start != 0 else 0
        for part in range(parts):
            rows = few + 1 if part < more else few
            tile(tiles, to, out0, x, a0, a1, b, b0, k, 1, 0, 0, columns, here, start0, rows)
            to, x = to + rows * out0, x + rows * a0
            if start != 0:
                here += rows * start0
        b += panel


@njit(**LOOPS)
def frame(out, a, images, height, width, channels, out_height, out_width, top, left, down, across):
    """Put images (height, width, channels) into larger ones, ``down`` and ``across`` pixels apart; the rest stays."""
    row = 4 * width * channels
    for image in range(images):
        for i in range(height):
            source = a + (image * height + i) * row
            to = out + 4 * channels * ((image * out_height + top + i * down) * out_width + left)
            if across == 1:
                copy_row(to, source, width * channels)
            else:
                for j in range(width):
                    copy_row(to + 4 * j * across * channels, source + 4 * j * channels, channels)


@njit(**LOOPS)
def mirrored(out, filters, height, width, inner, outer):
    """filters (height, width, inner, outer) upside down, left to right, and (outer, inner)."""
    o, x = f32s(out, height * width * inner * outer), f32s(filters, height * width * inner * outer)
    for at in range(height * width):
        to = (height * width - 1 - at) * inner * outer
        for c in range(inner):
            for d in range(outer):
                o[to + d * inner + c] = x[(at * inner + c) * outer + d]


@njit(**LOOPS)
def bounds(at, stride, dilation, before, size, kernel):
    """The first and the end of those elements of window ``at`` that lie on the image; none if all do on padding."""
    begin = at * stride - before
    if dilation == 1:
        low, high = max(0, -begin), min(kernel, size - begin)
    else:
        low, high = max(0, (dilation - 1 - begin) // dilation), min(kernel, (size - 1 - begin) // dilation + 1)
    return low, max(low, high)


@njit(**LOOPS)
def reach(shift, stride, size, windows):
    """The first and the end of those windows whose element ``shift`` pixels in lies on the image."""
    low = max(0, -(shift // stride))
    return low, max(low, min(windows, (size - 1 - shift) // stride + 1))


@njit(**LOOPS)
def convolution(tiles, out, image, filters, start, info):
    """out (images, rows, columns, n) from padded images and filters (height, width, channels, n); see ``WINDOW``.

    ``start`` (n,): where the sums begin, if it isn't 0.
    """
    s = i64s(info, WINDOW)
    rows, columns, height, width, channels, n = s[1], s[2], s[3], s[4], s[5], s[6]
    image0, image1, image2 = s[7], s[8], s[9]  # bytes from image to image, row to row, pixel to pixel
    stride0, stride1, dilation0, dilation1 = s[10], s[11], s[12], s[13]
    runs, run = (1, width * channels) if dilation1 == 1 else (width, channels)  # numbers that lie side by side
    parts = (columns + ROWS - 1) // ROWS
    few, more = columns // parts, columns % parts
    for picture in range(s[0]):
        for j in range(0, n, PANEL):
            wide = min(PANEL, n - j)
            begin = start + 4 * j if start != 0 else 0
            for i in range(rows):
                low, high = bounds(i, stride0, dilation0, s[14], s[16], height)  # the others lie on padding
                at = 0
                for part in range(parts):
                    pixels = few + 1 if part < more else few
                    to = out + 4 * (((picture * rows + i) * columns + at) * n + j)
                    x = image + picture * image0 + i * stride0 * image1 + at * stride1 * image2
                    if runs == 1 or low == high:
                        tile(
                            tiles, to, 4 * n, x + low * dilation0 * image1, stride1 * image2, 4,
                            filters + 4 * (low * run * n + j), 4 * n, run, high - low, dilation0 * image1,
                            4 * n * run, wide, begin, 0, pixels,
                        )  # fmt: skip
                    else:
                        for q in range(low, high):
                            tile(
                                tiles, to, 4 * n, x + q * dilation0 * image1, stride1 * image2, 4,
                                filters + 4 * (q * width * channels * n + j), 4 * n, run, runs, dilation1 * image2,
                                4 * n * run, wide, to if q > low else begin, 4 * n if q > low else 0, pixels,
                            )  # fmt: skip
                    at += pixels


@njit(**LOOPS)
def filter_gradient(tiles, out, image, g, info):
    """out (height, width, channels, n) from padded images and g (images, rows, columns, n); see ``WINDOW``."""
    s = i64s(info, WINDOW)
    rows, columns, height, width, channels, n = s[1], s[2], s[3], s[4], s[5], s[6]
    image0, image1, image2 = s[7], s[8], s[9]
    stride0, stride1, dilation0, dilation1 = s[10], s[11], s[12], s[13]
    runs, run = (1, width * channels) if dilation1 == 1 else (width, channels)
    parts = (run + ROWS - 1) // ROWS
    few, more = run // parts, run % parts
    for picture in range(s[0]):
        for q in range(height * runs):
            low, high = reach(q // runs * dilation0 - s[14], stride0, s[16], rows)  # the other windows' pixels are padding
            x = image + picture * image0 + (q // runs * dilation0 + low * stride0) * image1 + q % runs * dilation1 * image2
            at = 0
            for part in range(parts):
                count = few + 1 if part < more else few
                for j in range(0, n, PANEL):
                    to = out + 4 * ((q * run + at) * n + j)
                    tile(
                        tiles, to, 4 * n, x + 4 * at, 4, stride1 * image2,
                        g + 4 * ((picture * rows + low) * columns * n + j), 4 * n, columns, high - low, stride0 * image1,
                        4 * n * columns, min(PANEL, n - j), to if picture else 0, 4 * n, count,
                    )  # fmt: skip
                at += count
