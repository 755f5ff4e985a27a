"""What is measured alone: products, convolutions, norms, reductions, functions, sequences, updates.

Each piece gives its inputs, the same for every engine, and how much work it is at least.  Images are
(batch, height, width, channels), filters (height, width, channels, filters), as the engine has them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

Arrays = tuple[np.ndarray, ...]
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Piece:
    """``goal``: what the best peer's time / ours should be at least."""

    goal: ClassVar[float] = 1.0

    @property
    def of_peak(self) -> float:
        """What share of the core's peak it should reach; 0: any."""
        return 0.0

    @property
    def name(self) -> str:
        raise NotImplementedError

    @property
    def shapes(self) -> Sequence[Shape]:
        """Of the inputs; what is sent back through the result (training) comes last."""
        raise NotImplementedError

    @property
    def flops(self) -> int:
        """Additions and multiplications; 0 where memory is what counts."""
        return 0

    @property
    def nbytes(self) -> int:
        """Bytes read and written, if each number is touched once."""
        return 0

    def arrays(self) -> Arrays:
        """The inputs, float32."""
        rng = np.random.default_rng(7)
        return tuple(rng.standard_normal(shape).astype("f") for shape in self.shapes)


@dataclass(frozen=True)
class Product(Piece):
    """(m, k) @ (k, n); a ``turned`` factor lies in memory with its rows and columns changed."""

    m: int
    k: int
    n: int
    turned: str = ""  # "first", "second", "both"
    goal = 0.95

    @property
    def name(self) -> str:
        return f"product {self.m}x{self.k}x{self.n}" + (f", {self.turned} turned" if self.turned else "")

    @property
    def of_peak(self) -> float:
        return 0.85 if self.m == self.k == self.n >= 256 else 0.0

    @property
    def turns(self) -> tuple[bool, bool]:
        return self.turned in ("first", "both"), self.turned in ("second", "both")

    @property
    def shapes(self) -> Sequence[Shape]:
        first, second = self.turns
        return ((self.k, self.m) if first else (self.m, self.k), (self.n, self.k) if second else (self.k, self.n))

    @property
    def flops(self) -> int:
        return 2 * self.m * self.k * self.n


@dataclass(frozen=True)
class Convolution(Piece):
    """Filters of ``size`` over ``batch`` square images; padding of half a filter.

    ``train``: the gradients too; a network's ``first`` layer sends none back to its images.
    """

    size: int
    channels: int
    filters: int
    side: int
    batch: int
    stride: int = 1
    depthwise: bool = False
    first: bool = False
    train: bool = False

    @property
    def goal(self) -> float:  # type: ignore[override]
        return 0.9 if self.depthwise else 1.0

    @property
    def name(self) -> str:
        kind = "depthwise" if self.depthwise else "convolution"
        to = "" if self.depthwise else f"-{self.filters}"
        stride = f" stride {self.stride}" if self.stride > 1 else ""
        told = f"{kind} {self.size}x{self.size}x{self.channels}{to}{stride} at {self.batch}x{self.side}x{self.side}"
        return told + (", first" if self.first else "") + (", training" if self.train else "")

    @property
    def pad(self) -> int:
        return self.size // 2

    @property
    def shapes(self) -> Sequence[Shape]:
        out = (self.side + 2 * self.pad - self.size) // self.stride + 1
        images = (self.batch, self.side, self.side, self.channels)
        filters = (self.size, self.size, self.channels, self.filters)
        return images, filters, (self.batch, out, out, self.channels * self.filters if self.depthwise else self.filters)

    @property
    def flops(self) -> int:
        filters, result = self.shapes[1:]
        passes = 1 if not self.train else 2 if self.first else 3
        return 2 * math.prod(result[:3]) * math.prod(filters) * passes


@dataclass(frozen=True)
class BatchNorm(Piece):
    """Batch normalisation in training: the result, its averages, and all gradients."""

    shape: Shape

    @property
    def name(self) -> str:
        return f"batch norm {'x'.join(map(str, self.shape))}, training"

    @property
    def shapes(self) -> Sequence[Shape]:
        return self.shape, self.shape[-1:], self.shape[-1:], self.shape

    @property
    def nbytes(self) -> int:
        return 4 * 4 * math.prod(self.shape)


@dataclass(frozen=True)
class Reduction(Piece):
    """``op`` along ``axes``."""

    op: str  # "mean", "sum", "max", "argmax", "softmax"
    shape: Shape
    axes: tuple[int, ...]

    @property
    def name(self) -> str:
        along = "all" if len(self.axes) == len(self.shape) else ",".join(map(str, self.axes))
        return f"{self.op} of {'x'.join(map(str, self.shape))} along {along}"

    @property
    def shapes(self) -> Sequence[Shape]:
        return (self.shape,)

    @property
    def nbytes(self) -> int:
        return 4 * math.prod(self.shape) * (2 if self.op == "softmax" else 1)


@dataclass(frozen=True)
class Function(Piece):
    """One function of a million numbers."""

    op: str
    positive: ClassVar[tuple[str, ...]] = ("log", "sqrt", "pow", "div")

    @property
    def name(self) -> str:
        return f"{self.op} of 1M"

    @property
    def shapes(self) -> Sequence[Shape]:
        return ((1000, 1000),) * (2 if self.op in ("pow", "div") else 1)

    @property
    def nbytes(self) -> int:
        return 4_000_000 * (len(self.shapes) + 1)

    def arrays(self) -> Arrays:
        found = super().arrays()
        if self.op in self.positive:
            return np.abs(found[0]) + np.float32(0.1), *found[1:]
        return tuple(3 * each for each in found)


