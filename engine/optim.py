"""Optimisers: gradients in, changed variables out, all of it graph.

The trained variables are handled as one long vector wherever they lie side by side in memory, so
an update costs a handful of operations however many layers there are.  A rate may be a tensor
(a placeholder), so that it can change between steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.errors import EngineError
from engine.grad import gradients
from engine.graph import Tensor, name_scope, variable
from engine.ops import assign, flat, group, pack, sqrt, square


@dataclass(frozen=True)
class Optimizer:
    """What all optimisers share: ``rate`` (a number or a scalar tensor), ``minimize`` and ``apply``."""

    rate: Any

    def minimize(self, loss: Tensor, over: Sequence[Tensor] | None = None) -> Tensor:
        """A tensor that, when run, changes the variables ``over`` (all trainable ones) to lower ``loss``."""
        variables = [each for each in loss.graph.variables if each.attrs["trainable"]] if over is None else list(over)
        if not variables:
            raise EngineError(f"{loss.name}: there is no trainable variable to change")
        return self.apply(gradients(loss, variables), variables)

    def apply(self, grads: Sequence[Tensor], variables: Sequence[Tensor]) -> Tensor:
        """A tensor that, when run, changes ``variables`` along ``grads`` (one each, of the same shapes)."""
        pairs = dict(zip(variables, grads, strict=True))
        graph = variables[0].graph
        with graph, name_scope(type(self).__name__.lower()):
            updates: list[Tensor] = []
            for run in _side_by_side(variables):
                gradient = pack(*(pairs[each] for each in run))
                updates += self.update(flat(*run), gradient)
            return group(*updates, name="train")

    def update(self, weights: Tensor, gradient: Tensor) -> list[Tensor]:
        """The assignments for one vector of weights and its gradient."""
        raise NotImplementedError


def _side_by_side(variables: Sequence[Tensor]) -> list[list[Tensor]]:
    """``variables`` in runs that lie without a gap in memory."""
    graph = variables[0].graph
    runs: list[list[Tensor]] = []
    for each in sorted(set(variables), key=lambda one: (one.dtype, graph.offsets[one])):
        last = runs[-1][-1] if runs else None
        if (
            last is not None
            and last.dtype == each.dtype
            and graph.offsets[last] + last.spec.size == graph.offsets[each]
        ):
            runs[-1].append(each)
        else:
            runs.append([each])
    return runs


def _slot(name: str, like: Tensor) -> Tensor:
    """A variable of the optimiser's own, of ``like``'s shape, zero at first."""
    taken = len(like.graph.variables)
    return variable(0.0, like.spec.concrete, dtype=like.dtype, trainable=False, name=f"{name}_{taken}")


@dataclass(frozen=True)
class SGD(Optimizer):
    """Stochastic gradient descent: w -= rate * g."""

    def update(self, weights: Tensor, gradient: Tensor) -> list[Tensor]:
        return [assign(weights, weights - gradient * self.rate)]


@dataclass(frozen=True)
class Momentum(Optimizer):
    """Gradient descent with momentum: v = momentum * v + g; w -= rate * v (Polyak 1964)."""

    momentum: float = 0.9

    def update(self, weights: Tensor, gradient: Tensor) -> list[Tensor]:
        velocity = _slot("velocity", weights)
        moved = assign(velocity, velocity * self.momentum + gradient)
        return [assign(weights, weights - moved * self.rate)]


@dataclass(frozen=True)
class Adam(Optimizer):
    """Adam (Kingma & Ba 2015): a step of its own size for each weight, from averages of g and g^2."""

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def update(self, weights: Tensor, gradient: Tensor) -> list[Tensor]:
        m, v = _slot("m", weights), _slot("v", weights)
        power1 = _power("beta1_power", weights.dtype, len(weights.graph.variables))
        power2 = _power("beta2_power", weights.dtype, len(weights.graph.variables))
        power1, power2 = assign(power1, power1 * self.beta1), assign(power2, power2 * self.beta2)
        rate = sqrt(1 - power2) / (1 - power1) * self.rate
        m = assign(m, m * self.beta1 + gradient * (1 - self.beta1))
        v = assign(v, v * self.beta2 + square(gradient) * (1 - self.beta2))
        return [assign(weights, weights - m * rate / (sqrt(v) + self.epsilon))]


def _power(name: str, dtype: str, taken: int) -> Tensor:
    return variable(1.0, (), dtype=dtype, trainable=False, name=f"{name}_{taken}")


OPTIMIZERS: dict[str, type[Optimizer]] = {"sgd": SGD, "momentum": Momentum, "adam": Adam}
