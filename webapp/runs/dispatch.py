"""What may happen to runs: opened, commanded, found again, moved to a new worker, laid to rest, forgotten."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from webapp.config import Config
from webapp.contract.commands import Command, Role, RunWish, Wish, may
from webapp.contract.errors import ProtocolError
from webapp.contract.kind import Kind
from webapp.contract.replies import Reply
from webapp.contract.settings import Settings
from webapp.contract.wire import new_run_id
from webapp.kinds import commands, registry
from webapp.runs import notices
from webapp.runs.book import Book
from webapp.runs.cluster import Cluster
from webapp.runs.commands import Effect, effect_of, handler_of
from webapp.runs.live import Live, Pending
from webapp.runs.news import News
from webapp.runs.quotas import InFlight, busy, who_gives_way
from webapp.runs.record import Record
from webapp.runs.store import MemoryStore, Store
from webapp.runs.sweeper import Sweeper
from webapp.stream.hub import Client, Hub, run_topic
from webapp.workers.messages import Order, Want

ROLE: Role = "student"  # of everyone who has a cookie
After = Callable[[Callable[[], None]], None]  # is handed what has to follow the answer
_GRACE = 0.25  # seconds by which an answer may be later than the order that it is about


@dataclass(frozen=True)
class Said:
    """A command that passed the checks.  ``live`` is None where it names no run.

    ``until`` is when the page has to have its answer, whatever has to be waited for.
    """

    person: str
    client: Client
    wish: Any  # the struct of ``command``
    command: Command
    live: Live | None
    after: After
    until: float


class Runs:
    """The one place that changes a run.  Every method may be called from any thread."""

    def __init__(
        self,
        config: Config,
        cluster: Cluster,
        clock: Callable[[], float] = time.monotonic,
        store: Store | None = None,
    ) -> None:
        self._config = config
        self._cluster = cluster
        self._clock = clock
        self._book = Book(MemoryStore() if store is None else store)
        self._lock = self._book.lock
        self._in_flight = InFlight(config.max_in_flight)
        self.hub = Hub(self._ask, clock)
        self.sweeper = Sweeper(config, self._book, cluster, self.hub)
        self.news = News(config, self._book, cluster, self.hub, clock)

    def start(self) -> None:
        """Start the workers, and look after runs that nobody watches."""
        self._cluster.start(self.news.receive, self.news.lost)
        self.sweeper.start()

    def stop(self) -> None:
        """End the workers; no run survives."""
        self.sweeper.stop()
        self._cluster.stop()

    def record(self, run: str) -> Record | None:
        """What is kept of a run, for tests and tools."""
        with self._lock:
            return self._book.store.load(run)

    # ---- commands of pages

    def command(self, person: str, client: Client, message: object, after: After) -> Reply:
        """Check one message of ``person`` and do it, or pass it on to its run's worker.

        Returns the answer when the worker took it; ``after`` is told what has to follow it.  Raises
        ProtocolError for what is refused; then nothing has changed.
        """
        wish = commands().decode(message)
        with self._lock:
            said = self._check(person, client, wish, after)
        with self._in_flight.one(person, said.command.cost, said.until):
            return handler_of(wish)(self, said)

    def _check(self, person: str, client: Client, wish: Wish, after: After) -> Said:
        """Whether ``person`` may say this.  What is in no record, or not theirs, is refused."""
        name = getattr(wish, "run", None)
        live = None if name is None else self._book.owned(name, person, wish.seq)
        command = commands().of(wish, None if live is None else live.record.kind)
        if not may(ROLE, command):
            raise ProtocolError("not_allowed", f"type: {command.name!r} is for a {command.role}.", role=command.role)
        return Said(person, client, wish, command, live, after, time.monotonic() + self._config.answer_timeout)

    def open(self, said: Said) -> Reply:
        """Find a run again, or start one; the page watches it as soon as it has the answer."""
        wish, found = said.wish, said.live
        lens = _kind(wish.kind).lens(wish.lens)
        if found is None:
            live = self._create(said)
        elif found.record.kind != wish.kind:
            kind = found.record.kind
            raise ProtocolError("wrong_kind", f"kind: run {wish.run} is of kind {kind}, not {wish.kind}.")
        else:
            live = found
            with self._turn(live, said):
                self._wake(live)
                self.hub.expect(run_topic(live.record.id))
        record = live.record
        said.after(lambda: self._join(record.id, said.client, lens))
        resumed = found is not None
        return Reply(ok=True, seq=wish.seq, run=record.id, kind=record.kind, resumed=resumed, settings=record.settings)

    def close(self, said: Said) -> Reply:
        """The page no longer watches."""
        assert said.live is not None
        self.hub.leave(run_topic(said.live.record.id), said.client)
        return Reply(ok=True, seq=said.wish.seq)

    def open_lens(self, said: Said) -> Reply:
        """The page looks through another lens."""
        assert said.live is not None
        record = said.live.record
        self.hub.look_through(run_topic(record.id), said.client, _kind(record.kind).lens(said.wish.lens))
        return Reply(ok=True, seq=said.wish.seq)

    def forward(self, said: Said) -> Reply:
        """Give the command to the run's worker; the record changes when the worker took it."""
        live, wish, command = said.live, said.wish, said.command
        assert live is not None
        effect = effect_of(wish)
        with self._one_at_a_time(live, said.until):
            with self._turn(live, said):
                self._wake(live)
                settings = live.record.settings if effect.settings is None else effect.settings(live.record, wish)
                commit = partial(self._commit, live, wish, command, effect, settings)
                pending = self._order(live, said, settings, commit)
            self._answered(live, pending, said)
        return Reply(ok=True, seq=wish.seq, settings=None if effect.settings is None else settings)

    @contextmanager
    def _one_at_a_time(self, live: Live, until: float) -> Iterator[None]:
        """The turn of one command of this run: the next one builds on what becomes of it."""
        if not live.turn.acquire(timeout=_left(until)):
            raise busy()
        try:
            yield
        finally:
            live.turn.release()

    @contextmanager
    def _turn(self, live: Live, said: Said) -> Iterator[None]:
        """With the lock held, a run that is there and isn't just going to rest."""
        resting = live.resting
        if resting is not None:
            resting.wait(_left(said.until))
        with self._lock:
            if live.forgotten:
                raise notices.unknown_run(live.record.id, said.wish.seq)
            if live.resting is not None:
                raise busy()
            yield

    def _order(self, live: Live, said: Said, settings: Settings, commit: Callable[[], None]) -> Pending:
        """Send an order.  Raises ProtocolError ("busy") if there is no room."""
        run = live.record.id
        awake = self._cluster.awake(run)
        until = said.until if awake else None
        order = Order(run, said.wish, live.orders + 1, settings, merge=said.command.merge, until=until)
        if not self._cluster.post(run, order):
            raise busy()
        live.orders += 1
        pending = Pending(order.order, commit)
        if awake:
            live.pending = pending
        else:
            pending.settle(True)  # its worker is being born: it takes what waits when it can, however late
        return pending

    def _answered(self, live: Live, pending: Pending, said: Said) -> None:
        """Wait until the worker took it.  Raises ProtocolError if it doesn't, or doesn't answer."""
        if not pending.wait(_left(said.until) + _GRACE):
            with self._lock:
                if live.pending is pending:
                    live.pending = None
                    raise notices.no_answer()
        if live.forgotten:
            raise notices.unknown_run(live.record.id, said.wish.seq)
        if not pending.taken:
            raise busy()

    def _commit(self, live: Live, wish: RunWish, command: Command, effect: Effect, settings: Settings) -> None:
        """The worker took it: now it holds."""
        record = live.record
        replayed = record.replay
        if command.moves:
            replayed = (*(other for other in replayed if other.name != wish.name), wish)
        if effect.forgives:
            live.deaths.clear()
        if effect.afresh:
            live.floor = live.orders
        self._book.change(
            live,
            settings=settings,
            seq=wish.seq,
            order=live.orders,
            replay=replayed,
            playing=record.playing if effect.playing is None else effect.playing,
            snapshot=None if effect.afresh else record.snapshot,
        )

    def _join(self, run: str, client: Client, lens: str) -> None:
        with self._lock:
            live = self._book.live(run)
            greetings = () if live is None or live.status is None else (live.status,)
            self.hub.join(run_topic(run), client, *greetings, lens=lens)

    def _create(self, said: Said) -> Live:
        person, wish = said.person, said.wish
        settings = _kind(wish.kind).settings_for(wish.settings)
        with self._lock:
            for leaving in who_gives_way(self._book.store, self._config, person, self._unwatched_for):
                self.sweeper.forget(leaving.id)
            record = Record(id=new_run_id(), person=person, kind=wish.kind, settings=settings, seq=wish.seq)
            live = self._book.add(record)
            self.hub.add(run_topic(record.id), record.id)
        try:
            with self._lock:
                pending = self._place(live)
            self._answered(live, pending, said)
        except ProtocolError:
            self.sweeper.forget(live.record.id)
            raise
        return live

    def _place(self, live: Live) -> Pending:
        """Give the run to a worker.  Raises ProtocolError ("busy") if none can take it."""
        run = live.record.id
        if not self._cluster.place(live.record.create_message(self.hub.sequence(run_topic(run)))):
            raise busy()
        live.asleep = False
        pending = Pending(live.record.order, lambda: None)
        if self._cluster.awake(run):
            live.pending = pending
        else:
            pending.settle(True)
        return pending

    def _wake(self, live: Live) -> None:
        """A run at rest goes to a worker again."""
        if live.asleep:
            self._place(live)
            self.hub.moved(run_topic(live.record.id))

    def _unwatched_for(self, run: str) -> float | None:
        return self.hub.unwatched_for(run_topic(run))

    def _ask(self, want: Want) -> None:
        self._cluster.post(want.run, want, force=True)


def _left(until: float) -> float:
    return max(0.0, until - time.monotonic())


def _kind(name: str) -> Kind:
    kind = registry().get(name)
    if kind is None:
        detail = f"there is none of the name {name[:32]!r}; there are {', '.join(registry())}"
        raise ProtocolError("bad_value", f"kind: {detail}.", where="kind", detail=detail)
    return kind
