"""How convolutions and pools become instructions of the native machine."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from engine.native.folds import along
from engine.native.instructions import (
    AVERAGE,
    AVERAGE_WITH_PADDING,
    C0,
    LINE,
    LONG,
    MAX,
    OP,
    PIXELS,
    SUMS,
    TALL,
    WINDOW,
)
from engine.native.lowering import (
    PARTS,
    PRODUCTS_A_NS,
    NotNative,
    Table,
    address,
    element_wise,
    float32,
    lowering,
    tile_sizes,
)
from engine.native.matrices import add_product
from engine.ops import matrix, pool
from engine.ops.window import Axis, Windows, settings, windows
from engine.passes import Node

CACHE = 1 << 20  # bytes that stay in the second-level cache
THIN = 4  # filters at most
FRAMES = 1 << 18  # bytes of padded rows, beside the filters and the result
RELU = "(select(x0 <= 0, 0, x0))"
LAPS = 128  # windows that a pixel lies in, at most: what they send back is a running total
MANY = 64  # filters of a depthwise convolution whose parts are added up one by one


class _Rows(NamedTuple):
    """How rows of an image are read: ``skipped`` pixels are left out, then come ``taken`` ones between others of 0.

    ``pitch``: the bytes of all these, each channel ``times`` times; 0 if there is nothing to be put around them.
    """

    skipped: int
    taken: int
    after: int
    times: int
    pitch: int


def _rows(over: Windows, channels: int, times: int = 1) -> _Rows:
    axis = over.across
    if axis.kernel == 0:
        return _Rows(0, 0, 0, times, 0)
    end = (axis.windows - 1) * axis.stride - axis.before + axis.dilation * (axis.kernel - 1) + 1  # of the last window
    skipped, before, after = max(0, -axis.before), max(0, axis.before), max(0, end - axis.size)
    taken = max(0, min(end, axis.size) - skipped)
    padded = before > 0 or after > 0 or times > 1
    return _Rows(skipped, taken, after, times, 4 * (before + taken + after) * channels * times if padded else 0)


def _under(axis: Axis, lines: int) -> int:
    """Pixels under so many windows."""
    return min(axis.size, max(0, (lines - 1) * axis.stride + axis.dilation * (axis.kernel - 1) + 1))


def _info(
    table: Table, over: Windows, image: np.ndarray, out: np.ndarray, *, rows: _Rows | None = None, lines: int = 0,
    together: int = 0, kind: int = 0,
) -> int:  # fmt: skip
    """The address of what a kernel must know of the windows ``over`` an image (batch, height, width, channels).

    ``lines`` of windows and images ``together``: how many are done at a time.
    """
    down, across, rows = over.down, over.across, rows or _Rows(0, 0, 0, 1, 0)
    numbers = [
        len(image), *out.shape[1:3], down.kernel, across.kernel, image.shape[3] * rows.times, out.shape[3],
        *image.strides[:2], image.strides[2] * rows.times, *out.strides[:3], down.stride, across.stride, down.dilation,
        across.dilation, down.before, across.before, down.size, across.size, kind, rows.pitch, rows.taken, rows.after,
        rows.times, lines, together,
    ]  # fmt: skip
    assert len(numbers) == WINDOW
    return address(table.keep(np.array(numbers, np.int64)))


def _over(shape: Sequence[int], kernel: Sequence[int], attrs: Any) -> Windows:
    how = {name: value for name, value in attrs.items() if name in ("strides", "padding", "dilations")}
    return windows(shape[1:3], kernel, *settings(**how))


def _by_lines(
    table: Table, kernel: str, out: np.ndarray, image: np.ndarray, filters: np.ndarray, *start: np.ndarray,
    over: Windows, times: int = 1, **more: int,
) -> None:  # fmt: skip
    """A convolution of ``image`` line by line of ``out``, as many at a time as have their padded rows in a cache."""
    rows, down = _rows(over, image.shape[3], times), over.down
    lines = down.windows
    if rows.pitch:
        lines = max(1, min(lines, (FRAMES // rows.pitch - _under(down, 1)) // down.stride + 1))
    tall, panel, _ = tile_sizes()
    table.room = max(table.room, 8 * tall * panel + _under(down, lines) * rows.pitch)  # two tiles, and the rows
    info = _info(table, over, image, out, rows=rows, lines=lines)
    units = out.shape[0] * out.shape[1]
    table.add(kernel, out, image[:, :, rows.skipped :], filters, *start, n=0, units=units, info=info, **more)


def _is_thin(filters: np.ndarray) -> bool:
    """Whether they would leave most of a vector empty, but not if channels lie there, and turning them is simple."""
    height, _, channels, n = filters.shape
    vector, simple = tile_sizes()[2], filters.strides[2] == filters.itemsize or filters.flags.c_contiguous
    return n <= THIN and n * height <= PARTS and channels % vector == 0 and channels >= 2 * vector and simple


def _is_product(over: Windows, image: np.ndarray, out: np.ndarray) -> bool:
    """Whether each window is a pixel, so that pixels are rows of a matrix."""
    plain = all(axis.kernel == axis.stride == 1 and axis.before == axis.after == 0 for axis in (over.down, over.across))
    return plain and image.flags.c_contiguous and out.flags.c_contiguous and image.size > 0


def _convolve(
    table: Table, out: np.ndarray, image: np.ndarray, filters: np.ndarray, over: Windows, *start: np.ndarray
) -> None:
    """``out`` = ``image`` convolved with ``filters`` (height, width, in, out) of any strides, + ``start``."""
    height, width, channels, n = filters.shape
    panel, work = tile_sizes()[1], out.size * height * width * channels // PRODUCTS_A_NS
    if _is_thin(filters) and over.across.dilation == 1:
        whole = table.keep(np.empty((n, height, width, channels), np.float32))
        if whole.size:
            table.copy(whole, filters.transpose(3, 0, 1, 2))
        _by_lines(table, "thin_convolution", out, image, whole, *map(table.plain, start), over=over, work=work)
        return
    if _is_product(over, image, out):
        added = table.plain(start[0]) if start else None
        add_product(table, out.reshape(-1, n), image.reshape(-1, channels), filters[0, 0], added)
        return
    if height > 1 and height * width * channels > matrix.LONG:
        _convolve_in_halves(table, out, image, filters, over, *start)
        return
    panels = table.keep(np.empty((-(-n // panel), height * width * channels, panel), np.float32))
    strides = dict(zip(("a0", "a1", "b0", "b1"), filters.strides, strict=True))
    table.add("filter_panels", panels, filters, n=n, units=height * width, m=height, k=width, c=channels, **strides)
    taps = height * width * channels
    depth = taps if taps <= LONG else PIXELS
    _by_lines(table, "convolution", out, image, panels, *map(table.plain, start), over=over, work=work, depth=depth)


def _convolve_in_halves(
    table: Table, out: np.ndarray, image: np.ndarray, filters: np.ndarray, over: Windows, *start: np.ndarray
) -> None:
    """The same by the upper half of the windows and by the lower one: a longer running total would lose digits."""
    half, part, down = len(filters) // 2, table.keep(np.empty(out.shape, np.float32)), over.down
    left = (down.kernel - half) * down.dilation
    upper = replace(down, kernel=half, after=down.after - left)
    lower = replace(down, kernel=down.kernel - half, before=down.before - half * down.dilation)
    _convolve(table, out, image, filters[:half], Windows(upper, over.across), *start)
    _convolve(table, part, image, filters[half:], Windows(lower, over.across))
    element_wise(table, "(x0 + x1)", out, [out, part])


def _convolve_apart(
    table: Table, out: np.ndarray, image: np.ndarray, filters: np.ndarray, over: Windows, *, times: int = 1
) -> None:
    """The same with ``filters`` (height, width, channels) of one channel each; those come ``times`` times."""
    b0, b1, _ = filters.strides
    _by_lines(table, "depthwise", out, image, filters, over=over, times=times, b0=b0, b1=b1)


def _send_back(
    table: Table, out: np.ndarray, g: np.ndarray, filters: np.ndarray, over: Windows, *, by: Callable[..., None]
) -> None:
    """What a convolution ``by`` windows ``over`` images sends back to them, at ``out``.

    It is a convolution of ``g`` for all pixels that lie a stride apart, with those of the ``filters`` that reach them.
    """
    g = table.plain(g)
    for i, down, vertical in over.down.backwards():
        for j, across, horizontal in over.across.backwards():
            part = out[:, i :: over.down.stride, j :: over.across.stride]
            by(table, part, g, filters[down, across], Windows(vertical, horizontal))


@lowering("conv2d", "conv2d+add")
def _conv2d(table: Table, node: Node, out: np.ndarray, ins: Sequence[np.ndarray]) -> None:
    image, filters, *start = ins
    float32(out, image, filters)
    _convolve(table, out, table.plain(image), filters, _over(image.shape, filters.shape[:2], node.attrs), *start)


@lowering("conv2d+add+relu")
def _conv2d_relu(table: Table, node: Node, out: np.ndarray, ins: Sequence[np.ndarray]) -> None:
    _conv2d(table, node, out, ins)
    if table.rows[-1][OP] in (table.codes["convolution"], table.codes["thin_convolution"]):
        table.rows[-1][C0] = 1
    else:  # any of the products
        element_wise(table, RELU, out, [out])


@lowering("conv2d_input")
def _conv2d_input(table: Table, node: Node, out: np.ndarray, ins: Sequence[np.ndarray]) -> None:
    g, filters = ins
    float32(out, g, filters)
    over = _over(out.shape, filters.shape[:2], node.attrs)
    _send_back(table, out, g, filters.transpose(0, 1, 3, 2), over, by=_convolve)


@lowering("depthwise_conv2d")
def _depthwise(table: Table, node: Node, out: np.ndarray, ins: Sequence[np.ndarray]) -> None:
    image, filters = map(table.plain, ins)
    float32(out, image, filters)
    over, each = _over(image.shape, filters.shape[:2], node.attrs), filters.shape[3]
    _convolve_apart(table, out, image, filters.reshape(*filters.shape[:2], -1), over, times=each)


@lowering("depthwise_conv2d_input")
def _depthwise_input(table: Table, node: Node, out: np.ndarray, ins: Sequence[np.ndarray]) -> None:
    g, filters = map(table.plain, ins)
    float32(out, g, filters)
    over, each = _over(out.shape, filters.shape[:2], node.attrs), filters.shape[3]
    whole = out if each == 1 else table.keep(np.empty((*out.shape[:3], out.shape[3] * each), np.float32))
    _send_back(table, whole, g, filters.reshape(*filters.shape[:2], -1), over, by=_convolve_apart)
    if each > MANY:
        along(table, "sums", out, whole.reshape(-1, each), (1,))
    elif each > 1:
        table.add("group_sums", out, whole, n=out.shape[3], units=out.size // out.shape[3], k=each)


@lowering("conv2d_filters", "depthwise_conv2d_filters")
def _filters(table: Table, node: Node, out: np.ndarray, ins: Sequence[np.ndarray]) -> None:
    """Sums over all images, some of them or some of their lines at a time: as many as stay in a cache."""
    image, g = map(table.plain, ins)
    float32(out, image, g)
    over, dense = _over(image.shape, out.shape[:2], node.attrs), node.op.name == "conv2d_filters"
    if dense and _is_product(over, image, out):
        add_product(table, out[0, 0], image.reshape(-1, image.shape[3]).T, g.reshape(-1, g.shape[3]), None)
        return
    _fill(table, out)
    if image.size == 0:
        return
    if dense and out.shape[3] > tile_sizes()[1]:
        _filter_products(table, out, image, g, over)
        return
    (height, width, channels, n), (tall, panel, vector), down = out.shape, tile_sizes(), over.down
    rows = _rows(over, channels, 1 if dense else n)
    line = down.stride * (rows.pitch or image.strides[1]) + g.strides[1]  # bytes that a line of windows reads, about
    lines = max(1, min(down.windows, CACHE // line, SUMS * PIXELS // over.across.windows))
    sums = -(-down.windows // max(1, PIXELS // over.across.windows))  # of PIXELS, an image
    together = max(1, min(len(image), CACHE // (line * lines), SUMS // sums)) if lines == down.windows and dense else 1
    table.room = max(table.room, 4 * tall * panel + together * _under(down, lines) * rows.pitch)
    runs, run = _runs(over, width, channels)
    units = height * (runs * -(-run // tall) if dense else -(-channels * n // vector))
    work = g.size * height * width * (channels if dense else 1) // PRODUCTS_A_NS
    info = _info(table, over, image, g, rows=rows, lines=lines, together=together)
    times = -(-len(image) // together) * -(-down.windows // lines)
    kernel = "filter_gradient" if dense else "depthwise_gradient"
    _add_filters(table, kernel, out, image, g, times=times, units=units, info=info, work=work)


def _filter_products(table: Table, out: np.ndarray, image: np.ndarray, g: np.ndarray, over: Windows) -> None:
    """The same of more filters than a tile has columns: by products of at most PIXELS windows at a time."""
    (height, width, channels, n), (tall, panel, vector) = out.shape, tile_sizes()
    rows, down, across = _rows(over, channels), over.down, over.across.windows
    lines = max(1, min(down.windows, PIXELS // across))
    runs, run = _runs(over, width, channels)
    several = lines == down.windows and run > 4 * tall  # of few tiles what is packed anew for them is too much
    together = max(1, min(len(image), PIXELS // (lines * across))) if several else 1
    pixels = min(PIXELS, together * lines * across)
    needed = pixels * (-(-n // panel) * panel + min(run, TALL)) + vector
    table.room = max(table.room, together * _under(down, lines) * rows.pitch + LINE + 4 * needed)
    products = -(-len(image) // together) * -(-down.windows // lines) * -(-across // PIXELS)
    partial = out
    if products > 2 * SUMS:
        partial = _fill(table, table.keep(np.empty(out.shape, np.float32)))
    info = _info(table, over, image, g, rows=rows, lines=lines, together=together)
    work, units = g.size * height * width * channels // PRODUCTS_A_NS, height * runs * -(-run // tall)
    packed = table.codes["tile_packed"]
    _add_filters(
        table, "filter_products", out, image, g, times=products // SUMS, a0=address(partial), packed=packed, info=info,
        units=units, work=work,
    )  # fmt: skip


def _runs(over: Windows, width: int, channels: int) -> tuple[int, int]:
    """Of how many runs a row of the windows is, and how many numbers lie side by side in one."""
    return (1, width * channels) if over.across.dilation == 1 else (width, channels)


def _fill(table: Table, out: np.ndarray) -> np.ndarray:
    """``out``, which becomes 0."""
    table.add("fill", out, table.keep(np.zeros(1, np.float32)), n=out.size)
    return out


def _add_filters(
    table: Table, kernel: str, out: np.ndarray, image: np.ndarray, g: np.ndarray, *, times: int, **more: int
) -> None:
    """The instruction; what is added to the result very often has its rounding kept beside it."""
    lost = [_fill(table, table.keep(np.empty(out.shape, np.float32)))] if times > SUMS else []
    table.add(kernel, out, image, g, *lost, n=0, **more)
    if lost:
        table.add("add_lost", out, lost[0], n=out.size)


def _pool_info(table: Table, node: Node, image: np.ndarray, out: np.ndarray) -> tuple[Windows, int, int]:
    """The windows, the address of what a kernel must know, and in how many windows a pixel lies (see ``lines_of``)."""
    how = {name: value for name, value in node.attrs.items() if name not in ("count_padding", "like")}
    average = AVERAGE_WITH_PADDING if node.attrs.get("count_padding") else AVERAGE
    over = pool.windows_over(image.shape, how)
    info = _info(table, over, image, out, kind=MAX if node.op.name.startswith("max") else average)
    return over, info, 0 if not over.apart else 1 if over.down.tiles and over.across.tiles else 2


@lowering("max_pool", "avg_pool")
def _pool(table: Table, node: Node, out: np.ndarray, ins: Sequence[np.ndarray]) -> None:
    float32(out)
    image = table.plain(ins[0])
    _, info, _ = _pool_info(table, node, image, out)
    table.add("pool", out, image, n=0, units=out.shape[0] * out.shape[1], info=info)


@lowering("max_pool_pick")
def _pool_pick(table: Table, node: Node, out: np.ndarray, ins: Sequence[np.ndarray]) -> None:
    float32(out)
    values, image = map(table.plain, ins)
    _, info, _ = _pool_info(table, node, image, out)
    table.add("pool_pick", out, values, image, n=0, units=out.shape[0] * out.shape[1], info=info)


@lowering("max_pool_back", "avg_pool_back", "max_pool_back+step+mul")
def _pool_back(table: Table, node: Node, out: np.ndarray, ins: Sequence[np.ndarray]) -> None:
    float32(out)
    read = ins[:1] if node.op.name == "avg_pool_back" else ins  # of an average only the gradient
    over, info, times = _pool_info(table, node, out, read[0])
    if math.prod(-(-axis.kernel // axis.stride) for axis in (over.down, over.across)) > LAPS:
        raise NotNative  # the reference adds up in parts
    units = math.prod(read[0].shape[:2]) if times == 1 else len(out)
    table.add(node.op.name, out, *map(table.plain, read), n=0, k=times, units=units, info=info)
