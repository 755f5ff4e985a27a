"""Regions: what the pass puts together for an executor that takes anything, and what it must keep apart."""

from __future__ import annotations

import numpy as np

import engine as en
from engine.fuse import Region
from engine.ops import assign, exp, sum_, tanh, transpose
from engine.ops.math import tanh_slope
from engine.plan import Plan, make_plan
from tests.engine.test_random_graphs import Greedy


def planned(*fetches: en.Tensor) -> Plan:
    fed = {each: each.spec for each in fetches[0].graph.tensors if each.op.name == "placeholder"}
    return make_plan(fetches, fed, taker=Greedy())


def worked(plan: Plan) -> list[Region]:
    return [step for step in plan.steps if step.work]


def names(plan: Plan) -> list[str]:
    return [step.name for step in worked(plan)]


def test_what_only_a_region_reads_has_no_memory() -> None:
    with en.Graph():
        x = en.placeholder((8, 8))
        y = tanh(exp(x) * 2.0)
    plan = planned(y)
    (step,) = worked(plan)
    assert step.name == "exp+mul+tanh"
    assert [node.op.name for node in step.stored] == ["tanh"]
    assert [node.op.name for node in plan.places] == ["tanh"]
    assert {node.op.name for node in step.inputs} == {"placeholder", "constant"}


def test_what_is_read_or_fetched_outside_is_stored() -> None:
    with en.Graph():
        x = en.placeholder((8, 8))
        inner = exp(x)
        y = tanh(inner * 2.0)
    (step,) = worked(planned(y, inner))
    assert [node.op.name for node in step.stored] == ["exp", "tanh"]
    first, total = worked(planned(y, sum_(inner)))
    assert ([node.op.name for node in first.stored], total.name) == (["exp", "tanh"], "sum")


def test_neighbours_of_one_shape_join_unless_something_between_needs_the_first() -> None:
    with en.Graph():
        x = en.placeholder((4, 4))
        one, other = exp(x), tanh(x)
        dependent = one @ x + x
    assert names(planned(one, other)) == ["exp+tanh"]
    assert names(planned(one, dependent)) == ["exp", "matmul+add"]


def test_another_shape_or_a_window_begins_another_region() -> None:
    with en.Graph():
        x, row = en.placeholder((4, 4)), en.placeholder((4,))
        first = exp(x)
        crossed = first - transpose(first)
        narrow = tanh(row)
    assert names(planned(crossed)) == ["exp", "sub"]
    assert names(planned(first, narrow)) == ["exp", "tanh"]


def test_a_slope_is_where_its_function_is_if_that_is_kept() -> None:
    with en.Graph():
        x = en.placeholder((4, 4))
        y = tanh(x)
        kept, alone = en.gradients(sum_(exp(y @ x)), [y])[0] * tanh_slope(x), y * tanh_slope(x)
        v = en.variable(np.eye(4), name="v")
        changed = assign(v, tanh(v))
    assert names(planned(kept))[0] == "tanh+tanh_slope"
    assert names(planned(alone)) == ["tanh+tanh_slope+mul"]
    assert names(planned(y, alone))[0].startswith("tanh+tanh_slope")
    assert names(planned(changed, tanh_slope(v) @ v))[0] == "tanh_slope", "it reads what the function overwrites"


def test_a_slope_that_is_needed_before_its_function_stays_where_it_is() -> None:
    with en.Graph():
        x = en.placeholder((4, 4))
        slope = tanh_slope(x)
        early = exp(slope)
        y = tanh(x)
    nodes = planned(early, y @ slope, y).nodes
    for at, node in enumerate(nodes):
        assert {*node.reads} <= {*nodes[:at]}, f"{node} reads what isn't there yet"


def test_a_variable_is_changed_in_step_with_who_reads_it() -> None:
    with en.Graph():
        v = en.variable(np.eye(4), name="v")
        straight = assign(v, v * 2.0)
    assert names(planned(straight)) == ["mul"]
    with en.Graph():
        v, x = en.variable(np.eye(4), name="v"), en.placeholder((4, 4))
        across = transpose(v) + x  # reads the old value, elsewhere than where the new one goes
        new = assign(v, x * 2.0)
    assert names(planned(across, new)) == ["add", "mul"]


def test_an_update_of_many_weights_is_one_region_with_three_results() -> None:
    with en.Graph() as graph:
        x = en.placeholder((6, 90))
        loss = sum_(en.layers.Dense(60, name="output")(x))
        train = en.optim.Adam(0.1).minimize(loss)
    plan = planned(train)
    last = max(worked(plan), key=lambda step: (step.last.spec.size, len(step.stored)))
    assert [node.into is not None for node in last.stored] == [True] * 3
    assert last.last.spec.size == sum(each.spec.size for each in graph.variables[:2])


def test_the_last_result_alone_may_take_an_input_s_place() -> None:
    with en.Graph():
        x = en.placeholder((8, 8))
        start = exp(x @ x)
        one = start * 2.0
        other = tanh(one) * start
        total = sum_(one) + sum_(other)
    plan = planned(total)
    step = next(step for step in worked(plan) if len(step.stored) > 1)
    kept = {plan.places[node].storage for node in step.stored[:-1]}
    assert not kept & {plan.places[each].storage for each in step.inputs if each in plan.places}
