"""Commands that several kinds of page share; a kind that knows one names it among its own."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from webapp.contract.commands import Command, RunWish


class Weight(RunWish, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="weight"):
    """Set one weight (or, with ``source`` -1, one bias) of the layer ``layer`` (1 = first after the inputs)."""

    layer: Annotated[int, Meta(ge=1, le=9)]
    source: Annotated[int, Meta(ge=-1, le=783)]
    target: Annotated[int, Meta(ge=0, le=511)]
    value: Annotated[float, Meta(ge=-1000.0, le=1000.0)]


class Look(RunWish, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="look"):
    """What the big picture shows: the output, or unit ``unit`` of layer ``layer`` (0 = inputs).

    On the digits page ``image`` picks the test image whose activations are shown.
    """

    layer: Annotated[int, Meta(ge=0, le=9)] | None = None
    unit: Annotated[int, Meta(ge=0, le=511)] = 0
    image: Annotated[int, Meta(ge=0, le=9_999)] | None = None


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
