"""Shares a worker's time among its runs.

No process, pipe or clock of its own: the worker feeds it messages (:meth:`Scheduler.receive`)
and turns (:meth:`Scheduler.turn`); what it has to say goes to ``send``.
"""

from __future__ import annotations

import contextlib
import time
import zlib
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from webapp.contract.commands import RunWish
from webapp.contract.errors import ProtocolError
from webapp.contract.settings import Settings
from webapp.kinds import commands
from webapp.training.experiment import Diverged, Experiment
from webapp.workers.commands import ALWAYS_TOLD, handle, obey
from webapp.workers.failures import notice_of, refusal_of
from webapp.workers.job import LONG, NO_NEWS, SLICE, Job
from webapp.workers.messages import Create, Drop, EventOut, FromWorker, Order, Rest, Rested, Snapshot, Want

if TYPE_CHECKING:  # the web process imports this file, and has no use for the engine
    from engine.executors import Executor
    from webapp.workers.messages import MachineNews

_UNSEEN = 0.016  # seconds of a command that make no other run lose a frame
# Of the time, for the rest of the commands that take long:
_FLOOD_SHARE = 0.05  # while one of a run waits, the next one comes already
_HAND_SHARE = 0.35  # a hand makes one, looks, and makes another

Result = TypeVar("Result")
Make = Callable[[str, Settings], Experiment]


