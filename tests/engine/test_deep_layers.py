"""Layers for images, sequences and words, against formulas written out in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import engine as en
from engine.layers import GRU, LSTM, AvgPool, BatchNorm, Conv2D, Dense, Dropout, Embedding, Flatten, MaxPool, Sequential
from engine.optim import SGD, Adam
from tests.engine import reference_images
from tests.engine.tools import numeric_gradient, projected, relative_error

rng = np.random.default_rng(0)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def built(layer, shape, dtype="float64", seed=1):
    with en.Graph() as graph:
        x = en.placeholder((None, *shape[1:]), dtype, name="x")
        y = layer(x)
    session = en.Session(graph, seed=seed)
    value = rng.normal(size=shape).astype(dtype)
    weights = {each.name.rpartition("/")[2]: session.get(each) for each in graph.variables}
    return session, x, y, value, weights


def test_a_convolution_layer_is_filters_a_bias_and_an_activation():
    session, x, y, value, w = built(Conv2D(3, (3, 2), "relu", bias=0.1, strides=(2, 1)), (2, 5, 4, 2))
    wanted = reference_images.conv2d(value, w["filters"], strides=(2, 1)) + w["bias"]
    np.testing.assert_allclose(session.run(y, {x: value}), np.maximum(wanted, 0), rtol=1e-12, atol=1e-12)
    assert (y.shape, w["filters"].shape) == ((None, 3, 4, 3), (3, 2, 2, 3))


def test_pools_and_flatten():
    session, x, y, value, _ = built(Sequential([MaxPool(), AvgPool((2, 1)), Flatten()]), (2, 4, 6, 3))
    wanted = value.reshape(2, 2, 2, 3, 2, 3).max((2, 4)).mean(1).reshape(2, 9)
    np.testing.assert_allclose(session.run(y, {x: value}), wanted, rtol=1e-12)
    assert y.shape == (None, 9)


def test_an_embedding_is_a_row_of_its_table():
    with en.Graph() as graph:
        words = en.placeholder((None, 3), "int32")
        y = Embedding(7, 4)(words)
    session, value = en.Session(graph), np.array([[0, 6, 2]], "int32")
    np.testing.assert_array_equal(session.run(y, {words: value}), session.get(graph.variables[0])[value])


def test_batch_norm_in_training_and_in_evaluation():
    with en.Graph() as graph:
        x, train = en.placeholder((None, 3), "float64"), en.placeholder((), "bool")
        y = BatchNorm(train, epsilon=0.01, momentum=0.8)(x)
    session = en.Session(graph)
    scale, shift, mean, variance = graph.variables
    session.set(scale, np.array([1.0, 2.0, 0.5]))
    session.set(shift, np.array([0.0, 1.0, -1.0]))
    value = rng.normal(2, 3, (50, 3))
    center, spread = value.mean(0), value.var(0)
    wanted = (value - center) / np.sqrt(spread + 0.01) * [1, 2, 0.5] + [0, 1, -1]
    np.testing.assert_allclose(session.run(y, {x: value, train: True}), wanted, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(session.get(mean), 0.2 * center, rtol=1e-12)
    np.testing.assert_allclose(session.get(variance), 0.8 + 0.2 * spread, rtol=1e-12)
    wanted = (value - 0.2 * center) / np.sqrt(0.8 + 0.2 * spread + 0.01) * [1, 2, 0.5] + [0, 1, -1]
    np.testing.assert_allclose(session.run(y, {x: value, train: False}), wanted, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(session.get(mean), 0.2 * center, rtol=1e-12)
    assert [each.attrs["trainable"] for each in graph.variables] == [True, True, False, False]


@pytest.mark.parametrize("fed", [True, False])
def test_a_training_step_moves_the_running_averages_even_if_no_output_is_fetched(fed: bool):
    with en.Graph() as graph:
        x = en.placeholder((None, 3))
        train = en.placeholder((), "bool") if fed else True
        y = Dense(1)(BatchNorm(train)(x))
        step = SGD(0.1).minimize(en.ops.mean(en.ops.square(y)))
    session, value = en.Session(graph), rng.normal(2, 1, (20, 3)).astype("f4")
    for _ in range(60):
        session.run(step, {x: value, train: True} if isinstance(train, en.Tensor) else {x: value})
    np.testing.assert_allclose(session.get(graph.variables[2]), value.mean(0), rtol=0.01)


def lstm_by_hand(x: np.ndarray, w: np.ndarray, b: np.ndarray) -> np.ndarray:
    units = b.size // 4
    h = c = np.zeros((len(x), units))
    found = []
    for t in range(x.shape[1]):
        i, f, o, g = np.split(np.concatenate([x[:, t], h], 1) @ w + b, 4, 1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        found.append(h)
    return np.stack(found, 1)


def gru_by_hand(x: np.ndarray, w: np.ndarray, u: np.ndarray, b: np.ndarray) -> np.ndarray:
    h = np.zeros((len(x), u.shape[0]))
    found = []
    for t in range(x.shape[1]):
        (z, r, n), (hz, hr, hn) = np.split(x[:, t] @ w + b[0], 3, 1), np.split(h @ u + b[1], 3, 1)
        z, r = sigmoid(z + hz), sigmoid(r + hr)
        h = (1 - z) * np.tanh(n + r * hn) + z * h
        found.append(h)
    return np.stack(found, 1)


def test_an_lstm_over_a_sequence():
    session, x, y, value, w = built(LSTM(3, sequence=True), (2, 4, 5))
    assert w["bias"].tolist() == [0] * 3 + [1] * 3 + [0] * 6
    wanted = lstm_by_hand(value, w["weights"], w["bias"])
    np.testing.assert_allclose(session.run(y, {x: value}), wanted, rtol=1e-10, atol=1e-12)
    assert y.shape == (None, 4, 3)


def test_a_gru_over_a_sequence():
    session, x, y, value, w = built(GRU(3, sequence=True), (2, 4, 5))
    session.set(session.graph.variables[2], bias := rng.normal(size=(2, 9)))
    wanted = gru_by_hand(value, w["weights"], w["recurrent"], bias)
    np.testing.assert_allclose(session.run(y, {x: value}), wanted, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("layer", [LSTM, GRU])
def test_the_last_state_is_the_end_of_the_sequence(layer):
    (session, x, y, value, _), (other, _, last, _, _) = (built(layer(3, way), (2, 4, 5)) for way in (True, False))
    found = other.run(last, {other.graph.tensors[0]: value})
    np.testing.assert_array_equal(session.run(y, {x: value})[:, -1], found)


LAYERS: dict[str, tuple[Any, tuple[int, ...]]] = {
    "conv": (Conv2D(2, (3, 3), "tanh"), (2, 4, 3, 2)),
    "conv, max pool": (Sequential([Conv2D(2, (2, 2), "elu", padding="valid"), MaxPool()]), (1, 5, 5, 1)),
    "avg pool": (AvgPool((3, 3), (1, 1), "same"), (1, 4, 4, 2)),
    "norm": (BatchNorm(), (6, 3)),
    "norm of images": (BatchNorm(), (2, 3, 2, 2)),
    "norm, evaluation": (BatchNorm(train=False), (6, 3)),
    "lstm": (LSTM(3), (2, 3, 4)),
    "gru": (GRU(3), (2, 3, 4)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_gradients_of_a_layer_are_the_slopes_that_finite_differences_see(name: str):
    layer, shape = LAYERS[name]
    with en.Graph() as graph:
        x = en.placeholder(shape, "float64")
        y = projected(layer(x), seed=1)
    session, value = en.Session(graph, seed=1), np.random.default_rng(2).normal(size=shape)
    wanted = [each for each in graph.variables if each.attrs["trainable"]]
    exact = session.run(en.gradients(y, [x, *wanted]), {x: value})

    def total(variable: en.Tensor | None, now: np.ndarray) -> float:
        if variable is not None:
            session.set(variable, now)
        return float(session.run(y, {x: value}))

    assert relative_error(exact[0], numeric_gradient(lambda: total(None, value), value)) < 1e-7
    for variable, slope in zip(wanted, exact[1:], strict=True):
        weights = session.get(variable)
        numeric = numeric_gradient(lambda v=variable, w=weights: total(v, w), weights)  # type: ignore[misc]
        session.set(variable, weights)
        assert relative_error(slope, numeric) < 1e-7


def test_a_small_network_for_images_learns():
    with en.Graph() as graph:
        x, labels = en.placeholder((None, 8, 8, 1)), en.placeholder((None,), "int32")
        train = en.placeholder((), "bool")
        layers: list[Any] = [
            Conv2D(4, (3, 3), "relu"),
            MaxPool(),
            Flatten(),
            BatchNorm(train),
            Dropout(0.2, train),
            Dense(2),
        ]
        logits = Sequential(layers)(x)
        step = Adam(0.01).minimize(en.losses.softmax_cross_entropy(logits, labels))
    session, value = en.Session(graph, seed=1), rng.normal(size=(64, 8, 8, 1)).astype("f4")
    truth = (value[:, 2:6, 2:6, 0].mean((1, 2)) > 0).astype("i4")
    for _ in range(60):
        session.run(step, {x: value, labels: truth, train: True})
    assert (session.run(logits, {x: value, train: False}).argmax(-1) == truth).mean() > 0.95


KINDS: list[dict[str, Any]] = [{"reuse": False}, {"poison": True}]


@pytest.mark.parametrize("kind", KINDS, ids=["no reuse", "poison"])
def test_memory_is_shared_without_harm(kind: dict[str, Any]):
    """Windows, masks and averages live as long as they are needed, whatever the plan puts where."""

    def trained(**how: Any) -> list[np.ndarray]:
        with en.Graph() as graph:
            x, labels = en.placeholder((None, 6, 6, 2)), en.placeholder((None,), "int32")
            layers: list[Any] = [
                Conv2D(3, (3, 3), "relu"), MaxPool((3, 3), (2, 2), "same"), BatchNorm(), Conv2D(9, (2, 2), "tanh", "b"),
                AvgPool((2, 2), (1, 1)), Dropout(0.3),
            ]  # fmt: skip
            images = Sequential(layers)(x)
            hidden = LSTM(4)(en.ops.reshape(images, shape=(-1, 2, 18))) + GRU(4)(images[:, 0])
            loss = en.losses.softmax_cross_entropy(Dense(3)(hidden), labels, smoothing=0.1)
            step = Adam(0.01).minimize(loss)
        session = en.Session(graph, seed=1, **how)
        draw = np.random.default_rng(1)
        for _ in range(3):
            session.run(step, {x: draw.normal(size=(5, 6, 6, 2)).astype("f4"), labels: draw.integers(0, 3, 5, "int32")})
        return [session.get(each) for each in graph.variables]

    for found, wanted in zip(trained(**kind), trained(), strict=True):
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize(
    ("layer", "shape", "text"),
    [
        (Conv2D(2), (None, 3, 3), "batch, height, width, channels"),
        (Conv2D(2, padding="full"), (None, 3, 3, 1), '"valid", "same"'),
        (Conv2D(2, (4, 4), padding="valid"), (None, 3, 3, 1), "larger than 3 pixels"),
        (MaxPool(), (None, 3), "images are"),
        (Flatten(), (None, None, 3), "known sizes"),
        (LSTM(2), (None, None, 3), "known number of steps"),
        (GRU(2), (None, 3), "batch, time, inputs"),
        (BatchNorm(), (3, None), "known last axis"),
    ],
)
def test_what_a_layer_can_t_read_is_refused_in_its_words(layer, shape, text: str):
    with en.Graph():
        x = en.placeholder(shape, name="x")
        with pytest.raises(en.ShapeError, match=text):
            layer(x)


def losses_of(loss, output, target, **attrs):
    with en.Graph() as graph:
        a, b = en.constant(np.asarray(output)), en.constant(np.asarray(target))
        y = loss(a, b, **attrs)
    return float(en.Session(graph).run(y))


def test_losses_are_their_formulas():
    output, target = np.array([0.2, -3.0, 2.0]), np.array([0.0, 1.0, 1.0])
    assert losses_of(en.losses.huber, output, target) == pytest.approx((0.02 + 3.5 + 0.5) / 3)
    assert losses_of(en.losses.huber, output, target, delta=2.0) == pytest.approx((0.02 + 6 + 0.5) / 3)
    sides = np.array([1.0, -1.0, 1.0])
    assert losses_of(en.losses.hinge, output, sides) == pytest.approx((0.8 + 0 + 0) / 3)


@pytest.mark.parametrize("soft", [False, True])
def test_label_smoothing_is_cross_entropy_with_softer_labels(soft: bool):
    logits = rng.normal(size=(4, 3))
    labels = np.array([0, 2, 1, 1])
    whole = np.eye(3)[labels]
    smooth = losses_of(en.losses.softmax_cross_entropy, logits, whole if soft else labels, smoothing=0.3)
    assert smooth == pytest.approx(losses_of(en.losses.softmax_cross_entropy, logits, 0.7 * whole + 0.1))
    with pytest.raises(en.EngineError, match="between 0 and 1"):
        losses_of(en.losses.softmax_cross_entropy, logits, labels, smoothing=1.5)
