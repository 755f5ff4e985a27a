"""What the table of extremes is made of: the numbers, how results are judged, and right values in long double.

Where the engine does otherwise than long double would, and on purpose, it is said here why.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest

from tests.engine import precise
from tests.engine.precise import WIDE, last_places

Array = np.ndarray
Meaning = Callable[..., Sequence[Any]]
BOUND = 2.0**50
WEIGHTS = np.array([1, -2, 3, 0.5])
LABEL = 1
SHARES = np.array([0, 0.25, 0.75, 0])  # of the classes
SLACK = 16  # what is made of a subnormal number, which may count as 0, may be as many times the smallest normal one


def extremes(dtype: str) -> Array:
    """Numbers where functions go wrong, and some where they don't."""
    info = np.finfo(dtype)
    root, tiny = float(info.max) ** 0.5, float(info.tiny)
    sizes = [
        0.0, 0.25, 1, 2, 3, 9.5, 20, 88, 104, 1e7, 1e20, 1e30, 1e-30, root, 4 * root, float(info.max) / 4, info.max,
        tiny, 4 * tiny, tiny / 64, tiny**0.5, np.inf,
    ]  # fmt: skip
    halves = np.array(sizes, dtype)
    return np.concatenate([halves, -halves, np.array([np.nan], dtype)])


def fours(dtype: str) -> Array:
    """Rows of four numbers, (rows, 4): to be summed, compared, made probabilities."""
    info = np.finfo(dtype)
    inf, nan, large, far = np.inf, np.nan, float(info.max) / 8, 0.1 / float(info.eps)
    found = [
        [1, 2, 3, 4], [0, 0, 0, 0], [7, 7, 7, 7], [3, 1, 3, 2], [0, 2, 3, 5], [0, 0, 3, 5], [-104, 88, 0, 20],
        [20, 0, 0, 0], [inf, 1, 2, 3], [-inf, 1, 2, 3], [inf, -inf, 1, 2], [inf, inf, 0, 1], [-inf, -inf, -inf, -inf],
        [nan, 1, 2, 3], [3, 2, 1, nan], [nan, inf, -inf, 0], [large] * 4, [large, -large, 1, 2], [info.tiny] * 4,
        [info.tiny / 64] * 4, [1e30, 1e-30, 1, 0], [far, far + 1, far + 2, far + 3],
        [-far, 1 - far, 2 - far, 3 - far], [1e20, -3e20, 2e20, 0], [-1e30, -1e30, -1e30, 0],
    ]  # fmt: skip
    return np.array(found, dtype)


def check(
    found: Sequence[Array],
    meaning: Meaning,
    arrays: Sequence[Array],
    *,
    scale: Callable[..., Any] | None = None,
    but: Callable[..., Any] | None = None,
    places: float = 4,
) -> None:
    """``found`` must be what ``meaning`` gives in long double of the arrays, or of them with 0 for subnormal numbers.

    Within ``places`` last places of the right value, or of ``scale`` where it comes out of larger numbers.
    ``but``: for each result, what isn't compared.
    """
    exact, flushed = ([_wide(each) for each in given] for given in (arrays, map(_flushed, arrays)))
    with np.errstate(all="ignore"):
        both = [_away(found, meaning(*given), scale and scale(*given)) for given in (exact, flushed)]
        skipped = but(*exact) if but else [False] * len(found)
        right = meaning(*exact)
    for at, (value, one, other) in enumerate(zip(found, *both, strict=True)):
        wrong = (np.minimum(one, other) > places) & ~np.asarray(skipped[at], bool)
        if wrong.any():
            wanted = np.broadcast_to(np.asarray(right[at]), value.shape)
            where = list(zip(*np.nonzero(wrong), strict=True))[:8]
            shown = [f"{value[each]}, right {wanted[each]}, of {[x[each[: x.ndim]] for x in arrays]}" for each in where]
            pytest.fail("\n".join([f"result {at}: {wrong.sum()} of {wrong.size} are wrong", *shown]))


