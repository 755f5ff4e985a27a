"""What a page may say to the server: the messages, and for each the record that says who may and what it costs.

A message is decoded once, at the door, into its struct (:meth:`Commands.decode`): a tagged union of
frozen structs with bounds on every number.  After that nobody asks for its type: what is done with
it stands in two tables, ``webapp/runs/commands.py`` for the web process and ``webapp/workers/commands.py``
for a worker, and for what only one kind of page knows, in the kind's own records (``handle``).

What has no record is refused.  The table in docs/protocol.md is written from the records.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args

from msgspec import Meta, Struct

from webapp.contract.errors import ProtocolError, convert

RunId = Annotated[str, Meta(min_length=22, max_length=22, pattern=r"^[A-Za-z0-9_-]{22}$")]
LensName = Annotated[str, Meta(max_length=32)]
Sequence = Annotated[int, Meta(ge=0, le=2**32 - 1)]

Role = Literal["visitor", "student", "teacher", "host"]  # each may what those before it may
Cost = Literal["look", "set", "build", "heavy"]  # of the least trouble for the server first
Merge = Literal["newest", "all", "none"]


class Wish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"):
    """A message of a page.  ``seq`` counts the page's messages; frames name the last applied."""

    seq: Sequence

    @property
    def name(self) -> str:
        """Its command's name: what stands in its ``type``."""
        return str(self.__struct_config__.tag)


class RunWish(Wish, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A message about a run that was opened before."""

    run: RunId


class Open(Wish, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="open"):
    """Find the run ``run`` again, or (without it) start one with ``settings``."""

    kind: Annotated[str, Meta(max_length=32)]
    settings: dict[str, Any] = {}
    run: RunId | None = None
    lens: LensName | None = None  # through which the page looks; the kind's first one, if None


class Set(RunWish, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="set"):
    """Change some settings; the rest stay.  Training goes on if it was going on."""

    settings: dict[str, Any]


class Play(RunWish, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="play"):
    """Train until told otherwise."""


class Pause(RunWish, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="pause"):
    """Stop training; the weights stay."""


class Step(RunWish, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="step"):
    """Train one batch or one epoch, then pause."""

    unit: Literal["batch", "epoch"] = "epoch"


class Reset(RunWish, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="reset"):
    """Back to step 0 with the very same first weights, paused."""


class Recover(RunWish, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="recover"):
    """After a diverged loss: the best weights so far with the rate or the regularisation that helps, playing."""


class OpenLens(RunWish, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="lens"):
    """This page looks through the lens ``lens`` of the run's kind from now on."""

    lens: LensName


class Close(RunWish, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="close"):
    """The page no longer watches this run."""


class Credit(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The page has painted frame ``frame`` of run ``run`` and can take another."""

    run: RunId
    frame: Sequence


@dataclass(frozen=True, kw_only=True)
class Command:
    """Who may say ``struct``, what it costs, and what becomes of those that wait.

    ``merge`` is about the ones that wait for the same run: of ``newest`` only the newest is done, ``all`` are
    done in one turn, and with ``none`` each has a turn of its own.  ``handle(experiment, message)`` does, in the
    worker, what only this kind knows.  Raises TypeError for a record without a role, a cost or a merge.
    """

    struct: type[Wish]
    role: Role
    cost: Cost
    merge: Merge
    own: bool = True  # the run must be the person's
    moves: bool = False  # said again when the run moves to another worker
    handle: Callable[[Any, Any], None] | None = None

    def __post_init__(self) -> None:
        for field, choices in (("role", Role), ("cost", Cost), ("merge", Merge)):
            if getattr(self, field) not in get_args(choices):
                raise TypeError(f"{self.name}: its {field} is one of {', '.join(get_args(choices))}")

    @property
    def name(self) -> str:
        """What stands in a message's ``type``."""
        return str(self.struct.__struct_config__.tag)

    @property
    def effect(self) -> str:
        """What it does, in a sentence or two."""
        return (self.struct.__doc__ or "").partition("\n")[0]


# What every kind of page knows.
COMMON = (
    Command(struct=Open, role="student", cost="build", merge="none"),
    Command(struct=Close, role="visitor", cost="look", merge="none"),
    Command(struct=OpenLens, role="visitor", cost="look", merge="none"),
    Command(struct=Set, role="student", cost="build", merge="newest"),
    Command(struct=Play, role="student", cost="set", merge="newest"),
    Command(struct=Pause, role="student", cost="set", merge="newest"),
    Command(struct=Step, role="student", cost="set", merge="newest"),
    Command(struct=Reset, role="student", cost="build", merge="newest"),
    Command(struct=Recover, role="student", cost="build", merge="newest"),
)


class Commands:
    """All records: those that every kind knows, and by the kind's name those that are its own."""

    def __init__(self, own: Mapping[str, Iterable[Command]], common: Iterable[Command] = COMMON) -> None:
        self.common = tuple(common)
        self.own = {kind: tuple(commands) for kind, commands in own.items()}
        self._common = {command.struct: command for command in self.common}
        self._own = {kind: {command.struct: command for command in commands} for kind, commands in self.own.items()}
        known = [*self._common, *(struct for own in self._own.values() for struct in own)]
        self.structs = tuple(dict.fromkeys(known))
        tags = [struct.__struct_config__.tag for struct in self.structs]
        if twice := {tag for tag in tags if tags.count(tag) > 1}:
            raise TypeError(f"two different messages have the type {', '.join(map(repr, twice))}")
        self._any = Union[self.structs]  # noqa: UP007 - of as many as there are

    def decode(self, message: object) -> Wish:
        """The struct for ``message`` (plain JSON data).  Raises ProtocolError."""
        wish: Wish = convert(message, self._any, "command")
        return wish

    def of(self, wish: Wish, kind: str | None = None) -> Command:
        """The record for ``wish``, said to a run of the kind ``kind``.  Raises ProtocolError if it knows none."""
        struct = type(wish)
        found = self._common.get(struct) or self._own.get(kind or "", {}).get(struct)
        if found is None:
            raise ProtocolError("unknown_command", f"type: a run of the kind {kind} has no command {wish.name!r}.")
        return found


def may(role: Role, command: Command) -> bool:
    """Whether somebody with ``role`` may say ``command``."""
    roles = get_args(Role)
    return bool(roles.index(role) >= roles.index(command.role))


def decode_credit(message: object) -> Credit:
    """The acknowledgement in ``message``, or :class:`ProtocolError`."""
    credit: Credit = convert(message, Credit, "credit")
    return credit
