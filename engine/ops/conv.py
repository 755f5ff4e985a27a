"""Convolutions: small filters that slide over images, with gradients that are operations themselves.

Filters are (height, width, channels in, channels out).  A convolution is a product of matrices: the
pixels under each window, written as a row (im2col), times the filters.  The rows are written for a few
images at a time, into a buffer that stays in the processor's cache.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

from engine.op import Call, sample
from engine.ops.matrix import product
from engine.ops.rules import Term, contiguous, total
from engine.ops.window import Windows, convolution, settings, windows
from engine.spec import Shape

COLUMN_BYTES = 1 << 22  # of im2col's buffer: it should stay in the cache between being written and multiplied
FEW_CHANNELS = 8  # below it, the buffer is written along the image's rows


class _Columns:
    """im2col for some images at a time: buffers whose rows are windows, seen as a matrix and by element."""

    def __init__(self, xp: Any, x: Shape, dtype: Any, filters: Shape, how: tuple[Any, ...]) -> None:
        images, height, width, channels = (int(size or 0) for size in x)
        self.xp, self.dtype = xp, dtype
        self.kernel, self.channels = (int(filters[0] or 0), int(filters[1] or 0)), channels
        self.windows: Windows = windows((height, width), self.kernel, *how)
        self.long = math.prod(self.kernel) * channels
        one = max(1, math.prod(self.windows.shape) * self.long * dtype.itemsize)
        size = max(1, min(images, COLUMN_BYTES // one))
        self.chunks = [(start, min(images, start + size)) for start in range(0, images, size)]
        self.buffers = {end - start: self._buffer(end - start) for start, end in self.chunks}  # the last may be smaller
        down, across = self.windows.down, self.windows.across
        self.border = ((0, 0), (down.before, down.after), (across.before, across.after), (0, 0))
        self.framed: Any = None  # some images with their padding, which is written once
        if any(map(any, self.border)):
            sizes = zip((size, height, width, channels), self.border, strict=True)
            self.framed = xp.zeros([before + size + after for size, (before, after) in sizes], dtype)

    def _buffer(self, images: int) -> tuple[Any, Any]:
        rows = images * math.prod(self.windows.shape)
        if self.channels < FEW_CHANNELS:  # few numbers lie side by side in a pixel: write along the image's rows
            turned = self.xp.empty((self.long, rows), self.dtype)
            split = turned.reshape(*self.kernel, self.channels, images, *self.windows.shape)
            return turned.T, split.transpose(3, 4, 5, 0, 1, 2)
        matrix = self.xp.empty((rows, self.long), self.dtype)
        return matrix, matrix.reshape(images, *self.windows.shape, *self.kernel, self.channels)

    def read(self, images: Any) -> tuple[Any, list[Call]]:
        """The matrix of the windows over ``images``, and the calls that fill it (im2col)."""
        matrix, elements = self.buffers[len(images)]
        calls: list[Call] = []
        if self.framed is not None:
            framed = self.framed[: len(images)]
            inside = tuple(
                slice(before, before + size) for size, (before, _) in zip(images.shape, self.border, strict=True)
            )
            calls.append(partial(self.xp.copyto, framed[inside], images))
            images = framed
        return matrix, [*calls, partial(self.xp.copyto, elements, self._overlapping(images))]

    def _overlapping(self, images: Any) -> Any:
        """Every window over ``images``, padding included: a view with the axes of a buffer's elements."""
        batch, *moves, channel = images.strides
        axes = (self.windows.down, self.windows.across)
        steps = [move * axis.stride for move, axis in zip(moves, axes, strict=True)]
        inner = [move * axis.dilation for move, axis in zip(moves, axes, strict=True)]
        shape = (len(images), *self.windows.shape, *self.kernel, self.channels)
        return self.xp.lib.stride_tricks.as_strided(images, shape, (batch, *steps, *inner, channel))

    def spread(self, images: Any) -> tuple[Any, list[Call]]:
        """A matrix to be filled, and the calls that add it to the pixels that its elements stand for (col2im)."""
        matrix, elements = self.buffers[len(images)]
        terms: list[Term] = [((), px, elements[at][..., i, j, :]) for i, j, at, px in self.windows.elements()]
        return matrix, total(self.xp, images, terms)


def _rows_of(x: Any, start: int, end: int) -> Any:
    """Some images' pixels as a matrix."""
    return x[start:end].reshape(-1, x.shape[-1])


