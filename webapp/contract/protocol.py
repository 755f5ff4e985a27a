"""What a page may say to the server, and what it hears back.

Every message is decoded here and nowhere else: a tagged union of frozen structs with
bounds on every number (:func:`decode`).  What the structs allow is also told to the page,
so a limit is written once.

The page emits the Socket.IO event ``command`` with one JSON object and gets one
:class:`Reply`; acknowledging a frame is the event ``credit``.  The server emits ``frame``
(one binary blob, see :mod:`webapp.contract.wire`) and ``event`` (one JSON object, see
:class:`Status` and :class:`Notice`).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from webapp.contract.errors import Problem, ProtocolError, convert
from webapp.contract.settings import Settings

__all__ = ["Problem", "ProtocolError"]

RunId = Annotated[str, Meta(min_length=22, max_length=22, pattern=r"^[A-Za-z0-9_-]{22}$")]
Sequence = Annotated[int, Meta(ge=0, le=2**32 - 1)]


class Command(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"):
    """One wish of a page.  ``seq`` counts the page's commands; frames name the last applied."""

    seq: Sequence


class Open(Command, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="open"):
    """Find the run ``run`` again, or (without it) start one with ``settings``."""

    kind: Annotated[str, Meta(max_length=32)]
    settings: dict[str, Any] = {}
    run: RunId | None = None


class RunCommand(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A command about a run that was opened before."""

    run: RunId


class Set(RunCommand, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="set"):
    """Change some settings; the rest stay.  Training goes on if it was going on."""

    settings: dict[str, Any]


class Play(RunCommand, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="play"):
    """Train until told otherwise."""


class Pause(RunCommand, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="pause"):
    """Stop training; the weights stay."""


class Step(RunCommand, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="step"):
    """Train one batch or one epoch, then pause."""

    unit: Literal["batch", "epoch"] = "epoch"


class Reset(RunCommand, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="reset"):
    """Back to step 0 with the very same first weights, paused."""


class Recover(RunCommand, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="recover"):
    """After a diverged loss: the best weights so far with the rate or the regularisation that helps, playing."""


class Weight(RunCommand, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="weight"):
    """Set one weight (or, with ``source`` -1, one bias) of the layer ``layer`` (1 = first after the inputs)."""

    layer: Annotated[int, Meta(ge=1, le=9)]
    source: Annotated[int, Meta(ge=-1, le=783)]
    target: Annotated[int, Meta(ge=0, le=511)]
    value: Annotated[float, Meta(ge=-1000.0, le=1000.0)]


class Look(RunCommand, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="look"):
    """What the big picture shows: the output, or unit ``unit`` of layer ``layer`` (0 = inputs).

    On the digits page ``image`` picks the test image whose activations are shown.
    """

    layer: Annotated[int, Meta(ge=0, le=9)] | None = None
    unit: Annotated[int, Meta(ge=0, le=511)] = 0
    image: Annotated[int, Meta(ge=0, le=9_999)] | None = None


class Draw(RunCommand, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="draw"):
    """A drawn digit: 28x28 grey values (0 paper, 255 ink), row by row, in base64; empty to clear."""

    pixels: Annotated[bytes, Meta(max_length=784)]

    def __post_init__(self) -> None:
        if len(self.pixels) not in (0, 784):
            raise ValueError("784 pixels (28x28) or none are expected")


class Close(RunCommand, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="close"):
    """The page no longer watches this run."""


AnyCommand = (
    Open | Set | Play | Pause | Step | Reset | Recover | Weight | Look | Draw | Close
)  # fmt: skip


class Credit(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The page has painted frame ``frame`` of run ``run`` and can take another."""

    run: RunId
    frame: Sequence


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


def decode(message: object) -> AnyCommand:
    """The command in ``message`` (plain JSON data), or :class:`ProtocolError`."""
    return convert(message, AnyCommand, "command")


def decode_credit(message: object) -> Credit:
    """The acknowledgement in ``message``, or :class:`ProtocolError`."""
    return convert(message, Credit, "credit")
