"""Shares a worker's time among its runs.

No process, pipe or clock of its own: the worker feeds it messages (:meth:`Scheduler.receive`)
and turns (:meth:`Scheduler.turn`); what it has to say goes to ``send``.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from webapp.contract.commands import RunWish
from webapp.contract.errors import ProtocolError
from webapp.contract.replies import Notice
from webapp.contract.settings import Settings
from webapp.kinds import commands
from webapp.training.experiment import Diverged, Experiment
from webapp.workers.commands import ALWAYS_TOLD, handle, obey
from webapp.workers.messages import Create, Drop, EventOut, FromWorker, Order, Snapshot, Want
from webapp.workers.task import SLICE, Task

if TYPE_CHECKING:  # the web process imports this file, and has no use for the engine
    from engine.executors import Executor

log = logging.getLogger(__name__)

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
        self._tasks: dict[str, Task] = {}
        self._machine: Executor | None = None
        self._virtual = 0.0  # the virtual time of the run that had the last turn

    # ---- messages

    def receive(self, message: Create | Order | Want | Drop) -> None:
        """Apply one message of the web process; no training happens here."""
        if isinstance(message, Create):
            self._create(message)
            return
        task = self._tasks.get(message.run)
        if task is None:
            return  # it was dropped while this message was under way
        if isinstance(message, Order):
            self._apply(task, message)
        elif isinstance(message, Want):
            task.wanted = True
            task.want_key |= message.key
            task.lenses |= message.lenses
            task.changed |= message.key or message.fresh
        elif isinstance(message, Drop):
            del self._tasks[message.run]

    def _create(self, message: Create) -> None:
        task = Task(
            run=message.run,
            kind=message.kind,
            settings=message.settings,
            seq=message.seq,
            order=message.order,
            sequence=message.sequence,
            used=self._virtual,
            playing=message.playing,
            last_snapshot=self._clock(),
        )
        self._tasks[task.run] = task
        task.experiment = self._attempt(task, "starting", lambda: self._revive(message))
        if task.experiment is not None:
            task.executor = task.experiment.executor
        task.start_pacing(self._clock())
        self._tell(task, None if task.playing else "paused")

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
            experiment.restore(snapshot.data)
            if snapshot.settings != message.settings:
                experiment.configure(message.settings)
        for wish in message.replay:
            with contextlib.suppress(ProtocolError):  # it looked at a layer that has gone since
                handle(message.kind, experiment, wish)
        return experiment

    def _apply(self, task: Task, order: Order) -> None:
        wish = order.wish
        command = commands().of(wish, task.kind)
        was_training, before = task.training, task.settings
        task.order, task.seq, task.settings = order.order, wish.seq, order.settings
        done = self._attempt(task, f"the command {command.name}", lambda: (self._obey(task, wish),))
        if done is None:
            return
        task.changed = task.urgent = task.background_left = True
        if command.cost != "look":
            task.hurry(self._clock())
        if task.training != was_training or done[0] in ALWAYS_TOLD:
            self._tell(task, order.reason or done[0])
        elif task.stopped[0] == "diverged" and task.settings != before:
            self._tell(task, *task.stopped)  # other settings, another remedy

    def _obey(self, task: Task, wish: RunWish) -> str | None:
        experiment = task.experiment
        if experiment is None:
            experiment = task.experiment = self._new(task.kind, task.settings)
        return obey(task, experiment, wish, self._clock())

    def use_machine(self, machine: Executor) -> None:
        """Let all runs, those to come too, go over to the native machine; the pages are told."""
        self._machine = machine
        for task in self._tasks.values():
            experiment = task.experiment
            if experiment is not None:
                self._attempt(task, "going over to the native machine", partial(experiment.use_machine, machine))
                self._tell_executor(task, experiment)

    # ---- turns

    def idle_time(self) -> float | None:
        """Seconds until some run has something to do; None if only a message can change that."""
        if not self._tasks:
            return None
        now = self._clock()
        due = min(task.due_at(now) for task in self._tasks.values())
        if due == float("inf"):
            return None
        return max(0.0, due - now)

    def turn(self) -> None:
        """One slice of the run that is due and has had the least time; urgent frames go first."""
        now = self._clock()
        due = [task for task in self._tasks.values() if task.due_at(now) <= now]
        if not due:
            return
        for task in due:
            task.used = max(task.used, self._virtual)  # time spent idle can't be saved up
        urgent = [task for task in due if task.urgent and task.frame_at() <= now]
        task = min(urgent or due, key=lambda task: task.used)
        if not urgent:
            self._virtual = task.used
        self._work(task, now)
        task.used += self._clock() - now
        if task.experiment is not None:
            self._tell_executor(task, task.experiment)

    def _work(self, task: Task, now: float) -> None:
        if task.frame_at() <= now:
            self._frame(task)
        elif task.snapshot_at() <= now:
            self._snapshot(task)
        else:
            if task.train_at(now) <= now:
                self._train(task, now)
            experiment = task.experiment
            if task.background_left and experiment is not None:
                deadline = self._clock() + SLICE / 2
                worked = self._attempt(task, "background work", lambda: experiment.background(deadline))
                task.background_left = bool(worked)
                task.changed |= task.background_left

    def _train(self, task: Task, now: float) -> None:
        experiment = task.experiment
        assert experiment is not None
        stepping = task.steps_left > 0
        steps, deadline = task.allowed_steps(now), self._clock() + SLICE
        trained = self._attempt(task, "training", lambda: experiment.train(steps, deadline))
        if trained is None:
            return
        task.trained(trained)
        if stepping and task.steps_left == 0:
            task.urgent = True
            task.hurry(self._clock())
            self._tell(task, "stepped")

    def _frame(self, task: Task) -> None:
        start = self._clock()
        frame = self._attempt(task, "the picture of the network", task.make_frame)
        if frame is None:
            task.changed = task.urgent = False  # tried again when something changes
            return
        self._send(frame)
        now = self._clock()
        active = sum(other.training for other in self._tasks.values())
        task.frame_sent(now, now - start, self._interval, active)

    def _snapshot(self, task: Task) -> None:
        assert task.experiment is not None
        start = self._clock()
        task.dirty = False  # also if it fails: not again before something happens
        data = self._attempt(task, "keeping a copy", task.experiment.snapshot)
        if data is not None:
            self._send(Snapshot(task.run, task.settings, data, task.order))
            now = self._clock()
            task.snapshot_taken(now, now - start)

    # ---- what goes wrong

    def _attempt(self, task: Task, doing: str, call: Callable[[], Result]) -> Result | None:
        """What ``call`` returns; None if it failed, which stays with this run and is told to its pages."""
        try:
            return call()
        except Diverged as diverged:
            task.playing, task.steps_left = False, 0
            task.changed = task.urgent = True
            task.dirty = False  # a copy of weights that aren't numbers would be no help
            self._tell(task, "diverged", diverged.step)
        except ProtocolError as error:
            problem = error.problem
            values = {**problem.values, "code": problem.code}
            self._send(EventOut(task.run, Notice(run=task.run, code="refused", message=problem.message, values=values)))
        except (BrokenPipeError, ConnectionResetError):
            raise  # the web process is gone
        except Exception as error:
            log.exception("run %s failed in %s", task.run, doing)
            task.playing, task.steps_left, task.background_left = False, 0, False
            message = f"Something in the program failed in {doing} ({type(error).__name__}); the run is paused."
            notice = Notice(run=task.run, code="internal_error", message=message, values={"doing": doing})
            self._send(EventOut(task.run, notice))
            self._tell(task, "internal_error")
        return None

    def _tell(self, task: Task, reason: str | None, step: int | None = None) -> None:
        task.stopped = (None, None) if task.training else (reason, step)
        self._send(EventOut(task.run, task.status(*task.stopped)))

    def _tell_executor(self, task: Task, experiment: Experiment) -> None:
        """Tell, once, that something else computes the run now."""
        if experiment.executor != task.executor:
            task.executor = experiment.executor
            self._tell(task, *task.stopped)
