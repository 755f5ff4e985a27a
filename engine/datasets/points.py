"""The four sets of points of the 2D page, and how they are split.

Each set is one function that draws a class's points; :data:`SETS` names them.  A new set is
one more function there.

The plane is [-6, 6] x [-6, 6].  ``noise`` (0 to 0.5) blurs: at 0 the two classes are apart,
the more noise the more they run into each other.  A point that is blown over the border is
mirrored back, so none piles up there.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

EDGE = 6.0  # the plane ends at +-EDGE
RADIUS = 5.0  # the sets fill about this much of it

Maker = Callable[[int, int, float, Generator], np.ndarray]


@dataclass(frozen=True)
class Points:
    """Points of the plane and their classes.

    ``xy`` is float32 (n, 2), ``labels`` int8 (n,) with +1 (blue) or -1 (orange).
    """

    xy: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


def circle(count: int, label: int, noise: float, random: Generator) -> np.ndarray:
    """+1 a disc of radius 2.5, -1 the ring from 3.5 to 5 around it."""
    low, high = (0.0, 0.5 * RADIUS) if label > 0 else (0.7 * RADIUS, RADIUS)
    radius = random.uniform(low, high, count)
    angle = random.uniform(0.0, 2.0 * np.pi, count)
    xy: np.ndarray = np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1)
    xy += random.uniform(-RADIUS, RADIUS, (count, 2)) * noise
    return xy


def xor(count: int, label: int, noise: float, random: Generator) -> np.ndarray:
    """+1 where x and y have the same sign, -1 where they differ; a gap of 0.3 along both axes."""
    padding = 0.3
    size = random.uniform(padding, RADIUS, (count, 2))
    sign = random.choice([-1.0, 1.0], count)
    xy: np.ndarray = size * np.stack([sign, sign * label], axis=1)
    xy += random.uniform(-RADIUS, RADIUS, (count, 2)) * noise
    return xy


def gauss(count: int, label: int, noise: float, random: Generator) -> np.ndarray:
    """Two normal clouds around (2, 2) and (-2, -2); their variance grows from 0.5 to 4."""
    deviation = np.sqrt(0.5 + 7.0 * noise)
    return random.normal(2.0 * label, deviation, (count, 2))


def spiral(count: int, label: int, noise: float, random: Generator) -> np.ndarray:
    """Two arms of 1.75 turns that reach out to radius 5, half a turn apart."""
    along = np.arange(count) / count
    angle = 1.75 * 2.0 * np.pi * along + (0.0 if label > 0 else np.pi)
    xy: np.ndarray = RADIUS * along[:, None] * np.stack([np.sin(angle), np.cos(angle)], axis=1)
    xy += random.uniform(-1.0, 1.0, (count, 2)) * noise
    return xy


SETS: dict[str, Maker] = {"circle": circle, "xor": xor, "gauss": gauss, "spiral": spiral}


def generate(name: str, count: int = 500, noise: float = 0.1, seed: int = 1) -> Points:
    """The set ``name``: ``count`` points in a mixed order, half of each class (+1 has one less if odd).

    The same arguments give the same points, always.  Raises ValueError for an unknown name,
    fewer than two points or a noise outside 0 to 0.5.
    """
    if not isinstance(name, str) or name not in SETS:
        raise ValueError(f"no set of points is called {name!r}; there are {', '.join(SETS)}")
    if not isinstance(count, (int, np.integer)) or count < 2:
        raise ValueError(f"a set has at least 2 points, one of each class; got count={count!r}")
    if not isinstance(noise, (int, float, np.number)) or not 0.0 <= noise <= 0.5:
        raise ValueError(f"noise goes from 0 to 0.5; got {noise!r}")
    random = _random(name, seed)
    positive = count // 2
    draw = SETS[name]
    xy = np.concatenate([draw(positive, 1, noise, random), draw(count - positive, -1, noise, random)])
    labels = np.repeat(np.array([1, -1], np.int8), [positive, count - positive])
    order = random.permutation(count)
    return Points(_inside(xy)[order].astype(np.float32), labels[order])


def split(points: Points, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the training points and of the unseen ones; neither is empty.

    ``share`` (0 to 1) of the points are for training.  A larger share of the same points and
    seed keeps the training points and adds to them.  Raises ValueError for another share or
    fewer than two points.
    """
    count = len(points)
    if not 0.0 <= share <= 1.0:
        raise ValueError(f"the training share goes from 0 to 1; got {share}")
    if count < 2:
        raise ValueError(f"{count} point can't be split: one is needed for training and one unseen")
    order = _random("split", seed).permutation(count)
    training = min(max(round(share * count), 1), count - 1)
    return order[:training], order[training:]


def _random(name: str, seed: int) -> Generator:
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def _inside(xy: np.ndarray) -> np.ndarray:
    """Mirror at the border what lies beyond it."""
    beyond = np.abs(xy) > EDGE
    mirrored = np.sign(xy) * (2.0 * EDGE - np.abs(xy))
    return np.clip(np.where(beyond, mirrored, xy), -EDGE, EDGE)