class Scheduler:
    """``make(kind, settings)`` gives a new experiment; ``clock`` is that of ``Experiment.train``'s deadline."""

    def __init__(
        self,
        make: Make,
        send: Callable[[FromWorker], None],
        *,
        fps: float = 30.0,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._make = make
        self._send = send
        self._interval = 1.0 / fps
        self._clock = clock
        self._jobs: dict[str, Job] = {}
        self.doing: tuple[str, float] | None = None  # what it is at, and since when; another thread reads it
        self._machine: Executor | None = None
        self._news = NO_NEWS
        self._flood_at = self._hand_at = 0.0  # when the next command that takes long may be done
        self._obeyed = False  # whether the last turn was that of a command that went first
        self._virtual = 0.0  # the virtual time of the run that had the last turn

    # ---- messages

    def receive(self, message: Create | Order | Want | Drop | Rest) -> None:
        """Note one message of the web process; what it asks for is done in the run's turns."""
        if isinstance(message, Create):
            self._jobs[message.run] = self._job(message)
            return
        job = self._jobs.get(message.run)
        if job is None:
            return  # it was dropped while this message was under way
        if isinstance(message, Order):
            job.ordered(message, self._clock())
        elif isinstance(message, Want):
            job.want(message, self._clock())
        elif isinstance(message, Rest):
            job.rest = True
        elif isinstance(message, Drop):
            del self._jobs[message.run]

    def undone(self, run: str) -> int:
        """How many orders wait for turns of ``run``; another thread asks."""
        job = self._jobs.get(run)
        return 0 if job is None else len(job.waiting)

    @property
    def training(self) -> bool:
        """Whether any run trains; another thread asks."""
        return any(job.training for job in list(self._jobs.values()))

    def _job(self, message: Create) -> Job:
        return Job(
            run=message.run,
            kind=message.kind,
            settings=message.settings,
            seq=message.seq,
            order=message.order,
            sequence=message.sequence,
            used=self._virtual,
            playing=message.playing,
            last_snapshot=self._clock(),
            start=message,
        )

    def _start(self, job: Job, message: Create) -> None:
        job.start = None
        job.experiment = self._attempt(job, "starting", lambda: self._revive(message))
        if job.experiment is not None:
            job.executor = job.experiment.executor
        job.start_pacing(self._clock())
        stopped = ("paused", None) if message.snapshot is None else message.snapshot.stopped
        self._tell(job, *((None, None) if job.playing else stopped))

    def _new(self, kind: str, settings: Settings) -> Experiment:
        experiment = self._make(kind, settings)
        if self._machine is not None:
            experiment.use_machine(self._machine)
        return experiment

    def _revive(self, message: Create) -> Experiment:
        snapshot = message.snapshot
        if snapshot is None:
            experiment = self._new(message.kind, message.settings)
        else:
            experiment = self._new(message.kind, snapshot.settings)
            experiment.restore(snapshot.state)
            if snapshot.settings != message.settings:
                experiment.configure(message.settings)
        for wish in message.replay:
            with contextlib.suppress(ProtocolError):  # it looked at a layer that has gone since
                handle(message.kind, experiment, wish)
        return experiment

    def _obey_first(self, job: Job) -> None:
        """Do the command that has waited longest; with one that says so, all that follow it."""
        while True:
            began = self._clock()
            by_hand = self._by_hand(job, began)
            order = job.waiting.pop(0)
            self._apply(job, order)
            now = self._clock()
            cost = job.costs[order.wish.name] = now - began
            if cost > LONG and by_hand:
                self._hand_at = now + max(0.0, cost - _UNSEEN) * (1 / _HAND_SHARE - 1)
            elif cost > LONG:
                self._flood_at = now + max(0.0, cost - _UNSEEN) * (1 / _FLOOD_SHARE - 1)
            if order.merge != "all" or not job.waiting or job.waiting[0].merge != "all" or now - began > SLICE:
                return

    def _apply(self, job: Job, order: Order) -> None:
        wish = order.wish
        command = commands().of(wish, job.kind)
        was_training, before = job.training, job.settings
        job.order, job.seq, job.settings = order.order, wish.seq, order.settings
        done = self._attempt(job, f"the command {command.name}", lambda: (self._obey(job, wish),))
        if done is None:
            return
        job.changed = job.urgent = job.background_left = True
        if command.cost != "look":
            job.hurry(self._clock())
        if job.training != was_training or done[0] in ALWAYS_TOLD:
            self._tell(job, order.reason or done[0])
        elif job.stopped[0] == "diverged" and job.settings != before:
            self._tell(job, *job.stopped)  # other settings, another remedy

    def _obey(self, job: Job, wish: RunWish) -> str | None:
        experiment = job.experiment
        if experiment is None:
            experiment = job.experiment = self._new(job.kind, job.settings)
        return obey(job, experiment, wish, self._clock())

    def hear(self, news: MachineNews) -> None:
        """Tell the pages what becomes of the native machine."""
        self._news = news
        for job in [job for job in self._jobs.values() if job.start is None]:  # to the others, their first status will
            self._tell(job, *job.stopped)

    def use_machine(self, machine: Executor) -> None:
        """Let all runs, those to come too, go over to the native machine; the pages are told."""
        self._machine, self._news = machine, NO_NEWS
        for job in self._jobs.values():
            experiment = job.experiment
            if experiment is not None:
                self._attempt(job, "going over to the native machine", partial(experiment.use_machine, machine))
                self._tell_executor(job, experiment)

    # ---- turns

    def idle_time(self) -> float | None:
        """Seconds until some run has something to do; None if only a message can change that."""
        if not self._jobs:
            return None
        now = self._clock()
        due = min(self._due_at(job, now) for job in self._jobs.values())
        return None if due == float("inf") else max(0.0, due - now)

    def _due_at(self, job: Job, now: float) -> float:
        return min(job.due_at(now), self._obeys_at(job, now))

    def _obeys_at(self, job: Job, now: float) -> float:
        """When the first of its commands that wait may be done; ``inf`` if none waits.

        Nothing can interrupt a command.  One that took long when last done waits, while others train, until such
        commands have had no more than their share of the time, which is small for those that come in a flood.
        """
        if not job.waiting or job.start is not None:
            return float("inf")
        if not job.next_is_long or not any(other.training for other in self._jobs.values() if other is not job):
            return now
        return max(now, min(self._flood_at, max(self._hand_at, job.by_hand_at)))

    def _by_hand(self, job: Job, now: float) -> bool:
        """Whether what waits first takes long, and may be done now as something that a hand made."""
        return job.next_is_long and max(self._hand_at, job.by_hand_at) <= now

    def turn(self) -> None:
        """One slice of the run that is due and has had the least time.

        One for which a person waits goes first, as long as it doesn't do so all the time: see :meth:`Job.may_press`.
        """
        now = self._clock()
        due = [job for job in self._jobs.values() if self._due_at(job, now) <= now]
        if not due:
            return
        for job in due:
            job.used = max(job.used, self._virtual)  # time spent idle can't be saved up
        first = [job for job in due if self._presses(job, now) and (self._by_hand(job, now) or job.may_press(now))]
        job = min(first or due, key=lambda job: job.used)
        by_hand = self._by_hand(job, now)
        self._obeyed = bool(first) and self._obeys_at(job, now) <= now
        if not first:
            self._virtual = job.used
        self._work(job, now)
        spent = self._clock() - now
        job.used += spent
        if first and not by_hand:  # which have a share of their own
            job.patience -= spent
        if job.experiment is not None:
            self._tell_executor(job, job.experiment)

    def _presses(self, job: Job, now: float) -> bool:
        """Whether a person waits for what it does next.  Between two commands that go first, others have a turn."""
        if job.start is not None or self._obeys_at(job, now) <= now:
            return not self._obeyed
        return job.urgent and job.frame_at() <= now

    def _work(self, job: Job, now: float) -> None:
        if job.start is not None:
            self._start(job, job.start)
        elif self._obeys_at(job, now) <= now and not (job.urgent and job.frame_at() <= now):
            self._obey_first(job)
        elif job.rests:
            self._rest(job)
        elif job.frame_at() <= now:
            self._frame(job)
        elif job.snapshot_at() <= now:
            self._snapshot(job)
        else:
            if job.train_at(now) <= now:
                self._train(job, now)
            experiment = job.experiment
            if job.background_left and experiment is not None:
                deadline = self._clock() + SLICE / 2
                worked = self._attempt(job, "background work", lambda: experiment.background(deadline))
                job.background_left = bool(worked)
                job.changed |= job.background_left

    def _train(self, job: Job, now: float) -> None:
        experiment = job.experiment
        assert experiment is not None
        stepping = job.steps_left > 0
        steps, deadline = job.allowed_steps(now), self._clock() + SLICE
        trained = self._attempt(job, "training", lambda: experiment.train(steps, deadline))
        if trained is None:
            return
        job.trained(trained)
        if stepping and job.steps_left == 0:
            job.urgent = True
            job.hurry(self._clock())
            self._tell(job, "stepped")

    def _frame(self, job: Job) -> None:
        start = self._clock()
        frame = self._attempt(job, "the picture of the network", job.make_frame)
        if frame is None:
            job.changed = job.urgent = False  # tried again when something changes
            return
        self._send(frame)
        now = self._clock()
        job.frame_sent(now, now - start, self._interval, sum(other.training for other in self._jobs.values()))

    def _snapshot(self, job: Job) -> None:
        assert job.experiment is not None
        start = self._clock()
        job.dirty = False  # also if it fails: not again before something happens
        data = self._attempt(job, "keeping a copy", job.experiment.snapshot)
        if data is not None:
            self._send(Snapshot(job.run, job.settings, data, job.order))
            now = self._clock()
            job.snapshot_taken(now, now - start)

    def _rest(self, job: Job) -> None:
        """Hand over all that a page which comes back may ask for, and forget the run; not while it trains."""
        job.rest = False
        if job.training:
            self._send(Rested(job.run, rests=False))
            return
        snapshot = None
        experiment = job.experiment
        if experiment is not None:
            data = self._attempt(job, "going to rest", lambda: zlib.compress(experiment.rest(), 1))
            if data is not None:
                snapshot = Snapshot(job.run, job.settings, data, job.order, packed=True, stopped=job.stopped)
        del self._jobs[job.run]
        self._send(Rested(job.run, rests=True, snapshot=snapshot))

    # ---- what goes wrong

    def _attempt(self, job: Job, doing: str, call: Callable[[], Result]) -> Result | None:
        """What ``call`` returns; None if it failed, which stays with this run and is told to its pages."""
        self.doing = (f"{doing} of run {job.run}", time.monotonic())
        try:
            return call()
        except Diverged as diverged:
            job.playing, job.steps_left = False, 0
            job.changed = job.urgent = True
            job.dirty = False  # a copy of weights that aren't numbers would be no help
            self._tell(job, "diverged", diverged.step)
        except ProtocolError as error:
            self._send(EventOut(job.run, refusal_of(job.run, error.problem)))
        except (BrokenPipeError, ConnectionResetError):
            raise  # the web process is gone
        except Exception as error:
            job.playing, job.steps_left, job.background_left = False, 0, False
            self._send(EventOut(job.run, notice_of(job.run, doing, error)))
            self._tell(job, "internal_error")
        finally:
            self.doing = None
        return None

    def _tell(self, job: Job, reason: str | None, step: int | None = None) -> None:
        job.stopped = (None, None) if job.training else (reason, step)
        self._send(EventOut(job.run, job.status(*job.stopped, news=self._news)))

    def _tell_executor(self, job: Job, experiment: Experiment) -> None:
        """Tell, once, that something else computes the run now."""
        if experiment.executor != job.executor:
            job.executor = experiment.executor
            self._tell(job, *job.stopped)
