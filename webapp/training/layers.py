"""What a kind of layer is: the struct that settings hold, how it is built, what may stand before and after it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct

from webapp.contract.settings import Settings, describe_fields

if TYPE_CHECKING:  # the web process knows the layers' settings, and has no use for the engine
    from engine import Tensor
    from engine.layers import Built

Arrays = dict[str, np.ndarray]
Rows = tuple[list[int], list[int]]  # which of the new inputs are which of the old ones
Build = Callable[["Tensor", Any, str, Settings], "Built"]


class Layer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"):
    """Base of the layers' settings.  A subclass has a ``tag``: what addresses and files call it."""

    @property
    def tag(self) -> str:
        return str(self.__struct_config__.tag)


class LayerError(ValueError):
    """A kind of layer that can't be used as it is described; the message names it and says what to change."""


def overlap(first: Arrays, trained: Arrays, rows: Rows | None) -> Arrays:
    """Keep the trained numbers of the units that are still there.

    ``first``: the new variables' first values by their names in the layer; ``trained``: the old ones' values.
    The last axis counts units, the one before it inputs; ``rows``: which inputs are the same, None if their
    numbers say so.  Returns what the variables are to hold.
    """
    return {name: _overlap(value, trained.get(name), rows) for name, value in first.items()}


def _overlap(first: np.ndarray, trained: np.ndarray | None, rows: Rows | None) -> np.ndarray:
    if trained is None or trained.ndim != first.ndim or trained.shape[:-2] != first.shape[:-2]:
        return first
    if first.ndim == 0:
        return trained.copy()
    kept, units = first.copy(), slice(min(first.shape[-1], trained.shape[-1]))
    if first.ndim == 1:
        kept[units] = trained[units]
        return kept
    same = list(range(min(first.shape[-2], trained.shape[-2])))
    new, old = rows or (same, same)
    kept[..., new, units] = trained[..., old, units]
    return kept


@dataclass(frozen=True)
class LayerKind:
    """One kind of layer; made by :func:`layer`, found by ``webapp.layers``."""

    struct: type[Layer]
    build: Build
    takes: str  # what it reads, e.g. "vector" (batch, numbers) or "image" (batch, height, width, channels)
    gives: str
    words: str  # the key of its name in the texts
    short: str | None  # the field that stands for the whole layer where there is room for one number, if one does
    keep: Callable[[Arrays, Arrays, Rows | None], Arrays]  # see :func:`overlap`

    @property
    def tag(self) -> str:
        """Its name in settings, addresses and files."""
        return str(self.struct.__struct_config__.tag)

    @cached_property
    def sizes(self) -> dict[str, tuple[int, int]]:
        """The least and the most of each field that is a whole number; the limits of a kind of page may be lower."""
        found = describe_fields(self.struct).items()
        return {name: (field["min"], field["max"]) for name, field in found if field["type"] == "int"}

    def describe(self, limits: Mapping[str, int]) -> dict[str, Any]:
        """For the browser: what it is called, and its fields within ``limits``."""
        fields = describe_fields(self.struct)
        for name, (_, most) in self.sizes.items():
            fields[name]["max"] = min(most, limits.get(name, most))
        return {"title": self.words, "takes": self.takes, "gives": self.gives, "short": self.short, "fields": fields}


def layer(
    struct: type[Layer],
    *,
    takes: str,
    gives: str,
    words: str,
    short: str | None = None,
    keep: Callable[[Arrays, Arrays, Rows | None], Arrays] = overlap,
) -> Callable[[Build], LayerKind]:
    """Make ``build(x, layer, name, settings)``, which gives an ``engine.layers.Built``, a kind of layer.

    ``words``: the key of its name in the texts; ``short``: its field that the page steps through, if it has one;
    ``keep``: which weights survive when the network changes.  Raises LayerError for a ``short`` that isn't a number.
    """
    try:
        fields = describe_fields(struct)
    except TypeError as error:
        raise LayerError(f"layer {error}") from None
    if short is not None and fields.get(short, {}).get("type") != "int":
        raise LayerError(f"layer {struct.__name__}: short={short!r} must name a field of whole numbers")
    return lambda build: LayerKind(struct, build, takes, gives, words, short, keep)
