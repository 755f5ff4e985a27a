"""What is kept of a run: enough to make it anew."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from webapp.contract.commands import RunWish
from webapp.contract.settings import Settings
from webapp.workers.messages import Create, Snapshot


@dataclass(frozen=True)
class Record:
    """One run as a store keeps it.  The web process holds its settings; what was trained is in the snapshot."""

    id: str
    person: str
    kind: str
    settings: Settings
    created: float = field(default_factory=time.time)
    playing: bool = False
    order: int = 0  # the last order that a worker took
    seq: int = 0  # ``seq`` of the page's last command
    snapshot: Snapshot | None = None
    replay: tuple[RunWish, ...] = ()  # commands that a new worker is told once more: what is looked at, and drawn

    def create_message(self, sequence: int) -> Create:
        """What a worker needs to take the run over; ``sequence`` is the number of its last frame."""
        return Create(
            run=self.id,
            kind=self.kind,
            settings=self.settings,
            playing=self.playing,
            snapshot=self.snapshot,
            sequence=sequence,
            seq=self.seq,
            order=self.order,
            replay=self.replay,
        )
