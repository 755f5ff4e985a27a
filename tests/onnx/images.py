"""ONNX operators on images.  Theirs are (batch, channels, height, width), ours have the channels last."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import engine as en
from engine import ops as o
from tests.onnx.adapter import Node, Unsupported, handles
from tests.onnx.shapes import along

Pairs = tuple[tuple[int, int], ...]


def two_axes(x: en.Tensor) -> en.Tensor:
    """Sequences as images of height 1; volumes are more than we have."""
    if x.ndim == 3:
        return o.expand(x, axis=2)
    if x.ndim != 4:
        raise Unsupported(f"images with {x.ndim - 2} axes")
    return x


def channels_last(x: en.Tensor) -> en.Tensor:
    return o.transpose(two_axes(x), axes=(0, 2, 3, 1))


def channels_first(x: en.Tensor, like: en.Tensor) -> en.Tensor:
    found = o.transpose(x, axes=(0, 3, 1, 2))
    return o.squeeze(found, axis=2) if like.ndim == 3 else found


def _pair(values: Sequence[int] | None, default: int) -> tuple[int, int]:
    if values is None:
        return default, default
    return (values[0], values[1]) if len(values) == 2 else (1 if default == 1 else 0, values[0])


class Settings:
    """Kernel, strides, padding and dilations of a node, for two axes."""

    def __init__(self, node: Node, kernel: Sequence[int], image: en.Tensor) -> None:
        flat = len(kernel) == 1
        self.kernel = (1, kernel[0]) if flat else (kernel[0], kernel[1])
        self.strides = _pair(node.attr("strides"), 1)
        self.dilations = _pair(node.attr("dilations"), 1)
        pads = node.attr("pads", [0, 0] * len(kernel))
        self.padding: Pairs = ((0, 0), (pads[0], pads[1])) if flat else ((pads[0], pads[2]), (pads[1], pads[3]))
        auto = node.attr("auto_pad", "NOTSET")
        sizes = two_axes(image).spec.concrete[2:]
        if auto.startswith("SAME"):
            self.padding = tuple(self._same(at, sizes[at], auto) for at in (0, 1))
        elif auto == "VALID":
            self.padding = ((0, 0), (0, 0))
        self.extra = (0, 0)
        if node.attr("ceil_mode", 0):
            self.extra = (self._missing(0, sizes[0]), self._missing(1, sizes[1]))

    def _same(self, at: int, size: int, auto: str) -> tuple[int, int]:
        reach = self.dilations[at] * (self.kernel[at] - 1) + 1
        total = max(0, (math.ceil(size / self.strides[at]) - 1) * self.strides[at] + reach - size)
        return (total // 2, total - total // 2) if auto == "SAME_UPPER" else (total - total // 2, total // 2)

    def _missing(self, at: int, size: int) -> int:
        """Pixels lacking for a last window that begins inside the image, though it doesn't end there."""
        before, after = self.padding[at]
        reach, stride = self.dilations[at] * (self.kernel[at] - 1) + 1, self.strides[at]
        steps = math.ceil((size + before + after - reach) / stride)
        if steps * stride >= size + before:
            steps -= 1
        return max(0, steps * stride + reach - (size + before + after))

    @property
    def conv(self) -> dict[str, Any]:
        return {"strides": self.strides, "padding": self.padding, "dilations": self.dilations}

    @property
    def pool(self) -> dict[str, Any]:
        padding = tuple((before, after + more) for (before, after), more in zip(self.padding, self.extra, strict=True))
        return {"size": self.kernel, "strides": self.strides, "padding": padding, "dilations": self.dilations}


def _filters(weights: en.Tensor) -> en.Tensor:
    """(out, in, height, width) to (height, width, in, out)."""
    return o.transpose(two_axes(weights), axes=(2, 3, 1, 0))


@handles("Conv")
def conv(node: Node) -> Any:
    x, weights, groups = node[0], node[1], node.attr("group", 1)
    how = Settings(node, weights.spec.concrete[2:], x).conv
    images, filters = channels_last(x), _filters(weights)
    inputs, outputs = filters.spec.concrete[2:]
    if groups == 1:
        found = o.conv2d(images, filters, **how)
    elif inputs == 1:
        each = outputs // groups
        own = o.reshape(filters, shape=(*filters.spec.concrete[:2], groups, each))
        found = o.depthwise_conv2d(images, own, **how)
    else:
        each = outputs // groups
        parts = zip(o.split(images, [inputs] * groups, axis=3), o.split(filters, [each] * groups, axis=3), strict=True)
        found = o.concat(*(o.conv2d(part, own, **how) for part, own in parts), axis=3)
    bias = node.get(2)
    return channels_first(found if bias is None else found + bias, x)


