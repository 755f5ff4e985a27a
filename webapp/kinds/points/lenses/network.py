"""The network: every neuron as a small picture of the plane, and the weights between them."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from webapp.contract.kind import Lens, Part, Section
from webapp.training.coding import quantize

if TYPE_CHECKING:  # the web process imports this file, and has no use for the engine
    from webapp.kinds.points.experiment import PointsExperiment

COARSE = 30  # pixels along an edge of a neuron's map


def encode(points: PointsExperiment, _key: bool) -> list[Part]:
    """The weights, and every unit over the plane."""
    weights = [points.model.weights(layer).ravel() for layer in points.model.layers]
    units = points.units_over_the_plane(COARSE)
    scale = _scale(points, units)
    maps = quantize(units, scale[:, None]).reshape(-1, COARSE, COARSE)
    return [Part("weights", np.concatenate(weights)), Part("maps", maps)]


def _scale(points: PointsExperiment, units: np.ndarray) -> np.ndarray:
    """The value that is drawn in full colour: 1 for bounded units, else the largest there is (0.25 at least)."""
    scale = np.maximum(np.nan_to_num(np.abs(units).max(axis=1), nan=1.0, posinf=1e30), 0.25)
    sizes = points.model.sizes
    for layer, start in enumerate(itertools.accumulate(sizes[:-1]), start=1):
        if points.bounded(layer):
            scale[start : start + sizes[layer]] = 1.0
    return np.asarray(scale, np.float32)


lens = Lens(
    name="network",
    key="1",
    title="lens.network",
    sections=(
        Section("weights", "f32 (sum of in*out,): layer by layer, row-major (in, out)"),
        Section("maps", "u8 (N, 30, 30): each unit of all layers over the plane, row 0 = largest y; 127.5 = 0"),
    ),
    encode=encode,
    styles=("network.css",),
)
