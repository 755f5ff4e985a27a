"""Random numbers that follow from a state: (key, step), a variable like any other.

Number i of a step is a hash of (key, step, i): there is no hidden generator, so a session's state
restores its random numbers too, and every executor draws the same ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from engine.errors import DtypeError, EngineError, ShapeError
from engine.expression import kernel, parse
from engine.graph import Tensor, variable
from engine.op import Call, Draw, op, sample
from engine.ops.array import cast, concat, expand
from engine.ops.math import greater_equal, maximum, where
from engine.ops.rules import need_float, number
from engine.ops.splitmix import FIRST, GOLDEN, SECOND
from engine.ops.state import assign
from engine.spec import Shape, Spec

_LEAST_KEPT = 1e-7  # what is fed as the rate may be 1: then nothing is kept, and nothing divided by 0


def random_state(name: str = "random_state") -> Tensor:
    """A variable that holds (key, step).  The key follows from the session's seed and this name."""
    return variable(_first_state, (2,), dtype="int32", trainable=False, name=name)


def _first_state(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return np.array([rng.integers(2**31), 0])


def next_state(state: Tensor, advance: Any = 1) -> Tensor:
    """``state`` one step further: what is drawn from it differs from run to run (not if ``advance`` is 0)."""
    if not isinstance(advance, Tensor):
        advance = state.graph.constant(advance, state.dtype)
    step = expand(cast(advance, dtype=state.dtype), axis=0)
    return assign(state, state + concat(state.graph.constant([0], state.dtype), step))


def _random_spec(state: Spec, like: Spec) -> Spec:
    if state.dtype not in ("int32", "int64"):
        raise DtypeError(f"a random state is two whole numbers (key, step), got {state}; random_state() makes one")
    if not Spec((2,), state.dtype).fits(state):
        raise ShapeError(f"a random state is two numbers (key, step), got {state}")
    need_float(like)
    return like


def _mix(xp: Any, bits: Any, scratch: Any) -> list[Call]:
    """Every bit of each number comes to depend on all of its bits."""
    calls: list[Call] = []
    for shift, factor in ((30, FIRST), (27, SECOND), (31, None)):
        calls.append(partial(xp.right_shift, bits, number(xp, shift, bits), scratch))
        calls.append(partial(xp.bitwise_xor, bits, scratch, bits))
        if factor is not None:
            calls.append(partial(xp.multiply, bits, number(xp, factor, bits), bits))
    return calls


def _bits(xp: Any, state: Any, count: int) -> tuple[Any, list[Call]]:
    """``count`` numbers of 64 random bits, and the calls that draw them."""
    ramp = xp.arange(1, count + 1, dtype="uint64") * xp.asarray(GOLDEN, "uint64")
    bits, scratch = xp.empty(count, "uint64"), xp.empty(count, "uint64")
    words, start, room = xp.empty(2, "uint64"), xp.empty(1, "uint64"), xp.empty(1, "uint64")
    return bits, [
        partial(xp.copyto, words, state, "unsafe"),
        partial(xp.multiply, words[:1], xp.asarray(GOLDEN, "uint64"), start),
        partial(xp.add, start, words[1:], start),
        *_mix(xp, start, room),
        partial(xp.add, ramp, start, bits),
        *_mix(xp, bits, scratch),
    ]


def _uniform(xp: Any, out: Any, state: Any, *, like: Shape) -> Sequence[Call]:
    bits, calls = _bits(xp, state, out.size)
    digits = 24 if out.dtype == "float32" else 53  # what the type holds exactly: 1 is never reached
    flat = out.reshape(out.size)
    return [
        *calls,
        partial(xp.right_shift, bits, xp.asarray(64 - digits, "uint64"), bits),
        partial(xp.copyto, flat, bits, "unsafe"),
        partial(xp.multiply, flat, xp.asarray(0.5**digits, out.dtype), flat),
    ]


def _normal(xp: Any, out: Any, state: Any, *, like: Shape) -> Sequence[Call]:
    """Box & Muller 1958: a distance from the upper 32 bits, a direction from the lower ones."""
    bits, calls = _bits(xp, state, out.size)
    upper, flat, distance = xp.empty_like(bits), out.reshape(out.size), xp.empty(out.size, out.dtype)
    return [
        *calls,
        partial(xp.right_shift, bits, xp.asarray(32, "uint64"), upper),
        partial(xp.bitwise_and, bits, xp.asarray(0xFFFFFFFF, "uint64"), bits),
        partial(xp.copyto, distance, upper, "unsafe"),
        partial(xp.copyto, flat, bits, "unsafe"),
        *_bell(xp, flat, flat, distance),
    ]


# of a direction and a distance; half of what tells them apart keeps 0, whose logarithm is infinite, away
_bell = kernel(parse(f"cos({{0}} * {2 * math.pi * 0.5**32}) * sqrt(-2 * log(({{1}} + 0.5) * {0.5**32}))"), {})
STATES = (
    sample(Draw((2,), integers=99), (3, 4)), sample(Draw((2,), integers=2**31 - 1), ()),
    sample(Draw((2,), integers=9), (0, 2)),
)  # fmt: skip
random_uniform = op(
    "random_uniform", "Numbers from 0 up to (not reaching) 1 in the second input's shape, from a state (key, step).",
    spec=_random_spec, kernel=_uniform, shape_only=(1,), flops=10,
    grad=lambda y, g, state, like: [None, None], samples=STATES,
)  # fmt: skip
random_normal = op(
    "random_normal", "Numbers of a bell curve of width 1 in the second input's shape, from a state (key, step).",
    spec=_random_spec, kernel=_normal, shape_only=(1,), flops=40,
    grad=lambda y, g, state, like: [None, None], samples=STATES,
)  # fmt: skip


def dropout(x: Tensor, rate: float | Tensor, train: bool | Tensor, state: Tensor) -> Tensor:
    """Each element is 0 with probability ``rate``, the others are divided by 1 - rate (Srivastava et al. 2014).

    ``rate``: a number, or a tensor () that is fed (from 1 on, all are 0).  ``train``: a bool, or a bool
    tensor () that is fed: if false, ``x`` stays as it is and ``state`` (of :func:`random_state`) doesn't
    move.  Forward and backward pass see the same mask.  Raises EngineError for a rate outside [0, 1).
    """
    if isinstance(rate, Tensor):
        if not rate.spec.is_float or rate.ndim:
            raise ShapeError(f"the rate of dropout must be a single float, got {rate.name} {rate.spec}{_here(x)}")
        rate = cast(rate, dtype=x.dtype)
        grow: Any = 1 / maximum(1 - rate, _LEAST_KEPT)
    else:
        if isinstance(rate, bool) or not isinstance(rate, (int, float, np.number)) or not 0 <= rate < 1:
            raise EngineError(f"the rate of dropout must be at least 0 and below 1, got {rate!r:.60}{_here(x)}")
        grow = 1 / (1 - rate)
    if train is False or (not isinstance(rate, Tensor) and rate == 0):
        return x
    drawn = random_uniform(next_state(state, 1 if train is True else train), x)
    kept = cast(greater_equal(drawn, rate), dtype=x.dtype) * grow
    return x * (kept if train is True else where(train, kept, 1.0))


def _here(x: Tensor) -> str:
    return f" ({x.graph.place()})"