@handles("ConvTranspose")
def conv_transpose(node: Node) -> Any:
    x, weights = node[0], node[1]
    how, groups = Settings(node, weights.spec.concrete[2:], weights), node.attr("group", 1)
    images, filters = channels_last(x), o.transpose(two_axes(weights), axes=(2, 3, 1, 0))
    batch, *sizes, inputs = images.spec.concrete
    more, wanted = _pair(node.attr("output_padding", [0, 0]), 0), node.attr("output_shape")
    auto = node.attr("auto_pad", "NOTSET")
    large, cut = [], []
    for at in (0, 1):
        reach = how.dilations[at] * (how.kernel[at] - 1) + 1
        full = (sizes[at] - 1) * how.strides[at] + reach
        if wanted is not None or auto.startswith("SAME"):
            target = sizes[at] * how.strides[at] if wanted is None else _pair(wanted, 0)[at]
            total = full + more[at] - target
            less = total // 2
            start = less if auto == "SAME_UPPER" else total - less
            end = start + target
        else:
            before, after = how.padding[at]
            start, end = before, full + more[at] - after
        large.append(max(full, end))
        cut.append(slice(max(0, start), end))
        if start < 0:
            raise Unsupported("a transposed convolution that is larger than its windows")
    settings: dict[str, Any] = {"strides": how.strides, "dilations": how.dilations, "padding": "valid"}
    like = o.broadcast_to(x.graph.constant(0.0, x.dtype), shape=(batch, *large, filters.spec.concrete[2]))
    counts = [inputs // groups] * groups
    parts = zip(o.split(images, counts, axis=3), o.split(filters, counts, axis=3), strict=True)
    found = [o.conv2d_input(part, own, like, **settings) for part, own in parts]
    whole = o.concat(*found, axis=3)[:, cut[0], cut[1]]
    bias = node.get(2)
    return channels_first(whole if bias is None else whole + bias, x)


@handles("MaxPool")
def max_pool(node: Node) -> Any:
    if node.outputs > 1:
        raise Unsupported("places of the maximum")
    how = Settings(node, node.attr("kernel_shape"), node[0])
    return channels_first(o.max_pool(channels_last(node[0]), **how.pool), node[0])


@handles("AveragePool")
def average_pool(node: Node) -> Any:
    how = Settings(node, node.attr("kernel_shape"), node[0])
    x = channels_last(node[0])
    if node.attr("count_include_pad", 0):  # zeros that count, then windows that reach beyond them
        x = o.pad(x, widths=((0, 0), *how.padding, (0, 0)))
        padding = tuple((0, more) for more in how.extra)
        return channels_first(o.avg_pool(x, **{**how.pool, "padding": padding}), node[0])
    return channels_first(o.avg_pool(x, **how.pool), node[0])


@handles("LpPool")
def lp_pool(node: Node) -> Any:
    p, how = float(node.attr("p", 2)), Settings(node, node.attr("kernel_shape"), node[0])
    powers = o.power(o.abs_(channels_last(node[0])), p)
    count = how.kernel[0] * how.kernel[1]
    sums = o.avg_pool(powers, count_padding=True, **how.pool) * float(count)
    return channels_first(o.power(sums, 1 / p), node[0])


def _over_image(reduction: Callable[..., en.Tensor], x: en.Tensor) -> en.Tensor:
    return reduction(x, axis=tuple(range(2, x.ndim)), keepdims=True)


@handles("GlobalAveragePool")
def global_average_pool(node: Node) -> Any:
    return _over_image(o.mean, node[0])


@handles("GlobalMaxPool")
def global_max_pool(node: Node) -> Any:
    return _over_image(o.max_, node[0])


@handles("LRN")
def lrn(node: Node) -> Any:
    x, size = node[0], node.attr("size")
    before = (size - 1) // 2
    squares = o.pad(
        o.square(x), widths=tuple((before, size - 1 - before) if at == 1 else (0, 0) for at in range(x.ndim))
    )
    channels = x.spec.concrete[1]
    total = along(squares, 1, slice(0, channels))
    for at in range(1, size):
        total = total + along(squares, 1, slice(at, at + channels))
    scale = node.attr("bias", 1.0) + node.attr("alpha", 1e-4) / size * total
    return x / o.power(scale, node.attr("beta", 0.75))
