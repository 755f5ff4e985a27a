"""The kinds of layer that a network can have: a module each, found because it lies in this folder.

Their names lie in ``texts/MODULE/LANGUAGE.json``.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING, Union

from webapp.plugins import extended
from webapp.training.layers import Layer, LayerError, LayerKind, layer

__all__ = ["KINDS", "AnyLayer", "Layer", "LayerError", "LayerKind", "layer"]

__path__ = extended(__path__, "layers")


def _found() -> dict[str, LayerKind]:
    """Every kind of layer by its tag.  Raises LayerError where a module holds none, or two share a tag."""
    found: dict[str, LayerKind] = {}
    for module in sorted(info.name for info in pkgutil.iter_modules(__path__)):
        held = vars(importlib.import_module(f"{__name__}.{module}")).values()
        kinds = [kind for kind in held if isinstance(kind, LayerKind)]
        if [kind.tag for kind in kinds] != [module]:
            raise LayerError(f"{__name__}.{module}: must hold one function made a layer by @layer, with tag={module!r}")
        found[module] = kinds[0]
    return found


KINDS = _found()

if TYPE_CHECKING:
    AnyLayer = Layer
else:
    AnyLayer = Union[tuple(kind.struct for kind in KINDS.values())]  # noqa: UP007
