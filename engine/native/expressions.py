"""The element-wise expressions that the native machine can do in one go.

Each op's own code is there by itself.  ``expressions.txt`` holds those of training steps, found by
``python scripts/expressions.py``, which builds networks with every activation, loss and optimiser.
What isn't in it is done op by op.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import engine.ops  # noqa: F401 - fills the registry
from engine.errors import EngineError
from engine.expression import written
from engine.fuse import MATMUL_ADD
from engine.op import REGISTRY, Op, attributes
from engine.spec import Spec

_FILE = Path(__file__).with_name("expressions.txt")


# what has no code of its own: copies, casts, and a choice by truths
_OTHERS = ("(x0)", "(u0)", "(i0)", "(select(t0, 1, 0))", "(select(t0, x1, x2))")


def single() -> frozenset[str]:
    """Those of one op each."""
    return frozenset((*_OTHERS, *(text for each in REGISTRY.values() if (text := _of_op(each)) is not None)))


@cache
def expressions() -> tuple[str, ...]:
    """All of them, sorted."""
    return tuple(sorted(single().union(_FILE.read_text(encoding="utf-8").splitlines())))


def known() -> frozenset[str]:
    """What :func:`engine.fuse.fuse` may put together for the machine."""
    return frozenset((*expressions(), MATMUL_ADD.name))


def _of_op(op: Op) -> str | None:
    """An op's own expression, if it is one of floats."""
    if not op.code or op.name == "where":
        return None
    try:
        result = op.spec(*[Spec((2,))] * (op.arity or 0)).dtype
    except (EngineError, TypeError):  # not for floats, or not without attributes
        return None
    names = [*map(str, range(op.arity or 0)), *attributes(op, {})]
    text = written(op.tree, {name: f"x{at}" for at, name in enumerate(names)})
    return f"{'?' if result == 'bool' else ''}({text})"
