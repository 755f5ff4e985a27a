"""Theano's door: shared values, functions with updates and givens, gradients."""

from __future__ import annotations

import contextvars

import numpy as np
import pytest

import engine as en
from engine.ops import reshape, sum_
from engine.theano import function, get_value, grad, iscalar, ivector, matrix, scalar, set_value, shared, vector


@pytest.fixture(autouse=True)
def graph():
    with en.Graph() as graph:
        yield graph


def test_a_function_gives_one_value_a_list_or_nothing():
    x = vector("x")
    assert function([x], x * 2.0)([1, 2]).tolist() == [2, 4]
    assert function(x, x * 2.0)([1, 2]).tolist() == [2, 4]
    assert [each.tolist() for each in function([x], [x + 1.0, sum_(x)])([1, 2])] == [[2, 3], 3]
    w = shared(0.0, "w")
    assert function([x], updates=[(w, w + sum_(x))])([1, 2]) is None
    assert get_value(w) == 3
    assert function([], w)() == 3
    assert function([x], [x])([1.0])[0].tolist() == [1]


def test_outputs_and_updates_read_the_values_from_before_the_call():
    a, b = shared([1.0, 2.0], "a"), shared([10.0, 20.0], "b")
    swap = function([], [a, reshape(b, shape=(2, 1)), a + b], updates={a: b, b: a})
    assert [each.tolist() for each in swap()] == [[1, 2], [[10], [20]], [11, 22]]
    assert (get_value(a).tolist(), get_value(b).tolist()) == ([10, 20], [1, 2])
    swap()
    assert (get_value(a).tolist(), get_value(b).tolist()) == ([1, 2], [10, 20])


def test_functions_share_their_variables_and_others_may_come_later():
    w, x = shared(np.zeros(2), "w"), vector("x")
    add = function([x], updates=[(w, w + x)])
    add([1, 2])
    more = shared(5.0, "w")  # a name may come twice
    total = function([], sum_(w) + more)
    add([1, 2])
    assert total() == 11
    set_value(w, [0, 0])
    assert total() == 5


def test_a_number_may_be_the_new_value():
    n = shared(3, "n")
    assert n.dtype == "int32"
    assert get_value(n) == 3
    function([], updates=[(n, 0)])()
    assert get_value(n) == 0


@pytest.mark.parametrize(
    ("value", "dtype", "wanted"),
    [(np.zeros(2), None, "float32"), (np.zeros(2), "float64", "float64"), (np.zeros(2, "u1"), None, "uint8")],
)
def test_the_type_of_a_shared_value(value, dtype, wanted):
    assert shared(value, "v", dtype).dtype == wanted


def test_givens_stand_in_the_place_of_other_tensors():
    data, index, x = shared([[1.0, 2.0], [3.0, 4.0]], "data"), iscalar("index"), vector("x")
    y = sum_(x * x)
    squares = function([index], y, givens={x: data[index]})
    assert [squares(at) for at in (0, 1)] == [5, 25]
    assert function([], y, givens=[(x, [1.0, 1.0])])() == 2
    assert function([x], y)([2, 2]) == 8  # the first graph is as it was


def test_gradient_descent_finds_the_line():
    x, target, w = matrix("x"), vector("target"), shared(np.zeros((2, 1)), "w")
    loss = en.losses.mean_squared_error(reshape(x @ w, shape=(-1,)), target)
    assert grad(loss, [w])[0].shape == grad(loss, w).shape == (2, 1)
    train = function([x, target], loss, updates=[(w, w - 0.2 * grad(loss, w))])
    inputs = np.random.default_rng(0).normal(size=(50, 2)).astype("f4")
    losses = [float(train(inputs, inputs @ np.array([3, -1], "f4"))) for _ in range(60)]
    assert losses[0] > 1
    assert losses[-1] < 1e-6
    np.testing.assert_allclose(get_value(w)[:, 0], [3, -1], atol=1e-3)


def test_an_optimiser_s_step_may_be_fetched_too(graph):
    w = shared(1.0, "w")
    train = en.optim.SGD(0.25).minimize(w * w)
    assert function([], [train, w * 1.0])()[1] == 1
    assert get_value(w) == 0.5


def test_no_graph_need_be_written():
    def lesson() -> list[float]:
        w, x = shared(2.0, "w"), scalar("x")
        y = function([x], x * w, updates=[(w, w + 1.0)])
        return [float(y(3.0)), float(y(3.0))]

    for _ in range(2):
        assert contextvars.Context().run(lesson) == [6, 9]


def unneeded():
    return function([scalar("x"), y := scalar("y")], y * 2.0)


def missing():
    return function([], scalar("x") * 2.0)


def nothing():
    return function([scalar("x")])


def twice():
    w = shared(0.0, "w")
    return function([], updates=[(w, w + 1.0), (w, w + 2.0)])


def of_another_shape():
    w = shared([0.0, 0.0], "w")
    return function([], updates=[(w, 1.0)])


HERE = r"\(test_theano\.py:\d+\)"
WRONG = {
    unneeded: (en.FeedError, f"input x {HERE} isn't needed by any output or update {HERE}"),
    missing: (en.FeedError, f"placeholder x {HERE} is needed, but isn't an input {HERE}"),
    nothing: (en.EngineError, f"needs outputs or updates {HERE}"),
    twice: (en.EngineError, f"two updates in one function {HERE}"),
    of_another_shape: (en.ShapeError, r"the variable holds float32\(2,\), the new value is float32\(\)"),
}


@pytest.mark.parametrize("wrong", WRONG, ids=lambda each: each.__name__)
def test_functions_that_can_t_be(wrong):
    kind, text = WRONG[wrong]
    with pytest.raises(kind, match=text):
        wrong()


def test_a_call_with_too_few_values():
    x, y = scalar("x"), ivector("y")
    f = function([x, y], [x, y])
    with pytest.raises(en.FeedError, match=r"this function takes x, y; it got 1 value"):
        f(1.0)