def _wide(x: Array) -> Array:
    return x.astype(WIDE) if x.dtype.kind == "f" else x


def _flushed(x: Array) -> Array:
    return (
        np.where(np.abs(x) < np.finfo(x.dtype).tiny, np.copysign(x.dtype.type(0), x), x) if x.dtype.kind == "f" else x
    )


def _away(found: Sequence[Array], wanted: Sequence[Any], scale: Any) -> list[Array]:
    """How many last places each result lies from the right value."""
    away = []
    for value, each in zip(found, wanted, strict=True):
        right = np.broadcast_to(np.asarray(each), value.shape)
        if value.dtype.kind != "f":
            away.append(np.where(value == right, 0.0, np.inf))
            continue
        info = np.finfo(value.dtype)
        off = last_places(value, right.astype(WIDE))
        small = (np.abs(value) < SLACK * info.tiny) & (np.abs(right) < SLACK * info.tiny)
        if scale is not None:
            by = np.asarray(scale)
            near = np.abs(value - right) / (info.eps * by.reshape(by.shape + (1,) * (value.ndim - by.ndim)))
            off = np.where(near < off, near, off)
        away.append(np.where(small, 0.0, off))
    return away


# ---- functions of one number, and of two: value and slopes; None where there is no slope

ZERO = np.zeros_like
ONE: dict[str, tuple[Any, Any]] = {
    **{name: (function, precise.SLOPES.get(name, ZERO)) for name, function in precise.FUNCTIONS.items()},
    "step": (lambda x: x > 0, ZERO),
    "bounded": (lambda x: np.clip(x, -BOUND, BOUND), lambda x: np.abs(x) <= BOUND),
    "is_nan": (np.isnan, None),
    **{f"{name}_slope": (precise.SLOPES[name], None) for name in ("tanh", "sigmoid", "gelu")},
}


def _shared(a: Array, b: Array, wins: Array) -> Array:
    """A slope of max or min: halves at a tie, nobody's where one isn't a number."""
    return np.where(a == b, 0.5, wins)


def _pow_slopes(a: Array, b: Array) -> tuple[Array, Array]:
    """On purpose b - 1 is rounded to the type of the numbers: far from 1, it is whole where b isn't, and has a sign."""
    single = np.array_equal(b.astype("f"), b, equal_nan=True)
    lower = b.astype("f") - np.float32(1) if single else b.astype(float) - 1
    y = np.power(a, b)
    small = np.abs(y) < np.finfo("f" if single else float).tiny  # a subnormal number counts as 0
    flat = ((a <= 0) & ~np.isnan(y)) | small  # no slope by whole exponents, which alone a negative base has
    by_b = np.where(flat, 0, y * np.log(np.where(flat, 1, a)))
    return np.where(b == 0, 0, b * np.power(a, lower.astype(WIDE))), by_b


TWO: dict[str, tuple[Any, Any]] = {
    "add": (np.add, lambda a, b: (1, 1)),
    "sub": (np.subtract, lambda a, b: (1, -1)),
    "mul": (np.multiply, lambda a, b: (b, a)),
    "div": (np.divide, lambda a, b: (1 / b, -(a / b / b))),
    "maximum": (np.maximum, lambda a, b: (_shared(a, b, a > b), _shared(a, b, b > a))),
    "minimum": (np.minimum, lambda a, b: (_shared(a, b, a < b), _shared(a, b, b < a))),
    "pow": (np.power, _pow_slopes),
    "greater": (np.greater, None), "greater_equal": (np.greater_equal, None),
    "equal": (np.equal, None), "not_equal": (np.not_equal, None),
}  # fmt: skip


# ---- functions of four numbers: value, slopes (of a row of results: times WEIGHTS), errors' scale, what isn't compared


class Four(NamedTuple):
    value: Callable[[Array], Array]
    slope: Callable[[Array], Array] | None = None
    scale: Callable[[Array], Array] | None = None
    but: Callable[[Array], Sequence[Any]] | None = None


