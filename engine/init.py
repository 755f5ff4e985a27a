"""Initialisers: what a variable holds at first.

Each is called with a random generator that belongs to (seed, variable's name) and a shape, and
gives a NumPy array.  ``fan_in`` and ``fan_out`` are the sizes before and after a layer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from engine.errors import EngineError, Named, Settings, ShapeError, doors, strict, user_source

Rng = np.random.Generator


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """(inputs, outputs) of one unit of a weight array; leading axes of a filter count for both."""
    if len(shape) < 2:
        return math.prod(shape), math.prod(shape)
    field = math.prod(shape[:-2])
    return shape[-2] * field, shape[-1] * field


@dataclass(frozen=True)
class Initial(Named, metaclass=Settings):
    """What all initialisers share.  Raises EngineError for a setting that isn't a number."""

    def __init_subclass__(cls) -> None:
        cls.__call__ = strict(cls.__call__)  # type: ignore[method-assign]

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
                raise EngineError(f"{type(self).__name__}: {name} is a number, got {value!r:.60} ({user_source()})")


@dataclass(frozen=True)
class Constant(Initial):
    """The same number everywhere."""

    value: float = 0.0

    def __call__(self, rng: Rng, shape: tuple[int, ...]) -> np.ndarray:
        return np.full(shape, self.value)


@dataclass(frozen=True)
class Normal(Initial):
    """A bell curve around ``mean`` of width ``std``."""

    std: float = 1.0
    mean: float = 0.0

    def __call__(self, rng: Rng, shape: tuple[int, ...]) -> np.ndarray:
        return rng.normal(self.mean, self.std, shape)


@dataclass(frozen=True)
class Uniform(Initial):
    """Any number from ``low`` to ``high``."""

    low: float = -0.5
    high: float = 0.5

    def __call__(self, rng: Rng, shape: tuple[int, ...]) -> np.ndarray:
        return rng.uniform(self.low, self.high, shape)


@dataclass(frozen=True)
class TruncatedNormal(Initial):
    """A bell curve of width ``std`` around ``mean``, drawn again beyond 2 std."""

    std: float = 1.0
    mean: float = 0.0

    def __call__(self, rng: Rng, shape: tuple[int, ...]) -> np.ndarray:
        drawn = rng.normal(0.0, 1.0, shape)
        while (far := np.abs(drawn) > 2).any():  # 5% each time
            drawn[far] = rng.normal(0.0, 1.0, np.count_nonzero(far))
        return self.mean + self.std * drawn


@dataclass(frozen=True)
class Glorot(Initial):
    """Uniform within sqrt(6 / (fan_in + fan_out)), for tanh and sigmoid (Glorot & Bengio 2010)."""

    def __call__(self, rng: Rng, shape: tuple[int, ...]) -> np.ndarray:
        limit = math.sqrt(6 / max(1, sum(fans(shape))))
        return rng.uniform(-limit, limit, shape)


@dataclass(frozen=True)
class He(Initial):
    """Normal of width sqrt(2 / fan_in), for the relu family (He et al. 2015)."""

    def __call__(self, rng: Rng, shape: tuple[int, ...]) -> np.ndarray:
        return rng.normal(0.0, math.sqrt(2 / max(1, fans(shape)[0])), shape)


@dataclass(frozen=True)
class GlorotNormal(Initial):
    """Normal of width sqrt(2 / (fan_in + fan_out)) (Glorot & Bengio 2010)."""

    def __call__(self, rng: Rng, shape: tuple[int, ...]) -> np.ndarray:
        return rng.normal(0.0, math.sqrt(2 / max(1, sum(fans(shape)))), shape)


@dataclass(frozen=True)
class HeUniform(Initial):
    """Uniform within sqrt(6 / fan_in) (He et al. 2015)."""

    def __call__(self, rng: Rng, shape: tuple[int, ...]) -> np.ndarray:
        limit = math.sqrt(6 / max(1, fans(shape)[0]))
        return rng.uniform(-limit, limit, shape)


@dataclass(frozen=True)
class Orthogonal(Initial):
    """Columns (or rows, if they are fewer) at right angles, of length ``gain``: a product keeps lengths.

    Saxe, McClelland & Ganguli 2014.  A filter's leading axes count as rows.  Raises ShapeError for
    a shape of fewer than two axes.
    """

    gain: float = 1.0

    def __call__(self, rng: Rng, shape: tuple[int, ...]) -> np.ndarray:
        if len(shape) < 2:
            raise ShapeError(f"orthogonal weights need at least two axes, got {shape}")
        rows, columns = math.prod(shape[:-1]), shape[-1]
        q, r = np.linalg.qr(rng.normal(size=(max(rows, columns), min(rows, columns))))
        q = q * np.where(np.diag(r) < 0, -1.0, 1.0)  # without the sign, some directions come more often
        return self.gain * (q if rows >= columns else q.T).reshape(shape)


zeros, glorot, he = Constant(0.0), Glorot(), He()


__getattr__, __dir__ = doors("init")
