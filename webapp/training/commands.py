"""Commands that several kinds of page share; a kind that knows one names it among its own."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from webapp.contract.commands import Command, RunWish

# Any network that a kind may allow stays below these; what the run's own network lacks, its experiment refuses.
LAYERS, UNITS, IMAGES = 1000, 1_000_000, 1_000_000


class Weight(RunWish, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="weight"):
    """Set one weight (or, with ``source`` -1, one bias) of the layer ``layer`` (1 = first after the inputs)."""

    layer: Annotated[int, Meta(ge=1, le=LAYERS)]
    source: Annotated[int, Meta(ge=-1, le=UNITS)]
    target: Annotated[int, Meta(ge=0, le=UNITS)]
    value: Annotated[float, Meta(ge=-1000.0, le=1000.0)]


class Look(RunWish, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="look"):
    """What the big picture shows: the output, or unit ``unit`` of layer ``layer`` (0 = inputs).

    On the digits page ``image`` picks the test image whose activations are shown.
    """

    layer: Annotated[int, Meta(ge=0, le=LAYERS)] | None = None
    unit: Annotated[int, Meta(ge=0, le=UNITS)] = 0
    image: Annotated[int, Meta(ge=0, le=IMAGES)] | None = None


edit_weight = Command(
    struct=Weight,
    role="student",
    cost="set",
    merge="all",  # each may be about another weight
    handle=lambda experiment, wish: experiment.edit(wish),
)
look = Command(
    struct=Look,
    role="student",
    cost="look",
    merge="newest",
    moves=True,
    handle=lambda experiment, wish: experiment.look(wish),
)
