"""2D points: a network learns which side of a border each point of the plane belongs to.

A newcomer's example of an experiment: data, task, one batch, one frame.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import engine as en
from engine.datasets import points as data
from webapp.contract.errors import ProtocolError
from webapp.contract.kind import Part
from webapp.kinds.points import kind
from webapp.training.coding import quantize
from webapp.training.commands import Look
from webapp.training.model import Task
from webapp.training.training import Training

FINE = 100  # pixels along an edge of the big plane
MEASURE_EVERY = 0.02  # seconds between two rows of the curve; a row takes 0.1 ms
BOUNDED = ("tanh", "sigmoid")  # operations whose results stay within -1..1: their maps need no scale of their own

FEATURES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "x": lambda x, y: x,
    "y": lambda x, y: y,
    "x2": lambda x, y: x * x,
    "y2": lambda x, y: y * y,
    "xy": lambda x, y: x * y,
    "sinx": lambda x, y: np.sin(x),
    "siny": lambda x, y: np.sin(y),
}


def features(xy: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """The network's inputs for points ``xy`` (n, 2): float32 (n, len(names))."""
    return np.stack([FEATURES[name](xy[:, 0], xy[:, 1]) for name in names], axis=1).astype(np.float32)


def grid(pixels: int) -> np.ndarray:
    """The centres of ``pixels`` x ``pixels`` squares that tile the plane, top row (largest y) first."""
    edge = (np.arange(pixels) + 0.5) * (2 * data.EDGE / pixels) - data.EDGE
    x, y = np.meshgrid(edge, -edge)
    return np.stack([x.ravel(), y.ravel()], axis=1)


class PointsExperiment(Training):
    """Blue (+1) and orange (-1) points; output tanh, loss half the squared error."""

    kind = kind
    data_settings = frozenset({"data", "noise", "share", "data_seed", "inputs"})

    def __init__(self, settings: Any, device: str = "cpu:0", data_dir: Path | None = None) -> None:
        self._look: tuple[int, int] | None = None
        self._measured_at, self._measured_step = -1.0, -1
        super().__init__(settings, device)

    def load_data(self) -> None:
        chosen = self.settings
        self.points = data.generate(chosen.data, noise=chosen.noise, seed=chosen.data_seed)
        self._training, self._unseen = data.split(self.points, chosen.share, chosen.data_seed)
        inputs = features(self.points.xy, chosen.inputs)
        targets = self.points.labels.astype(np.float32)[:, None]
        self._sets = [(inputs[rows], targets[rows]) for rows in (self._training, self._unseen)]
        self._planes = {FINE: features(grid(FINE), chosen.inputs)}  # the inputs on grids, by their pixels

    def task(self) -> Task:
        inputs, targets = self._sets[0]

        def feed(rows: en.Tensor) -> tuple[en.Tensor, en.Tensor]:
            x = en.ops.gather(en.constant(inputs, name="inputs"), rows)
            return x, en.ops.gather(en.constant(targets, name="targets"), rows)

        def head(logits: en.Tensor, target: en.Tensor) -> tuple[en.Tensor, en.Tensor]:
            output = en.ops.tanh(logits)
            return output, en.losses.half_squared_error(output, target)

        return Task(self.settings.inputs, 1, feed, head)

    def examples(self) -> int:
        return len(self._training)

    def train(self, steps: int, deadline: float) -> int:
        done = super().train(steps, deadline)
        if time.perf_counter() - self._measured_at > MEASURE_EVERY:
            self.measure()
        return done

    def changed(self) -> None:
        self._look = self._look if self._look is None or self._exists(*self._look) else None
        self.measure()

    def measure(self) -> None:
        """Loss and share of right answers on the training points and on the unseen ones."""
        model = self.model
        losses, rights = [], []
        for inputs, targets in self._sets:
            loss, output = model.session.run([model.loss, model.output], {model.x: inputs, model.target: targets})
            losses.append(float(loss))
            rights.append(float(np.mean((output > 0) == (targets > 0))))
        self.record([*losses, *rights])
        self._measured_at, self._measured_step = time.perf_counter(), self.step

    def look(self, wish: Look) -> None:
        """What the big plane shows.  Raises ProtocolError if the network has no such neuron."""
        if wish.layer is not None and not self._exists(wish.layer, wish.unit):
            raise ProtocolError(
                "no_such_neuron", f"layer {wish.layer} has no neuron {wish.unit}.",
                layer=wish.layer, unit=wish.unit,
            )  # fmt: skip
        self._look = None if wish.layer is None else (wish.layer, wish.unit)

    def _exists(self, layer: int, unit: int) -> bool:
        sizes = self.model.sizes
        return layer < len(sizes) and unit < sizes[layer]

    def frame(self, key: bool) -> list[Part]:
        """What a page sees now."""
        if self._measured_step != self.step:
            self.measure()
        parts = [*super().frame(key), *self._plane()]
        if key:
            unseen = np.zeros(len(self.points), np.uint8)
            unseen[self._unseen] = 1
            parts += [
                Part("points", self.points.xy),
                Part("labels", self.points.labels),
                Part("unseen", unseen),
            ]
        return parts

    def bounded(self, layer: int) -> bool:
        """Whether the units of ``layer`` (0: the inputs) can't leave -1..1."""
        return layer > 0 and self.model.layers[layer - 1].output.op.name in BOUNDED

    def units_over_the_plane(self, pixels: int) -> np.ndarray:
        """Every unit, inputs first, on a grid of ``pixels`` x ``pixels``: (units, pixels * pixels)."""
        plane = self._planes.get(pixels)
        if plane is None:
            plane = self._planes[pixels] = features(grid(pixels), self.settings.inputs)
        outputs = [layer.output for layer in self.model.layers]
        return np.concatenate([plane, *self.model.session.run(outputs, {self.model.x: plane})], axis=1).T

    def _plane(self) -> list[Part]:
        """The unit that is looked at (the output, if none is), fine."""
        last = len(self.model.sizes) - 1
        layer, unit = self._look or (last, 0)
        if layer == 0:
            values = self._planes[FINE][:, unit]
        else:
            tensor = self.model.layers[layer - 1].output
            values = self.model.session.run(tensor, {self.model.x: self._planes[FINE]})[:, unit]
        largest = float(np.nan_to_num(np.abs(values).max(), nan=1.0, posinf=1e30))
        scale = 1.0 if self.bounded(layer) else max(0.25, largest)
        return [
            Part("plane", quantize(values, scale).reshape(FINE, FINE)),
            Part("look", np.array([layer, unit], np.int32)),
        ]
