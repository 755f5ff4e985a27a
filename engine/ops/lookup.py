"""Rows of a table, found by number."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from engine.errors import DtypeError, EngineError, ShapeError
from engine.op import Call, Draw, Op, op, sample
from engine.spec import Shape, Spec

MANY = 512  # numbers that are added up one by one: a longer running total is kept in float64


def row_check(xp: Any, rows: Any, count: int) -> Sequence[Call]:
    """A call that raises EngineError if there is a row number outside 0 .. count - 1.

    Only with NumPy: a GPU would have to be waited for; there such a number is taken modulo ``count``.
    """
    if xp is not np or rows.size == 0 or (rows.dtype == np.uint8 and count > 255):
        return ()
    unsigned = rows.view(f"uint{8 * rows.itemsize}")  # what is negative becomes huge: one comparison for both ends
    largest = partial(np.maximum.reduce, unsigned, None)

    def check() -> None:
        if largest() >= count:
            wrong = rows[(rows < 0) | (rows >= count)]
            raise EngineError(f"number {wrong[0]} is outside 0 to {count - 1}")

    return (check,)


def _gather_spec(table: Spec, rows: Spec) -> Spec:
    if not rows.is_integer:
        hint = "; where(x > 0, x, 0.0) chooses by yes or no" if rows.dtype == "bool" else ""
        raise DtypeError(f"rows are chosen by whole numbers, got {rows.dtype}{hint}")
    if table.ndim == 0:
        raise ShapeError("a single number has no rows")
    return Spec((*rows.shape, *table.shape[1:]), table.dtype)


def _gather(xp: Any, out: Any, table: Any, rows: Any) -> Sequence[Call]:
    mode = ("clip",) if xp is np else ()  # NumPy's default mode buffers the output; the rows are checked here
    return (*row_check(xp, rows, len(table)), partial(table.take, rows, 0, out, *mode))


gather = op(
    "gather", "Rows of a table, chosen by number.",
    spec=_gather_spec, axis=0, kernel=_gather, lookup=(1, 0, 0),
    grad=lambda y, g, table, rows: [scatter_add(g, rows, table), None],
    samples=(sample((5, 4), Draw((3,), integers=5)), sample((5,), Draw((2, 3), integers=5))),
)  # fmt: skip


def _scatter_add_spec(g: Spec, rows: Spec, table: Spec) -> Spec:
    if not _gather_spec(table, rows).fits(Spec(g.shape, table.dtype)):
        raise ShapeError(f"{g.shape} isn't a row of {table.shape} for each of {rows.shape}")
    return Spec(table.shape, g.dtype)


def _scatter_add(xp: Any, out: Any, g: Any, rows: Any, *, like: Shape) -> Sequence[Call]:
    check = row_check(xp, rows, len(out))
    if rows.size <= MANY or out.dtype != np.float32:
        return (*check, partial(out.fill, 0), partial(xp.add.at, out, rows, g))
    sums, wide = xp.empty(out.shape, "float64"), xp.empty(g.shape, "float64")
    widen, add = partial(xp.copyto, wide, g), partial(xp.add.at, sums, rows, wide)
    return (*check, partial(sums.fill, 0), widen, add, partial(xp.copyto, out, sums, "same_kind"))


scatter_add: Op = op(
    "scatter_add", "Zeros in the third input's shape, with the first's rows added at the second's numbers.",
    spec=_scatter_add_spec, kernel=_scatter_add, shape_only=(2,), flops=1, lookup=(1, -1, 0),
    grad=lambda y, g, a, rows, table: [gather(g, rows), None, None],
    samples=[sample((3, 4), Draw((3,), integers=5), (5, 4))],
)  # fmt: skip


def _one_hot_spec(labels: Spec, classes: int, dtype: str = "float32") -> Spec:
    if not labels.is_integer:
        raise DtypeError(f"labels are whole numbers, got {labels.dtype}")
    return Spec((*labels.shape, classes), dtype)


def _one_hot(xp: Any, out: Any, labels: Any, *, classes: int, dtype: str = "float32") -> Sequence[Call]:
    names = xp.arange(classes, dtype="int32" if labels.dtype == "uint8" else labels.dtype)
    return (*row_check(xp, labels, classes), partial(xp.equal, labels[..., None], names, out))


one_hot = op(
    "one_hot", "A row per label: 1 at the label's place, else 0.",
    spec=_one_hot_spec, kernel=_one_hot, lookup=(0, -1, -1), samples=[sample(Draw((4,), integers=3), classes=3)],
)  # fmt: skip
