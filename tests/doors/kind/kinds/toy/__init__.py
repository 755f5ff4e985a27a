"""Toy: a network learns a wave.  The smallest kind of page that trains."""

from typing import Annotated

from msgspec import Meta

from webapp.contract.commands import Command, RunWish
from webapp.contract.kind import Kind, Section
from webapp.layers import AnyLayer
from webapp.layers.dense import Dense
from webapp.training.settings import NetworkSettings


class ToySettings(NetworkSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One input, one output."""

    batch: Annotated[int, Meta(ge=1, le=50)] = 10
    layers: tuple[AnyLayer, ...] = (Dense(units=8),)
    waves: Annotated[float, Meta(ge=0.5, le=2.0)] = 1.0


class Ask(RunWish, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="ask"):
    """What the network says at ``x``."""

    x: Annotated[float, Meta(ge=-1.0, le=1.0)]


ask = Command(
    struct=Ask, role="student", cost="look", merge="newest", moves=True, handle=lambda toy, wish: toy.ask(wish)
)

kind = Kind(
    name="toy",
    path="/toy",
    title="toy.title",
    settings=ToySettings,
    experiment="webapp.kinds.toy.experiment:Toy",
    sections=(Section("answer", "f32 (2,): an x, and what the network says there"),),
    limits={"layers": 2, "units": 16},
    commands=(ask,),
)
