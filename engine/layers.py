"""Layers as frozen dataclasses: called with a tensor, they make their variables and give their output."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from engine.errors import EngineError, ShapeError
from engine.graph import Graph, Tensor, name_scope, variable
from engine.init import Normal, glorot, he, zeros
from engine.op import Op
from engine.ops import (
    Averages,
    affine,
    avg_pool,
    batch_norm,
    broadcast_like,
    broadcast_to,
    concat,
    conv2d,
    dropout,
    elu,
    expand,
    gather,
    gelu,
    gru_step,
    leaky_relu,
    lstm_step,
    max_pool,
    random_state,
    relu,
    reshape,
    sigmoid,
    softplus,
    tanh,
)

ACTIVATIONS: dict[str, Op | None] = {
    "relu": relu,
    "tanh": tanh,
    "sigmoid": sigmoid,
    "linear": None,
    "leaky_relu": leaky_relu,
    "elu": elu,
    "gelu": gelu,
    "softplus": softplus,
}
_NARROW = Normal(0.05)
_RELU_FAMILY = ("relu", "leaky_relu", "elu", "gelu", "softplus")


def activate(x: Tensor, name: str) -> Tensor:
    """The activation ``name`` of ``x``.  Raises EngineError for a name that isn't in :data:`ACTIVATIONS`."""
    op = _known(name, x.graph)
    return x if op is None else op(x)


def _known(name: str, graph: Graph) -> Op | None:
    if name not in ACTIVATIONS:
        raise EngineError(f"activation {name!r} isn't known; {', '.join(ACTIVATIONS)} are ({graph.place()})")
    return ACTIVATIONS[name]


@dataclass(frozen=True)
class Dense:
    """Every unit reads every input: activation(x @ weights + bias).

    ``x`` (batch, inputs) gives (batch, units).  Makes ``name/weights`` (inputs, units) and
    ``name/bias`` (units,); the first weights are He's for the relu family, else Glorot's.
    Called, raises ShapeError for an ``x`` of another kind, EngineError for an activation that
    isn't known or a name that is taken.
    """

    units: int
    activation: str = "linear"
    name: str = "dense"
    initial: Callable[..., Any] | float | None = None
    bias: Callable[..., Any] | float = zeros

    def __call__(self, x: Tensor) -> Tensor:
        initial = self.initial
        if initial is None:
            initial = he if self.activation in _RELU_FAMILY else glorot
        with x.graph, name_scope(self.name):
            inputs = x.shape[-1] if x.ndim == 2 and x.spec.is_float else None
            if inputs is None:
                raise ShapeError(
                    "needs (batch, inputs) of floats with a known number of inputs, "
                    f"got {x.name} {x.spec} ({x.graph.place()})"
                )
            _known(self.activation, x.graph)  # before there are variables
            weights = variable(initial, (inputs, self.units), dtype=x.dtype, name="weights")
            bias = variable(self.bias, (self.units,), dtype=x.dtype, name="bias")
            return activate(affine(x, weights, bias), self.activation)


@dataclass(frozen=True)
class Conv2D:
    """Filters that slide over images: activation(conv2d(x) + bias).

    ``x`` (batch, height, width, channels) gives (batch, height', width', filters).  ``padding``: "same",
    "valid" or ((top, bottom), (left, right)).  Makes ``name/filters`` (height, width, channels,
    filters) and ``name/bias`` (filters,).  Raises as :class:`Dense` does.
    """

    filters: int
    size: tuple[int, int] = (3, 3)
    activation: str = "linear"
    name: str = "conv"
    strides: tuple[int, int] = (1, 1)
    padding: Any = "same"
    dilations: tuple[int, int] = (1, 1)
    initial: Callable[..., Any] | float | None = None
    bias: Callable[..., Any] | float = zeros

    def __call__(self, x: Tensor) -> Tensor:
        initial = self.initial
        if initial is None:
            initial = he if self.activation in _RELU_FAMILY else glorot
        with x.graph, name_scope(self.name):
            channels = _last_axis(x, 4, "(batch, height, width, channels)")
            _known(self.activation, x.graph)
            filters = variable(initial, (*self.size, channels, self.filters), dtype=x.dtype, name="filters")
            bias = variable(self.bias, (self.filters,), dtype=x.dtype, name="bias")
            found = conv2d(x, filters, strides=self.strides, padding=self.padding, dilations=self.dilations)
            return activate(found + bias, self.activation)


