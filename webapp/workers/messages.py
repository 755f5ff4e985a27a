"""What the web process and a worker say to each other over their pipe."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from webapp.contract.commands import Merge, RunWish
from webapp.contract.replies import Notice, Status
from webapp.contract.settings import Settings


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A run's state, to go on from if its worker dies or the run was at rest.

    ``order`` is the number of the last order that it contains, ``settings`` are those it was made with.
    One that was taken when the run went to rest is ``packed`` and knows why the run stood still (``stopped``:
    reason and step, as in a status).
    """

    run: str
    settings: Settings
    data: bytes = field(repr=False)
    order: int
    packed: bool = False
    stopped: tuple[str | None, int | None] = ("paused", None)

    @property
    def state(self) -> bytes:
        """What the experiment gave."""
        return zlib.decompress(self.data) if self.packed else self.data


@dataclass(frozen=True, slots=True)
class Create:
    """Start a run, or take it over from a worker that died.  ``replay``: commands to apply once more."""

    run: str
    kind: str
    settings: Settings
    playing: bool = False
    snapshot: Snapshot | None = None
    sequence: int = 0  # the first frame gets the number after this one
    seq: int = 0
    order: int = 0
    replay: tuple[RunWish, ...] = ()


@dataclass(frozen=True, slots=True)
class Order:
    """A command for a run.  ``order`` counts a run's orders; ``settings`` are those that hold from now on.

    ``reason`` says why the web process itself pauses a run ("unwatched"); ``merge`` is the command's (see
    :class:`webapp.contract.commands.Command`).  After ``until`` (``time.monotonic()``, which is the same for all
    processes of a machine) it isn't taken any more: whoever sent it has been told that nobody answered.
    """

    run: str
    wish: RunWish
    order: int
    settings: Settings
    reason: str | None = None
    merge: Merge = "none"
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Want:
    """Some page can take a frame.  ``fresh``: it has missed the last one, so send even if nothing changed since.

    ``lenses``: those through which somebody looks who can take a frame ("" is none); no other one is computed.
    """

    run: str
    key: bool = False
    fresh: bool = False
    lenses: frozenset[str] = frozenset({""})


@dataclass(frozen=True, slots=True)
class Drop:
    """Forget a run."""

    run: str


@dataclass(frozen=True, slots=True)
class LoadMachine:
    """The native machine was compiled into ``folder``: load it, and let all runs go over to it."""

    folder: Path


@dataclass(frozen=True, slots=True)
class MachineNews:
    """Why runs aren't native yet, for their pages: it is being compiled, or that failed (``problem`` says why)."""

    machine: Literal["", "compiling", "failed"] = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Cores:
    """How many cores the worker's run may use that is at work; results don't depend on it."""

    count: int


@dataclass(frozen=True, slots=True)
class Rest:
    """Nobody watches this run and it stands still: hand over its state and forget it."""

    run: str


ToWorker = Create | Order | Want | Drop | Rest | LoadMachine | MachineNews | Cores


@dataclass(frozen=True, slots=True)
class Taken:
    """A :class:`Create` or :class:`Order` was read: it will be done or, if not ``ok``, not."""

    run: str
    order: int
    ok: bool = True


@dataclass(frozen=True, slots=True)
class Rested:
    """The answer to :class:`Rest`.  The worker has forgotten the run, unless it trains (then not ``rests``)."""

    run: str
    rests: bool
    snapshot: Snapshot | None = None


@dataclass(frozen=True, slots=True)
class Sign:
    """A worker's sign of life, from a thread of its own: what it has been at for how many seconds; "" if idle.

    ``training``: whether any of its runs trains.
    """

    doing: str = ""
    seconds: float = 0.0
    training: bool = False


@dataclass(frozen=True, slots=True)
class FrameOut:
    """A frame, ready for the browser: one blob for each lens that was asked for, by the lens's name."""

    run: str
    sequence: int
    key: bool
    blobs: dict[str, bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class EventOut:
    """Something for every page that watches the run."""

    run: str
    event: Status | Notice


@dataclass(frozen=True, slots=True)
class MachineLoaded:
    """The answer to :class:`LoadMachine`; ``problem`` says why it could not be loaded."""

    problem: str | None = None


FromRun = FrameOut | EventOut | Snapshot | Taken | Rested
FromWorker = FromRun | Sign | MachineLoaded