def largest(x: Array, y: Array) -> Array:
    """The slope of max: shared by ties, nobody's where it is NaN."""
    wins = x == y[..., None]
    return wins / np.maximum(wins.sum(-1, keepdims=True), 1)


def first(x: Array) -> Array:
    """The slope of a pool: the first largest's alone; NaN is larger than all."""
    return np.arange(4) == x.argmax(-1, keepdims=True)


def softmax(x: Array) -> Array:
    powers = np.exp(x - x.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def log_softmax(x: Array) -> Array:
    x = x - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def normed(x: Array) -> tuple[Array, Array]:
    """Batch norm of four examples of a unit (scale 1, shift 0), and its slope."""
    variance = x.var(-1, keepdims=True)
    width = 1 / np.sqrt(variance + WIDE(1e-5))
    y = (x - x.mean(-1, keepdims=True)) * width
    return y, width * (WEIGHTS - WEIGHTS.mean() - y * (WEIGHTS * y).mean(-1, keepdims=True))


def _product_slope(x: Array) -> Array:
    return np.stack([np.delete(x, at, -1).prod(-1) for at in range(4)], -1)


def _total(x: Array) -> Array:
    return np.abs(x).sum(-1)


def _beyond_a_product(x: Array) -> Sequence[Array]:
    """A product may overflow on its way, which 0 doesn't mend; it is divided by each number for that one's slope."""
    far, zero = ~(abs(x).max(-1) < 1e10), (x == 0).any(-1)
    return far & zero, (far | zero)[..., None]


def _beyond(x: Array) -> Sequence[Array]:
    """A variance that overflows leaves nothing to divide by."""
    far = np.isfinite(x).all(-1, keepdims=True) & (abs(x).max(-1, keepdims=True) > 1e18)
    return far, far


SUM = Four(lambda x: (x * WEIGHTS).sum(-1), lambda x: np.broadcast_to(WEIGHTS, x.shape), lambda x: _total(x * WEIGHTS))
FOUR: dict[str, Four] = {
    "sum": Four(lambda x: x.sum(-1), np.ones_like, _total),
    "mean": Four(lambda x: x.sum(-1) / 4, lambda x: np.full_like(x, 0.25), _total),
    "max": Four(lambda x: x.max(-1), lambda x: largest(x, x.max(-1))),
    "min": Four(lambda x: x.min(-1), lambda x: largest(x, x.min(-1))),
    "prod": Four(lambda x: x.prod(-1), _product_slope, None, _beyond_a_product),
    "argmax": Four(lambda x: x.argmax(-1)),
    "softmax": Four(softmax, lambda x: softmax(x) * (WEIGHTS - (WEIGHTS * softmax(x)).sum(-1, keepdims=True)), softmax),
    "log_softmax": Four(
        log_softmax, lambda x: WEIGHTS - softmax(x) * WEIGHTS.sum(), lambda x: np.maximum(1, abs(log_softmax(x)))
    ),
    "cross_entropy": Four(lambda x: -log_softmax(x)[..., LABEL], lambda x: softmax(x) - np.eye(4)[LABEL]),
    "cross_entropy of shares": Four(
        lambda x: -np.where(SHARES == 0, 0, SHARES * log_softmax(x)).sum(-1), lambda x: softmax(x) - SHARES
    ),
    "batch_norm": Four(lambda x: normed(x)[0], lambda x: normed(x)[1], lambda x: np.full(len(x), 9), _beyond),
    "max_pool": Four(lambda x: x.max(-1), first),
    "max_pool, inf from above": Four(lambda x: x.max(-1), lambda x: np.where(first(x), np.inf, 0)),
    "max_pool, lapping": Four(lambda x: x.max(-1), first),
    "avg_pool": Four(lambda x: x.sum(-1) / 4, lambda x: np.full_like(x, 0.25), _total),
    **dict.fromkeys(["matmul", "affine", "conv2d", "depthwise_conv2d"], SUM),
}  # fmt: skip
