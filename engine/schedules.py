"""Schedules: a learning rate that follows from the number of steps done.

A schedule is called with a step, counted from 0.  A number gives a number, to be fed to a rate's
placeholder; a scalar tensor gives a float32 tensor, to be computed in the graph.  Given to an
optimiser as its rate, it follows the optimiser's own count of steps.

>>> round(Cosine(0.1, steps=100)(50), 9)
0.05
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, overload

import numpy as np

from engine.errors import EngineError, Named, Settings, doors, user_source
from engine.graph import Tensor, name_scope
from engine.ops import cast, cos, floor, maximum, minimum, power

# The words of the formulas, for Python's numbers and for tensors.
_NUMBERS = SimpleNamespace(smaller=min, larger=max, cos=math.cos, floor=math.floor, power=pow)
_TENSORS = SimpleNamespace(smaller=minimum, larger=maximum, cos=cos, floor=floor, power=power)


@dataclass(frozen=True)
class Schedule(Named, metaclass=Settings):
    """What all schedules share.  Raises EngineError for a length or a factor that isn't above 0."""

    @overload
    def __call__(self, step: float) -> float: ...
    @overload
    def __call__(self, step: Tensor) -> Tensor: ...

    def __call__(self, step: Any) -> Any:
        if not isinstance(step, (Tensor, int, float, np.number)):
            raise EngineError(
                f"{type(self).__name__}: a step is a number or a tensor, got {step!r:.60} ({user_source()})"
            )
        if not isinstance(step, Tensor):
            return float(self.at(float(step), _NUMBERS))
        with step.graph, name_scope(type(self).__name__.lower()):
            return self.at(cast(step, dtype="float32"), _TENSORS)

    def at(self, step: Any, maths: Any) -> Any:
        """The rate at ``step``, in the words of ``maths``: one formula for numbers and tensors."""
        raise NotImplementedError

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if name == "then" and isinstance(value, Schedule):
                continue
            if not isinstance(value, (int, float, np.number)):
                raise EngineError(f"{type(self).__name__}: {name} is a number, got {value!r:.60} ({user_source()})")
            if name in ("steps", "every", "factor") and not value > 0:
                raise EngineError(f"{type(self).__name__}: {name} must be above 0, got {value} ({user_source()})")


@dataclass(frozen=True)
class StepDecay(Schedule):
    """``rate``, multiplied by ``factor`` after ``every`` steps, and again after as many."""

    rate: float
    every: int
    factor: float = 0.1

    def at(self, step: Any, maths: Any) -> Any:
        return self.rate * maths.power(self.factor, maths.floor(step / self.every))


@dataclass(frozen=True)
class Exponential(Schedule):
    """rate * factor^(step / every): the same share is lost in every step."""

    rate: float
    factor: float
    every: int = 1

    def at(self, step: Any, maths: Any) -> Any:
        return self.rate * maths.power(self.factor, step / self.every)


@dataclass(frozen=True)
class Cosine(Schedule):
    """Half a wave from ``rate`` down to ``final`` in ``steps`` steps; ``final`` from then on.

    final + (rate - final) * (1 + cos(pi * step / steps)) / 2 (Loshchilov & Hutter 2017).
    """

    rate: float
    steps: int
    final: float = 0.0

    def at(self, step: Any, maths: Any) -> Any:
        angle = maths.smaller(step, float(self.steps)) * (math.pi / self.steps)
        return self.final + (self.rate - self.final) / 2 * (1 + maths.cos(angle))


@dataclass(frozen=True)
class WarmUp(Schedule):
    """From nearly 0 in a straight line, in ``steps`` steps, to ``then`` (a rate or a schedule), which begins there.

    The first step has 1/steps of the rate (Goyal et al. 2017).
    """

    steps: int
    then: Schedule | float

    def at(self, step: Any, maths: Any) -> Any:
        share = maths.smaller((step + 1.0) / self.steps, 1.0)
        if not isinstance(self.then, Schedule):
            return share * self.then
        return share * self.then.at(maths.larger(step - float(self.steps), 0.0), maths)


__getattr__, __dir__ = doors("schedules")
