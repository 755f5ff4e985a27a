"""What the engine's tests share: drawing samples, a naive interpreter, finite differences."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

import engine as en
from engine.graph import CONSTANT, PLACEHOLDER, VARIABLE
from engine.op import Draw, Op, Sample
from engine.ops.state import assign, flat, group
from engine.passes import needed
from engine.spec import Spec


def draw(rng: np.random.Generator, how: Draw, dtype: str) -> np.ndarray:
    """One input of a sample, as its Draw describes it."""
    if how.integers:
        return rng.integers(0, how.integers, how.shape).astype("int32")
    if how.distribution:
        raw = rng.uniform(0.1, 1.0, how.shape)
        return (raw / raw.sum(-1, keepdims=True)).astype(dtype)
    values = rng.uniform(how.low, how.high, how.shape)
    near = np.abs(values) < 0.05  # many functions have a kink at 0
    return np.where(near, values + np.copysign(0.1, values), values).astype(dtype)


def inputs_of(sample: Sample, dtype: str, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [draw(rng, how, dtype) for how in sample.inputs]


def bound(op: Op, arrays: Sequence[Any], attrs: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """Inputs and attributes as a kernel or view takes them: inputs of which only the shape counts become like=."""
    attrs = dict(attrs)
    if op.shape_only:
        attrs["like"] = arrays[op.shape_only[0]].shape
    return [each for at, each in enumerate(arrays) if at not in op.shape_only], attrs


def compute(op: Op, arrays: Sequence[Any], attrs: Mapping[str, Any], out: Any = None, xp: Any = np) -> Any:
    """The result of one op, straight from its record."""
    spec = op.spec(*(Spec(each.shape, each.dtype.name) for each in arrays), **attrs)
    read, attrs = bound(op, arrays, attrs)
    if op.view is not None:
        return op.view(*read, **attrs)
    assert op.kernel is not None, op.name
    out = xp.full(spec.concrete, 77, spec.dtype) if out is None else out
    with np.errstate(all="ignore"):
        for call in op.kernel(xp, out, *read, **attrs):
            call()
    return out


class Interpreter:
    """The meaning of a graph, node by node: no plan, no shared memory, no optimisation.

    ``state`` holds each variable's value and is changed by :meth:`run` as a session's would be.
    """

    def __init__(self, state: Mapping[en.Tensor, np.ndarray]) -> None:
        self.state = {tensor: np.array(value) for tensor, value in state.items()}

    def run(self, fetches: Sequence[en.Tensor], feeds: Mapping[en.Tensor, Any] | None = None) -> list[Any]:
        feeds = {} if feeds is None else dict(feeds)
        old, values = {tensor: value.copy() for tensor, value in self.state.items()}, dict[en.Tensor, Any](feeds)
        for tensor in needed(fetches, {each: each.spec for each in feeds}):
            if tensor not in values:
                values[tensor] = self._value(tensor, [values.get(each) for each in tensor.inputs], old)
        late = {each: self._window(each, self.state) for each in fetches if each.op in (VARIABLE, flat)}
        return [np.array(values[each] if each in feeds else late.get(each, values[each])) for each in fetches]

    def _value(self, tensor: en.Tensor, inputs: list[Any], old: dict[en.Tensor, np.ndarray]) -> Any:
        if tensor.op is CONSTANT:
            return tensor.attrs["value"]
        if tensor.op is PLACEHOLDER or tensor.op is group:
            return np.zeros(())
        if tensor.op in (VARIABLE, flat):
            return self._window(tensor, old)
        if tensor.op is assign:
            self._put(tensor.inputs[0], inputs[1])
            return inputs[1].copy()
        return compute(tensor.op, inputs, tensor.attrs)

    def _window(self, tensor: en.Tensor, state: Mapping[en.Tensor, np.ndarray]) -> np.ndarray:
        """The memory of a variable, of several (a copy), or of a view on one."""
        if tensor.op is VARIABLE:
            return state[tensor]
        if tensor.op is flat:
            return np.concatenate([state[each].ravel() for each in tensor.inputs])
        assert tensor.op.view is not None
        return tensor.op.view(self._window(tensor.inputs[0], state), **tensor.attrs)

    def _put(self, target: en.Tensor, value: np.ndarray) -> None:
        if target.op is assign:
            self._put(target.inputs[0], value)
        elif target.op is flat:
            ends = np.cumsum([each.spec.size for each in target.inputs])[:-1]
            for each, part in zip(target.inputs, np.split(value, ends), strict=True):
                self.state[each][...] = part.reshape(each.shape)
        else:
            self._window(target, self.state)[...] = value


def numeric_gradient(f: Callable[[], float], x: np.ndarray, step: float = 1e-5) -> np.ndarray:
    """df/dx by central differences; ``f`` reads ``x``, which is changed in place and put back."""
    slope = np.zeros_like(x)
    for at in np.ndindex(x.shape):
        kept = x[at]
        x[at] = kept + step
        above = f()
        x[at] = kept - step
        below = f()
        x[at] = kept
        slope[at] = (above - below) / (2 * step)
    return slope


def relative_error(a: np.ndarray, b: np.ndarray) -> float:
    """|a - b| against the larger of the two (and 1, so that 0 has a scale)."""
    assert a.shape == b.shape, f"{a.shape} and {b.shape}"
    scale = max(1.0, float(np.abs(a).max(initial=0)), float(np.abs(b).max(initial=0)))
    return float(np.abs(a - b).max(initial=0)) / scale


def projected(tensor: en.Tensor, seed: int) -> en.Tensor:
    """A single number that depends on every element of ``tensor``, each with a weight of its own."""
    size = math.prod(tensor.spec.concrete)
    weights = np.random.default_rng(seed).uniform(0.5, 1.5, size).reshape(tensor.spec.concrete)
    with tensor.graph:
        return en.ops.sum_(tensor * en.constant(weights.astype(tensor.dtype)))
