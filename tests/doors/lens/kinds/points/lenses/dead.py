"""Dead units: those that say the same everywhere on the plane."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from webapp.contract.kind import Lens, Part, Section

if TYPE_CHECKING:
    from webapp.kinds.points.experiment import PointsExperiment


def encode(points: PointsExperiment, _key: bool) -> list[Part]:
    """1 for a unit whose values differ by less than a thousandth, inputs first."""
    units = points.units_over_the_plane(10)
    return [Part("dead", (np.ptp(units, axis=1) < 1e-3).astype(np.uint8))]


lens = Lens(
    name="dead",
    key="7",
    title="dead.title",
    sections=(Section("dead", "u8 (N,): 1 for a dead unit, all layers, inputs first"),),
    encode=encode,
)
