"""The network of a run: built from its settings, rebuilt when they change, with weights kept where they fit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

import engine as en
from engine import Tensor
from engine.executors import Executor
from webapp.contract.settings import Settings

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
class Layer:
    """One layer's place in the network and its variables."""

    source: str
    name: str
    weights: Tensor
    bias: Tensor
    output: Tensor


class Model:
    """Graph and session of one network.  ``layers`` are the hidden ones and the output, in order.

    The examples lie in the graph: a training step is fed their numbers (``rows``, int32 (batch,)) alone.
    """

    def __init__(
        self, settings: Settings, hidden: Sequence[int], task: Task, device: str, executor: Executor | None
    ) -> None:
        self.task = task
        with en.Graph() as graph:
            self.rows = en.placeholder((None,), "int32", name="rows")
            self.x, self.target = task.feed(self.rows)
            self.rate = en.placeholder((), name="rate")
            self.penalty_rate = en.placeholder((), name="penalty_rate")
            self.layers: list[Layer] = []
            x = self.x
            for number, units in enumerate(hidden, start=1):
                x = self._add(f"hidden{number}", units, settings.activation, x)
            logits = self._add("output", task.outputs, "linear", x, task.first_weights if not hidden else None)
            self.output, self.loss = task.head(logits, self.target)
            self.layers[-1] = Layer(**{**vars(self.layers[-1]), "output": self.output})
            variables = [each for layer in self.layers for each in (layer.weights, layer.bias)]
            self._checksum = en.ops.sum_(en.ops.flat(*variables))
            self.train = self._optimizer(settings).minimize(self._penalized(settings), variables)
        self.session = en.Session(graph, seed=settings.weight_seed, device=device, executor=executor)

    def _add(self, name: str, units: int, activation: str, x: Tensor, initial: object = None) -> Tensor:
        dense = en.layers.Dense(units, activation, name, initial)  # type: ignore[arg-type]
        built = dense.build(x)
        source = self.layers[-1].name if self.layers else "inputs"
        self.layers.append(Layer(source, name, built.variables["weights"], built.variables["bias"], built.output))
        return built.output

    def _penalized(self, settings: Settings) -> Tensor:
        """The loss plus the regularisation of all weights (biases are left alone)."""
        penalty = PENALTIES.get(settings.regularization)
        total = self.loss
        if penalty is not None:
            for layer in self.layers:
                total = total + self.penalty_rate * penalty(layer.weights)
        return total

    def _optimizer(self, settings: Settings) -> en.optim.Optimizer:
        return en.optim.OPTIMIZERS[settings.optimizer](self.rate)

    @property
    def sizes(self) -> list[int]:
        """Units of each layer, inputs first, output last."""
        return [len(self.task.inputs), *(layer.bias.spec.size for layer in self.layers)]

    def carry_from(self, old: Model) -> None:
        """Keep the trained weights between units that are there in both networks.

        Hidden units are the same if their layer and number are, inputs if their names are.
        What is new keeps its first values.
        """
        before = {(layer.source, layer.name): layer for layer in old.layers}
        for layer in self.layers:
            twin = before.get((layer.source, layer.name))
            if twin is None:
                continue
            weights, bias = self.session.get(layer.weights), self.session.get(layer.bias)
            old_weights, old_bias = old.session.get(twin.weights), old.session.get(twin.bias)
            units = min(len(bias), len(old_bias))
            rows, old_rows = self._same_sources(layer, old, len(weights), len(old_weights))
            weights[rows, :units] = old_weights[old_rows, :units]
            bias[:units] = old_bias[:units]
            self.session.set(layer.weights, weights)
            self.session.set(layer.bias, bias)

    def _same_sources(self, layer: Layer, old: Model, count: int, old_count: int) -> tuple[list[int], list[int]]:
        if layer.source != "inputs":
            shared = list(range(min(count, old_count)))
            return shared, shared
        places = {name: at for at, name in enumerate(old.task.inputs)}
        pairs = [(at, places[name]) for at, name in enumerate(self.task.inputs) if name in places]
        return [new for new, _ in pairs], [was for _, was in pairs]

    def sane(self) -> bool:
        """Whether weights and optimiser's slots have the size that they have in a network that learns."""
        variables = [each for layer in self.layers for each in (layer.weights, layer.bias)]
        weights = (self.session.get(each) for each in variables)
        slots = (array for dtype, array in self.session.state().items() if dtype.startswith("float"))
        return _within(SANE_WEIGHT, weights) and _within(SANE_SLOT, slots)

    def finite(self) -> bool:
        """Whether every weight is still a number."""
        return bool(np.isfinite(self.session.run(self._checksum)))


def _within(most: float, arrays: Iterable[np.ndarray]) -> bool:
    """Whether every number is one, and at most ``most`` from 0."""
    return all(bool((np.abs(array) <= most).all()) for array in arrays)
