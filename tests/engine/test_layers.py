"""Layers and initialisers."""

from __future__ import annotations

import math

import numpy as np
import pytest

import engine as en
from engine.init import Constant, Glorot, He, Normal, Uniform, fans
from engine.session import name_rng

LARGE = (400, 300)


def drawn(initial) -> np.ndarray:
    return np.asarray(initial(name_rng(1, "weights"), LARGE))


def test_a_dense_layer_is_a_product_a_bias_and_an_activation():
    with en.Graph() as graph:
        x = en.placeholder((None, 3), name="x")
        y = en.layers.Dense(2, "relu", "hidden", initial=Normal(), bias=0.5)(x)
    session = en.Session(graph, seed=1)
    weights, bias = (session.get(each) for each in graph.variables)
    assert [each.name for each in graph.variables] == ["hidden/weights", "hidden/bias"]
    assert (weights.shape, bias.tolist()) == ((3, 2), [0.5, 0.5])
    value = np.array([[1, -2, 3], [0, 1, 0]], "f4")
    np.testing.assert_allclose(session.run(y, {x: value}), np.maximum(value @ weights + bias, 0), rtol=1e-6)


def test_layers_one_after_the_other():
    with en.Graph() as graph:
        x = en.placeholder((None, 3), name="x")
        y = en.layers.Sequential([en.layers.Dense(4, "tanh", "a"), en.layers.Dense(2, name="b")])(x)
    assert y.shape == (None, 2)
    assert [each.shape for each in graph.variables] == [(3, 4), (4,), (4, 2), (2,)]


L = en.layers
BUILT = [
    (L.Dense(2), (None, 3), {"weights": (3, 2), "bias": (2,)}, (None, 2), 8),
    (L.Conv2D(4, (2, 2)), (None, 5, 5, 1), {"filters": (2, 2, 1, 4), "bias": (4,)}, (None, 5, 5, 4), 20),
    (L.MaxPool(), (None, 4, 4, 3), {}, (None, 2, 2, 3), 0),
    (L.Flatten(), (None, 4, 3), {}, (None, 12), 0),
    (L.BatchNorm(), (None, 3), dict.fromkeys(("scale", "shift", "mean", "variance"), (3,)), (None, 3), 12),
    (L.LSTM(2), (None, 5, 3), {"weights": (5, 8), "bias": (8,)}, (None, 2), 48),
    (L.GRU(2, sequence=True), (None, 5, 3), {"weights": (3, 6), "recurrent": (2, 6), "bias": (2, 6)}, (None, 5, 2), 42),
    (L.Sequential([L.Dense(2, name="a"), en.ops.tanh]), (None, 3), {"a/weights": (3, 2), "a/bias": (2,)}, (None, 2), 8),
]


@pytest.mark.parametrize(("layer", "shape", "variables", "output", "numbers"), BUILT)
def test_a_layer_says_what_it_made(layer, shape, variables, output, numbers):
    with en.Graph() as graph:
        built = layer.build(en.placeholder(shape, name="x"))
    assert {name: each.shape for name, each in built.variables.items()} == variables
    assert set(built.variables.values()) == set(graph.variables)
    assert (built.output.shape, built.description["shape"], built.description["numbers"]) == (output, output, numbers)
    assert built.description["layer"] == type(layer).__name__


@pytest.mark.parametrize("activation", en.layers.ACTIVATIONS)
def test_the_first_weights_fit_the_activation(activation):
    with en.Graph() as graph:
        en.layers.Dense(300, activation, "large")(en.placeholder((1, 400)))
    std = en.Session(graph).get(graph.variables[0]).std()
    tame = activation in ("tanh", "sigmoid", "linear")
    assert std == pytest.approx(math.sqrt(2 / 700) if tame else math.sqrt(2 / 400), rel=0.02)


def test_a_layer_makes_weights_of_its_input_s_type():
    with en.Graph() as graph:
        y = en.layers.Dense(2, "tanh")(en.placeholder((1, 3), "float64"))
    assert {each.dtype for each in [y, *graph.variables]} == {"float64"}


def test_initialisers_draw_what_they_say():
    assert (drawn(Constant(3.0)) == 3).all()
    normal, uniform = drawn(Normal(0.5, 2.0)), drawn(Uniform(-1.0, 3.0))
    assert (normal.mean(), normal.std()) == (pytest.approx(2, abs=0.01), pytest.approx(0.5, rel=0.01))
    assert (uniform.min(), uniform.max()) == (pytest.approx(-1, abs=0.01), pytest.approx(3, abs=0.01))
    assert np.abs(drawn(Glorot())).max() == pytest.approx(math.sqrt(6 / 700), rel=0.01)
    assert drawn(He()).std() == pytest.approx(math.sqrt(2 / 400), rel=0.01)


@pytest.mark.parametrize(
    ("shape", "found"), [((), (1, 1)), ((5,), (5, 5)), ((2, 3), (2, 3)), ((3, 3, 8, 16), (72, 144))]
)
def test_fans_count_what_goes_in_and_out_of_a_unit(shape, found):
    assert fans(shape) == found


def test_the_example_of_the_package_s_own_page():
    with en.Graph() as graph:
        x = en.placeholder((None, 2), name="x")
        y = en.layers.Dense(1, "tanh", name="output")(x)
    assert en.Session(graph, seed=1).run(y, {x: [[0.0, 0.0]]}).tolist() == [[0.0]]
