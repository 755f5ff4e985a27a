"""A run's training state as it is kept: what an experiment's snapshot holds."""

from __future__ import annotations

from typing import Any

import msgspec


class WayBack(msgspec.Struct, frozen=True):
    """What a run at rest needs beside its state, to be as if it had never rested."""

    good: bytes | None
    best: float
    touched: bool
    diverged: bool


class Saved(msgspec.Struct, frozen=True):
    """A run at one moment, as it travels between processes, and the settings it had then."""

    settings: dict[str, Any]
    state: dict[str, bytes]
    step: int
    passes: int
    cursor: int
    curve: bytes
    gap: float = 0.0
    way_back: WayBack | None = None
