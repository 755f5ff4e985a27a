"""What can be chosen on the page of digits."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from webapp.contract.settings import Activation, Optimizer, Rate
from webapp.layers import Layer
from webapp.layers.dense import Dense
from webapp.training.settings import NetworkSettings

DigitsData = Literal["mnist"]
Gallery = Literal["sample", "mistakes"]


class DigitsSettings(NetworkSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """MNIST: 28x28 grey images of the digits 0 to 9."""

    data: DigitsData = "mnist"
    activation: Activation = "relu"
    optimizer: Optimizer = "sgd"
    rate: Rate = 0.5
    batch: Annotated[int, Meta(ge=1, le=1000)] = 100
    gallery: Gallery = "sample"

    new_layer: ClassVar[Layer] = Dense(units=128)
    size_steps: ClassVar[tuple[int, ...]] = (16, 32, 64, 128, 256, 512)
