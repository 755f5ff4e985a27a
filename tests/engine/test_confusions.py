"""What goes wrong in every first lesson, and is said: a graph that grows in a loop, a GPU's array among NumPy's."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable

import numpy as np
import pytest

import engine as en
from engine.session import GROWTHS


@pytest.fixture
def lesson() -> tuple[en.Session, en.Tensor]:
    with en.Graph() as graph:
        x = en.placeholder((2,), name="x")
    return en.Session(graph), x


def test_a_loop_that_builds_what_it_runs_is_told_once_with_its_line(lesson):
    session, x = lesson
    value = {x: np.ones(2, "f4")}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(3 * GROWTHS):
            line = inspect.currentframe().f_lineno + 1  # type: ignore[union-attr]
            loss = en.ops.sum_(x * 2.0)
            session.run(loss, value)
    (warning,) = caught
    assert warning.category is en.GraphGrowsWarning
    assert (warning.filename, warning.lineno) == (__file__, line)
    assert f"test_confusions.py:{line} has added to it before {GROWTHS} runs" in str(warning.message)
    assert "build once, before the loop" in str(warning.message)


def quiet(session: en.Session, x: en.Tensor) -> None:
    """Runs the same again and again."""
    y = x * 2.0
    for _ in range(2 * GROWTHS):
        session.run(y, {x: [1.0, 2.0]})


def unrolled(session: en.Session, x: en.Tensor) -> None:
    """Builds in a loop, runs behind it."""
    y = x
    for _ in range(2 * GROWTHS):
        y = y * 0.5
    session.run(y, {x: [1.0, 2.0]})


def a_few_looks(session: en.Session, x: en.Tensor) -> None:
    for _ in range(GROWTHS - 1):
        session.run(x * 2.0, {x: [1.0, 2.0]})


@pytest.mark.parametrize("use", [quiet, unrolled, a_few_looks], ids=lambda each: each.__name__)
def test_what_is_no_such_loop_is_left_alone(lesson, use: Callable[[en.Session, en.Tensor], None], recwarn):
    use(*lesson)
    assert not recwarn.list


class OnGpu:
    """An array of CuPy's, as far as one can tell: NumPy may not read it."""

    __cuda_array_interface__ = None
    dtype, shape = np.dtype("float32"), (2,)

    def __array__(self, *_: object, **__: object) -> np.ndarray:
        raise TypeError("Implicit conversion to a NumPy array is not allowed.")


def test_a_gpu_s_array_is_refused_wherever_numpy_s_are_wanted(lesson):
    session, x = lesson
    text = r"this array lies on a GPU.*value\.get\(\)"
    with pytest.raises(en.FeedError, match=rf"x float32\(2,\) \(test_confusions\.py:\d+\) can't be fed this: {text}"):
        session.run(x * 2.0, {x: OnGpu()})
    with pytest.raises(en.DtypeError, match=rf"mul\(x float32\(2,\), .*{text}.*\(test_confusions\.py:\d+\)"):
        x * OnGpu()
    with x.graph, pytest.raises(en.DtypeError, match=rf"constant: {text}"):
        en.constant(OnGpu())
    with x.graph, pytest.raises(en.DtypeError, match=rf"variable v: {text}"):
        en.variable(OnGpu(), name="v")
