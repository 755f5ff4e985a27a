"""How reductions become instructions: each is of matrices (K, N) along K, and what is more becomes several."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

import numpy as np

from engine.native.lowering import NotNative, Table, float32, int32, lowering
from engine.ops.array import summed_axes
from engine.ops.rules import stages
from engine.passes import Node
from engine.spec import normalize_axes

KERNELS = {"sum_like": "sums", "sum": "sums", "max": "maxima", "prod": "products"}
PART, SHORT = 4096, 32  # numbers that are reduced at a time: half of a first-level cache; and rows, at least
VECTOR = 16  # columns that fill whole vectors on every processor
NARROW = 64  # columns of which too many lanes would be empty


@lowering(*KERNELS)
def _reduction(table: Table, node: Node, out: np.ndarray, ins: Sequence[np.ndarray]) -> None:
    x = ins[0]
    if node.op.name == "sum_like":
        axes: Collection[int] = summed_axes(x.shape, out.shape)
    else:
        axes = normalize_axes(node.attrs.get("axis"), x.ndim)
    if out.dtype == np.int32 and KERNELS[node.op.name] == "sums":
        x = int32(x)
    else:
        float32(out, x)
    along(table, KERNELS[node.op.name], out, table.plain(x), axes)


def along(table: Table, kernel: str, out: np.ndarray, x: np.ndarray, axes: Collection[int]) -> None:
    """Reduce ``x``, which has no gaps, along ``axes``."""
    left = stages(x.shape, axes)
    for at, (m, k, n) in enumerate(left, 1):
        to = out if at == len(left) else table.keep(np.empty(m * n, x.dtype))
        _matrices(table, kernel, to, x, (m, k, n))
        x = to
    if not left:
        table.copy(out, x.reshape(out.shape))


def _matrices(table: Table, kernel: str, out: np.ndarray, x: np.ndarray, size: tuple[int, int, int]) -> None:
    """out (m, n) of x (m, k, n)."""
    m, k, n = size
    if out.dtype == np.int32:
        table.add("whole_sums", out, x, m=m, k=k, n=n, units=m)
        return
    beside = _beside(k, n)
    if beside > 1:
        wide = table.keep(np.empty(m * beside * n, np.float32))
        _matrices(table, kernel, wide, x, (m, k // beside, beside * n))
        x, k = wide, beside
    depth, parts = _cut(k, n)
    to = out if parts == 1 else table.keep(np.empty(m * parts * n, np.float32))
    table.add(kernel, to, x, m=m, k=k, n=n, units=m * parts, a0=4 * k * n, a1=4 * n, depth=depth, parts=parts)
    if parts > 1:
        _matrices(table, kernel, out, to, (m, parts, n))


def _beside(k: int, n: int) -> int:
    """How many of k rows of n numbers are taken as one, so that vectors are full."""
    rows = VECTOR // math.gcd(n, VECTOR)
    return rows if 1 < n < NARROW and k * n >= PART and k % rows == 0 else 1


def _cut(k: int, n: int) -> tuple[int, int]:
    """How many of k rows of n numbers are reduced at a time, and how many such parts there are."""
    depth = max(SHORT, PART // n)
    return depth, max(1, -(-k // depth))


@lowering("argmax")
def _argmax(table: Table, node: Node, out: np.ndarray, ins: Sequence[np.ndarray]) -> None:
    x = ins[0]
    float32(x)
    axis = node.attrs.get("axis", -1)
    m, k, n = 1, x.size, 1
    if axis is not None:
        at = axis % x.ndim
        m, k, n = math.prod(x.shape[:at]), x.shape[at], math.prod(x.shape[at + 1 :])
    if k >= 1 << 24 and n > 1:  # places down columns are counted in float32
        raise NotNative
    table.add("places", int32(out), table.plain(x), m=m, k=k, n=n, units=m)


@lowering("softmax", "log_softmax")
def _softmax(table: Table, node: Node, out: np.ndarray, ins: Sequence[np.ndarray]) -> None:
    float32(out)
    n = out.shape[-1]
    m = out.size // n
    table.add(f"{node.op.name}_rows", out, table.plain(ins[0]), m=m, n=n, units=m)


@lowering("cross_entropy")
def _cross_entropy(table: Table, node: Node, out: np.ndarray, ins: Sequence[np.ndarray]) -> None:
    logits, labels = ins
    float32(out)
    m, n = out.size, logits.shape[-1]
    if labels.dtype == np.float32:
        table.add("shared_loss", out, table.plain(logits), table.plain(labels), m=m, n=n, units=m)
    else:
        table.add("chosen_loss", out, table.plain(logits), int32(labels), m=m, n=n, units=m)


@lowering("moments")
def _moments(table: Table, node: Node, out: np.ndarray, ins: Sequence[np.ndarray]) -> None:
    float32(out)
    x, n = table.plain(ins[0]), out.shape[-1]
    rows, wide, depth, parts = _rows(x.size, n)
    found = table.keep(np.empty(3 * parts * wide, np.float32))
    table.add("moment_parts", found, x, k=rows, n=wide, units=parts, a1=4 * wide, depth=depth, parts=parts)
    table.add("moments", out, found, k=rows, n=n, depth=depth, c=wide // n)


@lowering("slope_sums")
def _slope_sums(table: Table, node: Node, out: np.ndarray, ins: Sequence[np.ndarray]) -> None:
    float32(out, *ins)
    g, x, center = map(table.plain, ins)
    n = center.size
    rows, wide, depth, parts = _rows(x.size, n)
    if wide > n:
        beside = table.keep(np.empty((wide // n, n), np.float32))
        table.copy(beside, center)
        center = beside
    found = table.keep(np.empty((parts, 2, wide // n, n), np.float32))
    table.add("slope_parts", found, g, x, center, k=rows, n=wide, units=parts, a1=4 * wide, depth=depth, parts=parts)
    along(table, "sums", out, found, (0, 2))


def _rows(size: int, n: int) -> tuple[int, int, int, int]:
    """Of numbers for n units: rows, several taken as one; the numbers of one; rows a part, and parts."""
    beside = _beside(size // n, n)
    depth, parts = _cut(size // n // beside, beside * n)
    return size // n // beside, beside * n, depth, parts
