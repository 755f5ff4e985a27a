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
        """A tensor that, when run, changes the variables ``over`` (all trainable ones) to lower ``loss``.

        ``loss`` is a number or is summed up.  Raises GradientError if it doesn't depend on one of them.
        """
        variables = [each for each in loss.graph.variables if each.attrs["trainable"]] if over is None else list(over)
        return self.apply(gradients(loss, variables), variables)

    def apply(self, grads: Sequence[Tensor], variables: Sequence[Tensor]) -> Tensor:
        """A tensor that, when run, changes ``variables`` along ``grads`` (one each, of the same shapes)."""
        if not variables:
            raise EngineError("there is no trainable variable to change")
        graph = variables[0].graph
        for each in variables:
            if each not in graph.offsets:
                raise EngineError(f"{each.name} ({each.source}) isn't a variable: only those are changed")
        pairs = dict(zip(variables, grads, strict=True))
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
    ends: tuple[str, int] | None = None  # where the last run ends
    for each in sorted(set(variables), key=lambda one: (one.dtype, graph.offsets[one])):
        place = (each.dtype, graph.offsets[each])
        if place == ends:
            runs[-1].append(each)
        else:
            runs.append([each])
        ends = (each.dtype, graph.offsets[each] + each.spec.size)
    return runs


def _slot(name: str, like: Tensor) -> Tensor:
    """A variable of the optimiser's own, of ``like``'s shape, zero at first."""
    return _own(0.0, name, like.spec.concrete, like)


def _own(initial: float, name: str, shape: tuple[int, ...], like: Tensor) -> Tensor:
    number = len(like.graph.variables)  # makes the name one of its own
    return variable(initial, shape, dtype=like.dtype, trainable=False, name=f"{name}_{number}")


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
    """Adam (Kingma & Ba 2015): a step of its own size for each weight, from averages of g and g^2.

    m = beta1 * m + (1 - beta1) * g; v = beta2 * v + (1 - beta2) * g^2;
    w -= rate * m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + epsilon) in step t.
    """

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def update(self, weights: Tensor, gradient: Tensor) -> list[Tensor]:
        m, v = _slot("m", weights), _slot("v", weights)
        power1, power2 = _own(1.0, "beta1_power", (), weights), _own(1.0, "beta2_power", (), weights)
        power1, power2 = assign(power1, power1 * self.beta1), assign(power2, power2 * self.beta2)
        m = assign(m, m * self.beta1 + gradient * (1 - self.beta1))
        v = assign(v, v * self.beta2 + square(gradient) * (1 - self.beta2))
        scale = sqrt(1 - power2)  # single numbers are cheap: both roots are multiplied by it, not the vectors
        rate = scale / (1 - power1) * self.rate
        return [assign(weights, weights - m * rate / (sqrt(v) + scale * self.epsilon))]


OPTIMIZERS: dict[str, type[Optimizer]] = {"sgd": SGD, "momentum": Momentum, "adam": Adam}
