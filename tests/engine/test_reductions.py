"""Reductions, softmax and batch norms: right to the last digits, however many numbers and however large."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import engine as en
from engine.native import NativeProgram, load, problem
from engine.ops import argmax, cross_entropy, log_softmax, max_, mean, prod, softmax, square, sum_
from tests.engine.test_native import CACHE

rng = np.random.default_rng(0)
MASKED = np.array([[0, -np.inf, 1]], "f4")


@pytest.fixture(params=["numpy", "native"])
def options(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What a session is made with: for NumPy's executor, and for the machine."""
    if request.param == "numpy":
        return {}
    if problem() is not None:
        pytest.skip(str(problem()))
    return {"executor": load(CACHE)}


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


@given(data=st.data(), shape=st.lists(st.sampled_from([1, 2, 3, 5, 16, 33]), min_size=1, max_size=5))
@settings(max_examples=30)
@pytest.mark.skipif(problem() is not None, reason=str(problem()))
def test_every_reduction_along_any_axes_is_native(data: Any, shape: list[int]) -> None:
    native = {"executor": load(CACHE)}
    axes = tuple(data.draw(st.sets(st.integers(0, len(shape) - 1))))
    x = np.random.default_rng(1).normal(size=shape).astype("f4")
    whole = np.random.default_rng(2).integers(-9, 9, shape).astype("i4")
    for op in (sum_, max_, prod):
        np.testing.assert_allclose(
            computed(lambda x, op=op: op(x, axis=axes), [x], native),
            computed(lambda x, op=op: op(x, axis=axes), [x], {}), 1e-5, 1e-5,
        )  # fmt: skip
    np.testing.assert_array_equal(computed(lambda x: sum_(x, axis=axes), [whole], native), whole.sum(axes))
    for axis in range(len(shape)):
        np.testing.assert_array_equal(computed(lambda x, at=axis: argmax(x, axis=at), [x], native), x.argmax(axis))


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
