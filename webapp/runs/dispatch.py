"""What may happen to runs: opened, commanded, found again, moved to a new worker, forgotten.

Runs that nobody watches: a playing one is paused after a minute (a reload or a lost wifi
is back by then; a closed laptop shouldn't train all night), and after an hour it is
forgotten.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from webapp.config import Config
from webapp.contract.commands import Command, Open, Pause, Role, RunWish, Wish, may
from webapp.contract.errors import ProtocolError
from webapp.contract.kind import Kind
from webapp.contract.replies import Notice, Reply, Status
from webapp.contract.settings import Settings
from webapp.contract.wire import new_run_id
from webapp.kinds import commands, registry
from webapp.runs.commands import effect_of, handler_of
from webapp.runs.store import Run, Store
from webapp.stream.hub import Client, Hub
from webapp.workers.messages import Drop, EventOut, FrameOut, FromWorker, Order, Snapshot, Want
from webapp.workers.pool import Pool

log = logging.getLogger(__name__)

ROLE: Role = "student"  # of everyone who has a cookie
After = Callable[[Callable[[], None]], None]  # is handed what has to follow the answer


@dataclass(frozen=True)
class Said:
    """A command that passed the checks.  ``run`` is None where it names none."""

    person: str
    client: Client
    wish: Any  # the struct of ``command``
    command: Command
    run: Run | None
    after: After


class Runs:
    """The one place that changes a run.  Every method may be called from any thread."""

    def __init__(self, config: Config, pool: Pool, clock: Callable[[], float] = time.monotonic) -> None:
        self._config = config
        self._pool = pool
        self._clock = clock
        self._store = Store()
        self._lock = threading.RLock()
        self.hub = Hub(self._ask, clock)
        self._stop = threading.Event()
        self._sweeper = threading.Thread(target=self._sweep_forever, name="sweeper", daemon=True)

    def start(self) -> None:
        self._pool.start(self.receive, self._worker_died)
        self._sweeper.start()

    def stop(self) -> None:
        """End the workers; no run survives."""
        self._stop.set()
        self._pool.stop()

    # ---- commands of pages

    def command(self, person: str, client: Client, message: object, after: After) -> Reply:
        """Check one message of ``person`` and do it, or pass it on to its run's worker.

        Returns the answer; ``after`` is told what has to follow it.  Raises ProtocolError
        for what is refused; then nothing has changed.
        """
        wish = commands().decode(message)
        with self._lock:
            return handler_of(wish)(self, self._check(person, client, wish, after))

    def _check(self, person: str, client: Client, wish: Wish, after: After) -> Said:
        """Whether ``person`` may say this.  What is in no record, or not theirs, is refused."""
        name = getattr(wish, "run", None)
        run = None if name is None else self._store.owned(name, person, wish)
        command = commands().of(wish, None if run is None else run.kind)
        if not may(ROLE, command):
            raise ProtocolError("not_allowed", f"type: {command.name!r} is for a {command.role}.", role=command.role)
        return Said(person, client, wish, command, run, after)

    def open(self, said: Said) -> Reply:
        """Find a run again, or start one; the page watches it as soon as it has the answer."""
        wish, run = said.wish, said.run
        lens = _kind(wish.kind).lens(wish.lens)
        if run is None:
            run = self._create(said.person, wish)
        elif run.kind != wish.kind:
            raise ProtocolError("wrong_kind", f"kind: run {run.id} is of kind {run.kind}, not {wish.kind}.")
        else:
            self.hub.expect(run.id)
        watched = run
        said.after(lambda: self._join(watched, said.client, lens))
        resumed = said.run is not None
        return Reply(ok=True, seq=wish.seq, run=run.id, kind=run.kind, resumed=resumed, settings=run.settings)

    def close(self, said: Said) -> Reply:
        """The page no longer watches."""
        assert said.run is not None
        self.hub.leave(said.run.id, said.client)
        return Reply(ok=True, seq=said.wish.seq)

    def open_lens(self, said: Said) -> Reply:
        """The page looks through another lens."""
        assert said.run is not None
        self.hub.look_through(said.run.id, said.client, _kind(said.run.kind).lens(said.wish.lens))
        return Reply(ok=True, seq=said.wish.seq)

    def forward(self, said: Said) -> Reply:
        """Give the command to the run's worker, and then change the record."""
        run, wish = said.run, said.wish
        assert run is not None
        effect = effect_of(wish)
        settings = run.settings if effect.settings is None else effect.settings(run, wish)
        self._order(run, wish, settings)
        run.settings = settings
        run.note(wish, said.command)
        if effect.playing is not None:
            run.playing = effect.playing
        if effect.forgives:
            run.deaths.clear()
        if effect.afresh:
            run.forget_snapshots()
        return Reply(ok=True, seq=wish.seq, settings=None if effect.settings is None else settings)

    def _join(self, run: Run, client: Client, lens: str) -> None:
        with self._lock:
            greetings = () if run.status is None else (run.status,)
            self.hub.join(run.id, client, *greetings, lens=lens)

    def _create(self, person: str, command: Open) -> Run:
        settings = _kind(command.kind).settings_for(command.settings)
        self._make_room(person)
        run = Run(id=new_run_id(), person=person, kind=command.kind, settings=settings, seq=command.seq)
        if not self._pool.place(run.create_message(sequence=-1)):
            raise _busy()
        self._store.add(run)
        self.hub.add(run.id)
        return run

    def _order(self, run: Run, command: RunWish, settings: Settings, reason: str | None = None) -> None:
        order = Order(run.id, command, run.order + 1, settings, reason)
        if not self._pool.post(run.id, order):
            raise _busy()
        run.order += 1

    # ---- limits and forgetting

    def _make_room(self, person: str) -> None:
        """See that one more run fits.  The oldest unwatched run gives way; a watched one never does."""
        own = self._store.of(person)
        if len(own) >= self._config.max_runs_per_person:
            self._give_way(own, 0.0, "of yours")
        if len(self._store) >= self._config.max_runs:
            self._give_way(self._store.all(), self._config.pause_unwatched_after, "on this server")

    def _give_way(self, runs: list[Run], unwatched: float, whose: str) -> None:
        for run in runs:  # oldest first
            idle = self.hub.unwatched_for(run.id)
            if idle is not None and idle >= unwatched:
                self._forget(run)
                return
        raise ProtocolError(
            "too_many_runs",
            f"open: {len(runs)} runs {whose} are being watched; close a page and try again.",
            count=len(runs),
        )

    def _forget(self, run: Run) -> None:
        self._store.remove(run.id)
        self.hub.remove(run.id)
        self._pool.drop(Drop(run.id))

    def sweep(self) -> None:
        """Pause and forget what nobody watches."""
        with self._lock:
            for run in self._store.all():
                idle = self.hub.unwatched_for(run.id)
                if idle is None:
                    continue
                if idle >= self._config.forget_unwatched_after:
                    self._forget(run)
                elif run.playing and idle >= self._config.pause_unwatched_after:
                    self._pause(run, "unwatched")

    def _pause(self, run: Run, reason: str) -> None:
        try:
            self._order(run, Pause(run=run.id, seq=run.seq), run.settings, reason)
        except ProtocolError:
            return  # its worker is busy; the next sweep tries again
        run.playing = False

    def _sweep_forever(self) -> None:
        while not self._stop.wait(min(1.0, self._config.pause_unwatched_after / 4)):
            self.sweep()

    # ---- news from workers

    def receive(self, message: FromWorker) -> None:
        """A worker's message; called by the thread that reads its pipe."""
        if isinstance(message, FrameOut):
            self.hub.frame(message)
        elif isinstance(message, Snapshot):
            with self._lock:
                run = self._store.get(message.run)
                if run is not None:
                    run.keep(message)
        elif isinstance(message, EventOut):
            with self._lock:
                run = self._store.get(message.run)
                if run is not None and isinstance(message.event, Status):
                    run.status = message.event
                    run.playing = message.event.playing
            self.hub.event(message.event)

    def _worker_died(self, runs: list[str]) -> None:
        """Give the runs of a dead worker to a new one, from their last snapshots."""
        with self._lock:
            for run in filter(None, map(self._store.get, runs)):
                deaths = run.died(self._clock(), self._config.deaths_window)
                notice = _restarted(run)
                if deaths >= self._config.max_deaths:
                    run.playing = False
                    notice = _crashing(run, deaths)
                self._pool.place(run.create_message(self.hub.sequence(run.id)), force=True)
                self.hub.event(notice)
                self.hub.moved(run.id)

    def _ask(self, want: Want) -> None:
        self._pool.post(want.run, want, force=True)


def _kind(name: str) -> Kind:
    kind = registry().get(name)
    if kind is None:
        detail = f"there is none of the name {name[:32]!r}; there are {', '.join(registry())}"
        raise ProtocolError("bad_value", f"kind: {detail}.", where="kind", detail=detail)
    return kind


def _busy() -> ProtocolError:
    return ProtocolError("busy", "The server has too much to do for this run just now; try again in a moment.")


def _restarted(run: Run) -> Notice:
    return Notice(
        run=run.id,
        code="worker_restarted",
        message="The process that trained this network ended and was started again; training goes on.",
    )


def _crashing(run: Run, deaths: int) -> Notice:
    return Notice(
        run=run.id,
        code="worker_crashing",
        message=f"The process that trains this network ended {deaths} times within a minute. The run is paused; "
        "Play goes on, Reset starts afresh.",
        values={"deaths": deaths},
    )
