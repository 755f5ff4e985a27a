"""What a page may say to the server, and what it hears back.

Every message is decoded here and nowhere else: a tagged union of frozen structs with
bounds on every number (:func:`decode`).  What the structs allow is also told to the page
(:func:`describe`), so a limit is written once.

The page emits the Socket.IO event ``command`` with one JSON object and gets one
:class:`Reply`; acknowledging a frame is the event ``credit``.  The server emits ``frame``
(one binary blob, see :mod:`webapp.contract.wire`) and ``event`` (one JSON object, see
:class:`Status` and :class:`Notice`).
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta, Struct

Seed = Annotated[int, Meta(ge=0, le=2**31 - 1)]
RunId = Annotated[str, Meta(min_length=22, max_length=22, pattern=r"^[A-Za-z0-9_-]{22}$")]
Sequence = Annotated[int, Meta(ge=0, le=2**32 - 1)]

Kind = Literal["points", "digits"]
Activation = Literal["relu", "tanh", "sigmoid", "linear", "leaky_relu", "elu", "gelu", "softplus"]
Optimizer = Literal["sgd", "momentum", "adam"]
Regularization = Literal["none", "l1", "l2"]
Speed = Literal["batch", "epoch", "max"]
Feature = Literal["x", "y", "x2", "y2", "xy", "sinx", "siny"]
PointsData = Literal["circle", "xor", "gauss", "spiral"]
DigitsData = Literal["mnist"]
Gallery = Literal["sample", "mistakes"]

Rate = Annotated[float, Meta(ge=1e-5, le=10.0)]
RegularizationRate = Annotated[float, Meta(ge=0.0, le=10.0)]


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole state of a run that a person can choose; also what the URL carries."""

    activation: Activation = "tanh"
    optimizer: Optimizer = "adam"
    rate: Rate = 0.01
    regularization: Regularization = "none"
    regularization_rate: RegularizationRate = 0.001
    weight_seed: Seed = 1
    speed: Speed = "epoch"


