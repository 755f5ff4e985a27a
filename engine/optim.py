"""Optimisers: gradients in, changed variables out, all of it graph.

The trained variables are handled as one long vector wherever they lie side by side in memory, so
an update costs a handful of operations however many layers there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, fields, replace
from functools import reduce
from typing import Any

import numpy as np

from engine.errors import EngineError, GradientError, Named, Settings, doors, strict, user_source
from engine.grad import ancestors, gradients
from engine.graph import Tensor, name_scope, need_tensors, variable, whole
from engine.ops import assign, bounded, cast, flat, group, maximum, minimum, pack, sqrt, square, sum_
from engine.tensor import shown

SMALLEST = 2.0**-126  # float32's smallest number that isn't subnormal
SHARES = ("momentum", "decay", "beta1", "beta2")  # how much of an average is kept: of all of it, nothing new comes in


@dataclass(frozen=True)
class Optimizer(Named, metaclass=Settings):
    """What all optimisers share.  Every setting may be a number or a scalar tensor.

    ``rate``: a placeholder, fed anew at each step, changes it without a new plan; a schedule of
    :mod:`engine.schedules` counts the steps in a variable of its own.
    ``clip_value``: each element of the gradient is kept within -clip_value .. clip_value.
    ``clip_norm``: the gradient of all variables together is shortened to this length if it is
    longer (Pascanu et al. 2013).
    ``weight_decay``: added to the gradient is weight_decay * w, which is what a loss of
    weight_decay * l2(w) would add.  Order: by value, by norm, decay.

    For ``clip_norm``, and by optimisers whose formula has g^2, an element of the gradient beyond 2^50 (1e15; inf too)
    is taken for that, so that no square overflows.  NaN stays NaN, in all that the formula leads it to.
    """

    rate: Any
    _: KW_ONLY
    clip_value: Any = None
    clip_norm: Any = None
    weight_decay: Any = None

    def __post_init__(self) -> None:
        for name, default in [(each.name, each.default) for each in fields(self)]:
            value = getattr(self, name)
            if isinstance(value, Tensor):
                fits = value.ndim == 0
            elif isinstance(value, (int, float, np.number)):
                fits = not isinstance(value, bool)
            else:
                fits = callable(value) and not isinstance(value, type) if name == "rate" else value is default is None
            if not fits:
                kinds = "a number, a tensor () or a schedule" if name == "rate" else "a number or a tensor ()"
                raise EngineError(f"{type(self).__name__}: {name} is {kinds}, got {shown(value)} ({user_source()})")
            most = " and below 1" if name in SHARES else ""
            if isinstance(value, (int, float, np.number)) and (not value >= 0 or (most and value >= 1)):
                raise EngineError(
                    f"{type(self).__name__}: {name} must be at least 0{most}, got {value} ({user_source()})"
                )

    @whole
    def minimize(self, loss: Tensor, over: Tensor | Sequence[Tensor] | None = None) -> Tensor:
        """A tensor that, when run, changes the variables ``over`` to lower ``loss``; all trainable ones it depends on.

        ``loss`` is a number or is summed up.  Raises GradientError if it depends on none, or not on one of ``over``.
        """
        if over is None:
            known = ancestors(loss)
            over = [each for each in loss.graph.variables if each.attrs["trainable"] and each in known]
            if not over:
                raise GradientError(f"{shown(loss)} depends on no trainable variable ({user_source()})")
        variables = _listed("over", over)
        return self.apply(gradients(loss, variables), variables)

    @strict
    def apply(self, grads: Any, variables: Tensor | Sequence[Tensor] | None = None) -> Tensor:
        """A tensor that, when run, changes ``variables`` along ``grads`` (one each, of the same shapes).

        Without ``variables``, ``grads`` are pairs (gradient, variable).
        """
        if variables is None:
            grads, variables = _parted(grads)
        grads, variables = _listed("grads", grads), _listed("variables", variables)
        if not variables:
            raise EngineError(f"there is no trainable variable to change ({user_source()})")
        need_tensors("apply()", *variables, *grads)
        graph = variables[0].graph
        for each in variables:
            if each not in graph.offsets:
                raise EngineError(
                    f"{each.name} ({each.source}) isn't a variable: only those are changed ({user_source()})"
                )
        if len(variables) != len(grads):
            raise EngineError(f"{len(grads)} gradients for {len(variables)} variables ({user_source()})")
        pairs = dict(zip(variables, grads, strict=True))
        with graph, graph.whole(), name_scope(type(self).__name__.lower()):
            runs = _side_by_side(variables)
            vectors = self._clipped([pack(*(pairs[each] for each in run)) for run in runs])
            rate, updates = self._rate(variables[0])
            for run, gradient in zip(runs, vectors, strict=True):
                ready = self if rate is None else replace(self, rate=cast(rate, dtype=gradient.dtype))
                weights = flat(*run)
                updates += ready.update(weights, ready.decayed(weights, gradient))
            train = group(*updates, name="train")
        graph.notes[train.name] = repr(self)
        return train

    def _clipped(self, vectors: list[Tensor]) -> list[Tensor]:
        """All gradients, with ``clip_value`` and ``clip_norm`` applied."""
        if self.clip_value is not None:
            vectors = [maximum(minimum(each, self.clip_value), -self.clip_value) for each in vectors]
        if self.clip_norm is not None:
            vectors = [bounded(each) for each in vectors]
            squares = [sum_(square(each)) for each in reversed(vectors)]  # float64's first: its sum has room for others
            norm = sqrt(reduce(lambda total, each: total + cast(each, dtype=total.dtype), squares))
            share = minimum(self.clip_norm / maximum(norm, SMALLEST), 1.0)
            vectors = [each * cast(share, dtype=each.dtype) for each in vectors]
        return vectors

    def _rate(self, like: Tensor) -> tuple[Tensor | None, list[Tensor]]:
        """The rate by a schedule and what counts its steps; None if ``rate`` isn't a schedule."""
        if not callable(self.rate):
            return None, []
        step = _own(0, "step", (), like, dtype="int32")
        return self.rate(step), [assign(step, step + 1)]

    def decayed(self, weights: Tensor, gradient: Tensor) -> Tensor:
        """``gradient`` with ``weight_decay`` in it."""
        return gradient if self.weight_decay is None else gradient + weights * self.weight_decay

    def update(self, weights: Tensor, gradient: Tensor) -> list[Tensor]:
        """The assignments for one vector of weights and its gradient."""
        return [assign(weights, weights - self.step(weights, gradient))]

    def step(self, weights: Tensor, gradient: Tensor) -> Tensor:
        """What is taken from the weights."""
        raise NotImplementedError


