"""What can be chosen on the page of digits."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from webapp.contract.settings import Activation, Optimizer, Rate, Settings

DigitsData = Literal["mnist"]
Gallery = Literal["sample", "mistakes"]


class DigitsSettings(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """MNIST: 28x28 grey images of the digits 0 to 9."""

    data: DigitsData = "mnist"
    activation: Activation = "relu"
    optimizer: Optimizer = "sgd"
    rate: Rate = 0.5
    batch: Annotated[int, Meta(ge=1, le=1000)] = 100
    hidden: Annotated[tuple[Annotated[int, Meta(ge=1, le=512)], ...], Meta(max_length=8)] = ()
    gallery: Gallery = "sample"
