"""A scheduler with a clock of its own, and what it said."""

from __future__ import annotations

from typing import Any

from tests.fake_experiment import FakeExperiment
from webapp.contract.commands import Play, RunWish
from webapp.contract.replies import Notice, Status
from webapp.contract.settings import Settings
from webapp.kinds import commands
from webapp.kinds.points.settings import PointsSettings
from webapp.workers.messages import Create, EventOut, FromWorker, Order, Want
from webapp.workers.scheduler import Scheduler

A, B = "A" * 22, "B" * 22


class Clock:
    """Time that passes only when somebody spends it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def spend(self, seconds: float) -> None:
        self.now += seconds


def order(wish: RunWish, number: int = 0, settings: PointsSettings | None = None) -> Order:
    """As the web process sends it."""
    merge = commands().of(wish, "points").merge
    return Order(wish.run, wish, number, settings or PointsSettings(speed="epoch"), merge=merge)


class Bench:
    """A scheduler with fake runs; ``options`` make its experiments."""

    def __init__(self, **options: Any) -> None:
        self.clock = Clock()
        self.out: list[FromWorker] = []
        self.times: list[float] = []  # when each message of ``out`` was sent
        self.options = options
        self.experiments: list[FakeExperiment] = []
        self.scheduler = Scheduler(self.make, self._send, fps=30.0, clock=self.clock)
        self.orders = 0

    def _send(self, message: FromWorker) -> None:
        self.out.append(message)
        self.times.append(self.clock.now)

    def make(self, kind: str, settings: Settings) -> FakeExperiment:
        made = FakeExperiment(settings, clock=self.clock, spend=self.clock.spend, **self.options)
        self.experiments.append(made)
        return made

    def create(self, run: str = A, speed: Any = "max", **create: Any) -> FakeExperiment:
        settings = PointsSettings(speed=speed)
        self.receive(Create(run=run, kind="points", settings=settings, **create))
        return self.experiments[-1]

    def order(self, command: RunWish, settings: Settings | None = None, **order: Any) -> None:
        self.orders += 1
        settings = settings or PointsSettings(speed="max")
        merge = commands().of(command, "points").merge
        self.receive(Order(command.run, command, self.orders, settings, **{"merge": merge, **order}))

    def receive(self, message: Create | Order) -> None:
        """Hand it over and let what waits have its turns."""
        self.scheduler.receive(message)
        while any(job.start or job.waiting for job in self.scheduler._jobs.values()):
            self.scheduler.turn()

    def play(self, run: str = A, speed: Any = "max") -> None:
        self.order(Play(run=run, seq=1), PointsSettings(speed=speed))

    def want(self, run: str = A, **want: Any) -> None:
        self.scheduler.receive(Want(run, **want))

    def go(self, seconds: float, asks: bool = False) -> None:
        """Let time pass as the worker does; with ``asks`` somebody always wants a frame of A."""
        end = self.clock.now + seconds
        while self.clock.now < end:
            if asks:
                self.want(A)
            idle = self.scheduler.idle_time()
            if idle == 0.0:
                self.scheduler.turn()
            else:
                self.clock.spend(min(1.0 if idle is None else idle + 1e-9, end - self.clock.now))

    def of(self, kind: type) -> list[Any]:
        return [message for message in self.out if isinstance(message, kind)]

    @property
    def statuses(self) -> list[Status]:
        return [event.event for event in self.of(EventOut) if isinstance(event.event, Status)]

    @property
    def notices(self) -> list[Notice]:
        return [event.event for event in self.of(EventOut) if isinstance(event.event, Notice)]