def _conv2d(xp: Any, out: Any, x: Any, filters: Any, **how: Any) -> Sequence[Call]:
    columns = _Columns(xp, x.shape, x.dtype, filters.shape, settings(**how))
    filters, calls = contiguous(xp, filters)
    weights = filters.reshape(-1, filters.shape[3])
    for start, end in columns.chunks:
        matrix, reading = columns.read(x[start:end])
        calls += [*reading, *product(xp, matrix, weights, _rows_of(out, start, end))]
    return calls


def _conv2d_input(xp: Any, out: Any, g: Any, filters: Any, *, like: Shape, **how: Any) -> Sequence[Call]:
    back = _backwards(like, filters.shape, how)
    if back is None or filters.shape[3] > 2 * filters.shape[2]:  # many channels out would mean many more columns
        columns = _Columns(xp, like, g.dtype, filters.shape, settings(**how))
        return _scattered(xp, columns, out, g, filters)
    turned = xp.empty((*filters.shape[:2], filters.shape[3], filters.shape[2]), filters.dtype)
    mirrored = filters[::-1, ::-1].transpose(0, 1, 3, 2)
    return [partial(xp.copyto, turned, mirrored), *_conv2d(xp, out, g, turned, **back)]


def _backwards(x: Shape, filters: Shape, how: dict[str, Any]) -> dict[str, Any] | None:
    """The settings with which the gradient, convolved with the mirrored filters, gives the images' gradient.

    None if no settings do: windows that skip pixels, or more padding than a window reaches.
    """
    over = windows([int(size or 0) for size in x[1:3]], [int(size or 0) for size in filters[:2]], *settings(**how))
    axes = (over.down, over.across)
    pads = []
    for axis in axes:
        reach = axis.dilation * (axis.kernel - 1)
        pads.append((reach - axis.before, axis.size + axis.before - axis.windows))
    if any(axis.stride > 1 for axis in axes) or any(min(pair) < 0 for pair in pads):
        return None
    return {"padding": tuple(pads), "dilations": tuple(axis.dilation for axis in axes)}


def _scattered(xp: Any, columns: _Columns, out: Any, g: Any, filters: Any) -> Sequence[Call]:
    """The gradient by elements of the windows, added to their pixels."""
    filters, calls = contiguous(xp, filters)
    g, more = contiguous(xp, g)
    calls += more
    weights = filters.reshape(-1, filters.shape[3])
    for start, end in columns.chunks:
        matrix, adding = columns.spread(out[start:end])
        rows = _rows_of(g, start, end)
        if matrix.flags.c_contiguous:
            calls += product(xp, rows, weights.T, matrix)
        else:
            calls += product(xp, weights, rows.T, matrix.T)
        calls += adding
    return calls


def _conv2d_filters(xp: Any, out: Any, x: Any, g: Any, *, like: Shape, **how: Any) -> Sequence[Call]:
    columns = _Columns(xp, x.shape, x.dtype, like, settings(**how))
    g, calls = contiguous(xp, g)
    found = out.reshape(-1, out.shape[3])
    alone, terms = len(columns.chunks) == 1, []
    part = found if alone else xp.empty_like(found)
    for start, end in columns.chunks:
        matrix, reading = columns.read(x[start:end])
        terms.append(([*reading, *product(xp, matrix.T, _rows_of(g, start, end), part)], ..., part))
    return [*calls, *(terms[0][0] if alone else total(xp, found, terms))]


conv2d, conv2d_input, conv2d_filters = convolution(
    "conv2d", "Filters (height, width, in, out) slide over images (batch, height, width, in): sums of products.",
    axes="channels in, channels out", channels=lambda _, out: out, kernels=(_conv2d, _conv2d_input, _conv2d_filters),
    samples=(
        sample((2, 4, 5, 2), (3, 3, 2, 3), padding="valid"),
        sample((2, 5, 4, 1), (3, 2, 1, 2), strides=(2, 2), padding="same"),
        sample((1, 4, 4, 2), (2, 2, 2, 1), strides=(2, 1), padding=((1, 0), (2, 1)), dilations=(1, 2)),
        sample((2, 2, 3, 8), (1, 1, 8, 2)), sample((1, 3, 3, 9), (2, 2, 9, 1)), sample((1, 2, 2, 1), (2, 1, 1, 3)),
        sample((1, 3, 3, 1), (3, 2, 1, 2), padding=((3, 0), (1, 0))),
    ),
)  # fmt: skip
