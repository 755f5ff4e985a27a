"""NumPy, whose products are its BLAS's."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from benchmarks.pieces.catalogue import Piece, Product
from benchmarks.pieces.form import Form, calls

NAME = "NumPy"


def forms(piece: Piece) -> Mapping[str, Form]:
    """Of products alone."""
    if not isinstance(piece, Product):
        return {}
    first, second = (each.T if turned else each for each, turned in zip(piece.arrays(), piece.turns, strict=True))
    out = np.empty((piece.m, piece.n), "f")
    return {"": Form(calls(partial(np.matmul, first, second, out)), lambda: [out])}
