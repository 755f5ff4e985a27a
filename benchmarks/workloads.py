"""What is measured: small networks at a class's sizes, the same for every engine.

A workload gives layer sizes, first weights and a fixed list of batches; every runner trains on
these batches in turn, from these weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

BATCHES = 20  # a runner trains on these over and over
MNIST = Path(__file__).parent.parent / "webapp" / "experiments" / "data" / "mnist.npz"


@dataclass(frozen=True)
class Workload:
    """A dense network.  ``classes``: softmax and cross-entropy; else tanh and half the squared error."""

    name: str
    sizes: tuple[int, ...]
    batch: int
    activation: str
    optimizer: str
    rate: float

    @property
    def classes(self) -> bool:
        return self.sizes[-1] > 1

    @property
    def title(self) -> str:
        return f"{self.name}: {'-'.join(map(str, self.sizes))} {self.activation}, batch {self.batch}, {self.optimizer}"

    def first_weights(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """(weights (in, out), bias (out,)) a layer, float32; Glorot's bounds."""
        rng = np.random.default_rng(5)
        pairs = zip(self.sizes, self.sizes[1:], strict=False)
        made = []
        for inputs, outputs in pairs:
            limit = (6 / (inputs + outputs)) ** 0.5
            made.append((rng.uniform(-limit, limit, (inputs, outputs)).astype("f"), np.zeros(outputs, "f")))
        return made

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """x (BATCHES, batch, inputs) float32; y (BATCHES, batch) int32 digits or (BATCHES, batch, 1) float32 +-1."""
        rng = np.random.default_rng(6)
        count = BATCHES * self.batch
        if self.classes:
            with np.load(MNIST) as mnist:
                x = (mnist["x_train"][:count].reshape(BATCHES, self.batch, -1) / 255).astype("f")
                return x, mnist["y_train"][:count].reshape(BATCHES, self.batch).astype(np.int32)
        x = rng.uniform(-1, 1, (BATCHES, self.batch, self.sizes[0])).astype("f")
        return x, np.where((x**2).sum(axis=-1, keepdims=True) < self.sizes[0] / 3, 1.0, -1.0).astype("f")


WORKLOADS = [
    Workload("W1", (2, 4, 2, 1), 10, "tanh", "sgd", 0.03),
    Workload("W1b", (7, 8, 8, 8, 1), 10, "tanh", "sgd", 0.03),
    Workload("W2", (784, 10), 100, "linear", "sgd", 0.5),
    Workload("W3 SGD", (784, 128, 64, 10), 100, "relu", "sgd", 0.1),
    Workload("W3 Adam", (784, 128, 64, 10), 100, "relu", "adam", 0.001),
    Workload("W3b", (784, 512, 512, 10), 128, "relu", "adam", 0.001),
]


class Runner(Protocol):
    """One engine at work on one workload, from its first weights."""

    name: str

    def run(self, steps: int) -> None:
        """Train ``steps`` batches and wait until they are done.  Batches are taken in turn, from the first."""
        ...

    def loss(self) -> float:
        """Mean loss over all batches with the present weights."""
        ...
