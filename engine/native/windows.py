"""How convolutions and pools become instructions of the native machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.native.instructions import AVERAGE, AVERAGE_WITH_PADDING, MAX, WINDOW
from engine.native.lowering import NotNative, Table, address, float32, lowering
from engine.ops import pool
from engine.ops.window import Windows, settings, windows
from engine.passes import Node


def _info(table: Table, over: Windows, image: np.ndarray, filters: int, kind: int = 0) -> int:
    """The address of what a kernel must know of the windows ``over`` an image (batch, height, width, channels)."""
    down, across = over.down, over.across
    numbers = [
        len(image), down.windows, across.windows, down.kernel, across.kernel, image.shape[3], filters,
        *image.strides[:3], down.stride, across.stride, down.dilation, across.dilation, down.before, across.before,
        down.size, across.size, kind,
    ]  # fmt: skip
    assert len(numbers) == WINDOW
    return address(table.keep(np.array(numbers, np.int64)))


def _framed(table: Table, node: Node, image: np.ndarray, over: Windows, apart: tuple[int, int] = (1, 1)) -> np.ndarray:
    """``image`` (of ``node``) with the padding of ``over``, and its pixels ``apart``; the image itself without any."""
    down, across = over.down, over.across
    key = (node, over, apart)
    if key in table.framed and not node.variables:  # a value that doesn't change was framed before
        return table.framed[key]
    image = table.plain(image)
    if apart == (1, 1) and not any((down.before, down.after, across.before, across.after)):
        return image
    images, height, width, channels = image.shape
    rows, columns = (down.before + down.size + down.after, across.before + across.size + across.after)
    larger = table.framed[key] = table.keep(np.zeros((images, rows, columns, channels), np.float32))
    table.add(
        "frame", larger, image, n=width, m=images, k=height, c=channels, a0=rows, a1=columns,
        b0=down.before, b1=across.before, c0=apart[0], c1=apart[1],
    )  # fmt: skip
    return larger


def _over(shape: Sequence[int], kernel: Sequence[int], attrs: Any) -> Windows:
    how = {name: value for name, value in attrs.items() if name in ("strides", "padding", "dilations")}
    return windows(shape[1:3], kernel, *settings(**how))


@lowering("conv2d", "conv2d+add")
def _conv2d(table: Table, node: Node, out: np.ndarray, ins: Sequence[np.ndarray]) -> None:
    image, filters, *start = ins
    float32(out, image, filters)
    over = _over(image.shape, filters.shape[:2], node.attrs)
    framed = _framed(table, node.inputs[0], image, over)
    info = _info(table, over, framed, filters.shape[3])
    table.add("convolution", out, framed, table.plain(filters), *map(table.plain, start), n=0, info=info)


@lowering("conv2d_filters")
def _conv2d_filters(table: Table, node: Node, out: np.ndarray, ins: Sequence[np.ndarray]) -> None:
    image, g = ins
    float32(out, image, g)
    if image.size == 0:
        raise NotNative
    over = _over(image.shape, out.shape[:2], node.attrs)
    framed = _framed(table, node.inputs[0], image, over)
    table.add("filter_gradient", out, framed, table.plain(g), n=0, info=_info(table, over, framed, out.shape[3]))


@lowering("conv2d_input")
def _conv2d_input(table: Table, node: Node, out: np.ndarray, ins: Sequence[np.ndarray]) -> None:
    """The gradient, its pixels as far apart as the windows were, convolved with the filters upside down."""
    g, filters = ins
    float32(out, g, filters)
    forward = _over(out.shape, filters.shape[:2], node.attrs)
    axes = (forward.down, forward.across)
    wide = [(axis.windows - 1) * axis.stride + 1 for axis in axes]
    pads = [
        (axis.dilation * (axis.kernel - 1) - axis.before, axis.size + axis.before - size)
        for axis, size in zip(axes, wide, strict=True)
    ]
    if any(min(pair) < 0 for pair in pads):  # more padding than a window reaches
        raise NotNative
    over = windows(wide, filters.shape[:2], (1, 1), (pads[0], pads[1]), (axes[0].dilation, axes[1].dilation))
    filters = table.plain(filters)
    height, width, inner, outer = filters.shape
    turned = table.keep(np.empty((height, width, outer, inner), np.float32))
    table.add("mirrored", turned, filters, n=inner, m=height, k=width, c=outer)
    framed = _framed(table, node.inputs[0], g, over, (axes[0].stride, axes[1].stride))
    table.add("convolution", out, framed, turned, n=0, info=_info(table, over, framed, inner))


def _pool_info(table: Table, node: Node, image: np.ndarray) -> int:
    how = {name: value for name, value in node.attrs.items() if name not in ("count_padding", "like")}
    average = AVERAGE_WITH_PADDING if node.attrs.get("count_padding") else AVERAGE
    over = pool.windows_over(image.shape, how)
    return _info(table, over, image, 0, MAX if node.op.name.startswith("max") else average)


@lowering("max_pool", "avg_pool")
def _pool(table: Table, node: Node, out: np.ndarray, ins: Sequence[np.ndarray]) -> None:
    float32(out)
    image = table.plain(ins[0])
    table.add("pool", out, image, n=0, info=_pool_info(table, node, image))


@lowering("max_pool_back", "avg_pool_back")
def _pool_back(table: Table, node: Node, out: np.ndarray, ins: Sequence[np.ndarray]) -> None:
    float32(out)
    g, image = table.plain(ins[0]), table.plain(ins[-1])  # of an average only the gradient is read
    table.add("pool_back", out, g, image, n=0, info=_pool_info(table, node, out))
