"""Windows that slide over images: where each one lies, for convolutions and pools.

Images are (batch, height, width, channels).  ``strides`` is how far a window moves, ``dilations``
how far its elements lie apart.  ``padding`` is "valid" (windows stay inside), "same" (as many
windows as pixels, divided by the stride) or ((top, bottom), (left, right)) pixels around.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from engine.errors import ShapeError
from engine.op import Call, Draw, Op, Sample, op, sample
from engine.ops.rules import need_float
from engine.spec import Spec, same_dtype

Pair = tuple[int, int]
Padding = str | tuple[Pair, Pair]
Index = tuple[Any, ...]
Kernel = Callable[..., Sequence[Call]]


@dataclass(frozen=True)
class Axis:
    """Windows along one axis: ``size`` pixels, ``kernel`` elements a window."""

    size: int
    kernel: int
    stride: int
    dilation: int
    before: int  # pixels of padding
    after: int

    @property
    def windows(self) -> int:
        """How many there are."""
        return (self.size + self.before + self.after - self.dilation * (self.kernel - 1) - 1) // self.stride + 1

    def backwards(self) -> list[Phase]:
        """How what windows send back is gathered: for every pixel by windows, stride 1, over the windows' gradients.

        Pixel y lies under element k of window o where y = o * stride + k * dilation - before.  So pixels that lie
        ``stride`` apart are sent numbers by the same elements, every other one by every other window.
        """
        return [self._phase(first) for first in range(min(self.stride, self.size))]

    def _phase(self, first: int) -> Phase:
        shift, common = first + self.before, math.gcd(self.stride, self.dilation)
        elements = [k for k in range(self.kernel) if (shift - k * self.dilation) % self.stride == 0]
        pixels = -(-(self.size - first) // self.stride)
        if not elements:
            return Phase(first, slice(0, 0), Axis(self.windows, 0, 1, 1, 0, pixels - 1 - self.windows))
        last, apart = elements[-1], self.stride // common
        before, dilation = (last * self.dilation - shift) // self.stride, self.dilation // common
        after = pixels + dilation * (len(elements) - 1) - self.windows - before
        stop = elements[0] - 1 if elements[0] else None
        return Phase(first, slice(last, stop, -apart), Axis(self.windows, len(elements), 1, dilation, before, after))

    @property
    def tiles(self) -> bool:
        """Whether each pixel lies in one window."""
        return (
            self.dilation == 1
            and self.before == 0
            and self.stride == self.kernel
            and (self.windows * self.stride == self.size)
        )

    @property
    def blank(self) -> int | None:
        """The first window that lies on padding alone, if one does."""
        covered = [each[0] for each in map(self.overlap, range(self.kernel)) if each]
        on_image = {at for each in covered for at in range(each.start, each.stop)}
        return next((at for at in range(self.windows) if at not in on_image), None)

    def overlap(self, at: int) -> tuple[slice, slice] | None:
        """The windows whose element ``at`` lies on a pixel, and those pixels; None if all lie on padding."""
        shift = at * self.dilation - self.before
        first = max(0, -(shift // self.stride))
        end = min(self.windows, (self.size - 1 - shift) // self.stride + 1)
        if end <= first:
            return None
        start = first * self.stride + shift
        return slice(first, end), slice(start, start + (end - first - 1) * self.stride + 1, self.stride)


class Phase(NamedTuple):
    """Pixels that lie a stride apart, from ``first`` on, and what sends them numbers.

    Those elements of the windows, the last one first; and windows over the windows' gradients, where ``before`` and
    ``after`` below 0 are pixels that aren't read.
    """

    first: int
    elements: slice
    axis: Axis


@dataclass(frozen=True)
class Windows:
    """Windows over an image: down and across."""

    down: Axis
    across: Axis

    @property
    def shape(self) -> Pair:
        return self.down.windows, self.across.windows

    @property
    def apart(self) -> bool:
        """Whether no pixel lies in two windows."""
        return all(axis.stride >= axis.dilation * (axis.kernel - 1) + 1 for axis in (self.down, self.across))

    def elements(self) -> Iterator[tuple[int, int, Index, Index]]:
        """For each element (i, j) of the windows: its windows and their pixels, as indices of axes 1 and 2."""
        for i in range(self.down.kernel):
            for j in range(self.across.kernel):
                rows, columns = self.down.overlap(i), self.across.overlap(j)
                if rows is not None and columns is not None:
                    yield i, j, (slice(None), rows[0], columns[0]), (slice(None), rows[1], columns[1])


def settings(strides: Pair = (1, 1), padding: Padding = "same", dilations: Pair = (1, 1)) -> tuple[Any, ...]:
    """A convolution's settings, in the order in which :func:`windows` takes them."""
    return strides, padding, dilations


