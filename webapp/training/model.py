"""The network of a run: built from its settings, rebuilt when they change, with weights kept where they fit."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np

import engine as en
from engine import Tensor
from engine.executors import Executor
from engine.layers import Built
from webapp.contract.settings import Settings
from webapp.layers import KINDS, LayerKind
from webapp.training.layers import overlap
from webapp.training.settings import NetworkSettings

# What has grown beyond these is on its way to infinity; slots hold sums and squares of gradients.
SANE_WEIGHT, SANE_SLOT = 100.0, 1e8
PENALTIES: dict[str, Callable[[Tensor], Tensor]] = {"l1": en.losses.l1, "l2": en.losses.l2}


@dataclass(frozen=True)
class Task:
    """What a page trains on, as far as the network must know it."""

    inputs: tuple[str, ...]  # the names of the inputs, one a column of x
    outputs: int
    feed: Callable[[Tensor], tuple[Tensor, Tensor]]  # numbers of examples (batch,) -> (x (batch, inputs), target)
    head: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]  # (logits, target) -> (output, loss)
    first_weights: Callable[..., np.ndarray] | None = None  # of the output layer; None: as usual


@dataclass(frozen=True)
class Placed:
    """One layer in the network: where it stands, and what was made for it."""

    source: str
    name: str
    kind: LayerKind | None  # None: the output
    output: Tensor
    variables: dict[str, Tensor]

    @property
    def units(self) -> int:
        """How many numbers it gives for each example."""
        return int(self.output.shape[-1] or 0)


class Model:
    """Graph and session of one network.  ``layers`` are the hidden ones and the output, in order.

    The examples lie in the graph: a training step is fed their numbers (``rows``, int32 (batch,)) alone.
    """

    def __init__(self, settings: NetworkSettings, task: Task, device: str, executor: Executor | None) -> None:
        self.task = task
        with en.Graph() as graph:
            self.rows = en.placeholder((None,), "int32", name="rows")
            self.x, self.target = task.feed(self.rows)
            self.rate = en.placeholder((), name="rate")
            self.penalty_rate = en.placeholder((), name="penalty_rate")
            self.layers: list[Placed] = []
            x = self.x
            for number, layer in enumerate(settings.layers, start=1):
                kind, name = KINDS[layer.tag], f"hidden{number}"
                x = self._place(name, kind, kind.build(x, layer, name, settings))
            initial = None if settings.layers else task.first_weights
            logits = self._place("output", None, en.layers.Dense(task.outputs, name="output", initial=initial).build(x))
            self.output, self.loss = task.head(logits, self.target)
            self.layers[-1] = replace(self.layers[-1], output=self.output)
            numbers = [each for each in graph.variables if each.spec.is_float]
            self._checksum = en.ops.sum_(en.ops.flat(*numbers))
            self._trained = [each for each in numbers if each.attrs["trainable"]]
            self.train = self._optimizer(settings).minimize(self._penalized(settings), self._trained)
        self.session = en.Session(
            graph, seed=settings.weight_seed, device=device, executor=executor, threads=os.cpu_count() or 1
        )

    def _place(self, name: str, kind: LayerKind | None, built: Built) -> Tensor:
        source = self.layers[-1].name if self.layers else "inputs"
        self.layers.append(Placed(source, name, kind, built.output, built.variables))
        return built.output

    def _penalized(self, settings: Settings) -> Tensor:
        """The loss plus the regularisation of all weights (biases are left alone)."""
        penalty = PENALTIES.get(settings.regularization)
        total = self.loss
        if penalty is not None:
            for variable in self._trained:
                if variable.ndim >= 2:
                    total = total + self.penalty_rate * penalty(variable)
        return total

    def _optimizer(self, settings: Settings) -> en.optim.Optimizer:
        return en.optim.OPTIMIZERS[settings.optimizer](self.rate)

    @property
    def sizes(self) -> list[int]:
        """Units of each layer, inputs first, output last."""
        return [len(self.task.inputs), *(layer.units for layer in self.layers)]

    def weights(self, layer: Placed) -> np.ndarray:
        """What is drawn as the links to ``layer``: float32 (inputs, units); zeros for a kind without weights."""
        found = layer.variables.get("weights")
        inputs = self.sizes[self.layers.index(layer)]
        return np.zeros((inputs, layer.units), np.float32) if found is None else self.session.get(found)

    def bias(self, layer: Placed) -> np.ndarray:
        """What is added in ``layer``: float32 (units,); zeros for a kind without a bias."""
        found = layer.variables.get("bias")
        return np.zeros(layer.units, np.float32) if found is None else self.session.get(found)

    def carry_from(self, old: Model) -> None:
        """Keep the trained weights between units that are there in both networks.

        Hidden units are the same if their layer, its kind and their number are, inputs if their names are.
        What is new keeps its first values; what exactly stays is said by the kind of layer.
        """
        before = {(layer.source, layer.name, layer.kind): layer for layer in old.layers}
        for layer in self.layers:
            twin = before.get((layer.source, layer.name, layer.kind))
            if twin is not None:
                keep = overlap if layer.kind is None else layer.kind.keep
                rows = self._same_inputs(old) if layer.source == "inputs" else None
                for name, value in keep(self._arrays(layer), old._arrays(twin), rows).items():
                    self.session.set(layer.variables[name], value)

    def _arrays(self, layer: Placed) -> dict[str, np.ndarray]:
        return {name: self.session.get(variable) for name, variable in layer.variables.items()}

    def _same_inputs(self, old: Model) -> tuple[list[int], list[int]]:
        places = {name: at for at, name in enumerate(old.task.inputs)}
        pairs = [(at, places[name]) for at, name in enumerate(self.task.inputs) if name in places]
        return [new for new, _ in pairs], [was for _, was in pairs]

    def sane(self) -> bool:
        """Whether weights and optimiser's slots have the size that they have in a network that learns."""
        weights = (self.session.get(each) for each in self._trained)
        slots = (array for dtype, array in self.session.state().items() if dtype.startswith("float"))
        return _within(SANE_WEIGHT, weights) and _within(SANE_SLOT, slots)

    def finite(self) -> bool:
        """Whether every weight is still a number."""
        return bool(np.isfinite(self.session.run(self._checksum)))


def _within(most: float, arrays: Iterable[np.ndarray]) -> bool:
    """Whether every number is one, and at most ``most`` from 0."""
    return all(bool((np.abs(array) <= most).all()) for array in arrays)