@dataclass(frozen=True)
class Recurrent(Piece):
    """The last hidden state of an LSTM or a GRU over (batch, steps, inputs).  ``train``: the weights' gradients too."""

    kind: str  # "LSTM", "GRU"
    units: int
    inputs: int
    steps: int
    batch: int
    train: bool = False

    @property
    def name(self) -> str:
        told = f"{self.kind} {self.units} over {self.steps} steps of {self.inputs}, batch {self.batch}"
        return told + (", training" if self.train else "")

    @property
    def gates(self) -> int:
        return 4 if self.kind == "LSTM" else 3

    @property
    def shapes(self) -> Sequence[Shape]:
        """Of x; the weights, an LSTM's for inputs and hidden states in one, a GRU's in two; bias; what is sent back."""
        wide, lstm = self.gates * self.units, self.kind == "LSTM"
        weights = [(self.inputs + self.units, wide)] if lstm else [(self.inputs, wide), (self.units, wide)]
        x, result = (self.batch, self.steps, self.inputs), (self.batch, self.units)
        return x, *weights, (wide,) if lstm else (2, wide), result

    @property
    def flops(self) -> int:
        once = 2 * self.steps * self.batch * (self.inputs + self.units) * self.gates * self.units
        return once * (3 if self.train else 1)

    def arrays(self) -> Arrays:
        x, *weights, sent = super().arrays()
        return x, *(each / np.float32(self.units**0.5) for each in weights), sent


@dataclass(frozen=True)
class Update(Piece):
    """An optimiser's step on a gradient that is there."""

    optimizer: str
    count: int
    rate: ClassVar[float] = 1e-3

    @property
    def name(self) -> str:
        return f"{self.optimizer} of {self.count:,} weights"

    @property
    def shapes(self) -> Sequence[Shape]:
        return (self.count,), (self.count,)

    @property
    def nbytes(self) -> int:
        return 4 * self.count * {"sgd": 3, "momentum": 5, "adam": 7}[self.optimizer]


def _both(piece: Convolution | Recurrent) -> list[Piece]:
    """Forwards alone, and with the way back."""
    return [piece, replace(piece, train=True)]


SQUARES = (32, 64, 100, 128, 256, 384, 512, 768, 1000, 1024, 2048)
PRODUCTS = [
    *(Product(n, n, n) for n in SQUARES),
    *(Product(1, n, n) for n in (128, 512, 1024, 2048)),
    *(Product(16, n, n) for n in (128, 512, 1024, 2048)),
    *(Product(n, n, n, turned) for turned in ("first", "second", "both") for n in (64, 256, 512, 1024)),
    Product(784, 100, 128, "first"),
    Product(784, 128, 512, "first"),
    Product(100, 784, 128),
    Product(50, 3136, 1024),
    Product(50, 1024, 3136, "second"),
    Product(3136, 50, 1024, "first"),
]
CONVOLUTIONS = [
    *_both(Convolution(3, 64, 1, 28, 50, depthwise=True)),
    *_both(Convolution(7, 3, 64, 112, 4, stride=2, first=True)),
    Convolution(7, 3, 64, 112, 4, stride=2, train=True),
    *_both(Convolution(3, 64, 64, 28, 50, stride=2)),
    *_both(Convolution(3, 64, 64, 28, 20)),
    *_both(Convolution(3, 256, 256, 7, 50)),
    *_both(Convolution(5, 32, 64, 14, 50)),
    *_both(Convolution(5, 1, 32, 28, 50, first=True)),
    *_both(Convolution(3, 1, 8, 28, 100, first=True)),
    *_both(Convolution(3, 8, 16, 14, 100)),
    *_both(Convolution(1, 64, 256, 14, 50)),
    *_both(Convolution(1, 64, 128, 28, 50, stride=2)),
]
NORMS = [BatchNorm((100, 28, 28, 32)), BatchNorm((50, 14, 14, 64)), BatchNorm((128, 512))]
REDUCTIONS = [
    Reduction("mean", (100, 28, 28, 32), (1, 2)),
    Reduction("sum", (39200, 32), (0,)),
    Reduction("sum", (1000, 1000), (0,)),
    Reduction("sum", (1000, 1000), (0, 1)),
    Reduction("max", (1000, 1000), (0,)),
    Reduction("max", (1000, 1000), (1,)),
    Reduction("argmax", (1000, 1000), (1,)),
    Reduction("softmax", (1000, 1000), (1,)),
    Reduction("softmax", (1000, 10), (1,)),
]
FUNCTIONS = [Function(op) for op in ("sin", "cos", "exp", "log", "pow", "tanh", "sigmoid", "gelu", "sqrt", "div")]
FUNCTIONS += [Function(op) for op in ("elu", "softplus")]
SEQUENCES = [
    *_both(Recurrent("LSTM", 512, 512, 10, 32)),
    *_both(Recurrent("LSTM", 256, 28, 28, 1)),
    *_both(Recurrent("LSTM", 128, 28, 28, 100)),
    *_both(Recurrent("GRU", 128, 28, 28, 100)),
]
UPDATES = [Update(each, n) for each in ("sgd", "momentum", "adam") for n in (100_000, 1_000_000)]

CATALOGUE: list[Piece] = [*PRODUCTS, *CONVOLUTIONS, *NORMS, *REDUCTIONS, *FUNCTIONS, *SEQUENCES, *UPDATES]
