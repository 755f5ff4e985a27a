"""The runs that this server knows: whose they are, what holds for them, and where to go on from."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field

from webapp.contract.commands import Command, RunWish, Wish
from webapp.contract.errors import ProtocolError
from webapp.contract.replies import Status
from webapp.contract.settings import Settings
from webapp.workers.messages import Create, Snapshot


@dataclass
class Run:
    """One run.  The web process holds its settings; the worker holds what was trained."""

    id: str
    person: str
    kind: str
    settings: Settings
    created: float = field(default_factory=time.monotonic)
    playing: bool = False
    order: int = 0  # orders given so far
    seq: int = 0  # ``seq`` of the page's last command
    status: Status | None = None  # the last one, for a page that joins later
    snapshot: Snapshot | None = None
    snapshot_floor: int = 0  # a snapshot that lacks this order is out of date
    replay: dict[str, RunWish] = field(default_factory=dict)  # what is looked at, and drawn
    deaths: deque[float] = field(default_factory=deque)

    def note(self, wish: RunWish, command: Command) -> None:
        """Remember ``wish`` as far as a new worker needs it."""
        self.seq = wish.seq
        if command.moves:
            self.replay[command.name] = wish

    def forget_snapshots(self) -> None:
        """What was trained up to now is gone (a reset): a new worker starts from the first weights."""
        self.snapshot = None
        self.snapshot_floor = self.order

    def keep(self, snapshot: Snapshot) -> None:
        if snapshot.order >= self.snapshot_floor:
            self.snapshot = snapshot

    def died(self, now: float, window: float) -> int:
        """Its worker died: how often that happened within ``window`` seconds."""
        self.deaths.append(now)
        while self.deaths[0] < now - window:
            self.deaths.popleft()
        return len(self.deaths)

    def create_message(self, sequence: int) -> Create:
        """What a worker needs to take the run over."""
        return Create(
            run=self.id,
            kind=self.kind,
            settings=self.settings,
            playing=self.playing,
            snapshot=self.snapshot,
            sequence=sequence,
            seq=self.seq,
            order=self.order,
            replay=tuple(self.replay.values()),
        )


class Store:
    """All runs by id.  Not locked: :class:`webapp.runs.dispatch.Runs` is its only user."""

    def __init__(self) -> None:
        self._runs: dict[str, Run] = {}

    def __len__(self) -> int:
        return len(self._runs)

    def add(self, run: Run) -> None:
        self._runs[run.id] = run

    def remove(self, run: str) -> None:
        self._runs.pop(run, None)

    def get(self, run: str) -> Run | None:
        return self._runs.get(run)

    def all(self) -> list[Run]:
        return list(self._runs.values())

    def of(self, person: str) -> list[Run]:
        """A person's runs, oldest first."""
        return [run for run in self._runs.values() if run.person == person]

    def owned(self, run: str, person: str, wish: Wish) -> Run:
        """The run, if it is ``person``'s.  Says the same of another's run as of none: ids tell nothing."""
        found = self._runs.get(run)
        if found is None or found.person != person:
            raise ProtocolError(
                "unknown_run",
                f"run: there is no run {run} of yours on this server; open a new one.",
                run=run,
                seq=wish.seq,
            )
        return found
