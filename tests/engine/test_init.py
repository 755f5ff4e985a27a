"""Initialisers: widths, limits, angles, and the same numbers from the same seed."""

from __future__ import annotations

import math

import numpy as np
import pytest

import engine as en
from engine.init import (
    Constant,
    Glorot,
    GlorotNormal,
    He,
    HeUniform,
    Normal,
    Orthogonal,
    TruncatedNormal,
    Uniform,
    fans,
)

SHAPE = (200, 300)
UNIFORM = {
    Uniform(-1.0, 3.0): (1.0, 2.0),
    Glorot(): (0.0, math.sqrt(6 / 500)),
    HeUniform(): (0.0, math.sqrt(6 / 200)),
}
NORMAL = {
    Normal(2.0, 5.0): (5.0, 2.0),
    GlorotNormal(): (0.0, math.sqrt(2 / 500)),
    He(): (0.0, math.sqrt(2 / 200)),
    TruncatedNormal(2.0, 5.0): (5.0, 2.0 * 0.8796),  # cut at 2 std, the width of a bell curve is 0.8796
}


def drawn(initial, shape: tuple[int, ...] = SHAPE, seed: int = 0) -> np.ndarray:
    return initial(np.random.default_rng(seed), shape)


@pytest.mark.parametrize("initial", UNIFORM, ids=repr)
def test_uniform_ones_fill_their_limits(initial):
    middle, limit = UNIFORM[initial]
    values = drawn(initial)
    assert values.min() == pytest.approx(middle - limit, abs=limit / 1000)
    assert values.max() == pytest.approx(middle + limit, abs=limit / 1000)
    assert values.mean() == pytest.approx(middle, abs=limit / 50)


@pytest.mark.parametrize("initial", NORMAL, ids=repr)
def test_normal_ones_have_their_mean_and_width(initial):
    mean, std = NORMAL[initial]
    values = drawn(initial)
    assert values.mean() == pytest.approx(mean, abs=std / 40)
    assert values.std() == pytest.approx(std, rel=0.02)


def test_a_truncated_one_has_no_tails():
    values = drawn(TruncatedNormal(3.0, 1.0))
    assert 5.9 < np.abs(values - 1.0).max() <= 6.0
    assert drawn(Normal(3.0, 1.0)).max() > 7.0


@pytest.mark.parametrize("shape", [(4, 4), (6, 3), (3, 6), (3, 3, 2, 5), (1, 4), (2, 1)])
def test_orthogonal_columns_or_rows_are_at_right_angles(shape: tuple[int, ...]):
    values = drawn(Orthogonal(2.0), shape)
    assert values.shape == shape
    matrix = values.reshape(-1, shape[-1])
    products = matrix.T @ matrix if matrix.shape[0] >= matrix.shape[1] else matrix @ matrix.T
    np.testing.assert_allclose(products, 4.0 * np.eye(len(products)), atol=1e-12)


def test_every_direction_of_an_orthogonal_matrix_is_as_likely():
    corners = [drawn(Orthogonal(), (2, 2), seed)[0, 0] for seed in range(200)]
    assert abs(np.mean(corners)) < 0.2
    turns = [np.linalg.det(drawn(Orthogonal(), (3, 3), seed)) > 0 for seed in range(200)]
    assert 60 < sum(turns) < 140


def test_a_vector_has_no_angles():
    with en.Graph() as graph:
        en.variable(Orthogonal(), (3,), name="v")
    with pytest.raises(en.ShapeError, match=r"at least two axes, got \(3,\)"):
        en.Session(graph).state()


def test_fans_of_a_filter_count_its_field():
    assert fans((3, 3, 8, 16)) == (72, 144)
    assert fans((7, 5)) == (7, 5)


@pytest.mark.parametrize("initial", [*UNIFORM, *NORMAL, Orthogonal(), Constant(3.0)], ids=repr)
def test_the_same_seed_gives_the_same_weights_in_a_session(initial):
    with en.Graph() as graph:
        w = en.variable(initial, (5, 4), name="w")
    np.testing.assert_array_equal(en.Session(graph, 3).get(w), en.Session(graph, 3).get(w))
    if not isinstance(initial, Constant):
        assert not np.array_equal(en.Session(graph, 3).get(w), en.Session(graph, 4).get(w))


@pytest.mark.parametrize(
    ("initial", "dtype", "text"),
    [
        (lambda shape: np.ones(shape) * 2, "float32", "called with a random generator and a shape: too many"),
        (lambda rng, shape: "abc", "float32", "'abc' isn't a number"),
        (lambda rng, shape: None, "float32", "isn't a number"),
        (lambda rng, shape: [1.0, [2.0]], "float32", "isn't an array of numbers"),
        (lambda rng, shape: np.full(shape, 1j), "float32", "complex number"),
        (lambda rng, shape: np.full(shape, 1.5), "int32", "can't be int32 without loss"),
        (lambda rng, shape: 1.0, "float32", r"gave shape \(\)"),
    ],
)
def test_an_initialiser_that_gives_something_else_is_named_with_its_line(initial, dtype, text):
    with en.Graph() as graph:
        v = en.variable(initial, (3,), dtype=dtype, name="v")
    with pytest.raises(en.EngineError, match=rf"v {dtype}\(3,\) \(test_init.py:\d+\): its initialiser.*{text}"):
        en.Session(graph).get(v)
