"""Shape rules and kernel makers that several ops share."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np

from engine.errors import DtypeError, ShapeError
from engine.op import Call
from engine.spec import Spec, broadcast, normalize_axes, same_dtype

Term = tuple[Sequence[Call], Any, Any]  # calls that compute an array, where it belongs in a sum, and the array
BLOCK, WIDE = 128, 512  # numbers that are added up one after the other; and rows of how many side by side


def elementwise(*specs: Spec, **_: Any) -> Spec:
    """The inputs broadcast against each other; one dtype in, the same out."""
    if specs.count(specs[0]) == len(specs):  # most often
        return specs[0]
    return Spec(broadcast(spec.shape for spec in specs), same_dtype(*specs))


def arithmetic(*specs: Spec, **_: Any) -> Spec:
    """Like :func:`elementwise`, for counting: uint8 and bool are for keeping, they would overflow in silence."""
    need_numbers(*specs)
    return elementwise(*specs)


def float_elementwise(*specs: Spec, **attrs: Any) -> Spec:
    """Like :func:`elementwise`, for functions that only real numbers have."""
    need_float(*specs)
    return elementwise(*specs, **attrs)


def comparison(*specs: Spec, **_: Any) -> Spec:
    """Broadcast inputs of one dtype give bools."""
    same_dtype(*specs)
    return Spec(broadcast(spec.shape for spec in specs), "bool")


def need_float(*specs: Spec) -> None:
    """Raises DtypeError unless all are floats."""
    for spec in specs:
        if not spec.is_float:
            raise DtypeError(f"needs float32 or float64, got {spec.dtype}; use cast()")


def need_numbers(*specs: Spec) -> None:
    """Raises DtypeError for bools and bytes."""
    for spec in specs:
        if spec.dtype in ("bool", "uint8"):
            raise DtypeError(f"can't count in {spec.dtype}; use cast() to float32 or int32")


def reduced(spec: Spec, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Spec:
    """``spec`` without the axes ``axis`` (all if None), or with them as 1."""
    axes = normalize_axes(axis, spec.ndim)
    if keepdims:
        return Spec(tuple(1 if at in axes else size for at, size in enumerate(spec.shape)), spec.dtype)
    return Spec(tuple(size for at, size in enumerate(spec.shape) if at not in axes), spec.dtype)


def last_axis(spec: Spec, **_: Any) -> Spec:
    """For functions along the last axis: float, that axis not empty, same shape out."""
    need_float(spec)
    if spec.ndim == 0 or spec.shape[-1] == 0:
        raise ShapeError(f"needs an axis of at least one class, got {spec}")
    return spec


def number(xp: Any, value: float, like: Any) -> Any:
    """A constant for a kernel: as an array without axes it is read faster than as a Python number."""
    return xp.asarray(value, like.dtype)


def wider(xp: Any, like: Any) -> Any:
    """The type with more digits: double for float32, long double (where there is such a thing) for that."""
    return xp.float64 if like.dtype == "float32" else getattr(xp, "longdouble", xp.float64)


def contiguous(xp: Any, x: Any) -> tuple[Any, list[Call]]:
    """``x``, or a copy without gaps and the call that fills it: such memory can be seen in other shapes."""
    if x.flags.c_contiguous:
        return x, []
    copy = xp.empty(x.shape, x.dtype)
    return copy, [partial(xp.copyto, copy, x)]


def stages(shape: Sequence[int], axes: Collection[int]) -> list[tuple[int, int, int]]:
    """A reduction along ``axes`` as one after the other, each of (m, k, n) along k: neighbouring axes go together."""
    named = [(size, at in axes) for at, size in enumerate(shape) if size != 1]
    groups = [(gone, math.prod(size for size, _ in group)) for gone, group in groupby(named, key=itemgetter(1))]
    sizes, found = [size for _, size in groups], list[tuple[int, int, int]]()
    for at in reversed(range(len(groups))):
        if groups[at][0]:
            found.append((math.prod(sizes[:at]), sizes[at], math.prod(sizes[at + 1 :])))
            sizes[at] = 1
    return found


def sums(xp: Any, x: Any, out: Any, axes: Collection[int]) -> list[Call]:
    """Calls that put the sums of ``x`` along ``axes`` into ``out``: in pairs or blocks, as running totals go astray."""
    if x.dtype.kind != "f":
        kept = tuple(1 if at in axes else size for at, size in enumerate(x.shape))
        return [partial(x.sum, tuple(axes), None, out.reshape(kept), True)]
    x, calls = contiguous(xp, x)
    left = stages(x.shape, axes)
    for at, (m, k, n) in enumerate(left, 1):
        to = out.reshape(m, n) if at == len(left) else xp.empty((m, n), x.dtype)
        calls += _matrix_sums(xp, x.reshape(m, k, n), to)
        x = to
    return calls if left else [*calls, partial(xp.copyto, out, x.reshape(out.shape))]


def _matrix_sums(xp: Any, x: Any, out: Any) -> list[Call]:
    """out (m, n) of x (m, k, n): products with ones are faster than ``sum``, but running totals."""
    m, k, n = x.shape
    if n == 1 and k > BLOCK:
        return [partial(x.reshape(m, k).sum, -1, None, out.reshape(m))]  # NumPy's own goes by pairs along rows alone
    if n == 1:
        return [partial(x.reshape(m, k).dot, xp.ones(k, x.dtype), out.reshape(m))]
    if m == 1 and k <= BLOCK:
        return [partial(xp.ones(k, x.dtype).dot, x[0], out[0])]
    if k <= BLOCK or xp is not np:
        return [partial(xp.matmul, xp.ones((1, k), x.dtype), x, out[:, None])]
    few = max(1, WIDE // max(1, n))  # rows that are taken as one, so that the products are fewer and longer
    beside = math.gcd(k, 1 << (few.bit_length() - 1))
    x, k = x.reshape(m, k // beside, beside * n), k // beside
    blocks, rest = divmod(k, BLOCK)
    between = np.empty((m, blocks + (rest > 0), beside * n))  # float64, and so is what follows
    whole = x[:, : k - rest].reshape(m, blocks, BLOCK, beside * n)
    calls: list[Call] = [partial(np.matmul, np.ones((1, BLOCK), x.dtype), whole, between[:, :blocks, None])]
    if rest:
        calls.append(partial(np.matmul, np.ones((1, rest), x.dtype), x[:, k - rest :], between[:, blocks:]))
    between = between.reshape(m, between.shape[1] * beside, n)
    return [*calls, partial(np.matmul, np.ones((1, between.shape[1])), between, out[:, None])]


def total(xp: Any, out: Any, terms: Sequence[Term]) -> list[Call]:
    """Calls that put the sum of ``terms`` into ``out``: some of them at a time, as running totals go astray."""
    some, found = max(BLOCK, math.isqrt(len(terms))), list[Call]([partial(out.fill, 0)])
    if len(terms) <= some:
        for calls, at, x in terms:
            found += [*calls, partial(xp.add, out[at], x, out[at])]
        return found
    part = xp.empty_like(out)
    for begin in range(0, len(terms), some):
        found += [*total(xp, part, terms[begin : begin + some]), partial(xp.add, out, part, out)]
    return found


def no_change_by(neutral: float, first_too: bool) -> Callable[..., int | None]:
    """``x op neutral`` is x (and ``neutral op x`` if ``first_too``), as long as the shape stays x's."""

    def identity(specs: Sequence[Spec], values: Sequence[Any], **_: Any) -> int | None:
        for kept, gone in ((0, 1), (1, 0)) if first_too else ((0, 1),):
            value = values[gone]
            scalar = value is not None and value.ndim == 0 and specs[gone].ndim == 0
            if scalar and value == neutral:
                return kept
        return None

    return identity
