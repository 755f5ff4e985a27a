"""The network: what each unit of the first layer looks for, drawn as an image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from webapp.contract.kind import Lens, Part, Section
from webapp.training.coding import quantize

if TYPE_CHECKING:  # the web process imports this file, and has no use for the engine
    from webapp.kinds.digits.experiment import DigitsExperiment

SIDE = 28
SHOWN_UNITS = 40  # weight images sent with a frame


def encode(digits: DigitsExperiment, _key: bool) -> list[Part]:
    """The incoming weights of the first layer's units as images, each at a scale of its own."""
    first = digits.model.layers[0]
    weights = digits.model.weights(first)[:, :SHOWN_UNITS].T
    scale = np.maximum(np.abs(weights).max(axis=1), 1e-6)
    images = quantize(weights, scale[:, None]).reshape(-1, SIDE, SIDE)
    return [Part("unit_images", images), Part("unit_scale", scale.astype(np.float32))]


lens = Lens(
    name="network",
    key="1",
    title="lens.network",
    sections=(
        Section("unit_images", "u8 (U, 28, 28): incoming weights of the first U units of the first layer; 127.5 = 0"),
        Section("unit_scale", "f32 (U,): the weight that 255 stands for"),
    ),
    encode=encode,
    styles=("network.css", "units.css"),
)
