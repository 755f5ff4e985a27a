"""How far results are from the right ones: distances in last places, and functions of a number in long double.

Each function here has its formula with no loss where the right value is a normal number; ``SLOPES`` are the
gradients of the engine's functions of one number, by the op's name.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

WIDE = np.longdouble  # 64 bits of mantissa on x86; elsewhere maybe double's 53, and good for float32 alone
Function = Callable[[np.ndarray], np.ndarray]
_GELU = np.sqrt(WIDE(2) / WIDE("3.14159265358979323846264338327950288"))
_CUBE = WIDE("0.044715")


def is_wide(dtype: str) -> bool:
    """Whether long double has room to judge numbers of this type."""
    return bool(np.finfo(WIDE).nmant >= np.finfo(dtype).nmant + 11)


def numbers(dtype: str, count: int = 1 << 13) -> np.ndarray:
    """Normal numbers of all sizes and both signs, dense where functions bend, 0, the ends and inf; no NaN."""
    rng = np.random.default_rng(7)
    whole = np.dtype(dtype.replace("float", "int"))
    infinite = int(np.array(np.inf, dtype).view(whole))
    every = np.arange(0, infinite, infinite // count).astype(whole).view(dtype)  # equal steps of bit patterns
    bent = 1 << 18  # a polynomial's worst number lies anywhere
    ranges = [(1, count), (3, bent), (6, bent), (20, count), (100, count), (800, count)]
    near = np.concatenate([rng.uniform(0, high, many) for high, many in ranges]).astype(dtype)
    info = np.finfo(dtype)
    edges = np.array([0, 0.5, 1, 2, 9, 17, 87, 88, 88.7, 104, 709, 745, info.tiny, info.max, info.eps, np.inf], dtype)
    halves = np.concatenate([every, near, edges])
    found = np.concatenate([halves, -halves])
    return found[(np.abs(found) >= info.tiny) | (found == 0)]


def last_places(found: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """How many of their type's last places ``found`` lie from ``wanted`` (long double), element by element.

    NaN and inf must be met: else they are inf apart.  What isn't a normal number may count as 0.
    """
    info = np.finfo(found.dtype)
    with np.errstate(all="ignore"):
        right = wanted.astype(found.dtype)
        _, exponent = np.frexp(np.maximum(np.abs(wanted), WIDE(info.tiny)))
        away = np.abs(found.astype(WIDE) - wanted) / np.ldexp(WIDE(1), exponent - info.nmant - 1)
    same = (found == right) | (np.isnan(found) & np.isnan(right))
    small = (np.abs(wanted) < info.tiny) & (np.abs(found) <= info.tiny)
    strange = ~np.isfinite(right) | ~np.isfinite(found)
    return np.where(same | small, 0.0, np.where(strange, np.inf, away)).astype(float)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def sigmoid_slope(x: np.ndarray) -> np.ndarray:
    tail = np.exp(-np.abs(x))
    return tail / (1 + tail) ** 2


def _gelu_share(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What gelu multiplies x with, and 1 less that."""
    x = np.clip(x, -100, 100)  # beyond, it is 0 or 1 to the end of long double, and its cube may overflow
    angle = 2 * _GELU * (x + _CUBE * x**3)
    return sigmoid(angle), sigmoid(-angle)


def gelu(x: np.ndarray) -> np.ndarray:
    return np.where(x == -np.inf, 0, x * _gelu_share(x)[0])


def gelu_slope(x: np.ndarray) -> np.ndarray:
    share, rest = _gelu_share(x)
    x = np.clip(x, -100, 100)
    return share * (1 + 2 * _GELU * (x + 3 * _CUBE * x**3) * rest)


def elu(x: np.ndarray) -> np.ndarray:
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


def softplus(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


FUNCTIONS: dict[str, Function] = {
    "neg": np.negative, "abs": np.abs, "square": np.square, "sqrt": np.sqrt, "exp": np.exp, "log": np.log,
    "sin": np.sin, "cos": np.cos, "floor": np.floor, "sign": np.sign, "tanh": np.tanh, "sigmoid": sigmoid,
    "gelu": gelu, "elu": elu, "softplus": softplus,
    "relu": lambda x: np.maximum(x, 0), "leaky_relu": lambda x: np.where(x > 0, x, WIDE(0.01) * x),
}  # fmt: skip
SLOPES: dict[str, Function] = {
    "neg": lambda x: np.full_like(x, -1), "abs": np.sign, "square": lambda x: 2 * x, "sqrt": lambda x: 0.5 / np.sqrt(x),
    "exp": np.exp, "log": lambda x: 1 / x, "sin": np.cos, "cos": lambda x: -np.sin(x),
    "tanh": lambda x: 4 * sigmoid_slope(2 * x), "sigmoid": sigmoid_slope, "gelu": gelu_slope,
    "elu": lambda x: np.exp(np.minimum(x, 0)), "softplus": sigmoid,
    "relu": lambda x: np.where(x > 0, WIDE(1), 0), "leaky_relu": lambda x: np.where(x > 0, WIDE(1), WIDE(0.01)),
}  # fmt: skip
