"""Shapes before there are values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import engine as en
from engine.spec import Spec, broadcast, normalize_axes

sizes = st.sampled_from([0, 1, 1, 2, 3])
shapes = st.lists(sizes, max_size=3).map(tuple)


@given(st.lists(shapes, min_size=1, max_size=3))
def test_broadcasting_is_numpy_s(several):
    try:
        wanted = np.broadcast_shapes(*several)
    except ValueError:
        with pytest.raises(en.ShapeError, match="differ"):
            broadcast(several)
    else:
        assert broadcast(several) == wanted


@given(shapes, shapes, st.data())
def test_an_unknown_size_is_taken_as_the_other_s_or_stays_unknown(a, b, data):
    try:
        whole = np.broadcast_shapes(a, b)
    except ValueError:
        return
    hidden = tuple(None if data.draw(st.booleans()) else size for size in a)
    assert Spec(broadcast([hidden, b])).fits(Spec(whole))


def test_a_spec_tells_what_it_knows():
    spec = Spec((None, 3), "uint8")
    assert (str(spec), spec.ndim, spec.known, spec.is_float, spec.is_integer) == ("uint8(?, 3)", 2, False, False, True)
    assert str(Spec((3,))) == "float32(3,)"
    with pytest.raises(en.ShapeError, match="a size that isn't known yet"):
        _ = spec.nbytes
    assert Spec((2, 3), "float64").nbytes == 48


@pytest.mark.parametrize(("axis", "found"), [(None, (0, 1, 2)), (-1, (2,)), ((2, 0), (0, 2)), ((), ())])
def test_axes_are_counted_from_the_left(axis, found):
    assert normalize_axes(axis, 3) == found


@pytest.mark.parametrize(("axis", "text"), [((0, -3), "name a place twice"), (3, "doesn't exist"), ("0", "one axis")])
def test_axes_that_can_t_be_meant_are_refused(axis, text):
    with pytest.raises(en.ShapeError, match=text):
        normalize_axes(axis, 3)
