"""Folders outside of Layerlab that bring kinds, lenses and layers of their own, laid out as in here.

A plug-in's folder may hold ``kinds/NAME/`` (its page part in ``kinds/NAME/page/``), ``kinds/NAME/lenses/LENS.py``
(also for a kind that is there already) and ``layers/NAME.py``.  The packages ``webapp.kinds``, ``webapp.layers``
and a kind's ``lenses`` look there, too, so what a plug-in brings has the same name in every process.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

VARIABLE = "LAYERLAB_PLUGINS"  # in the environment, which workers inherit


def folders() -> list[Path]:
    """The folders of all plug-ins."""
    return [Path(each) for each in os.environ.get(VARIABLE, "").split(os.pathsep) if each]


def use(wanted: Iterable[Path]) -> None:
    """Take what these folders bring; before anything of ``webapp.kinds`` or ``webapp.layers`` is imported."""
    os.environ[VARIABLE] = os.pathsep.join([*map(str, folders()), *map(str, wanted)])


def extended(path: Iterable[str], inside: str) -> list[str]:
    """A package's ``__path__``, and behind it the folder ``inside`` of every plug-in that has one."""
    own = list(path)
    return own + [str(found) for folder in folders() if (found := folder / inside).is_dir() and str(found) not in own]


def modules_of(package: ModuleType) -> list[ModuleType]:
    """Everything that lies directly in a package, imported, by name."""
    names = sorted(found.name for found in pkgutil.iter_modules(package.__path__))
    return [importlib.import_module(f"{package.__name__}.{name}") for name in names]
