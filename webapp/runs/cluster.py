"""Where runs are trained, as the runs see it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from webapp.workers.messages import Create, Drop, FromRun, ToWorker


class Cluster(Protocol):
    """Places runs and carries messages to and from them.  Every method may be called from any thread.

    Every implementation passes ``tests/contracts/test_clusters.py``; the first is :class:`webapp.workers.pool.Pool`.
    """

    def start(self, receive: Callable[[FromRun], None], lost: Callable[[list[str]], None]) -> None:
        """From now on ``receive`` gets what the runs send, in order for each; ``lost`` the runs whose place is gone."""
        ...

    def stop(self) -> None:
        """End all that was started; no run survives."""
        ...

    def place(self, message: Create, force: bool = False) -> bool:
        """Start a run, or take one over, where it fits best; False if it fits nowhere now (never with ``force``)."""
        ...

    def post(self, run: str, message: ToWorker, force: bool = False) -> bool:
        """Send ``message`` to where ``run`` is; False if too much waits there already.

        The place answers an order with a :class:`webapp.workers.messages.Taken` as soon as it has it.
        """
        ...

    def awake(self, run: str) -> bool:
        """Whether the place where ``run`` is answers yet: one that is just being started only takes."""
        ...

    def drop(self, message: Drop) -> None:
        """Take a run away from its place."""
        ...