def _parted(pairs: Any) -> tuple[list[Any], list[Any]]:
    """Gradients and variables of pairs."""
    found = [] if isinstance(pairs, Tensor) or not hasattr(pairs, "__iter__") else list(pairs)
    if not found or not all(isinstance(each, (list, tuple)) and len(each) == 2 for each in found):
        given = shown(pairs if isinstance(pairs, Tensor) else found or pairs)
        raise EngineError(
            f"apply() takes gradients and variables, apply(grads, variables), or pairs of them, got {given} "
            f"({user_source()})"
        )
    return [gradient for gradient, _ in found], [each for _, each in found]


def _listed(what: str, given: Any) -> list[Tensor]:
    """``given``, one tensor or several, as a list.  Raises EngineError for anything else."""
    if not isinstance(given, (Tensor, list, tuple)):
        raise EngineError(f"{what} is a list of tensors, got {shown(given)} ({user_source()})")
    return [given] if isinstance(given, Tensor) else list(given)


def _side_by_side(variables: Sequence[Tensor]) -> list[list[Tensor]]:
    """``variables`` in runs that lie without a gap in memory."""
    offsets = variables[0].graph.offsets
    runs: list[list[Tensor]] = []
    for each in sorted(set(variables), key=lambda one: (one.dtype, offsets[one])):
        last = runs[-1][-1] if runs else None
        if last is not None and (last.dtype, offsets[last] + last.spec.size) == (each.dtype, offsets[each]):
            runs[-1].append(each)
        else:
            runs.append([each])
    return runs


def _slot(name: str, like: Tensor) -> Tensor:
    """A variable of the optimiser's own, of ``like``'s shape, zero at first."""
    return _own(0.0, name, like.spec.concrete, like)


def _own(initial: float, name: str, shape: tuple[int, ...], like: Tensor, dtype: str | None = None) -> Tensor:
    number = len(like.graph.variables)  # makes the name one of its own
    return variable(initial, shape, dtype=dtype or like.dtype, trainable=False, name=f"{name}_{number}")


@dataclass(frozen=True)
class SGD(Optimizer):
    """Stochastic gradient descent: w -= rate * g."""

    def step(self, weights: Tensor, gradient: Tensor) -> Tensor:
        return gradient * self.rate


@dataclass(frozen=True)
class Momentum(Optimizer):
    """Gradient descent with momentum: v = momentum * v + g; w -= rate * v (Polyak 1964)."""

    momentum: float = 0.9

    def step(self, weights: Tensor, gradient: Tensor) -> Tensor:
        return self._moved(weights, gradient) * self.rate

    def _moved(self, weights: Tensor, gradient: Tensor) -> Tensor:
        velocity = _slot("velocity", weights)
        return assign(velocity, velocity * self.momentum + gradient)