def windows(image: Sequence[int], kernel: Sequence[int], strides: Pair, padding: Padding, dilations: Pair) -> Windows:
    """The windows of size ``kernel`` over ``image`` (both: height, width)."""
    return Windows(*(_axis(at, image[at], kernel[at], (strides, padding, dilations)) for at in (0, 1)))


def _axis(at: int, size: int, kernel: int, how: tuple[Pair, Padding, Pair]) -> Axis:
    stride, padding, dilation = how[0][at], how[1], how[2][at]
    before, after = (0, 0) if isinstance(padding, str) else padding[at]
    if padding == "same":
        wanted = (-(-size // stride) - 1) * stride + dilation * (kernel - 1) + 1
        total = max(0, wanted - size)
        before, after = total // 2, total - total // 2
    return Axis(size, kernel, stride, dilation, before, after)


def check_images(x: Spec) -> None:
    """Raises ShapeError unless ``x`` is a batch of images."""
    if x.ndim != 4:
        raise ShapeError(f"images are (batch, height, width, channels), got {x}; reshape() or expand() gives the axes")


def window_counts(
    x: Spec, kernel: Sequence[int | None], strides: Pair, padding: Padding, dilations: Pair
) -> tuple[int | None, int | None]:
    """How many windows lie over images ``x``, down and across; None while a size isn't known.

    Raises ShapeError for what isn't a window, or one that is larger than the image.
    """
    _check_settings(kernel, strides, padding, dilations)
    counts: list[int | None] = []
    for at in (0, 1):
        size, length = x.shape[1 + at], kernel[at]
        if size is None or length is None:
            counts.append(None)
            continue
        count = _axis(at, size, length, (strides, padding, dilations)).windows
        if count < 1:
            raise ShapeError(f"a window of {length} (dilation {dilations[at]}) is larger than {size} pixels; pad them")
        counts.append(count)
    return counts[0], counts[1]


def need_pixels(x: Spec, kernel: Sequence[int], strides: Pair, padding: Padding, dilations: Pair) -> None:
    """Raises ShapeError if a window over images ``x`` lies on padding alone: of nothing there is no largest number."""
    for at, name in enumerate(("down", "across")):
        size = x.shape[1 + at]
        axis = None if size is None else _axis(at, size, kernel[at], (strides, padding, dilations))
        if axis is not None and (axis.before or axis.after) and axis.blank is not None:
            window = f"window {axis.blank} {name}, of {axis.kernel} (dilation {axis.dilation}),"
            around = f"{axis.before} + {axis.after} pixels around {size}"
            raise ShapeError(f"{window} lies on padding alone, {around}; ask for less, or pad() the images before")


def _check_settings(kernel: Sequence[int | None], strides: Pair, padding: Padding, dilations: Pair) -> None:
    for what, pair in (("kernel", kernel), ("strides", strides), ("dilations", dilations)):
        if pair is None or len(pair) != 2 or any(each is not None and each < 1 for each in pair):
            raise ShapeError(f"{what} must be two numbers of at least 1 (down, across), got {pair}")
    if isinstance(padding, str):
        fits = padding in ("valid", "same")
    else:
        fits = len(padding) == 2 and all(len(pair) == 2 and min(pair) >= 0 for pair in padding)
    if not fits:
        raise ShapeError(f'padding is "valid", "same" or ((top, bottom), (left, right)), got {padding!r}')


def need_fit(found: Spec, g: Spec) -> None:
    """Raises ShapeError unless ``g`` is a gradient of what the windows give."""
    if not Spec(found.shape, g.dtype).fits(g):
        raise ShapeError(f"the windows give {found.shape}, got {g.shape}")


def result_of(spec: Callable[..., Spec], given: Sample) -> Draw:
    """A gradient for the result of a sample: what the op that sends it back is tried with."""
    return Draw(spec(*(Spec(each.shape) for each in given.inputs), **given.attrs).concrete)


def convolution(
    name: str, doc: str, *, axes: str, channels: Callable[..., int | None], kernels: tuple[Kernel, Kernel, Kernel],
    samples: Sequence[Sample],
) -> tuple[Op, Op, Op]:  # fmt: skip
    """A convolution, and what it sends back to its images and to its filters: all three linear in both inputs.

    So the gradients of each are the other two.  ``axes``: what errors call the last two axes of the filters, the first
    of which is as long as an image has channels.  ``channels`` makes the result's number of them from those two.
    ``kernels``: for images and filters; the result's gradient and filters; images and the result's gradient.
    """

    def spec(x: Spec, filters: Spec, **how: Any) -> Spec:
        need_float(x, filters)
        check_images(x)
        if filters.ndim != 4:
            raise ShapeError(f"filters are (height, width, {axes}), got {filters}")
        if None not in (x.shape[3], filters.shape[2]) and x.shape[3] != filters.shape[2]:
            raise ShapeError(f"{x.shape[3]} channels in the images, {filters.shape[2]} in the filters")
        counts = window_counts(x, filters.shape[:2], *settings(**how))
        return Spec((x.shape[0], *counts, channels(*filters.shape[2:])), same_dtype(x, filters))

    def input_spec(g: Spec, filters: Spec, x: Spec, **how: Any) -> Spec:
        need_fit(spec(Spec(x.shape, g.dtype), filters, **how), g)
        return Spec(x.shape, g.dtype)

    def filters_spec(x: Spec, g: Spec, filters: Spec, **how: Any) -> Spec:
        need_fit(spec(x, Spec(filters.shape, x.dtype), **how), g)
        return Spec(filters.shape, g.dtype)

    tried = [(each, result_of(spec, each)) for each in samples]
    forward: Op = op(
        name, doc, spec=spec, kernel=kernels[0], samples=samples, settings=settings,
        grad=lambda y, g, x, filters, **how: [to_input(g, filters, x, **how), to_filters(x, g, filters, **how)],
    )  # fmt: skip
    to_input: Op = op(
        f"{name}_input", f"What {name} sends back to its images; forwards, a transposed convolution, which enlarges.",
        spec=input_spec, kernel=kernels[1], shape_only=(2,), settings=settings,
        samples=[sample(g, *reversed(each.inputs), **each.attrs) for each, g in tried],
        grad=lambda y, g, a, filters, x, **how: [forward(g, filters, **how), to_filters(g, a, filters, **how), None],
    )  # fmt: skip
    to_filters: Op = op(
        f"{name}_filters", f"What {name} sends back to its filters.",
        spec=filters_spec, kernel=kernels[2], shape_only=(2,), settings=settings,
        samples=[sample(each.inputs[0], g, each.inputs[1], **each.attrs) for each, g in tried],
        grad=lambda y, g, x, a, filters, **how: [to_input(a, g, x, **how), forward(x, g, **how), None],
    )  # fmt: skip
    return forward, to_input, to_filters
