"""Layers as frozen dataclasses: called with a tensor, they make their variables and give their output."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from engine.errors import EngineError
from engine.graph import Tensor, name_scope, variable
from engine.init import glorot, he, zeros
from engine.op import REGISTRY, Op
from engine.ops import affine

ACTIVATIONS: dict[str, Op | None] = {
    "relu": REGISTRY["relu"],
    "tanh": REGISTRY["tanh"],
    "sigmoid": REGISTRY["sigmoid"],
    "linear": None,
    "leaky_relu": REGISTRY["leaky_relu"],
    "elu": REGISTRY["elu"],
    "gelu": REGISTRY["gelu"],
    "softplus": REGISTRY["softplus"],
}
_RELU_FAMILY = ("relu", "leaky_relu", "elu", "gelu", "softplus")


def activate(x: Tensor, name: str) -> Tensor:
    """The activation ``name`` of ``x``.  Raises EngineError for a name that isn't in :data:`ACTIVATIONS`."""
    if name not in ACTIVATIONS:
        raise EngineError(f"activation {name!r} isn't known; {', '.join(ACTIVATIONS)} are")
    op = ACTIVATIONS[name]
    return x if op is None else op(x)


@dataclass(frozen=True)
class Dense:
    """Every unit reads every input: activation(x @ weights + bias).

    ``x`` (batch, inputs) gives (batch, units).  Makes ``name/weights`` (inputs, units) and
    ``name/bias`` (units,); the first weights are He's for the relu family, else Glorot's.
    """

    units: int
    activation: str = "linear"
    name: str = "dense"
    initial: Callable[..., Any] | float | None = None
    bias: Callable[..., Any] | float = zeros

    def __call__(self, x: Tensor) -> Tensor:
        inputs = x.shape[-1] if x.ndim == 2 else None
        if inputs is None:
            raise EngineError(f"layer {self.name!r} needs (batch, inputs) with a known number of inputs, got {x.spec}")
        initial = self.initial
        if initial is None:
            initial = he if self.activation in _RELU_FAMILY else glorot
        with name_scope(self.name):
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
