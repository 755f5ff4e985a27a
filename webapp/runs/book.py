"""All runs of this server: their records, and what is known of them now."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from webapp.locks import ordered
from webapp.runs import notices
from webapp.runs.live import Live
from webapp.runs.record import Record
from webapp.runs.store import Store


class Book:
    """Runs by id.  Whoever reads or changes one holds ``lock``."""

    def __init__(self, store: Store) -> None:
        self.lock = ordered("runs")
        self.store = store
        self._lives: dict[str, Live] = {}

    def live(self, run: str) -> Live | None:
        """The run of this id; one that only the store knows is at rest."""
        live = self._lives.get(run)
        if live is None and (record := self.store.load(run)) is not None:
            live = self._lives[run] = Live(record, orders=record.order, asleep=True)
        return live

    def owned(self, run: str, person: str, seq: int) -> Live:
        """The run, if it is ``person``'s.  Says the same of another's run as of none: ids tell nothing."""
        live = self.live(run)
        if live is None or live.record.person != person:
            raise notices.unknown_run(run, seq)
        return live

    def add(self, record: Record) -> Live:
        """A new run."""
        live = self._lives[record.id] = Live(record)
        self.store.save(record)
        return live

    def change(self, live: Live, **changes: Any) -> None:
        """Change its record, here and in the store."""
        live.record = replace(live.record, **changes)
        self.store.save(live.record)

    def remove(self, run: str) -> None:
        """As if it had never been."""
        live = self._lives.pop(run, None)
        if live is not None:
            live.forgotten = True
            live.rested()
            if live.pending is not None:
                live.settle(live.pending.order, False)
        self.store.delete(run)
