"""Products of matrices."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from engine.errors import ShapeError
from engine.graph import Tensor
from engine.op import Call, op, sample
from engine.ops.array import sum_like
from engine.ops.rules import need_float
from engine.spec import Shape, Spec, broadcast, same_dtype

LONG = 16384  # numbers that are summed up in one go: a longer running total would lose digits


def _matmul_spec(a: Spec, b: Spec, *, transpose_a: bool = False, transpose_b: bool = False) -> Spec:
    need_float(a, b)
    if min(a.ndim, b.ndim) < 2:
        raise ShapeError(f"two matrices are needed, got {a} and {b}; reshape() makes one")
    *_, rows, inner = _turned(a.shape, transpose_a)
    *_, inner_b, columns = _turned(b.shape, transpose_b)
    if inner is not None and inner_b is not None and inner != inner_b:
        raise ShapeError(f"{a.shape} @ {b.shape}: inner sizes differ, {inner} and {inner_b}")
    return Spec((*broadcast((a.shape[:-2], b.shape[:-2])), rows, columns), same_dtype(a, b))


def _turned(shape: Shape, turned: bool) -> Shape:
    return (*shape[:-2], shape[-1], shape[-2]) if turned else shape


def _matmul(
    xp: Any, out: Any, a: Any, b: Any, *, transpose_a: bool = False, transpose_b: bool = False
) -> Sequence[Call]:
    a, b = a.swapaxes(-1, -2) if transpose_a else a, b.swapaxes(-1, -2) if transpose_b else b
    calls = [_product(xp, a[..., :LONG], b[..., :LONG, :], out)]
    part = xp.empty_like(out) if a.shape[-1] > LONG else out
    for q in range(LONG, a.shape[-1], LONG):
        calls += [
            _product(xp, a[..., q : q + LONG], b[..., q : q + LONG, :], part), partial(xp.add, out, part, out)
        ]  # fmt: skip
    return calls


def _product(xp: Any, a: Any, b: Any, out: Any) -> Call:
    # of two matrices, the method is half of np.matmul's overhead
    return partial(a.dot, b, out) if a.ndim == b.ndim == 2 else partial(xp.matmul, a, b, out)


def _matmul_grad(
    y: Tensor, g: Tensor, a: Tensor, b: Tensor, *, transpose_a: bool = False, transpose_b: bool = False
) -> list[Tensor | None]:
    if transpose_a:
        to_a = matmul(b, g, transpose_a=transpose_b, transpose_b=True)
    else:
        to_a = matmul(g, b, transpose_b=not transpose_b)
    if transpose_b:
        to_b = matmul(g, a, transpose_a=True, transpose_b=transpose_a)
    else:
        to_b = matmul(a, g, transpose_a=not transpose_a)
    return [found if found.ndim == x.ndim == 2 else sum_like(found, x) for found, x in ((to_a, a), (to_b, b))]


matmul = op(
    "matmul", "Products of matrices, the last two axes; either factor may be transposed, other axes are broadcast.",
    spec=_matmul_spec, kernel=_matmul, grad=_matmul_grad,
    samples=(
        sample((3, 4), (4, 2)), sample((4, 3), (4, 2), transpose_a=True), sample((3, 4), (2, 4), transpose_b=True),
        sample((4, 3), (2, 4), transpose_a=True, transpose_b=True), sample((2, 3, 4), (2, 4, 2)),
        sample((3, 1, 4, 3), (2, 2, 4), transpose_a=True, transpose_b=True), sample((2, 3, 4), (4, 2)),
    ),
)  # fmt: skip


def _affine_spec(x: Spec, weights: Spec, bias: Spec) -> Spec:
    if x.ndim != 2 or weights.ndim != 2:
        raise ShapeError(f"two matrices are needed, got {x} and {weights}; reshape() makes one")
    found = _matmul_spec(x, weights)
    if bias.ndim != 1 or (bias.shape[0] != found.shape[1] and None not in (bias.shape[0], found.shape[1])):
        raise ShapeError(f"a bias of shape ({found.shape[1]},) is needed, one number a column, got {bias.shape}")
    return Spec(found.shape, same_dtype(x, weights, bias))


def _affine(xp: Any, out: Any, x: Any, weights: Any, bias: Any) -> Sequence[Call]:
    return (*_matmul(xp, out, x, weights), partial(xp.add, out, bias, out))


affine = op(
    "affine", "x @ weights + bias: what a dense layer computes before its activation.",
    spec=_affine_spec, kernel=_affine,
    grad=lambda y, g, x, w, b: [matmul(g, w, transpose_b=True), matmul(x, g, transpose_a=True), sum_like(g, b)],
    samples=[sample((3, 4), (4, 2), (2,))],
)  # fmt: skip
