"""What the scheduler asks of an experiment: data, model and session of one run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from webapp.contract.kind import Part

if TYPE_CHECKING:  # the web process imports this file, and has no use for the engine
    from engine.executors import Executor


class Diverged(Exception):
    """The loss stopped being a number at step ``step``."""

    def __init__(self, step: int) -> None:
        super().__init__(f"the loss is not a number since step {step}")
        self.step = step


class Experiment(Protocol):
    """One run's data, model and training state.  Lives in a worker; never sees a socket.

    What only its kind knows, the kind's commands do by methods of its own (see webapp/contract/commands.py).

    Made by ``Class(settings, device="cpu:0")``.  The scheduler calls it from one thread.
    """

    settings: Any
    step: int  # batches trained since the reset

    @property
    def executor(self) -> str:
        """What computes it, for the page's badge, e.g. "CPU · NumPy"."""
        ...

    @property
    def epoch(self) -> float: ...

    @property
    def steps_per_epoch(self) -> int: ...

    def steps_per_second(self) -> float:
        """How fast ``settings.speed`` asks to train; ``inf`` for as fast as it goes."""
        ...

    def use_machine(self, machine: Executor) -> None:
        """Compute with the engine's native machine from now on; weights, curve and counters stay as they are."""
        ...

    def configure(self, settings: Any) -> None:
        """Take new settings.  Weights between two layers that both stay are kept."""
        ...

    def reset(self) -> None:
        """Back to step 0 with the first weights of ``settings.weight_seed``."""
        ...

    def train(self, steps: int, deadline: float) -> int:
        """Train at most ``steps`` batches, until ``time.perf_counter()`` passes ``deadline``.

        Returns the number done (at least one).  Raises :class:`Diverged`.
        """
        ...

    def background(self, deadline: float) -> bool:
        """A slice of work beside training (evaluating the test images); False when there is none."""
        ...

    def frame(self, key: bool) -> list[Part]:
        """What a page sees now, whatever lens it has open.  A key frame also holds what delta frames leave out."""
        ...

    def through(self, lens: str, key: bool) -> list[Part]:
        """What the lens of this name adds to the frame; asked after :meth:`frame`, and only while somebody looks."""
        ...

    def needs_key(self) -> bool:
        """Whether something changed that only a key frame carries (new data, a new history)."""
        ...

    def snapshot(self) -> bytes:
        """Everything needed to go on from here: weights, optimiser, counters, random state, history."""
        ...

    def rest(self) -> bytes:
        """A :meth:`snapshot` to come back to after any time: with the way back of ``recover`` too."""
        ...

    def restore(self, snapshot: bytes) -> None:
        """Go on from a snapshot made with the same settings."""
        ...

    def recover(self) -> None:
        """Back to the best weights so far (``configure`` has brought what :mod:`webapp.training.remedy` offers)."""
        ...
