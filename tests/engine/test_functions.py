"""Functions made of ops: what isn't a record of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import engine as en
from engine import ops as o
from engine.passes import needed

A, B = np.array([[1.0, -2.0, 3.0], [3.0, 0.5, 3.0]]), np.array([1.0, 0.0, 4.0])
YES, NO = np.array([True, True, False]), np.array([True, False, False])


def value(build: Any, *arrays: np.ndarray) -> Any:
    with en.Graph() as graph:
        y = build(*(en.constant(each) for each in arrays))
    return en.Session(graph).run(y)


@pytest.mark.parametrize(
    ("build", "arrays", "wanted"),
    [
        (o.less, (A, B), A < B),
        (o.less_equal, (A, B), A <= B),
        (o.logical_and, (YES, NO), YES & NO),
        (o.logical_or, (YES, NO), YES | NO),
        (o.logical_not, (YES,), ~YES),
        (lambda x: o.min_(x, axis=0), (A,), A.min(0)),
        (lambda x: o.mean(x, axis=1, keepdims=True), (A,), A.mean(1, keepdims=True)),
        (lambda x: o.split(x, [1, 2], axis=1)[1], (A,), A[:, 1:]),
        (o.global_mean, (A.reshape(1, 2, 1, 3),), A.mean(0, keepdims=True)),
    ],
)
def test_a_function_is_what_its_name_says(build: Any, arrays: tuple[np.ndarray, ...], wanted: np.ndarray):
    np.testing.assert_array_equal(value(build, *arrays), wanted)


def test_the_slope_of_a_product_is_right_where_factors_are_zero():
    x = np.array([[2.0, 3.0, 4.0], [2.0, 0.0, 4.0], [0.0, 0.0, 4.0]])
    slope = value(lambda a: en.gradients(o.prod(a, axis=1), [a])[0], x)
    np.testing.assert_array_equal(slope, [[12, 8, 6], [0, 8, 0], [0, 0, 0]])


def test_a_power_has_no_slope_by_its_exponent_below_zero():
    base, exponent = np.array([-2.0, 2.0]), np.array([2.0, 3.0])
    by_base, by_exponent = value(lambda a, b: o.pack(*en.gradients(o.power(a, b), [a, b])), base, exponent).reshape(
        2, 2
    )
    np.testing.assert_allclose(by_base, [-4, 12])
    np.testing.assert_allclose(by_exponent, [0, 8 * np.log(2)])


def test_gradients_of_slices_that_make_up_the_whole_are_put_side_by_side():
    """Also while it isn't known how many rows there will be."""
    with en.Graph() as graph:
        x = en.placeholder((None, 3))
        left, right = o.split(o.tanh(x), (1, 2), axis=1)
        (slope,) = en.gradients(o.sum_(left * left) + o.sum_(right), [x])
    names = {each.op.name for each in needed([slope], {})}
    assert ("concat" in names, "slice_fill" in names) == (True, False)
    given = np.array([[0.5, 1.0, -1.0], [0.0, -2.0, 3.0]], "f")
    wanted = np.column_stack([2 * np.tanh(given[:, :1]), np.ones((2, 2))]) * (1 - np.tanh(given) ** 2)
    np.testing.assert_allclose(en.Session(graph).run(slope, {x: given}), wanted, 1e-5)


def test_whoever_needs_after_makes_the_others_run():
    with en.Graph() as graph:
        x, counter = en.placeholder((2,)), en.variable(0.0, (), name="counter")
        y = o.after(x * 2.0, o.assign(counter, counter + 1.0))
        slope = en.gradients(y, [x])[0]
    session = en.Session(graph)
    assert session.run(y, {x: [1.0, 2.0]}).tolist() == [2, 4]
    assert session.run(slope, {x: [1.0, 2.0]}).tolist() == [2, 2]
    assert session.get(counter) == 1


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda x: o.logical_and(x, x), "isn't a yes or no"),
        (lambda x: o.split(x, [1, 1], axis=1), "don't add up"),
        (lambda x: o.squeeze(x, axis=0), "more than one element"),
        (lambda x: o.pad(x, widths=((1, -1), (0, 0))), "pair .before, after. for each of 2 axes"),
        (lambda x: o.broadcast_to(x, shape=(2, 2)), "broadcast|repeated"),
        (lambda x: o.conv2d(x, x), "images are"),
        (lambda x: o.max_pool(o.reshape(x, shape=(1, 2, 3, 1)), size=(2, 0)), "at least 1"),
    ],
)
def test_what_doesn_t_fit_is_refused_in_words(build: Any, text: str):
    with pytest.raises(en.EngineError, match=text):
        value(build, A)


def test_a_variable_that_the_loss_doesn_t_use_stays_as_it_is():
    with en.Graph() as graph:
        used, other = en.variable(1.0, name="used"), en.variable(1.0, name="other")
        step = en.optim.SGD(0.5).minimize(en.losses.l2(used))
        with pytest.raises(en.GradientError, match="doesn't depend on other"):
            en.optim.SGD(0.5).minimize(en.losses.l2(used), over=[used, other])
    session = en.Session(graph)
    session.run(step)
    assert session.run([used, other]) == [0.5, 1.0]
