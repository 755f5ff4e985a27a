"""What a page hears back: an answer to each command, and news of a run.

The page emits the Socket.IO event ``command`` with one JSON object and gets one :class:`Reply`;
acknowledging a frame is the event ``credit``.  The server emits ``frame`` (one binary blob, see
:mod:`webapp.contract.wire`) and ``event`` (one JSON object, a :class:`Status` or a :class:`Notice`).
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from webapp.contract.errors import Problem
from webapp.contract.settings import Settings


class Reply(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The answer to every command (the Socket.IO acknowledgement)."""

    ok: bool
    seq: int = 0
    error: Problem | None = None
    # only for ``open``:
    run: str | None = None
    kind: str | None = None
    resumed: bool = False
    # only for ``open`` and ``set``: the settings that hold now
    settings: Settings | None = None


class Status(Struct, frozen=True, kw_only=True, tag_field="type", tag="status"):
    """A run starts, stops, or moves to a new worker.

    ``reason`` says why it isn't playing: ``paused``, ``stepped``, ``reset``, ``diverged``,
    ``unwatched`` (no page for a minute), ``internal_error`` (a bug; a notice comes with it).
    After ``diverged``, ``step`` is the first step whose loss wasn't a number, and ``values`` say what ``recover``
    would do about it: the ``cause`` ("rate" or "regularization") and the new ``regularization_rate``.
    """

    run: str
    playing: bool
    reason: str | None = None
    step: int = 0
    epoch: float = 0.0
    executor: str = ""  # for the badge, e.g. "CPU · NumPy"
    machine: str = ""  # why it isn't native yet: that is "compiling", or "failed"
    problem: str = ""  # why it failed, in the server's words
    seq: int = 0  # last command applied
    values: dict[str, Any] = {}


class Notice(Struct, frozen=True, kw_only=True, tag_field="type", tag="notice"):
    """Something the page should tell its reader.

    ``worker_restarted``, ``worker_crashing`` (again and again: paused), ``internal_error``, or
    ``refused`` (``values["code"]`` is the problem's code; ``run`` is empty if the message named none).
    """

    run: str
    code: str
    message: str
    values: dict[str, Any] = {}
