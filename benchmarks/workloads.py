"""What is measured: small networks at a class's sizes, the same for every engine.

A workload gives layers, first weights and a fixed list of batches; every runner trains on these
batches in turn, from these weights.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np

BATCHES = 20  # a runner trains on these over and over
EARLY, LATE = 100, 3000  # steps at which speeds are measured
GOALS = {"PyTorch": 1.1, "JAX": 1.1, "TensorFlow": 1.1, "scikit-learn": 1.1}
MNIST = Path(__file__).parent.parent / "engine" / "datasets" / "mnist.npz"


class Unsupported(Exception):
    """Why a peer can't do a workload; it is left out of that row, and the reason printed."""


@dataclass(frozen=True)
class Dense:
    """activation(x @ weights + bias).  An image is flattened first: rows, columns, channels."""

    units: int
    activation: str = "linear"


@dataclass(frozen=True)
class Conv:
    """``filters`` squares of ``size`` that slide over (rows, columns, channels), padded to keep their number; relu."""

    filters: int
    size: int


@dataclass(frozen=True)
class Pool:
    """The largest of each 2x2 square."""


@dataclass(frozen=True)
class Dropout:
    """While training, each number is 0 with probability ``rate``, else divided by 1 - rate."""

    rate: float


@dataclass(frozen=True)
class LSTM:
    """The last hidden state (units,) over (time, inputs)."""

    units: int


Layer = Dense | Conv | Pool | Dropout | LSTM


