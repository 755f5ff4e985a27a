"""Dense: every unit reads every number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from webapp.contract.settings import Settings
from webapp.layers import Layer, layer

if TYPE_CHECKING:
    from engine import Tensor
    from engine.layers import Built


class Dense(Layer, frozen=True, tag="dense"):
    """``units`` units with the activation that the network's settings say."""

    units: Annotated[int, Meta(ge=1, le=4096)] = 4


@layer(Dense, takes="vector", gives="vector", words="layer.dense", short="units")
def build(x: Tensor, layer: Dense, name: str, settings: Settings) -> Built:
    """(batch, inputs) to (batch, units)."""
    import engine as en

    return en.layers.Dense(layer.units, settings.activation, name).build(x)