@dataclass(frozen=True)
class MaxPool:
    """The largest number of each window of ``size``; windows lie ``strides`` apart (their size, if None)."""

    size: tuple[int, int] = (2, 2)
    strides: tuple[int, int] | None = None
    padding: Any = "valid"

    def __call__(self, x: Tensor) -> Tensor:
        return max_pool(x, size=self.size, strides=self.strides, padding=self.padding)


@dataclass(frozen=True)
class AvgPool:
    """The average of each window of ``size``; windows lie ``strides`` apart (their size, if None)."""

    size: tuple[int, int] = (2, 2)
    strides: tuple[int, int] | None = None
    padding: Any = "valid"

    def __call__(self, x: Tensor) -> Tensor:
        return avg_pool(x, size=self.size, strides=self.strides, padding=self.padding)


@dataclass(frozen=True)
class Flatten:
    """Everything but the batch as one axis: (batch, ...) to (batch, numbers).  Raises ShapeError."""

    def __call__(self, x: Tensor) -> Tensor:
        sizes = [size for size in x.shape[1:] if size is not None]
        if len(sizes) < x.ndim - 1 or x.ndim == 0:
            raise ShapeError(f"needs (batch, known sizes), got {x.name} {x.spec} ({x.graph.place()})")
        return reshape(x, shape=(-1, math.prod(sizes)))


@dataclass(frozen=True)
class Dropout:
    """While training, each number is 0 with probability ``rate``; the others grow to make up for it.

    ``train``: a bool, or a bool tensor () that is fed.  Makes ``name/state``, the state of its random numbers.
    """

    rate: float = 0.5
    train: bool | Tensor = True
    name: str = "dropout"

    def __call__(self, x: Tensor) -> Tensor:
        with x.graph, name_scope(self.name):
            return dropout(x, self.rate, self.train, random_state("state"))


@dataclass(frozen=True)
class BatchNorm:
    """Every unit (number along the last axis) at mean 0 and width 1 over the batch, then scaled and shifted.

    ``train``: a bool, or a bool tensor () that is fed; in evaluation the running averages are used.
    Makes ``name/scale``, ``name/shift`` and, not trained, ``name/mean`` and ``name/variance``, all (units,).
    """

    train: bool | Tensor = True
    name: str = "norm"
    momentum: float = 0.9
    epsilon: float = 1e-5

    def __call__(self, x: Tensor) -> Tensor:
        with x.graph, name_scope(self.name):
            units = (_last_axis(x, x.ndim, "(batch, ..., units)"),)
            scale, shift = (variable(first, units, dtype=x.dtype, name=name) for name, first in _SCALE)
            mean, variance = (
                variable(first, units, dtype=x.dtype, trainable=False, name=name) for name, first in _AVERAGES
            )
            averages = Averages(mean, variance, self.momentum)
            return batch_norm(x, scale, shift, averages, self.train, epsilon=self.epsilon)


_SCALE = (("scale", 1.0), ("shift", 0.0))
_AVERAGES = (("mean", 0.0), ("variance", 1.0))


@dataclass(frozen=True)
class Embedding:
    """A vector for each whole number below ``rows``: (...) to (..., units).  Makes ``name/table`` (rows, units)."""

    rows: int
    units: int
    name: str = "embedding"
    initial: Callable[..., Any] | float = _NARROW
    dtype: str = "float32"

    def __call__(self, x: Tensor) -> Tensor:
        with x.graph, name_scope(self.name):
            table = variable(self.initial, (self.rows, self.units), dtype=self.dtype, name="table")
            return gather(table, x)


