"""Where the records of runs are kept."""

from __future__ import annotations

from typing import Protocol

from webapp.runs.record import Record


class Store(Protocol):
    """Records by id.  Its user holds the lock ``runs``; what is given back never changes under one's hands.

    Every implementation passes ``tests/contracts/test_stores.py``.
    """

    def save(self, record: Record) -> None:
        """Keep ``record``, in place of an earlier one of its id."""
        ...

    def load(self, run: str) -> Record | None:
        """The record of the id ``run``; None if there is none."""
        ...

    def delete(self, run: str) -> None:
        """Forget a record, if it is there."""
        ...

    def of(self, person: str) -> list[Record]:
        """A person's records, oldest first."""
        ...

    def all(self) -> list[Record]:
        """All records, oldest first."""
        ...

    def __len__(self) -> int: ...


class MemoryStore:
    """Records that are gone with the process."""

    def __init__(self) -> None:
        self._records: dict[str, Record] = {}

    def save(self, record: Record) -> None:
        """See :class:`Store`."""
        self._records[record.id] = record

    def load(self, run: str) -> Record | None:
        """See :class:`Store`."""
        return self._records.get(run)

    def delete(self, run: str) -> None:
        """See :class:`Store`."""
        self._records.pop(run, None)

    def of(self, person: str) -> list[Record]:
        """See :class:`Store`."""
        return [record for record in self.all() if record.person == person]

    def all(self) -> list[Record]:
        """See :class:`Store`."""
        return sorted(self._records.values(), key=lambda record: record.created)

    def __len__(self) -> int:
        return len(self._records)