class PointsSettings(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """2D classification of blue (+1) and orange (-1) points."""

    data: PointsData = "circle"
    noise: Annotated[float, Meta(ge=0.0, le=0.5)] = 0.1
    share: Annotated[float, Meta(ge=0.1, le=0.9)] = 0.5
    batch: Annotated[int, Meta(ge=1, le=250)] = 10
    data_seed: Seed = 1
    inputs: Annotated[tuple[Feature, ...], Meta(min_length=1, max_length=7)] = ("x", "y")
    hidden: Annotated[tuple[Annotated[int, Meta(ge=1, le=32)], ...], Meta(max_length=8)] = (4, 3)

    def __post_init__(self) -> None:
        if len(set(self.inputs)) != len(self.inputs):
            raise ValueError("each input may be named once")


class DigitsSettings(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """MNIST: 28x28 grey images of the digits 0 to 9."""

    data: DigitsData = "mnist"
    activation: Activation = "relu"
    optimizer: Optimizer = "sgd"
    rate: Rate = 0.5
    batch: Annotated[int, Meta(ge=1, le=1000)] = 100
    hidden: Annotated[tuple[Annotated[int, Meta(ge=1, le=512)], ...], Meta(max_length=8)] = ()
    gallery: Gallery = "sample"


# How fast the speeds "batch" (batches a second) and "epoch" (epochs a second) train; "max" is as fast as it goes.
PACE: dict[str, dict[str, float]] = {"points": {"batch": 30.0, "epoch": 30.0}, "digits": {"batch": 30.0, "epoch": 1.0}}

SETTINGS: dict[str, type[Settings]] = {"points": PointsSettings, "digits": DigitsSettings}


class Command(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"):
    """One wish of a page.  ``seq`` counts the page's commands; frames name the last applied."""

    seq: Sequence


class Open(Command, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="open"):
    """Find the run ``run`` again, or (without it) start one with ``settings``."""

    kind: Kind
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
    """After a diverged loss: the last good weights with a tenth of the rate, playing."""


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


class Problem(Struct, frozen=True, kw_only=True):
    """A refusal.  The page shows its catalogue's sentence ``error.<code>`` filled with ``values``."""

    code: str
    message: str  # the English sentence: what was wrong, where, what would work
    values: dict[str, Any] = {}


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
    After ``diverged``, ``step`` is the first step whose loss wasn't a number.
    """

    run: str
    playing: bool
    reason: str | None = None
    step: int = 0
    epoch: float = 0.0
    executor: str = ""  # for the badge, e.g. "CPU · NumPy"
    seq: int = 0  # last command applied


class Notice(Struct, frozen=True, kw_only=True, tag_field="type", tag="notice"):
    """Something the page should tell its reader.

    ``worker_restarted``, ``worker_crashing`` (again and again: paused), ``internal_error``, or
    ``refused`` (``values["code"]`` is the problem's code; ``run`` is empty if the message named none).
    """

    run: str
    code: str
    message: str
    values: dict[str, Any] = {}


class ProtocolError(ValueError):
    """A message that is refused; carries what the page is told."""

    def __init__(self, code: str, message: str, **values: Any) -> None:
        super().__init__(message)
        self.problem = Problem(code=code, message=message, values=values)


def decode(message: object) -> AnyCommand:
    """The command in ``message`` (plain JSON data), or :class:`ProtocolError`."""
    return _convert(message, AnyCommand, "command")


def decode_credit(message: object) -> Credit:
    """The acknowledgement in ``message``, or :class:`ProtocolError`."""
    return _convert(message, Credit, "credit")


def settings_for(kind: str, patch: dict[str, Any], base: Settings | None = None) -> Settings:
    """``base`` (or the defaults of ``kind``) with ``patch`` laid over it, checked as a whole."""
    current = {} if base is None else msgspec.to_builtins(base)
    return _convert({**current, **patch}, SETTINGS[kind], "settings")


def _convert(message: object, wanted: Any, where: str) -> Any:
    try:
        return msgspec.convert(message, wanted, strict=True)
    except msgspec.ValidationError as error:
        text, _, path = _one_line(error).partition(" - at `$")
        field = path.rstrip("`").lstrip(".") or where
        code = "unknown_command" if "Invalid value" in text and field == "type" else "bad_value"
        raise ProtocolError(code, f"{field}: {text}.", where=field, detail=text) from None
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise ProtocolError(
            "bad_value", f"{where}: {_one_line(error)}.", where=where, detail=_one_line(error)
        ) from None


def _one_line(error: Exception) -> str:
    """What ``error`` says, which may repeat what was sent: printable, and no longer than a person would read."""
    text = "".join(letter if letter.isprintable() else " " for letter in str(error))
    return text if len(text) <= 200 else f"{text[:120]} … {text[-60:]}"


# msgspec sorts a Literal's values; a page lists them in the order they were written.
_CHOICE_ORDER = [
    choice
    for literal in (Activation, Optimizer, Regularization, Speed, Feature, PointsData, DigitsData, Gallery)
    for choice in get_args(literal)
]


def describe() -> dict[str, Any]:
    """Each page's settings for the browser: per field its type, choices, bounds and default."""
    pages = {}
    for kind, wanted in SETTINGS.items():
        info = msgspec.inspect.type_info(wanted)
        assert isinstance(info, msgspec.inspect.StructType)
        pages[kind] = {field.name: _describe_field(field.type, field.default) for field in info.fields}
    return pages


def _describe_field(kind: Any, default: Any) -> dict[str, Any]:
    inspect = msgspec.inspect
    found: dict[str, Any] = {"default": default}
    if isinstance(kind, inspect.LiteralType):
        found |= {"type": "choice", "choices": sorted(kind.values, key=_CHOICE_ORDER.index)}
    elif isinstance(kind, (inspect.IntType, inspect.FloatType)):
        name = "int" if isinstance(kind, inspect.IntType) else "float"
        found |= {"type": name, "min": kind.ge, "max": kind.le}
    elif isinstance(kind, inspect.VarTupleType):
        item = _describe_field(kind.item_type, None)
        found |= {"type": "list", "item": item, "min_length": kind.min_length or 0, "max_length": kind.max_length}
    else:  # a new kind of field needs a line above: the page can't draw what it can't name
        raise TypeError(f"settings field of type {kind} has no description for the page")
    return found


def finite_or_none(value: float) -> float | None:
    """JSON has no NaN and browsers refuse it: a number that isn't finite is sent as null."""
    return value if math.isfinite(value) else None
