"""The record of a kind of page: all that server, worker and page know of it stands here or lies in its folder."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from webapp.contract.commands import Command
from webapp.contract.errors import convert
from webapp.contract.settings import Settings, describe_fields

_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")


class KindError(ValueError):
    """A kind that can't be used as it is described; the message names it and says what to change."""


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
    commands: tuple[Command, ...] = ()  # what only this kind knows, or shares with some
    styles: tuple[str, ...] = ()  # its style sheets, in its page's folder

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise KindError(f"kind {self.name!r}: a name has small letters, digits and _, and begins with a letter")
        if not self.path.startswith("/"):
            raise KindError(f"kind {self.name}: its path {self.path!r} must begin with /")

    def settings_for(self, patch: dict[str, Any], base: Settings | None = None) -> Settings:
        """``base`` (or the defaults) with ``patch`` laid over it, checked as a whole.  Raises ProtocolError."""
        current = {} if base is None else msgspec.to_builtins(base)
        settings: Settings = convert({**current, **patch}, self.settings, "settings")
        return settings

    @property
    def fields(self) -> dict[str, Any]:
        """The settings for the browser: of each field its type, choices, bounds and default."""
        return describe_fields(self.settings)
