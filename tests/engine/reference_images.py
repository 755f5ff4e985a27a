"""What the ops on images mean: one window after the other, in plain Python loops."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

Pair = tuple[int, int]


def places(shape: Any, kernel: Any, strides: Pair, padding: Any, dilations: Pair) -> tuple[Pair, Pair]:
    """How many windows there are, and how many pixels of padding come before the image."""
    counts, before = [], []
    for at in (0, 1):
        size, reach = shape[1 + at], (kernel[at] - 1) * dilations[at] + 1
        if padding == "same":
            count = math.ceil(size / strides[at])
            pad = max(0, (count - 1) * strides[at] + reach - size) // 2
        else:
            pad, after = (0, 0) if padding == "valid" else padding[at]
            count = math.floor((size + pad + after - reach) / strides[at]) + 1
        counts.append(count)
        before.append(pad)
    return (counts[0], counts[1]), (before[0], before[1])


def pixels(
    shape: Any, kernel: Any, strides: Pair, padding: Any, dilations: Pair
) -> Iterator[tuple[int, int, int, int, int, int]]:
    """(window down, window across, element down, element across, pixel down, pixel across) inside the image."""
    counts, before = places(shape, kernel, strides, padding, dilations)
    for a, b, i, j in np.ndindex(*counts, *kernel):
        y = a * strides[0] + i * dilations[0] - before[0]
        x = b * strides[1] + j * dilations[1] - before[1]
        if 0 <= y < shape[1] and 0 <= x < shape[2]:
            yield a, b, i, j, y, x


def _conv(strides: Pair = (1, 1), padding: Any = "same", dilations: Pair = (1, 1)) -> tuple[Any, ...]:
    return strides, padding, dilations


def _pool(size: Pair, strides: Any = None, padding: Any = "valid", dilations: Pair = (1, 1)) -> tuple[Any, ...]:
    return size, strides or size, padding, dilations


def conv2d(x: np.ndarray, w: np.ndarray, **how: Any) -> np.ndarray:
    counts, _ = places(x.shape, w.shape[:2], *_conv(**how))
    out = np.zeros((len(x), *counts, w.shape[3]), x.dtype)
    for a, b, i, j, y, z in pixels(x.shape, w.shape[:2], *_conv(**how)):
        out[:, a, b] += x[:, y, z] @ w[i, j]
    return out


def conv2d_input(g: np.ndarray, w: np.ndarray, x: np.ndarray, **how: Any) -> np.ndarray:
    out = np.zeros(x.shape, g.dtype)
    for a, b, i, j, y, z in pixels(x.shape, w.shape[:2], *_conv(**how)):
        out[:, y, z] += g[:, a, b] @ w[i, j].T
    return out


def conv2d_filters(x: np.ndarray, g: np.ndarray, w: np.ndarray, **how: Any) -> np.ndarray:
    out = np.zeros(w.shape, g.dtype)
    for a, b, i, j, y, z in pixels(x.shape, w.shape[:2], *_conv(**how)):
        out[i, j] += x[:, y, z].T @ g[:, a, b]
    return out


def _apart(w: np.ndarray) -> np.ndarray:
    """Depthwise filters as ordinary ones that read one channel each."""
    high, wide, channels, each = w.shape
    full = np.zeros((high, wide, channels, channels, each), w.dtype)
    for channel in range(channels):
        full[:, :, channel, channel] = w[:, :, channel]
    return full.reshape(high, wide, channels, channels * each)


def _own(full: np.ndarray, w: np.ndarray) -> np.ndarray:
    split = full.reshape(*w.shape[:3], *w.shape[2:])
    return np.stack([split[:, :, channel, channel] for channel in range(w.shape[2])], 2)


def max_pool(x: np.ndarray, **how: Any) -> np.ndarray:
    size, *rest = _pool(**how)
    counts, _ = places(x.shape, size, *rest)
    out = np.full((len(x), *counts, x.shape[3]), -np.inf, x.dtype)
    for a, b, _, _, y, z in pixels(x.shape, size, *rest):
        out[:, a, b] = np.where(x[:, y, z] > out[:, a, b], x[:, y, z], out[:, a, b])
    return out


def _places_of_max(x: np.ndarray, **how: Any) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    size, *rest = _pool(**how)
    members: dict[Pair, list[Pair]] = {}
    for a, b, _, _, y, z in pixels(x.shape, size, *rest):
        members.setdefault((a, b), []).append((y, z))
    for n, c in np.ndindex(len(x), x.shape[3]):
        for (a, b), inside in members.items():
            y, z = max(inside, key=lambda at: x[n, at[0], at[1], c])
            yield (n, a, b, c), (n, y, z, c)


def max_pool_back(g: np.ndarray, x: np.ndarray, **how: Any) -> np.ndarray:
    out = np.zeros(x.shape, g.dtype)
    for window, pixel in _places_of_max(x, **how):
        out[pixel] += g[window]
    return out


def max_pool_pick(values: np.ndarray, x: np.ndarray, **how: Any) -> np.ndarray:
    out = np.zeros(max_pool(x, **how).shape, values.dtype)
    for window, pixel in _places_of_max(x, **how):
        out[window] = values[pixel]
    return out


def _average_weights(shape: Any, count_padding: bool = False, **how: Any) -> np.ndarray:
    """(windows down, windows across, pixels down, pixels across): how much a pixel counts in a window."""
    size, *rest = _pool(**how)
    counts, _ = places(shape, size, *rest)
    weights = np.zeros((*counts, *shape[1:3]))
    for a, b, _, _, y, z in pixels(shape, size, *rest):
        weights[a, b, y, z] = 1
    total = math.prod(size) if count_padding else weights.sum((2, 3), keepdims=True)
    return weights / total


def avg_pool(x: np.ndarray, **how: Any) -> np.ndarray:
    return np.einsum("abyz,nyzc->nabc", _average_weights(x.shape, **how), x).astype(x.dtype)


def avg_pool_back(g: np.ndarray, x: np.ndarray, **how: Any) -> np.ndarray:
    return np.einsum("abyz,nabc->nyzc", _average_weights(x.shape, **how), g).astype(g.dtype)


IMAGES: dict[str, Callable[..., Any]] = {
    "avg_pool": avg_pool,
    "avg_pool_back": avg_pool_back,
    "conv2d": conv2d,
    "conv2d_filters": conv2d_filters,
    "conv2d_input": conv2d_input,
    "depthwise_conv2d": lambda x, w, **how: conv2d(x, _apart(w), **how),
    "depthwise_conv2d_filters": lambda x, g, w, **how: _own(conv2d_filters(x, g, _apart(w), **how), w),
    "depthwise_conv2d_input": lambda g, w, x, **how: conv2d_input(g, _apart(w), x, **how),
    "max_pool": max_pool,
    "max_pool_back": max_pool_back,
    "max_pool_pick": max_pool_pick,
}
