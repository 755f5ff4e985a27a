"""What every page's experiment shares: epochs of shuffled mini-batches, counters, curve, snapshots.

The order of the examples in an epoch follows from (data seed, number of the epoch) alone, so a
run that goes on from a snapshot takes the very batches that it would have taken.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import numpy as np

from engine.executors import Executor, Program
from engine.session import name_rng
from webapp.contract.errors import ProtocolError
from webapp.contract.kind import Kind, Part
from webapp.training.commands import Weight
from webapp.training.curve import COLUMNS, Curve
from webapp.training.experiment import Diverged
from webapp.training.model import Model, Task
from webapp.training.saved import Saved, WayBack

TAIL = 64  # rows of the curve that every frame repeats, so that none is lost between frames


@dataclass(frozen=True)
class _Moment:
    """Where a slice of training began."""

    state: dict[str, np.ndarray]
    step: int
    passes: int
    cursor: int


class Training:
    """Base of the experiments; a subclass brings the data and draws the frames."""

    kind: ClassVar[Kind]
    live_settings: frozenset[str] = frozenset({"rate", "regularization_rate", "speed"})  # only read while training
    data_settings: frozenset[str] = frozenset()  # those that need new data
    fresh_settings: frozenset[str] = frozenset({"weight_seed", "data"})  # those that start over

    def __init__(self, settings: Any, device: str = "cpu:0", data_dir: Path | None = None) -> None:
        """``data_dir``: where the server keeps its files; None in tests.  Few kinds need it."""
        self.settings = settings
        self._device = device
        self.machine: Executor | None = None
        self.step = 0
        self._passes = 0  # whole epochs done
        self._cursor = 0  # examples used of this epoch
        self._order: np.ndarray | None = None
        self._diverged = False  # whether they are no longer numbers
        self._touched = False  # whether the weights are no longer the first ones
        self._key_needed = True
        self.curve = Curve()
        self.metrics = np.full(COLUMNS - 1, np.nan, np.float32)
        self._good: bytes | None = None
        self._best = math.inf
        self.load_data()
        self.model = self._build()

    # what a subclass brings

    def load_data(self) -> None:
        """Make the data that ``settings`` ask for."""
        raise NotImplementedError

    def task(self) -> Task:
        """The network's inputs, outputs and loss."""
        raise NotImplementedError

    def examples(self) -> int:
        """How many examples there are to train on."""
        raise NotImplementedError

    # the counters

    @property
    def epoch(self) -> float:
        return self._passes + self._cursor / self.examples()

    @property
    def steps_per_epoch(self) -> int:
        return -(-self.examples() // int(self.settings.batch))

    def steps_per_second(self) -> float:
        """See :meth:`webapp.training.experiment.Experiment.steps_per_second`."""
        pace = self.kind.pace
        speeds = {"batch": pace["batch"], "epoch": pace["epoch"] * self.steps_per_epoch, "max": math.inf}
        return speeds[self.settings.speed]

    # what computes

    @property
    def executor(self) -> str:
        """See :meth:`webapp.training.experiment.Experiment.executor`."""
        threads = max((each.threads for each in self._programs.values()), default=1)
        return self.model.session.executor.label + (f" · {threads} cores" if threads > 1 else "")

    def use_machine(self, machine: Executor) -> None:
        """See :meth:`webapp.training.experiment.Experiment.use_machine`."""
        self.machine = machine
        self.model.session.use(machine)
        self._forget_programs()

    # settings

    def configure(self, settings: Any) -> None:
        """Take new settings; weights between units that stay are kept."""
        changed = {
            name for name in settings.__struct_fields__ if getattr(settings, name) != getattr(self.settings, name)
        }
        self.settings = settings
        if changed & self.data_settings:
            self.load_data()
            self._order, self._cursor, self._key_needed = None, 0, True
        if changed <= self.live_settings:
            return
        if self._diverged and not changed & self.fresh_settings:
            self.recover()  # weights that aren't numbers would spoil any network they were kept in
            return
        self._best = math.inf  # another network, or other data: losses can't be compared
        old, self.model = self.model, self._build()
        if changed & self.fresh_settings:
            self.reset()
        elif self._touched:
            self.model.carry_from(old)
        self.changed()

    def changed(self) -> None:
        """Called after the network or the weights were changed from outside."""

    def _build(self) -> Model:
        self._forget_programs()
        return Model(self.settings, self.task(), self._device, self.machine)

    def _forget_programs(self) -> None:
        self._programs: dict[int, Program] = {}  # by the size of their batches
        self._step_time: dict[int, float] = {}  # seconds a step of each took when last run

    def reset(self) -> None:
        """Back to step 0 with the first weights."""
        self.model.session.reset()
        self.step = self._passes = self._cursor = 0
        self._order, self._good, self._best = None, None, math.inf
        self._touched, self._key_needed, self._diverged = False, True, False
        self.curve.clear()
        self.changed()

    # training

    def train(self, steps: int, deadline: float) -> int:
        """See :meth:`webapp.training.experiment.Experiment.train`."""
        done, before = 0, None
        self._touched = True
        while done < steps:
            left = deadline - time.perf_counter()
            if left <= 0 < done:
                break
            batches = min(steps - done, self._affordable(left))
            if batches > 1 and before is None:
                before = self._moment()  # a step goes over all of the state, so this costs less than one
            done += self._train(batches)
        if not self.model.finite():
            if before is not None:
                self._find_divergence(before)
            self._diverged = True
            raise Diverged(self.step)
        return done

    def _affordable(self, seconds: float) -> int:
        """How many whole batches can be trained in this time, as far as is known; one at least."""
        step_time = self._step_time.get(self._batch_size)
        return 1 if step_time is None else max(1, int(seconds / step_time))

    def _train(self, batches: int) -> int:
        """Train at most so many batches in one call of the executor; how many it was."""
        began = time.perf_counter()
        rows = self._next_rows(batches)
        program = self._program(rows.shape[1])
        program.run(len(rows), {self.model.rows: self.model.session.device.send(rows)})
        self.step += len(rows)
        self._step_time[rows.shape[1]] = (time.perf_counter() - began) / len(rows)
        return len(rows)

    def _moment(self) -> _Moment:
        return _Moment(self.model.session.state(), self.step, self._passes, self._cursor)

    def _find_divergence(self, before: _Moment) -> None:
        """Train from ``before`` on once more, batch by batch, up to the first step whose weights aren't numbers."""
        last = self.step
        self.model.session.load_state(before.state)
        self.step, self._passes, self._cursor, self._order = before.step, before.passes, before.cursor, None
        while self.model.finite() and self.step < last:
            self._train(1)

    def _program(self, size: int) -> Program:
        """One training step for a batch of this size, with the present rates fed."""
        model, chosen = self.model, self.settings
        program = self._programs.get(size)
        if program is None:
            shapes: dict[Any, tuple[int, ...]] = {model.rows: (size,), model.rate: ()}
            if chosen.regularization != "none":
                shapes[model.penalty_rate] = ()
            program = model.session.bind(model.train, shapes)
            self._programs[size] = program
        program.feeds[model.rate][...] = chosen.rate
        if model.penalty_rate in program.feeds:
            program.feeds[model.penalty_rate][...] = chosen.regularization_rate
        return program

    @property
    def _batch_size(self) -> int:
        return min(int(self.settings.batch), self.examples())

    def _next_rows(self, batches: int) -> np.ndarray:
        """The numbers of the next examples, for at most ``batches`` batches of one size: int32 (batches, size).

        The last batch of an epoch may be short; it then comes alone.
        """
        count, size = self.examples(), self._batch_size
        parts: list[np.ndarray] = []
        while batches > 0:
            if self._cursor >= count:
                self._passes, self._cursor, self._order = self._passes + 1, 0, None
            if self._order is None:
                seed = getattr(self.settings, "data_seed", 0)
                self._order = name_rng(seed, f"epoch {self._passes}").permutation(count).astype(np.int32)
            whole = min(batches, (count - self._cursor) // size)
            if whole == 0 and parts:
                break
            rows = self._order[self._cursor : self._cursor + max(1, whole) * size]
            parts.append(rows.reshape(max(1, whole), -1))
            self._cursor += rows.size
            batches = batches - whole if whole else 0
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def background(self, deadline: float) -> bool:
        """No work beside training, unless a subclass has some."""
        return False

    def record(self, metrics: Sequence[float] | np.ndarray, epoch: float | None = None) -> None:
        """Take metrics (of the weights at ``epoch``, now if None) into the curve; keep a way back to the best."""
        self.metrics = np.asarray(metrics, np.float32)
        self.curve.add(self.epoch if epoch is None else epoch, self.metrics)
        loss = float(self.metrics[0])
        if loss <= self._best and self.model.sane():
            self._best, self._good = loss, self.snapshot()

    # commands

    def edit(self, wish: Weight) -> None:
        """Set one weight or bias.  Raises ProtocolError if the network has no such one."""
        layers = self.model.layers
        if wish.layer > len(layers):
            raise ProtocolError(
                "no_such_layer", f"layer {wish.layer} doesn't exist: the network has {len(layers)}.",
                layer=wish.layer, layers=len(layers),
            )  # fmt: skip
        session = self.model.session
        variable = layers[wish.layer - 1].variables.get("bias" if wish.source < 0 else "weights")
        place = (wish.target,) if wish.source < 0 else (wish.source, wish.target)
        shape = () if variable is None else variable.spec.concrete
        if (
            variable is None
            or len(shape) != len(place)
            or any(at >= size for at, size in zip(place, shape, strict=True))
        ):
            raise ProtocolError(
                "no_such_weight",
                f"there is no weight from {wish.source} to {wish.target} in layer {wish.layer}.",
                layer=wish.layer, source=wish.source, target=wish.target,
            )  # fmt: skip
        value = session.get(variable)
        value[place] = wish.value
        session.set(variable, value)
        self._touched = True
        self.changed()

    # frames and snapshots

    def needs_key(self) -> bool:
        """See :meth:`webapp.training.experiment.Experiment.needs_key`."""
        return self._key_needed

    def frame(self, key: bool) -> list[Part]:
        """The sections that every kind has; a subclass adds its own."""
        model = self.model
        parts = [
            Part("layers", np.array(model.sizes, np.uint16)),
            Part("biases", np.concatenate([model.bias(layer) for layer in model.layers])),
            Part("metrics", self.metrics),
            Part("curve", self.curve.array if key else self.curve.tail(TAIL)),
        ]
        self._key_needed = self._key_needed and not key
        return parts

    def through(self, lens: str, key: bool) -> list[Part]:
        """See :meth:`webapp.training.experiment.Experiment.through`."""
        return self.kind.lenses[lens].encode(self, key)

    def snapshot(self) -> bytes:
        """See :meth:`webapp.training.experiment.Experiment.snapshot`."""
        return msgspec.msgpack.encode(self._state())

    def _state(self) -> Saved:
        state = {dtype: array.tobytes() for dtype, array in self.model.session.state().items()}
        curve = self.curve.array.tobytes()
        settings = msgspec.to_builtins(self.settings)
        return Saved(settings, state, self.step, self._passes, self._cursor, curve, self.curve.gap)

    def rest(self) -> bytes:
        """See :meth:`webapp.training.experiment.Experiment.rest`."""
        way_back = WayBack(self._good, self._best, self._touched, self._diverged)
        return msgspec.msgpack.encode(msgspec.structs.replace(self._state(), way_back=way_back))

    def restore(self, snapshot: bytes) -> None:
        """See :meth:`webapp.training.experiment.Experiment.restore`."""
        found = msgspec.msgpack.decode(snapshot, type=Saved)
        self._diverged = False
        wanted = self.settings  # may have changed since the snapshot: go back to then, load, and change again
        self.configure(self.kind.settings_for(found.settings))
        state = {dtype: np.frombuffer(raw, dtype) for dtype, raw in found.state.items()}
        self.model.session.load_state(state)
        self.step, self._passes, self._cursor, self._order = found.step, found.passes, found.cursor, None
        self.curve.load(np.frombuffer(found.curve, np.float32).reshape(-1, COLUMNS), found.gap)
        self._touched = self._key_needed = True
        self.changed()
        if found.way_back is not None:
            back = found.way_back
            self._good, self._best = back.good, back.best
            self._touched, self._diverged = back.touched, back.diverged
        self.configure(wanted)

    def recover(self) -> None:
        """See :meth:`webapp.training.experiment.Experiment.recover`."""
        if self._good is None:
            self.reset()
        else:
            self.restore(self._good)
