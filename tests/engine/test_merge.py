"""Products that are added up, as one: when, and that nothing else changes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import engine as en
from engine.layers import LSTM
from engine.ops import matmul, mean, square, sum_
from engine.plan import Plan, make_plan
from engine.spec import Spec

Reader = Callable[[en.Tensor, en.Tensor], en.Tensor]
rng = np.random.default_rng(3)


def ops(plan: Plan) -> list[str]:
    return [node.op.name for node in plan.nodes if node.inputs]


def recurrent(decay: float = 0.0) -> tuple[en.Tensor, list[en.Tensor]]:
    """The input of an LSTM of 6 steps, and the gradients of its weights and bias."""
    with en.Graph() as graph:
        x = en.placeholder((None, 6, 3), name="x")
        y = mean(square(LSTM(8)(x)))
        weights = list(graph.variables)
        return x, en.gradients(y + decay * sum_(square(weights[0])) if decay else y, weights)


def products_over_rows(plan: Plan) -> int:
    return sum(node.op is matmul and bool(node.attrs.get("transpose_a")) for node in plan.nodes)


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_weights_that_each_step_reads_have_one_product(decay: float) -> None:
    x, found = recurrent(decay)
    plan = make_plan(found, {x: Spec((2, 6, 3))})
    assert products_over_rows(plan) == 1
    assert ops(plan).count("sum_like") == 1


def test_the_steps_are_computed_where_they_are_put_together() -> None:
    x, found = recurrent()
    plan = make_plan(found, {x: Spec((2, 6, 3))})
    packs = [node for node in plan.nodes if node.op.name == "pack"]
    assert len(packs) == 2
    inside = [plan.places[part].storage is plan.places[each].storage for each in packs for part in each.inputs]
    assert all(inside)


def test_where_it_would_write_more_they_stay_apart() -> None:
    x, found = recurrent()
    assert products_over_rows(make_plan(found, {x: Spec((50, 6, 3))})) == 6


def times(count: int, read: Reader) -> tuple[list[en.Tensor], en.Tensor, en.Tensor]:
    """The inputs, the weights, and the sum of what ``read`` makes of each input and the weights."""
    xs = [en.placeholder((None, 4), "float64", name=f"x{at}") for at in range(count)]
    w = en.variable(rng.normal(size=(4, 5)), name="w", dtype="float64")
    y = sum(sum_(square(read(x, w))) for x in xs)
    assert isinstance(y, en.Tensor)
    return xs, w, y


def test_the_gradient_and_its_own_are_the_same_whatever_is_merged() -> None:
    """Seven readers against three and four: three are too few to be merged."""
    with en.Graph() as graph:
        xs, w, y = times(7, matmul)
        (whole,) = en.gradients(y, [w])
        parts = [en.gradients(sum_(square(matmul(x, w))), [w])[0] for x in xs]
        (second,) = en.gradients(sum_(square(whole)), [w])
        slopes = [en.gradients(sum_(square(sum(parts))), [w])[0]]
    session = en.Session(graph)
    fed = {x: rng.normal(size=(2, 4)) for x in xs}
    assert products_over_rows(make_plan([whole], {x: Spec((2, 4), "float64") for x in xs})) == 1
    one, *several = session.run([whole, *parts], fed)
    np.testing.assert_allclose(one, sum(several), rtol=1e-12)
    found, wanted = session.run([second, *slopes], fed)
    np.testing.assert_allclose(found, wanted, rtol=1e-11)


def test_batches_of_nothing_have_no_gradient() -> None:
    with en.Graph() as graph:
        xs, w, y = times(5, matmul)
        (g,) = en.gradients(y, [w])
    found = en.Session(graph).run(g, {x: np.zeros((0, 4)) for x in xs})
    np.testing.assert_array_equal(found, np.zeros((4, 5)))


def test_a_product_that_somebody_else_reads_stays() -> None:
    with en.Graph() as graph:
        xs, w, y = times(5, matmul)
        (g,) = en.gradients(y, [w])
    first = next(each for each in graph.tensors if each.op is matmul and each.attrs.get("transpose_a"))
    plan = make_plan([g, first], {x: Spec((2, 4), "float64") for x in xs})
    assert products_over_rows(plan) == 2
