"""Layers as frozen dataclasses: called with a tensor, they make their variables and give their output."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from engine.errors import EngineError, ShapeError
from engine.graph import Graph, Tensor, name_scope, variable
from engine.init import glorot, he, zeros
from engine.op import Op
from engine.ops import affine, elu, gelu, leaky_relu, relu, sigmoid, softplus, tanh

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
class Sequential:
    """Layers one after the other."""

    layers: Sequence[Callable[[Tensor], Tensor]]

    def __call__(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x
