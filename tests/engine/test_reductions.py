"""Reductions, softmax and batch norms: right to the last digits, however many numbers and however large."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import engine as en
from engine.native import NativeProgram, load, problem
from engine.ops import (
    argmax,
    cross_entropy,
    log_softmax,
    max_,
    mean,
    moments,
    normalize,
    prod,
    scatter_add,
    softmax,
    square,
    sum_,
    sum_like,
)
from tests.engine.tools import numeric_gradient, relative_error
from tests.running import MACHINE

rng = np.random.default_rng(0)
MASKED = np.array([[0, -np.inf, 1]], "f4")


def computed(function: Callable[..., Any], arrays: Sequence[np.ndarray], options: dict[str, Any]) -> Any:
    """The tensors that ``function`` makes of placeholders for these; the machine, if it is one, leaves nothing over."""
    with en.Graph() as graph:
        inputs = [en.placeholder((None, *each.shape[1:]), each.dtype.name) for each in arrays]
        found = function(*inputs)
    session, feeds = en.Session(graph, **options), dict(zip(inputs, arrays, strict=True))
    values = session.run(found, feeds)
    program = session.bind(found, {each: value.shape for each, value in feeds.items()})
    if isinstance(program, NativeProgram):
        assert not program.left_to_python, [each.name for each in program.left_to_python]
    return values


@pytest.mark.parametrize("draw", [rng.random, lambda shape: np.full(shape, 0.1)], ids=["random", "constant"])
@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((10_000_000,), (0,)), ((3_333_333, 3), (0,)), ((500_000, 20), (0,)), ((2, 2_000_000), (1,)),
        ((4, 50_000, 10), (1,)), ((50_000, 4, 10), (0, 2)), ((3, 70_000, 10), (0, 1, 2)), ((10, 20, 50, 100), (0, 2)),
    ],
)  # fmt: skip
def test_sums_of_many_numbers_along_every_axis(options: dict[str, Any], draw: Any, shape: Any, axes: Any) -> None:
    x = draw(shape).astype("f4")
    wanted = x.sum(axes, "f8")
    found = computed(lambda x: [sum_(x, axis=axes), mean(x, axis=axes, keepdims=True)], [x], options)
    np.testing.assert_allclose(found[0], wanted, 2e-6)
    np.testing.assert_allclose(found[1], x.mean(axes, "f8", keepdims=True), 2e-6)


def test_a_bias_gradient_over_many_rows(options: dict[str, Any]) -> None:
    x = rng.random((100_000, 7)).astype("f4")

    def slope(x: en.Tensor, bias: en.Tensor) -> en.Tensor:
        return en.gradients(sum_(square(x + bias)), [bias])[0]

    found = computed(slope, [x, np.zeros(7, "f4")], options)
    np.testing.assert_allclose(found, 2 * x.sum(0, "f8"), 2e-6)


@pytest.mark.parametrize("shape", [(1_000_000,), (300_000, 3)])
def test_scatter_add_of_many_rows(options: dict[str, Any], shape: tuple[int, ...]) -> None:
    """All to one row, to two, and what other rows get beside them; 1e6 x 0.1 one by one would be 100958."""
    x, one = np.full(shape, 0.1, "f4"), np.full(shape[0], 2, "i4")
    two = np.where(np.arange(shape[0]) % 3 == 1, 0, one)
    two[7] = 1
    table = np.zeros((4, *shape[1:]), "f4")
    for numbers in (one, two):
        wanted = np.zeros(table.shape)
        np.add.at(wanted, numbers, x)
        found = computed(lambda t, x, i: scatter_add(x, i, t), [table, x, numbers], options)
        np.testing.assert_allclose(found, wanted, 2e-6)


def test_sum_like_of_many_numbers(options: dict[str, Any]) -> None:
    x = np.full((100_000, 7), 0.1, "f4")
    found = computed(sum_like, [x, np.zeros(7, "f4")], options)
    np.testing.assert_allclose(found, x.sum(0, "f8"), 2e-6)


SHAPES = st.lists(st.sampled_from([1, 2, 3, 5, 16, 33]), min_size=1, max_size=5)


@given(data=st.data(), shape=SHAPES.filter(lambda shape: math.prod(shape) < 1_000_000))
@settings(max_examples=30)
@pytest.mark.skipif(problem() is not None, reason=str(problem()))
def test_every_reduction_along_any_axes_is_native(data: Any, shape: list[int]) -> None:
    native = {"executor": load(MACHINE)}
    axes = tuple(data.draw(st.sets(st.integers(0, len(shape) - 1))))
    x = np.random.default_rng(1).uniform(0.5, 1.5, shape).astype("f4")
    whole = np.random.default_rng(2).integers(-9, 9, shape).astype("i4")
    signs = np.sign(x - 1)
    np.testing.assert_allclose(computed(lambda x: sum_(x, axis=axes), [x], native), x.sum(axes, "f8"), 1e-6)
    np.testing.assert_array_equal(computed(lambda x: max_(x, axis=axes), [x], native), x.max(axes))
    np.testing.assert_array_equal(computed(lambda x: prod(x, axis=axes), [signs], native), signs.prod(axes))
    np.testing.assert_array_equal(computed(lambda x: sum_(x, axis=axes), [whole], native), whole.sum(axes))
    for axis in (*range(len(shape)), None):
        np.testing.assert_array_equal(computed(lambda x, at=axis: argmax(x, axis=at), [x], native), x.argmax(axis))


@pytest.mark.parametrize("shape", [(300, 0), (0, 3), (4, 300, 0), (4, 0, 3)])
def test_sums_of_nothing_are_0(shape: tuple[int, ...], options: dict[str, Any]) -> None:
    x = np.zeros(shape, "f4")
    with en.Graph() as graph:
        given = en.placeholder(shape)
        found = [sum_(given, axis=at) for at in range(len(shape))]
    for at, one in enumerate(en.Session(graph, **options).run(found, {given: x})):
        np.testing.assert_array_equal(one, x.sum(at))


def test_truths_are_counted(options: dict[str, Any]) -> None:
    x = rng.normal(size=(300, 7)).astype("f4")
    found = computed(lambda x: sum_(en.ops.cast(en.ops.greater(x, 0), dtype="int32"), axis=0), [x], options)
    assert found.dtype == "int32"
    np.testing.assert_array_equal(found, (x > 0).sum(0))


@pytest.mark.parametrize("axis", [0, 1])
def test_the_largest_is_the_first_of_equals_and_what_is_no_number_above_all(options: dict[str, Any], axis: int) -> None:
    x = np.array([[1, 3, 3, -np.inf], [np.nan, 3, np.nan, -np.inf], [2, 7, np.nan, -np.inf]] * 20, "f4")
    np.testing.assert_array_equal(computed(lambda x: argmax(x, axis=axis), [x], options), x.argmax(axis))
    np.testing.assert_array_equal(computed(lambda x: max_(x, axis=axis), [x], options), x.max(axis))


def test_an_infinite_gradient_goes_to_the_largest_alone(options: dict[str, Any]) -> None:
    def slope(x: en.Tensor, g: en.Tensor) -> en.Tensor:
        return en.gradients(max_(x, axis=1), [x], g)[0]

    found = computed(slope, [np.array([[1, 2, 2]], "f4"), np.array([np.inf], "f4")], options)
    assert found.tolist() == [[0, np.inf, np.inf]]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("offset", [0, 1e7, -1e7, 1e30])
def test_softmax_and_its_kin_don_t_feel_a_common_offset(options: dict[str, Any], dtype: str, offset: float) -> None:
    options = {} if dtype == "float64" else options
    logits = np.array([[0, 0, 0], [0, 8, 4]], dtype)
    far, shares = (logits + offset).astype(dtype), np.full((2, 3), 1 / 3, dtype)
    logits = (far - far.max(-1, keepdims=True)).astype("f8")  # at 1e30 all are alike
    logs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    labels = np.array([0, 2], "i4")

    def everything(x: en.Tensor, labels: en.Tensor, shares: en.Tensor) -> list[en.Tensor]:
        return [softmax(x), log_softmax(x), cross_entropy(x, labels), cross_entropy(x, shares)]

    found = computed(everything, [far, labels, shares], options)
    wanted = [np.exp(logs), logs, -logs[[0, 1], labels], -logs.mean(-1)]
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, 1e-6, 1e-7)


def test_a_softmax_over_many_classes(options: dict[str, Any]) -> None:
    x = np.zeros((2, 1_000_000), "f4")
    found = computed(lambda x: [softmax(x), log_softmax(x)], [x], options)
    np.testing.assert_allclose(found[0], 1e-6, 2e-6)
    np.testing.assert_allclose(found[1], -np.log(1e6), 1e-6)


def test_a_class_that_is_masked_and_has_no_share_counts_for_nothing(options: dict[str, Any]) -> None:
    def loss(logits: en.Tensor, labels: en.Tensor) -> list[en.Tensor]:
        found = en.losses.softmax_cross_entropy(logits, labels)
        return [found, *en.gradients(found, [logits])]

    found, slope = computed(loss, [MASKED, np.array([[1, 0, 0]], "f4")], options)
    np.testing.assert_allclose(found, 1.3132617, 1e-6)
    np.testing.assert_allclose(slope, [[-0.7310586, 0, 0.7310586]], 1e-6)
    found, slope = computed(loss, [MASKED, np.array([0], "i4")], options)
    np.testing.assert_allclose(found, 1.3132617, 1e-6)
    assert computed(loss, [MASKED, np.array([[0.5, 0.5, 0]], "f4")], options)[0] == np.inf


def normed(x: np.ndarray, g: np.ndarray) -> list[np.ndarray]:
    """A batch norm of width 1, and its gradient, in float64."""
    x, g = x.astype("f8"), g.astype("f8")
    axes = tuple(range(x.ndim - 1))
    width = 1 / np.sqrt(x.var(axes) + 1e-5)
    y = (x - x.mean(axes)) * width
    return [y, width * (g - g.mean(axes) - y * (g * y).mean(axes))]


def batch_norm(x: en.Tensor, g: en.Tensor) -> list[en.Tensor]:
    """The same by the engine, and how far the averages have moved."""
    units = x.shape[-1] or 0
    center, spread, scale, shift = (
        en.variable(first, (units,), dtype=x.dtype, name=f"v{at}") for at, first in enumerate([0.0, 1.0, 1.0, 0.0])
    )
    y = en.ops.batch_norm(x, scale, shift, en.ops.Averages(center, spread), True)
    return [y, *en.gradients(y, [x], g), center, spread]


@pytest.mark.parametrize("shape", [(10_000, 3), (257, 40), (5, 7, 6, 8), (12_000, 8), (1, 20), (40, 100)])
@pytest.mark.parametrize("offset", [0, 1e5])
def test_batch_norm_is_float64_s_however_far_from_0(
    options: dict[str, Any], shape: tuple[int, ...], offset: float
) -> None:
    x = (rng.normal(size=shape) + offset).astype("f4")
    g = rng.normal(size=shape).astype("f4")
    with en.Graph() as graph:
        inputs = [en.placeholder((None, *shape[1:])) for _ in range(2)]
        results = batch_norm(*inputs)
    session = en.Session(graph, **options)
    y, slope, center, spread = session.run(results, dict(zip(inputs, (x, g), strict=True)))
    wanted = normed(x, g)
    np.testing.assert_allclose(y, wanted[0], 2e-5, 2e-5)
    np.testing.assert_allclose(slope, wanted[1], 2e-4, 2e-4 if shape[0] > 1 else 1e-2)
    axes = tuple(range(len(shape) - 1))
    np.testing.assert_allclose(center, 0.1 * x.mean(axes, "f8"), 2e-6, 1e-7)
    np.testing.assert_allclose(spread, 0.9 + 0.1 * x.astype("f8").var(axes), 2e-6)


def test_an_empty_batch_leaves_the_averages_alone(options: dict[str, Any]) -> None:
    for train in (True, None):
        with en.Graph() as graph:
            x, fed = en.placeholder((None, 3)), en.placeholder((), "bool")
            y = en.layers.BatchNorm(True if train else fed)(x)
        session = en.Session(graph, **options)
        feeds = {} if train else {fed: True}
        session.run(y, feeds | {x: rng.normal(size=(5, 3)).astype("f4")})
        before = session.state()["float32"].copy()
        assert session.run(y, feeds | {x: np.zeros((0, 3), "f4")}).shape == (0, 3)
        np.testing.assert_array_equal(session.state()["float32"], before)
        session.run(y, feeds | {x: rng.normal(size=(5, 3)).astype("f4")})
        assert not np.array_equal(session.state()["float32"], before)


def test_a_batch_norm_s_gradient_has_a_gradient() -> None:
    x = rng.normal(size=(6, 3))
    with en.Graph() as graph:
        inputs, weights = en.placeholder((None, 3), "float64"), en.constant(rng.normal(size=(6, 3)))
        found = moments(inputs)
        y = normalize(inputs, found[0], 1.5 / en.ops.sqrt(found[2] + 1e-3), 0.5 - found[1])
        (slope,) = en.gradients(sum_(weights * en.ops.tanh(y)), [inputs])
        curved = sum_(weights * square(slope))
        (exact,) = en.gradients(curved, [inputs])
    session = en.Session(graph)
    numeric = numeric_gradient(lambda: float(session.run(curved, {inputs: x})), x)
    assert relative_error(session.run(exact, {inputs: x}), numeric) < 1e-6


ZEROS = [[2, 3, 5, 7], [0, 3, 5, 7], [2, 0, 5, 0], [0, 0, 5, 0], [0, 0, 0, 0]]


@pytest.mark.parametrize(("axis", "keepdims"), [(1, False), (1, True), (0, False), (None, False), ((0, 1), True)])
def test_a_product_s_derivatives_are_right_where_numbers_are_0(axis: Any, keepdims: bool) -> None:
    """By each number it is a straight line, so wide differences are exact."""
    x = np.array(ZEROS, "f8")
    x = x.T if axis == 0 else x[2:3] if axis != 1 else x
    with en.Graph() as graph:
        given = en.placeholder(x.shape, "float64")
        y = sum_(prod(given, axis=axis, keepdims=keepdims) * 1.5)
        session = en.Session(graph)

        def value(y: en.Tensor) -> float:
            return float(session.run(y, {given: x}))

        for _ in range(3):
            (slope,) = en.gradients(y, [given])
            curved = sum_(slope * en.constant(rng.normal(size=x.shape)))
            numeric = numeric_gradient(partial(value, y), x, 0.5)
            assert relative_error(session.run(slope, {given: x}), numeric) < 1e-12
            y = curved


def test_a_product_s_second_derivative_on_both_executors(options: dict[str, Any]) -> None:
    """Of x y z by x and y it is z, by x twice 0."""

    def hessian(x: en.Tensor) -> list[en.Tensor]:
        (slope,) = en.gradients(prod(x, axis=0), [x])
        return [en.gradients(slope[at], [x])[0] for at in range(3)]

    for x, y, z in ([2, 3, 5], [0, 3, 5], [0, 3, 0], [0, 0, 0]):
        found = computed(hessian, [np.array([x, y, z], "f4")], options)
        np.testing.assert_allclose(found, [[0, z, y], [z, 0, x], [y, x, 0]], 1e-6, 1e-6)


@pytest.mark.parametrize("axis", [0, 1, None])
def test_a_maximum_tells_of_each_nan(options: dict[str, Any], axis: int | None) -> None:
    """Wherever it stands: in a pair of vectors or left over from pairs, beside infinity, before and after numbers."""
    places = [(row, column) for row in (0, 1, 31, 32, 33, 66) for column in (0, 9, 95, 96, 130, 514)]
    for row, column in places:
        x = rng.normal(size=(67, 515)).astype("f")
        x[row - 1, column] = np.inf
        x[row, column] = np.nan
        found = computed(lambda x: max_(x, axis=axis), [x], options)
        np.testing.assert_array_equal(found, x.max(axis=axis))