@dataclass(frozen=True)
class Workload:
    """A network and how it is trained.

    ``about``: its layers, for people.  ``input``: the shape of one example.  The loss of more than one output is
    softmax and cross-entropy, that of a single one half the squared error.  ``chunk``: how many steps
    one call takes, for engines that can take many.  ``goals``: what ours / peer's best form should be at least.
    ``l2``: this times half the sum of all weights' squares (biases are left alone) is added to the loss.
    ``late``: measured at step LATE too, when the optimiser's averages of what never moved have become tiny.
    """

    name: str
    about: str
    input: tuple[int, ...]
    layers: tuple[Layer, ...]
    batch: int
    optimizer: str
    rate: float
    chunk: int = 100
    goals: Mapping[str, float] = field(default_factory=lambda: GOALS, hash=False)
    l2: float = 0.0
    late: bool = False

    @property
    def classes(self) -> bool:
        last = self.layers[-1]
        return not isinstance(last, Dense) or last.units > 1

    @property
    def title(self) -> str:
        penalty = f", L2 {self.l2:g}" if self.l2 else ""
        return f"{self.name}: {self.about}, batch {self.batch}, {self.optimizer}{penalty}"

    def without_dropout(self) -> Workload:
        """The same without random numbers, which differ from engine to engine: what can be compared."""
        return replace(self, layers=tuple(layer for layer in self.layers if not isinstance(layer, Dropout)))

    def first_weights(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """(weights, bias) of each layer that has some, float32; Glorot's bounds.

        Dense: (inputs, units), (units,).  Conv: (size, size, channels, filters), (filters,).
        LSTM: (inputs + units, 4 * units), (4 * units,), for the gates input, forget (its bias is 1),
        output and candidate.
        """
        rng = np.random.default_rng(5)
        return [_drawn(rng, shape) for shape in self._shapes()]

    def _shapes(self) -> Iterator[tuple[int, ...]]:
        """The shapes of the layers' weights; those of LSTM as (inputs + units, 4, units)."""
        shape = self.input
        for layer in self.layers:
            match layer:
                case Dense(units):
                    yield math.prod(shape), units
                    shape = (units,)
                case Conv(filters, size):
                    yield size, size, shape[2], filters
                    shape = (*shape[:2], filters)
                case Pool():
                    shape = (shape[0] // 2, shape[1] // 2, shape[2])
                case LSTM(units):
                    yield shape[1] + units, 4, units
                    shape = (units,)

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """x (BATCHES, batch, *input) float32; y (BATCHES, batch) int32 digits or (BATCHES, batch, 1) float32 +-1.

        MNIST's images for classes, else whether a point lies within a ball.  To be read only.
        """
        return _digits(self.input, self.batch) if self.classes else _points(self.input, self.batch)


def _drawn(rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    if len(shape) == 3:  # LSTM
        inputs, gates, units = shape
        bias = np.zeros((gates, units), "f")
        bias[1] = 1
        return _drawn(rng, (inputs, gates * units))[0], bias.reshape(-1)
    window = math.prod(shape[:-2])  # 1 for Dense
    limit = (6 / (window * (shape[-2] + shape[-1]))) ** 0.5
    return rng.uniform(-limit, limit, shape).astype("f"), np.zeros(shape[-1], "f")


@functools.lru_cache(4)
def _digits(shape: tuple[int, ...], batch: int) -> tuple[np.ndarray, np.ndarray]:
    count = BATCHES * batch
    with np.load(MNIST) as mnist:
        images, digits = mnist["x_train"][:count], mnist["y_train"][:count]
    x = images.reshape(BATCHES, batch, *shape).astype("f")
    x /= 255
    return x, digits.reshape(BATCHES, batch).astype(np.int32)


@functools.lru_cache(4)
def _points(shape: tuple[int, ...], batch: int) -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(6).uniform(-1, 1, (BATCHES, batch, *shape)).astype("f")
    return x, np.where((x**2).sum(axis=-1, keepdims=True) < shape[0] / 3, 1.0, -1.0).astype("f")


def dense(
    name: str, sizes: tuple[int, ...], batch: int, activation: str, *, optimizer: str = "sgd", rate: float
) -> Workload:
    """A network of dense layers: ``activation`` in the hidden ones, and tanh at a single output."""
    hidden = [Dense(units, activation) for units in sizes[1:-1]]
    output = Dense(sizes[-1], "linear" if sizes[-1] > 1 else "tanh")
    about = f"{'-'.join(map(str, sizes))} {activation}"
    return Workload(name, about, sizes[:1], (*hidden, output), batch, optimizer, rate)


IMAGE = (28, 28, 1)
DEEP = Workload(
    "W4",
    "conv 5x5x32, pool, conv 5x5x64, pool, 1024 relu, dropout, 10",  # TensorFlow's tutorial "Deep MNIST for experts"
    IMAGE,
    (Conv(32, 5), Pool(), Conv(64, 5), Pool(), Dense(1024, "relu"), Dropout(0.5), Dense(10)),
    50,
    "adam",
    1e-4,
)
SMALL = Workload(
    "W4b",
    "conv 3x3x8, pool, conv 3x3x16, pool, 10",
    IMAGE,
    (Conv(8, 3), Pool(), Conv(16, 3), Pool(), Dense(10)),
    100,
    "sgd",
    0.1,
)
ROWS = Workload("W5", "LSTM 128 over 28 rows, 10", (28, 28), (LSTM(128), Dense(10)), 100, "adam", 1e-3)

TOY = {**GOALS, "PyTorch": 300, "JAX": 15}
WORKLOADS = [
    replace(dense("W1", (2, 4, 2, 1), 10, "tanh", rate=0.03), goals=TOY, chunk=1000),
    replace(dense("W1b", (7, 8, 8, 8, 1), 10, "tanh", rate=0.03), chunk=1000),
    dense("W2", (784, 10), 100, "linear", rate=0.5),
    dense("W3 SGD", (784, 128, 64, 10), 100, "relu", rate=0.1),
    replace(dense("W3 L2", (784, 128, 10), 100, "relu", rate=0.5), l2=1.0, late=True),  # as strong as the page has it
    replace(dense("W3 Adam", (784, 128, 64, 10), 100, "relu", optimizer="adam", rate=0.001), late=True),
    replace(dense("W3b", (784, 512, 512, 10), 128, "relu", optimizer="adam", rate=0.001), late=True),
    replace(DEEP, chunk=5),
    replace(SMALL, chunk=20),
    replace(ROWS, chunk=20),
]


class Runner(Protocol):
    """One engine at work on one workload, from its first weights.  Made with (workload, device)."""

    name: str

    def run(self, steps: int) -> None:
        """Train ``steps`` batches and wait until they are done.  Batches are taken in turn, from the first."""
        ...

    def loss(self) -> float:
        """Mean loss over all batches with the present weights (meant for workloads without dropout)."""
        ...
