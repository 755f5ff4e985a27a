"""Settings of a kind whose network is a list of layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec

from webapp.contract.errors import ProtocolError
from webapp.contract.settings import Settings
from webapp.layers import KINDS, AnyLayer, Layer, LayerError
from webapp.layers.dense import Dense

USUAL = "dense"  # the kind of layer that a bare number means


class NetworkSettings(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The hidden layers, in order.  How many there may be, and how large, is the kind's: see ``Kind.limits``."""

    layers: tuple[AnyLayer, ...] = ()

    takes: ClassVar[str] = "vector"  # what the first layer is given, and what the output asks of the last one
    new_layer: ClassVar[Layer] = Dense()  # what the page adds
    size_steps: ClassVar[tuple[int, ...]] = ()  # sizes that the page steps through; without any it counts by one

    @classmethod
    def upgraded(cls, patch: dict[str, Any]) -> dict[str, Any]:
        """``patch`` with ``layers`` in place of ``hidden``, the layers' units: so older versions said it."""
        if "hidden" not in patch or "layers" in patch:
            return patch
        short = KINDS[USUAL].short
        sizes = patch["hidden"]
        layers = [{"type": USUAL, str(short): size} for size in sizes] if isinstance(sizes, (list, tuple)) else sizes
        return {name: value for name, value in patch.items() if name != "hidden"} | {"layers": layers}

    def check(self, limits: Mapping[str, int]) -> None:
        """Raise ProtocolError for too many layers, too large ones, or one that can't follow the one before it."""
        most = _most_layers(limits)
        if len(self.layers) > most:
            raise _too_many("layers", len(self.layers), 0, most)
        given = self.takes
        for place, layer in enumerate(self.layers):
            kind = KINDS[layer.tag]
            for name, (least, largest) in kind.sizes.items():
                value, allowed = getattr(layer, name), limits.get(name, largest)
                if value > allowed:
                    raise _too_many(f"layers[{place}].{name}", value, least, allowed)
            if kind.takes != given:
                raise _unfit(place, f"a {kind.tag} layer takes {kind.takes}, and what comes before it gives {given}")
            given = kind.gives
        if given != self.takes:
            raise _unfit(len(self.layers) - 1, f"the output takes {self.takes}, and the last layer gives {given}")

    @classmethod
    def describe(cls, limits: Mapping[str, int]) -> dict[str, Any]:
        """The fields for the browser; ``layers`` with the kinds of layer and their fields within ``limits``."""
        fields = super().describe(limits)
        fields["layers"] |= {
            "max_length": _most_layers(limits),
            "item": {"type": "layer", "usual": USUAL, "kinds": {tag: k.describe(limits) for tag, k in KINDS.items()}},
            "new": msgspec.to_builtins(cls.new_layer),
            "steps": list(cls.size_steps),
        }
        return fields


def _most_layers(limits: Mapping[str, int]) -> int:
    if "layers" not in limits:
        raise LayerError('a kind with layers must bound their number: limits={"layers": 8}')
    return limits["layers"]


def _too_many(where: str, value: int, least: int, most: int) -> ProtocolError:
    detail = f"{value} is too many; {least} to {most} work"
    return ProtocolError("bad_value", f"{where}: {detail}.", where=where, detail=detail)


def _unfit(place: int, why: str) -> ProtocolError:
    return ProtocolError("layer_unfit", f"layers[{place}]: {why}.", layer=place + 1)
