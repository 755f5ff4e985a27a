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
LONG_BY_VECTOR = 1024  # the same of a product with a vector, for which BLAS has no blocks


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
    return product(xp, a.swapaxes(-1, -2) if transpose_a else a, b.swapaxes(-1, -2) if transpose_b else b, out)


def product(xp: Any, a: Any, b: Any, out: Any, spare: Sequence[Any] | None = None) -> list[Call]:
    """Calls that put a @ b into ``out``: what is too long to be summed in one go is done in halves, and so on.

    ``spare``: arrays like ``out``, one for each time that the sum is halved.
    """
    inner, long = a.shape[-1], LONG_BY_VECTOR if 1 in out.shape[-2:] else LONG
    if inner <= long:  # of two matrices, the method is half of np.matmul's overhead
        return [partial(a.dot, b, out) if a.ndim == b.ndim == 2 else partial(xp.matmul, a, b, out)]
    pieces = -(-inner // long)
    part, *rest = [xp.empty_like(out) for _ in range((pieces - 1).bit_length())] if spare is None else spare
    half = -(-pieces // 2) * long
    return [
        *product(xp, a[..., :half], b[..., :half, :], out, rest),
        *product(xp, a[..., half:], b[..., half:, :], part, rest),
        partial(xp.add, out, part, out),
    ]


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
