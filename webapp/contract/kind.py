"""The records of a kind of page and of its lenses: what server, worker and page know of them stands here."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from webapp import plugins
from webapp.contract.commands import Command
from webapp.contract.errors import ProtocolError, convert
from webapp.contract.settings import Settings

_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
_PATH = re.compile(r"/([a-z0-9][a-z0-9_-]{0,31})?")
_TAKEN = ("/static", "/texts", "/healthz")  # what the server answers there is no page


class KindError(ValueError):
    """A kind or lens that can't be used as it is described; the message names it and says what to change."""


@dataclass(frozen=True)
class Section:
    """One named array of a frame."""

    name: str
    doc: str  # dtype, shape and meaning


@dataclass(frozen=True)
class Part:
    """One array on its way into a frame: real values are ``(array - zero) * scale``."""

    section: str
    array: np.ndarray
    scale: float = 1.0
    zero: float = 0.0


# What every kind's frames have.
COMMON = (
    Section("layers", "u16 (L,): units per layer, inputs first, output last"),
    Section("biases", "f32 (sum of out,): layer by layer, without the inputs"),
    Section("metrics", "f32 (4,): training loss, unseen loss, training accuracy, unseen accuracy"),
    Section(
        "curve",
        "f32 (n, 5): epoch and metrics over time; all (at most 1000 rows) in key frames, else the last 64",
    ),
)


@dataclass(frozen=True)
class Lens:
    """One way to look at a run.  Lives in ``webapp/kinds/NAME/lenses/LENS.py`` as ``lens``; its place registers it.

    ``encode(experiment, key)`` gives its part of a frame; it is called in the worker, and only while somebody looks
    through the lens.  With ``key`` also what seldom changes is asked for.  Its page part lies in
    ``static/js/kinds/NAME/lenses/LENS/``.
    """

    name: str  # also the file's
    key: str  # "1" to "7", which opens it
    title: str  # the key of its name in the texts
    sections: tuple[Section, ...]
    encode: Callable[[Any, bool], list[Part]]
    commands: tuple[Command, ...] = ()  # what only this lens says
    styles: tuple[str, ...] = ()  # its style sheets, in its page's folder; loaded with it


@dataclass(frozen=True)
class Kind:
    """One kind of page and of run.  Lives in ``webapp/kinds/NAME/__init__.py`` as ``kind``; its folder registers it.

    Its page part lies in ``static/js/kinds/NAME/``.  Raises :class:`KindError` for a record that can't work.
    """

    name: str  # also the folder's
    path: str  # of its page, e.g. "/digits"
    title: str  # the key of its name in the texts
    settings: type[Settings]
    experiment: str  # "module:Class", imported in the workers only
    order: int = 100  # its place among the pages
    # How fast the speeds "batch" (batches a second) and "epoch" (epochs a second) train; "max" is as fast as it goes.
    pace: Mapping[str, float] = field(default_factory=lambda: {"batch": 30.0, "epoch": 1.0})
    sections: tuple[Section, ...] = ()  # of its frames, whatever lens is open
    limits: Mapping[str, int] = field(default_factory=dict)  # how much of what: "layers", and a field of a layer
    commands: tuple[Command, ...] = ()  # what only this kind knows, or shares with some
    styles: tuple[str, ...] = ()  # its style sheets, in its page's folder

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise KindError(f"kind {self.name!r}: a name has small letters, digits and _, and begins with a letter")
        if not _PATH.fullmatch(self.path) or self.path in _TAKEN:
            taken = ", ".join(_TAKEN)
            raise KindError(
                f"kind {self.name}: its path {self.path!r} must be / with small letters, digits, _, -; not {taken}"
            )

    @cached_property
    def lenses(self) -> Mapping[str, Lens]:
        """Its lenses by name, in the order of their keys: what lies in its folder ``lenses``."""
        lenses = sorted(_lenses_of(self.name), key=lambda lens: (lens.key, lens.name))
        keys = [lens.key for lens in lenses]
        if len(set(keys)) < len(keys):
            raise KindError(f"kind {self.name}: two lenses share a key: {[(lens.name, lens.key) for lens in lenses]}")
        return {lens.name: lens for lens in lenses}

    def lens(self, name: str | None) -> str:
        """The lens of this name, which must be there; the first one for None ("" where a kind has none)."""
        if name is None:
            return next(iter(self.lenses), "")
        if name not in self.lenses:
            raise ProtocolError(
                "no_such_lens", f"lens: {self.name} has no lens {name!r}; it has {', '.join(self.lenses)}.", lens=name
            )
        return name

    @property
    def all_commands(self) -> tuple[Command, ...]:
        """Its own and its lenses'."""
        return (*self.commands, *(command for lens in self.lenses.values() for command in lens.commands))

    def settings_for(self, patch: dict[str, Any], base: Settings | None = None) -> Settings:
        """``base`` (or the defaults) with ``patch`` laid over it, checked as a whole.  Raises ProtocolError."""
        current = {} if base is None else msgspec.to_builtins(base)
        wanted = {**current, **self.settings.upgraded(patch)}
        settings: Settings = convert(wanted, self.settings, "settings")
        settings.check(self.limits)
        return settings

    @property
    def fields(self) -> dict[str, Any]:
        """The settings for the browser: of each field its type, choices, bounds and default."""
        return self.settings.describe(self.limits)


def _lenses_of(kind: str) -> list[Lens]:
    package = importlib.import_module(f"webapp.kinds.{kind}")
    package.__path__ = plugins.extended(package.__path__, f"kinds/{kind}")
    if not any((Path(folder) / "lenses").is_dir() for folder in package.__path__):
        return []
    folder = importlib.import_module(f"webapp.kinds.{kind}.lenses")
    folder.__path__ = plugins.extended(folder.__path__, f"kinds/{kind}/lenses")
    lenses = []
    for module in plugins.modules_of(folder):
        lens = getattr(module, "lens", None)
        if not isinstance(lens, Lens) or lens.name != module.__name__.rpartition(".")[2]:
            raise KindError(f"{module.__name__}: it must hold `lens = Lens(name=...)` with the file's name")
        if lens.key not in tuple("1234567"):
            raise KindError(f"{module.__name__}: its key {lens.key!r} must be one of 1 to 7")
        lenses.append(lens)
    return lenses
