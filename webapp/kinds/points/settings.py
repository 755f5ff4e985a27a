"""What can be chosen on the page of 2D points."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from webapp.contract.settings import Seed
from webapp.layers import AnyLayer
from webapp.layers.dense import Dense
from webapp.training.settings import NetworkSettings

Feature = Literal["x", "y", "x2", "y2", "xy", "sinx", "siny"]
PointsData = Literal["circle", "xor", "gauss", "spiral"]


class PointsSettings(NetworkSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """2D classification of blue (+1) and orange (-1) points."""

    data: PointsData = "circle"
    noise: Annotated[float, Meta(ge=0.0, le=0.5)] = 0.1
    share: Annotated[float, Meta(ge=0.1, le=0.9)] = 0.5
    batch: Annotated[int, Meta(ge=1, le=250)] = 10
    data_seed: Seed = 1
    inputs: Annotated[tuple[Feature, ...], Meta(min_length=1, max_length=7)] = ("x", "y")
    layers: tuple[AnyLayer, ...] = (Dense(units=4), Dense(units=3))

    def __post_init__(self) -> None:
        if len(set(self.inputs)) != len(self.inputs):
            raise ValueError("each input may be named once")
