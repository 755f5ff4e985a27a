"""Gated: a second set of weights says how much of each unit is let through (Dauphin et al. 2017)."""

from typing import Annotated

from msgspec import Meta

from webapp.layers import Layer, layer


class Gated(Layer, frozen=True, tag="gated"):
    """``units`` units, each with a gate of its own."""

    units: Annotated[int, Meta(ge=1, le=512)] = 4


@layer(Gated, takes="vector", gives="vector", words="layer.gated", short="units")
def build(x, layer, name, settings):
    """(batch, inputs) to (batch, units)."""
    import engine as en

    value = en.layers.Dense(layer.units, settings.activation, name).build(x)
    gate = en.layers.Dense(layer.units, "sigmoid", f"{name}_gate").build(x)
    gates = {f"gate_{part}": variable for part, variable in gate.variables.items()}
    return en.layers.Built(value.output * gate.output, value.variables | gates, value.description)
