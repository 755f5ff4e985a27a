"""One run inside a worker: what it wants to do next, and when."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from webapp.contract import wire
from webapp.contract.replies import Status
from webapp.contract.settings import Settings
from webapp.kinds import registry
from webapp.training.experiment import Experiment
from webapp.training.remedy import remedy
from webapp.workers.inbox import add
from webapp.workers.messages import Create, FrameOut, MachineNews, Order, Want

SLICE = 0.004  # seconds of training before others have a turn
LONG = 0.012  # seconds; a command that takes longer makes other runs' frames late
NO_NEWS = MachineNews()  # of the native machine
_DEBT = 0.25  # seconds of paced training that are caught up at most
_FRAME_SHARE = 0.25  # of a run's time, for its frames
_SNAPSHOT_SHARE = 0.05
_SNAPSHOT_EVERY = 1.0
_SNAPSHOT_SOON = 0.1  # after a command: what a person has just done shouldn't be lost
_LONGEST_FRAME_INTERVAL = 1.0
_PATIENCE = 0.02
_PRESSING_SHARE = 0.05
_NO_LIMIT = 1 << 30
_HAND = 0.2  # seconds between two things that a hand does, at least


@dataclass
class Job:
    """A run with its experiment (None if that could not be made).  All times are the scheduler's clock."""

    run: str
    kind: str
    settings: Settings
    experiment: Experiment | None = None
    playing: bool = False
    steps_left: int = 0  # of a ``step`` command
    seq: int = 0
    order: int = 0
    sequence: int = -1  # of the last frame
    used: float = 0.0  # virtual time: the run with the least is next
    executor: str = ""
    stopped: tuple[str | None, int | None] = (None, None)  # why it stands still, and at which step, as was told

    start: Create | None = None  # it is still to be made
    waiting: list[Order] = field(default_factory=list)
    costs: dict[str, float] = field(default_factory=dict)  # seconds that each command took when last done
    long_at: float = -math.inf  # when the last command that takes long came
    by_hand_at: float = -math.inf  # from when on what waits isn't part of a flood
    rest: bool = False  # it was asked to rest

    patience: float = 0.0  # seconds for which the other runs let it go first
    patience_at: float = 0.0

    wanted: bool = False
    wanted_at: float = 0.0
    want_key: bool = False
    lenses: frozenset[str] = frozenset()  # that were asked for
    changed: bool = True  # since the last frame
    urgent: bool = False  # a command was applied: its frame goes first and waits for no interval
    next_frame: float = 0.0
    frame_cost: float = 0.0

    tokens: float = 0.0  # steps that pacing allows now
    paced_at: float = 0.0

    background_left: bool = True
    dirty: bool = False  # something happened since the last snapshot
    hurry_at: float = math.inf  # a snapshot should be taken by then
    last_snapshot: float = 0.0
    snapshot_cost: float = 0.0

    @property
    def training(self) -> bool:
        return self.experiment is not None and (self.playing or self.steps_left > 0)

    @property
    def rests(self) -> bool:
        """Whether it may go to rest: what it was told before comes first."""
        return self.rest and not self.waiting

    # ---- commands

    def ordered(self, order: Order, now: float) -> None:
        """Let ``order`` wait; one that follows another in less time than a hand needs, at least for that time."""
        add(self.waiting, order)
        if self._is_long(order):
            self.by_hand_at = now if now - self.long_at >= _HAND else now + _HAND
            self.long_at = now

    @property
    def next_is_long(self) -> bool:
        """Whether the command that has waited longest took long when last done."""
        return bool(self.waiting) and self._is_long(self.waiting[0])

    def _is_long(self, order: Order) -> bool:
        return self.costs.get(order.wish.name, 0.0) > LONG

    # ---- when

    def frame_at(self) -> float:
        """When its next frame may be computed; ``inf`` if nobody can take one or nothing changed."""
        if self.experiment is None or not self.wanted or not self.changed:
            return math.inf
        return -math.inf if self.urgent else self.next_frame

    def train_at(self, now: float) -> float:
        """When pacing allows the next batches; ``inf`` if it isn't training."""
        if self.experiment is None or not self.training:
            return math.inf
        rate = self._rate()
        if math.isinf(rate):
            return now
        if rate <= 0:
            return math.inf
        missing = _slice_steps(rate) - self._tokens_at(now, rate)
        return now + max(0.0, missing / rate)

    def snapshot_at(self) -> float:
        """When its next snapshot is due; ``inf`` if there is nothing new."""
        if self.experiment is None or not self.dirty:
            return math.inf
        allowed = self.last_snapshot + self.snapshot_cost / _SNAPSHOT_SHARE
        return max(allowed, min(self.last_snapshot + _SNAPSHOT_EVERY, self.hurry_at))

    def due_at(self, now: float) -> float:
        """The earliest of all it has to do, but for what waits in ``waiting``."""
        if self.start is not None or self.rests:
            return now
        if self.experiment is not None and self.background_left:
            return now
        return min(self.frame_at(), self.train_at(now), self.snapshot_at())

    def may_press(self, now: float) -> bool:
        """Whether it may go first because a person waits: for a twentieth of the time, and a little at once."""
        self.patience = min(_PATIENCE, self.patience + (now - self.patience_at) * _PRESSING_SHARE)
        self.patience_at = now
        return self.patience > 0.0

    # ---- pacing

    def start_pacing(self, now: float) -> None:
        """Play was pressed: the first slice at once, then by the clock."""
        rate = self._rate()
        self.tokens, self.paced_at = (0.0 if math.isinf(rate) else _slice_steps(rate)), now

    def allowed_steps(self, now: float) -> int:
        """How many batches may be trained now."""
        rate = self._rate()
        if math.isinf(rate):
            allowed = _NO_LIMIT
        else:
            self.tokens = self._tokens_at(now, rate)
            self.paced_at = now
            allowed = int(self.tokens + 1e-9)
        return min(allowed, self.steps_left) if self.steps_left else allowed

    def trained(self, steps: int) -> None:
        if not math.isinf(self._rate()):
            self.tokens -= steps
        self.steps_left = max(0, self.steps_left - steps)
        self.changed = self.dirty = self.background_left = True

    def _rate(self) -> float:
        if self.steps_left or self.experiment is None:
            return math.inf
        return self.experiment.steps_per_second()

    def _tokens_at(self, now: float, rate: float) -> float:
        return min(self.tokens + (now - self.paced_at) * rate, max(_slice_steps(rate), rate * _DEBT))

    # ---- what it tells

    def make_frame(self) -> FrameOut:
        """The next frame.  Whatever the experiment raises is passed on."""
        assert self.experiment is not None
        key = self.want_key or self.experiment.needs_key()
        common = self.experiment.frame(key)
        blobs = {}
        for lens in self.lenses:
            blobs[lens] = wire.pack(
                registry().codes,
                kind=self.kind,
                run=self.run,
                sequence=self.sequence + 1,
                command=self.seq,
                step=self.experiment.step,
                epoch=self.experiment.epoch,
                parts=common + (self.experiment.through(lens, key) if lens else []),
                key=key,
                playing=self.playing,
            )
        return FrameOut(self.run, self.sequence + 1, key, blobs)

    def want(self, want: Want, now: float) -> None:
        """Some page can take a frame."""
        if not self.wanted:
            self.wanted, self.wanted_at = True, now
        self.want_key |= want.key
        self.lenses |= want.lenses
        self.changed |= want.key or want.fresh

    def frame_sent(self, now: float, cost: float, interval: float, active: int) -> None:
        """Plan the next frame so that frames take at most a quarter of the run's share of the worker.

        One that had to wait for more than a slice, for other runs' turns, doesn't put off those after it.
        """
        late = now - cost - max(self.next_frame, self.wanted_at) - SLICE
        self.sequence += 1
        self.wanted = self.want_key = self.changed = self.urgent = False
        self.lenses = frozenset()
        self.frame_cost = cost if self.frame_cost == 0.0 else 0.7 * self.frame_cost + 0.3 * cost
        if self.training:
            interval = max(interval, min(_LONGEST_FRAME_INTERVAL, self.frame_cost * active / _FRAME_SHARE))
        self.next_frame = now + interval - (late if 0.0 < late < interval else 0.0)

    def hurry(self, now: float) -> None:
        """Something was done that shouldn't be lost: keep a copy soon, but not at each step of a slider."""
        self.dirty = True
        self.hurry_at = min(self.hurry_at, now + _SNAPSHOT_SOON)

    def snapshot_taken(self, now: float, cost: float) -> None:
        self.last_snapshot, self.snapshot_cost = now, cost
        self.dirty, self.hurry_at = False, math.inf

    def status(self, reason: str | None, step: int | None, news: MachineNews) -> Status:
        """What its pages are told when it starts or stops."""
        experiment = self.experiment
        return Status(
            run=self.run,
            playing=self.playing,
            reason=reason,
            step=step if step is not None else 0 if experiment is None else experiment.step,
            epoch=0.0 if experiment is None else experiment.epoch,
            executor=self.executor,
            machine=news.machine,
            problem=news.problem,
            seq=self.seq,
            values=remedy(self.settings).values if reason == "diverged" else {},
        )


def _slice_steps(rate: float) -> float:
    """How many batches a paced run trains in one go: a slice's worth, one at least."""
    return max(1.0, rate * SLICE)
