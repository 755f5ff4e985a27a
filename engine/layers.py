"""Layers as frozen dataclasses: called with a tensor, they make their variables and give their output."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from engine import ops
from engine.attributes import spelled
from engine.errors import EngineError, Named, Settings, ShapeError, doors, strict
from engine.graph import Graph, Tensor, name_scope, need_tensors, variable
from engine.init import Normal, glorot, he, zeros
from engine.op import Op

ACTIVATIONS: dict[str, Op | None] = {
    "relu": ops.relu,
    "tanh": ops.tanh,
    "sigmoid": ops.sigmoid,
    "linear": None,
    "leaky_relu": ops.leaky_relu,
    "elu": ops.elu,
    "gelu": ops.gelu,
    "softplus": ops.softplus,
}
_NARROW = Normal(0.05)
_RELU_FAMILY = ("relu", "leaky_relu", "elu", "gelu", "softplus")
Pair = tuple[int, int] | int  # down and across; one number stands for both
Activation = str | Callable[[Tensor], Tensor] | None


def activate(x: Tensor, activation: Activation) -> Tensor:
    """``activation`` of ``x``: a known name, or a function of a tensor; None is "linear".  Raises EngineError."""
    op = _known(activation, x.graph)
    return x if op is None else op(x)


def _known(activation: Activation, graph: Graph) -> Callable[[Tensor], Tensor] | None:
    if activation is None or (callable(activation) and not isinstance(activation, (type, Layer, Tensor))):
        return activation
    if not isinstance(activation, str) or activation not in ACTIVATIONS:
        raise EngineError(
            f"activation {activation!r:.60} isn't known; {', '.join(ACTIVATIONS)} are, and functions of a tensor "
            f"({graph.place()})"
        )
    return ACTIVATIONS[activation]


@dataclass(frozen=True)
class Built:
    """What a layer made: its ``output`` and its ``variables``, those that aren't trained too, by their names in it."""

    output: Tensor
    variables: dict[str, Tensor]
    description: dict[str, Any]  # "layer": its class, "shape": of the output, "numbers": how many its variables hold