@dataclass(frozen=True)
class Nesterov(Momentum):
    """Momentum that looks ahead: v = momentum * v + g; w -= rate * (g + momentum * v) (Sutskever et al. 2013)."""

    def step(self, weights: Tensor, gradient: Tensor) -> Tensor:
        return (gradient + self._moved(weights, gradient) * self.momentum) * self.rate


@dataclass(frozen=True)
class Adagrad(Optimizer):
    """Smaller steps for weights that have moved much: s += g^2; w -= rate * g / (sqrt(s) + epsilon).

    Duchi, Hazan & Singer 2011.
    """

    epsilon: float = 1e-10

    def step(self, weights: Tensor, gradient: Tensor) -> Tensor:
        gradient, squares = bounded(gradient), _slot("squares", weights)
        total = assign(squares, squares + square(gradient))
        return gradient * self.rate / (sqrt(total) + self.epsilon)


@dataclass(frozen=True)
class RMSProp(Optimizer):
    """Steps divided by the gradient's recent size (Tieleman & Hinton 2012, lecture 6.5).

    s = decay * s + (1 - decay) * g^2; w -= rate * g / (sqrt(s) + epsilon).
    """

    decay: float = 0.99
    epsilon: float = 1e-8

    def step(self, weights: Tensor, gradient: Tensor) -> Tensor:
        gradient, squares = bounded(gradient), _slot("squares", weights)
        recent = assign(squares, squares * self.decay + square(gradient) * (1 - self.decay))
        return gradient * self.rate / (sqrt(recent) + self.epsilon)


@dataclass(frozen=True)
class Adadelta(Optimizer):
    """Steps in the weights' own unit, so that hardly a rate is needed (Zeiler 2012).

    s = decay * s + (1 - decay) * g^2; d = g * sqrt(u + epsilon) / sqrt(s + epsilon);
    u = decay * u + (1 - decay) * d^2; w -= rate * d.
    """

    rate: Any = 1.0
    decay: float = 0.9
    epsilon: float = 1e-6

    def update(self, weights: Tensor, gradient: Tensor) -> list[Tensor]:
        gradient = bounded(gradient)
        squares, moves = _slot("squares", weights), _slot("moves", weights)
        recent = assign(squares, squares * self.decay + square(gradient) * (1 - self.decay))
        delta = gradient * sqrt(moves + self.epsilon) / sqrt(recent + self.epsilon)
        moved = assign(moves, moves * self.decay + square(delta) * (1 - self.decay))
        return [moved, assign(weights, weights - delta * self.rate)]


@dataclass(frozen=True)
class Adam(Optimizer):
    """Adam (Kingma & Ba 2015): a step of its own size for each weight, from averages of g and g^2.

    m = beta1 * m + (1 - beta1) * g; v = beta2 * v + (1 - beta2) * g^2;
    w -= rate * m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + epsilon) in step t.  What is divided by is an average
    of ones, rounded as m and v are: 1 less a power would lose digits in the first steps.
    """

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def step(self, weights: Tensor, gradient: Tensor) -> Tensor:
        m, v = _slot("m", weights), _slot("v", weights)
        ones1, ones2 = _own(0.0, "beta1_ones", (), weights), _own(0.0, "beta2_ones", (), weights)
        ones1 = assign(ones1, ones1 * self.beta1 + (1 - self.beta1))
        ones2 = assign(ones2, ones2 * self.beta2 + (1 - self.beta2))
        # the single numbers first: then the vectors' operations are neighbours and run as one chain
        scale = sqrt(ones2)  # both roots are multiplied by it, not the vectors
        rate, small = scale / ones1 * self.rate, scale * self.epsilon
        gradient = bounded(gradient)
        m = assign(m, m * self.beta1 + gradient * (1 - self.beta1))
        v = assign(v, v * self.beta2 + square(gradient) * (1 - self.beta2))
        return m * rate / (sqrt(v) + small)


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with weight decay of its own: w -= rate * weight_decay * w, beside Adam's step (Loshchilov & Hutter 2019).

    Unlike a decay that is part of the gradient, it pulls at all weights alike.
    """

    _: KW_ONLY
    weight_decay: Any = 0.01

    def decayed(self, weights: Tensor, gradient: Tensor) -> Tensor:
        return gradient

    def update(self, weights: Tensor, gradient: Tensor) -> list[Tensor]:
        kept = weights if self.weight_decay is None else weights * (1 - self.weight_decay * self.rate)
        return [assign(weights, kept - self.step(weights, gradient))]


OPTIMIZERS: dict[str, type[Optimizer]] = {
    each.__name__.lower(): each for each in (SGD, Momentum, Nesterov, Adagrad, Adadelta, RMSProp, Adam, AdamW)
}


__getattr__, __dir__ = doors("optim")