@dataclass(frozen=True)
class LSTM:
    """Long short-term memory over (batch, time, inputs), unrolled; the time must be known.

    Gives the last hidden state (batch, units), or all of them (batch, time, units) if ``sequence``.
    Makes ``name/weights`` (inputs + units, 4 * units) and ``name/bias`` (4 * units,), for the gates input,
    forget (its bias is 1 at first, so that it remembers), output and candidate.  Raises ShapeError.
    """

    units: int
    sequence: bool = False
    name: str = "lstm"
    initial: Callable[..., Any] | float = glorot

    def __call__(self, x: Tensor) -> Tensor:
        units = self.units
        with x.graph, name_scope(self.name):
            inputs = _last_axis(x, 3, "(batch, time, inputs)")
            weights = variable(self.initial, (inputs + units, 4 * units), dtype=x.dtype, name="weights")
            forget = [0.0] * units + [1.0] * units + [0.0] * (2 * units)
            bias = variable(forget, dtype=x.dtype, name="bias")
            hidden = cell = _zeros(x, units)
            found = []
            for each in _steps(x):
                hidden, cell = lstm_step(each, hidden, cell, weights, bias)
                found.append(hidden)
            return _stacked(found) if self.sequence else hidden


@dataclass(frozen=True)
class GRU:
    """Gated recurrent units over (batch, time, inputs), unrolled; gives what :class:`LSTM` gives.

    Makes ``name/weights`` (inputs, 3 * units), ``name/recurrent`` (units, 3 * units) and ``name/bias``
    (2, 3 * units), for the gates update, reset and candidate.  Raises ShapeError.
    """

    units: int
    sequence: bool = False
    name: str = "gru"
    initial: Callable[..., Any] | float = glorot

    def __call__(self, x: Tensor) -> Tensor:
        units = self.units
        with x.graph, name_scope(self.name):
            inputs = _last_axis(x, 3, "(batch, time, inputs)")
            weights = variable(self.initial, (inputs, 3 * units), dtype=x.dtype, name="weights")
            recurrent = variable(self.initial, (units, 3 * units), dtype=x.dtype, name="recurrent")
            bias = variable(0.0, (2, 3 * units), dtype=x.dtype, name="bias")
            hidden = _zeros(x, units)
            found = []
            for each in _steps(x):
                hidden = gru_step(each, hidden, weights, recurrent, bias)
                found.append(hidden)
            return _stacked(found) if self.sequence else hidden


def _last_axis(x: Tensor, ndim: int, shape: str) -> int:
    """The size of the last axis.  Raises ShapeError unless ``x`` is floats of that ``shape``, with it known."""
    size = x.shape[-1] if x.ndim == ndim > 0 and x.spec.is_float else None
    if size is None:
        wanted = f"needs {shape} of floats with a known last axis"
        raise ShapeError(f"{wanted}, got {x.name} {x.spec} ({x.graph.place()})")
    return size


def _steps(x: Tensor) -> list[Tensor]:
    """(batch, time, inputs) as one tensor (batch, inputs) a step.  Raises ShapeError if the time isn't known."""
    steps = x.shape[1]
    if not steps:
        raise ShapeError(f"needs a known number of steps, at least 1, got {x.name} {x.spec} ({x.graph.place()})")
    return [x[:, at] for at in range(steps)]


def _zeros(x: Tensor, units: int) -> Tensor:
    """(batch, units) of zeros, as many as ``x`` has rows."""
    row = broadcast_to(x.graph.constant(0.0, x.dtype), shape=(1, units))
    return broadcast_like(row, x[:, 0, :1] + row)  # only the shape of the sum is asked for: it never runs


def _stacked(steps: Sequence[Tensor]) -> Tensor:
    return concat(*(expand(each, axis=1) for each in steps), axis=1)


@dataclass(frozen=True)
class Sequential:
    """Layers one after the other."""

    layers: Sequence[Callable[[Tensor], Tensor]]

    def __call__(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x
