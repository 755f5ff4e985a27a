"""What every op means, in plain NumPy: written from its formula, without looking at its kernel."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.engine import precise
from tests.engine.reference_images import IMAGES


def _softmax(x: np.ndarray) -> np.ndarray:
    powers = np.exp(x - x.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def _cross_entropy(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    logs = np.log(_softmax(logits))
    if labels.dtype.kind == "f":
        return -(labels * logs).sum(-1)
    return -np.take_along_axis(logs, labels[..., None].astype(int), -1)[..., 0]


def _sum_like(g: np.ndarray, x: np.ndarray) -> np.ndarray:
    while g.ndim > x.ndim:
        g = g.sum(0)
    for axis, size in enumerate(x.shape):
        if size == 1:
            g = g.sum(axis, keepdims=True)
    return g


def _moments(x: np.ndarray) -> np.ndarray:
    axes = tuple(range(x.ndim - 1))
    return np.stack([np.mean(x, axes), np.zeros(x.shape[-1], x.dtype), np.var(x, axes)])


def _slope_sums(g: np.ndarray, x: np.ndarray, center: np.ndarray) -> np.ndarray:
    axes = tuple(range(x.ndim - 1))
    return np.stack([g.sum(axes), (g * x).sum(axes) - center * g.sum(axes)])


def _slice_fill(g: np.ndarray, x: np.ndarray, index: Any) -> np.ndarray:
    out = np.zeros(x.shape, g.dtype)
    out[index] = g
    return out


def _scatter_add(g: np.ndarray, rows: np.ndarray, table: np.ndarray) -> np.ndarray:
    out = np.zeros(table.shape, g.dtype)
    for at in np.ndindex(rows.shape):
        out[rows[at]] += g[at]
    return out


def _gelu(x: np.ndarray) -> np.ndarray:
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def _matmul(a: np.ndarray, b: np.ndarray, transpose_a: bool = False, transpose_b: bool = False) -> np.ndarray:
    return (a.swapaxes(-1, -2) if transpose_a else a) @ (b.swapaxes(-1, -2) if transpose_b else b)


def _expand(x: np.ndarray, axis: tuple[int, ...]) -> np.ndarray:
    return np.expand_dims(x, axis)


def _random_bits(state: np.ndarray, count: int) -> list[int]:
    """splitmix64 in Python's whole numbers, one at a time."""

    def mix(z: int) -> int:
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ z >> 27) * 0x94D049BB133111EB % 2**64
        return z ^ z >> 31

    golden = 0x9E3779B97F4A7C15
    start = mix((int(state[0]) * golden + int(state[1])) % 2**64)
    return [mix((start + (i + 1) * golden) % 2**64) for i in range(count)]


def _random_uniform(state: np.ndarray, like: np.ndarray) -> np.ndarray:
    digits = 24 if like.dtype == "float32" else 53
    return np.array([(z >> 64 - digits) / 2**digits for z in _random_bits(state, like.size)], like.dtype).reshape(
        like.shape
    )


def _random_normal(state: np.ndarray, like: np.ndarray) -> np.ndarray:
    drawn = _random_bits(state, like.size)
    found = [
        math.sqrt(-2 * math.log(((z >> 32) + 0.5) / 2**32)) * math.cos(2 * math.pi * (z % 2**32) / 2**32) for z in drawn
    ]
    return np.array(found, like.dtype).reshape(like.shape)


REFERENCE: dict[str, Callable[..., Any]] = {
    "abs": lambda x: np.where(x < 0, -x, x),
    "add": lambda a, b: a + b,
    "after": lambda x, *others: x,
    "affine": lambda x, w, b: x @ w + b,
    "argmax": lambda x, axis=-1: np.argmax(x, axis).astype("int32"),
    "bounded": lambda x: np.where(x > 2.0**50, 2.0**50, np.where(x < -(2.0**50), -(2.0**50), x)).astype(x.dtype),
    "broadcast_like": lambda g, x: g + np.zeros(x.shape, g.dtype),
    "broadcast_to": lambda x, shape: x + np.zeros(shape, x.dtype),
    "cast": lambda x, dtype: x.astype(dtype),
    "concat": lambda *parts, axis=0: np.concatenate(parts, axis),
    "copy": lambda x: x.copy(), "stop_gradient": lambda x: x.copy(),
    "cos": np.cos,
    "count": lambda x, axis=None: np.asarray(x.size if axis is None else x.shape[axis], x.dtype),
    "cross_entropy": _cross_entropy,
    "div": lambda a, b: a / b,
    "elu": lambda x: np.where(x > 0, x, np.exp(np.minimum(x, 0)) - 1),
    "equal": lambda a, b: a == b,
    "exp": np.exp,
    "expand": _expand,
    "floor": lambda x: x - x % 1,
    "gather": lambda table, rows: table[rows],
    "gelu": _gelu,
    "gelu_slope": lambda x: precise.gelu_slope(x).astype(x.dtype),
    "greater": lambda a, b: a > b,
    "greater_equal": lambda a, b: (a > b) | (a == b),
    "is_nan": lambda x: ~((x < 0) | (x >= 0)),
    "leaky_relu": lambda x, slope=0.01: np.where(x > 0, x, x * np.asarray(slope, x.dtype)),
    "log": np.log,
    "log_softmax": lambda x: np.log(_softmax(x)),
    "matmul": _matmul,
    "max": lambda x, axis=None, keepdims=False: np.max(x, axis, keepdims=keepdims),
    "maximum": lambda a, b: np.where(a > b, a, b),
    "minimum": lambda a, b: np.where(a < b, a, b),
    "moments": _moments,
    "mul": lambda a, b: a * b,
    "neg": lambda x: 0 - x,
    "normalize": lambda x, center, width, shift: x * width + (shift - center * width),
    "not_equal": lambda a, b: (a < b) | (a > b),
    "one_hot": lambda labels, classes, dtype="float32": np.eye(classes, dtype=dtype)[labels],
    "pack": lambda *parts: np.concatenate([each.ravel() for each in parts]),
    "pad": lambda x, widths, value=0.0: np.pad(x, widths, constant_values=value),
    "pow": lambda a, b: np.exp(b * np.log(a)),
    "prod": lambda x, axis=None, keepdims=False: np.multiply.reduce(x, axis, keepdims=keepdims),
    "random_normal": _random_normal,
    "random_uniform": _random_uniform,
    "relu": lambda x: np.where(x > 0, x, 0).astype(x.dtype),
    "reshape": lambda x, shape: x.reshape(shape),
    "reshape_like": lambda g, x: g.reshape(x.shape),
    "scatter_add": _scatter_add,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "sigmoid_slope": precise.sigmoid_slope,
    "sign": np.sign,
    "sin": np.sin,
    "slice": lambda x, index: x[index],
    "slice_fill": _slice_fill,
    "slope_sums": _slope_sums,
    "softmax": _softmax,
    "softplus": lambda x: np.log1p(np.exp(x)),
    "sqrt": lambda x: x**0.5,
    "square": lambda x: x * x,
    "squeeze": lambda x, axis: x.reshape([size for size in x.shape if size != 1]),
    "step": lambda x: (x > 0).astype(x.dtype),
    "sub": lambda a, b: a - b,
    "sum": lambda x, axis=None, keepdims=False: np.sum(x, axis, keepdims=keepdims),
    "sum_like": _sum_like,
    "tanh": lambda x: (np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x)),
    "tanh_slope": lambda x: 4 / (np.exp(x) + np.exp(-x)) ** 2,
    "transpose": lambda x, axes=None: np.transpose(x, axes),
    "where": np.where,
    **IMAGES,
}  # fmt: skip
