"""Expressions as vector code, against NumPy: what the compiler makes of them, whichever version it has."""

from __future__ import annotations

import ctypes
import itertools
import math

import numpy as np
import pytest

from engine import native
from engine.expression import evaluate, parse

pytestmark = pytest.mark.skipif(native.problem() is not None, reason=str(native.problem()))

NUMPY = {"fabs": np.abs, "select": np.where, "max": np.maximum, "min": np.minimum}
GUARDS = [
    "select((x0 == x0), x0, 0)", "select((x0 != x0), 0, x0)", "select((fabs(x0) >= 0), x0, 0)",
    "select((fabs(x0) > 0), x0, 0)", "select((fabs(x0) <= 0), 0, x0)", "select((fabs(x0) < 2), x0, 0)",
]  # fmt: skip
BOUNDS = ["max({}, 0)", "max({}, -1)", "max(min({}, 2), -2)", "min({}, 1)"]


def computed(texts: list[str], x: np.ndarray) -> list[np.ndarray]:
    """What each expression gives of numbers, (n,) float32."""
    from engine.native import elements, vectors
    from engine.native import instructions as i

    module, names = vectors.new_module(), [f"made_{at}" for at in range(len(texts))]
    for name, text in zip(names, texts, strict=True):
        elements.element_wise(module, name, text)
    kept, addresses = vectors.addresses(vectors.compiled(module), names)
    found = []
    for name in names:
        out, row = np.full(x.shape, 77, "f"), np.zeros(64, np.int64)
        row[[i.N, i.M, i.OUT, i.IN, i.IN + 1]] = x.size, 1, out.ctypes.data, x.ctypes.data, 4
        ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 4)(addresses[name])(row.ctypes.data, 0, 1, 0)
        found.append(out)
    del kept
    return found


def test_what_was_guarded_is_still_bounded() -> None:
    """LLVM 20 takes x for positive where |x| was compared with 0, and drops the bound."""
    x = np.array([0, -0.0, 0.5, -0.5, 2, -2, 3, -3, 1e30, -1e30, math.inf, -math.inf, math.nan], "f")
    texts = [bound.format(guard) for guard, bound in itertools.product(GUARDS, BOUNDS)]
    for text, found in zip(texts, computed(texts, x), strict=True):
        np.testing.assert_array_equal(found, evaluate(parse(text), {"x0": x}, NUMPY), text)
