"""Errors written for a student: what was wrong, where, what would work."""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path

_OURS = (str(Path(__file__).parent) + os.sep, contextlib.__file__)  # `with` scopes are entered by way of contextlib


class EngineError(Exception):
    """Anything the engine refuses.  The text names the operation, the shapes and the user's own line."""


class ShapeError(EngineError):
    """Shapes that don't fit together."""


class DtypeError(EngineError):
    """Element types that don't fit together."""


class FeedError(EngineError):
    """A placeholder that wasn't fed, or was fed something that doesn't fit."""


class GradientError(EngineError):
    """A gradient was asked for that doesn't exist."""


class DeviceError(EngineError):
    """A device that isn't there or can't be used."""


class CheckpointError(EngineError):
    """A checkpoint that can't be read or doesn't fit the graph."""


class GraphGrowsWarning(UserWarning):
    """One line of a program adds to the graph before each run, which makes every run slower than the last."""


@dataclass(frozen=True)
class Source:
    """The user's line that made a tensor."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{Path(self.file).name}:{self.line}"


def user_source() -> Source:
    """The nearest line of the call stack that lies outside the engine."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_OURS):
        frame = frame.f_back
    return Source(frame.f_code.co_filename, frame.f_lineno)