class Layer(Named, metaclass=Settings):
    """Base of the layers; a subclass says in ``_make`` what its output and its variables are."""

    name: str = ""  # its variables' names begin with it

    @strict
    def __call__(self, x: Tensor) -> Tensor:
        """The output for ``x``."""
        return self.build(x).output

    @strict
    def build(self, x: Tensor) -> Built:
        """The output for ``x``, and what was made on the way: all of it, or nothing.  Raises what the class says."""
        need_tensors(type(self).__name__, x)
        named = self.name if isinstance(self.name, str) else self.name is not None
        with x.graph, x.graph.whole(), name_scope(self.name) if named else nullcontext():
            output, variables = self._make(x)
        numbers = sum(math.prod(each.spec.concrete) for each in variables.values())
        return Built(output, variables, {"layer": type(self).__name__, "shape": output.shape, "numbers": numbers})

    def _make(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        raise NotImplementedError


def _variables(x: Tensor, **made: tuple[Any, tuple[int, ...]]) -> dict[str, Tensor]:
    """A variable of ``x``'s dtype for each name and (first value, shape)."""
    return {name: variable(first, shape, dtype=x.dtype, name=name) for name, (first, shape) in made.items()}


def _first(initial: Any, activation: Activation, graph: Graph) -> Any:
    """``initial``, or the usual for ``activation``."""
    known = _known(activation, graph)
    usual = he if known is not None and known in [ACTIVATIONS[name] for name in _RELU_FAMILY] else glorot
    return usual if initial is None else initial


def _count(what: str, value: Any, graph: Graph) -> int:
    """How many units, filters or rows.  Raises ShapeError unless it's a whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ShapeError(f"{what} is a whole number of at least 1, got {value!r:.60} ({graph.place()})")
    return int(value)


@dataclass(frozen=True)
class Dense(Layer):
    """Every unit reads every input: activation(x @ weights + bias).

    ``x`` (batch, inputs) gives (batch, units).  Makes ``name/weights`` (inputs, units) and
    ``name/bias`` (units,); the first weights are He's for the relu family, else Glorot's.
    Called, raises ShapeError for an ``x`` of another kind, EngineError for an activation that
    isn't known or a name that is taken.
    """

    units: int
    activation: Activation = "linear"
    name: str = "dense"
    initial: Callable[..., Any] | float | None = None
    bias: Callable[..., Any] | float = zeros

    def _make(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        units, axis = _count("units", self.units, x.graph), "number of inputs"
        inputs = _last_axis(x, 2, "(batch, inputs)", axis, "; Flatten() makes one axis of them" if x.ndim > 2 else "")
        first = _first(self.initial, self.activation, x.graph)
        made = _variables(x, weights=(first, (inputs, units)), bias=(self.bias, (units,)))
        return activate(ops.affine(x, made["weights"], made["bias"]), self.activation), made


@dataclass(frozen=True)
class Conv2D(Layer):
    """Filters that slide over images: activation(conv2d(x) + bias).

    ``x`` (batch, height, width, channels) gives (batch, height', width', filters).  ``padding``: "same",
    "valid", a number of pixels or ((top, bottom), (left, right)).  Makes ``name/filters`` (height, width,
    channels, filters) and ``name/bias`` (filters,).  Raises as :class:`Dense` does.
    """

    filters: int
    size: Pair = (3, 3)
    activation: Activation = "linear"
    name: str = "conv"
    strides: Pair = (1, 1)
    padding: Any = "same"
    dilations: Pair = (1, 1)
    initial: Callable[..., Any] | float | None = None
    bias: Callable[..., Any] | float = zeros

    def _make(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        count = _count("filters", self.filters, x.graph)
        channels = _last_axis(x, 4, "(batch, height, width, channels)")
        first = _first(self.initial, self.activation, x.graph)
        size = spelled("size", self.size, f" ({x.graph.place()})")
        made = _variables(x, filters=(first, (*size, channels, count)), bias=(self.bias, (count,)))
        found = ops.conv2d(x, made["filters"], strides=self.strides, padding=self.padding, dilations=self.dilations)
        return activate(found + made["bias"], self.activation), made


@dataclass(frozen=True)
class MaxPool(Layer):
    """The largest number of each window of ``size``; windows lie ``strides`` apart (their size, if None)."""

    size: Pair = (2, 2)
    strides: Pair | None = None
    padding: Any = "valid"
    _op: ClassVar[Op] = ops.max_pool

    def _make(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        return self._op(x, size=self.size, strides=self.strides, padding=self.padding), {}


@dataclass(frozen=True)
class AvgPool(MaxPool):
    """The average of each window of ``size``; windows lie ``strides`` apart (their size, if None)."""

    _op: ClassVar[Op] = ops.avg_pool


@dataclass(frozen=True)
class Flatten(Layer):
    """Everything but the batch as one axis: (batch, ...) to (batch, numbers).  Raises ShapeError."""

    def _make(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        sizes = [size for size in x.shape[1:] if size is not None]
        if len(sizes) < x.ndim - 1 or x.ndim == 0:
            raise _unfit(x, "(batch, known sizes)")
        return ops.reshape(x, shape=(-1, math.prod(sizes))), {}


@dataclass(frozen=True)
class Dropout(Layer):
    """While training, each number is 0 with probability ``rate``; the others grow to make up for it.

    ``rate``: a number, or a tensor () that is fed; where one speaks of what is kept, it is 1 - keep_prob.
    ``train``: a bool, or a bool tensor () that is fed.  Makes ``name/state``, the state of its random numbers.
    """

    rate: float | Tensor = 0.5
    train: bool | Tensor = True
    name: str = "dropout"

    def _make(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        state = ops.random_state("state")
        return ops.dropout(x, self.rate, self.train, state), {"state": state}


@dataclass(frozen=True)
class BatchNorm(Layer):
    """Every unit (number along the last axis) at mean 0 and width 1 over the batch, then scaled and shifted.

    ``train``: a bool, or a bool tensor () that is fed; in evaluation the running averages are used.
    Makes ``name/scale``, ``name/shift`` and, not trained, ``name/mean`` and ``name/variance``, all (units,).
    """

    train: bool | Tensor = True
    name: str = "norm"
    momentum: float = 0.9
    epsilon: float = 1e-5

    def _make(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        units = (_last_axis(x, x.ndim, "(batch, ..., units)"),)
        made = _variables(x, scale=(1.0, units), shift=(0.0, units))
        for name, first in (("mean", 0.0), ("variance", 1.0)):
            made[name] = variable(first, units, dtype=x.dtype, trainable=False, name=name)
        averages = ops.Averages(made["mean"], made["variance"], self.momentum)
        return ops.batch_norm(x, made["scale"], made["shift"], averages, self.train, epsilon=self.epsilon), made


@dataclass(frozen=True)
class Embedding(Layer):
    """A vector for each whole number below ``rows``: (...) to (..., units).  Makes ``name/table`` (rows, units)."""

    rows: int
    units: int
    name: str = "embedding"
    initial: Callable[..., Any] | float = _NARROW
    dtype: str = "float32"

    def _make(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        shape = (_count("rows", self.rows, x.graph), _count("units", self.units, x.graph))
        table = variable(self.initial, shape, dtype=self.dtype, name="table")
        return ops.gather(table, x), {"table": table}


@dataclass(frozen=True)
class _Recurrent(Layer):
    """One step after the other, unrolled over (batch, time, inputs); a subclass says what a step is."""

    units: int
    sequence: bool = False
    name: str = ""
    initial: Callable[..., Any] | float = glorot

    def _make(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        _count("units", self.units, x.graph)
        made = self._weights(x, _last_axis(x, 3, "(batch, time, inputs)"))
        row = ops.broadcast_to(x.graph.constant(0.0, x.dtype), shape=(1, self.units))
        start = ops.broadcast_like(row, x[:, 0, :1] + row)  # (batch, units); the sum is asked for its shape alone
        states, found = (start, start), []
        if not x.shape[1]:
            raise _unfit(x, "a known number of steps, at least 1")
        for at in range(x.shape[1]):
            states = self._step(x[:, at], states, made)
            found.append(states[0])
        return (ops.concat(*(ops.expand(each, axis=1) for each in found), axis=1) if self.sequence else states[0]), made

    def _weights(self, x: Tensor, inputs: int) -> dict[str, Tensor]:
        raise NotImplementedError

    def _step(self, x: Tensor, states: tuple[Tensor, Tensor], made: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """The next states, the hidden one first; both (batch, units)."""
        raise NotImplementedError


@dataclass(frozen=True)
class LSTM(_Recurrent):
    """Long short-term memory over (batch, time, inputs), unrolled; the time must be known.

    Gives the last hidden state (batch, units), or all of them (batch, time, units) if ``sequence``.
    Makes ``name/weights`` (inputs + units, 4 * units) and ``name/bias`` (4 * units,), for the gates input,
    forget (its bias is 1 at first, so that it remembers), output and candidate.  Raises ShapeError.
    """

    name: str = "lstm"

    def _weights(self, x: Tensor, inputs: int) -> dict[str, Tensor]:
        units = self.units
        bias = [0.0] * units + [1.0] * units + [0.0] * (2 * units)
        return _variables(x, weights=(self.initial, (inputs + units, 4 * units)), bias=(bias, (4 * units,)))

    def _step(self, x: Tensor, states: tuple[Tensor, Tensor], made: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        return ops.lstm_step(x, *states, **made)


@dataclass(frozen=True)
class GRU(_Recurrent):
    """Gated recurrent units over (batch, time, inputs), unrolled; gives what :class:`LSTM` gives.

    Makes ``name/weights`` (inputs, 3 * units), ``name/recurrent`` (units, 3 * units) and ``name/bias``
    (2, 3 * units), for the gates update, reset and candidate.  Raises ShapeError.
    """

    name: str = "gru"

    def _weights(self, x: Tensor, inputs: int) -> dict[str, Tensor]:
        first, wide = self.initial, 3 * self.units
        return _variables(
            x, weights=(first, (inputs, wide)), recurrent=(first, (self.units, wide)), bias=(0.0, (2, wide))
        )

    def _step(self, x: Tensor, states: tuple[Tensor, Tensor], made: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        hidden = ops.gru_step(x, states[0], **made)
        return hidden, hidden


def _last_axis(x: Tensor, ndim: int, shape: str, what: str = "last axis", hint: str = "") -> int:
    """The size of the last axis.  Raises ShapeError unless ``x`` is floats of that ``shape``, with it known."""
    size = x.shape[-1] if x.ndim == ndim > 0 and x.spec.is_float else None
    if size is None:
        raise _unfit(x, f"{shape} of floats with a known {what}", hint)
    return size


def _unfit(x: Tensor, needed: str, hint: str = "") -> ShapeError:
    return ShapeError(f"needs {needed}, got {x.name} {x.spec}{hint} ({x.graph.place()})")


@dataclass(frozen=True)
class Sequential(Layer):
    """Layers, or functions of a tensor, one after the other; its variables go by their whole names."""

    layers: Sequence[Callable[[Tensor], Tensor]]

    def _make(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        made: dict[str, Tensor] = {}
        for layer in self.layers if isinstance(self.layers, (list, tuple)) else (self.layers,):
            if isinstance(layer, type) or not callable(layer):
                hint = f"; {layer.__name__}(...) makes one" if isinstance(layer, type) else ""
                raise EngineError(f"{layer!r:.60} is no layer and no function of a tensor{hint} ({x.graph.place()})")
            if isinstance(layer, Layer):
                built = layer.build(x)
                x = built.output
                made |= {each.name: each for each in built.variables.values()}
            else:
                x = layer(x)
                need_tensors(f"what comes after {getattr(layer, '__name__', layer)}", x)
        return x, made


__getattr__, __dir__ = doors("layers")
