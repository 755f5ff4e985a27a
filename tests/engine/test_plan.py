"""What a plan promises: whoever reads finds the bytes as they were written."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

import engine as en
from engine.ops import affine, assign, copy, exp, matmul, pack, softmax, sum_, tanh, transpose
from engine.optim import OPTIMIZERS
from engine.passes import Node
from engine.plan import ALIGN, Plan, make_plan
from engine.spec import Spec


@pytest.fixture
def x():
    with en.Graph():
        yield en.placeholder((4, 4), name="x")


def plan_of(*fetches: en.Tensor, reuse: bool = True) -> Plan:
    fed = [each for each in fetches[0].graph.tensors if each.op.name == "placeholder"]
    plan = make_plan(fetches, {each: each.spec for each in fed}, reuse)
    check(plan)
    return plan


def check(plan: Plan) -> None:
    """The promises of every plan."""
    step = {node: at for at, node in enumerate(plan.nodes)}
    storages = {place.storage: None for place in plan.places.values()}
    for a, b in combinations(storages, 2):
        together = a.start <= b.end and b.start <= a.end
        assert not together or a.offset + a.nbytes <= b.offset or b.offset + b.nbytes <= a.offset
    for storage in storages:
        assert storage.offset % ALIGN == 0
        assert storage.offset + storage.nbytes <= plan.arena_bytes
    for node in plan.nodes:
        for at, source in enumerate(node.inputs):
            assert step[source] < step[node]
            place = plan.places.get(source.root)
            if place is not None:
                assert place.storage.start <= step[source.root] < step[node] <= place.storage.end
                check_overwriting(plan, node, at)
    for fetched in plan.fetches:
        place = plan.places.get(fetched.root)
        assert place is None or place.storage.end == len(plan.nodes)


def check_overwriting(plan: Plan, node: Node, at: int) -> None:
    """A result lies on its input only where the op allows it and nobody else needs the input."""
    source = node.inputs[at]
    own = plan.places.get(node)
    if own is None or own.storage is not plan.places[source.root].storage or node.op is pack:
        return
    if own.offset or own.storage.nbytes != node.spec.nbytes:
        return  # another part of one pack
    assert at in node.op.reuse
    assert source.spec == node.spec
    assert not [each for each in node.inputs if each.root is source.root and each is not source]


def shares(plan: Plan, a: en.Tensor, b: en.Tensor) -> bool:
    """Whether ``b`` is computed over ``a``."""
    places = {node.tensor: place.storage for node, place in plan.places.items()}
    return places[a] is places[b]


def test_element_wise_results_take_their_input_s_memory(x):
    first = exp(x)
    last = tanh(first + 1.0)
    plan = plan_of(last)
    assert shares(plan, first, last)
    assert plan.arena_bytes == x.spec.nbytes
    assert plan_of(last, reuse=False).arena_bytes == 3 * x.spec.nbytes


def test_what_is_read_again_isn_t_overwritten(x):
    first = exp(x)
    second = tanh(first)
    assert not shares(plan_of(second + first), first, second)
    assert not shares(plan_of(second, first), first, second)
    assert not shares(plan_of(second, transpose(first)), first, second)


def test_what_is_read_crosswise_isn_t_overwritten(x):
    first = exp(x)
    crosswise = first - transpose(first)
    assert not shares(plan_of(crosswise), first, crosswise)


def test_a_product_isn_t_computed_over_its_factor(x):
    first = exp(x)
    product = matmul(first, x)
    assert not shares(plan_of(product), first, product)


def test_memory_is_given_on(x):
    y = x
    for _ in range(20):
        y = matmul(y, x)
    assert plan_of(y).arena_bytes == 2 * x.spec.nbytes


def test_parts_are_computed_inside_their_pack(x):
    a, b = exp(x), matmul(x, x)
    plan = plan_of(pack(a, b))
    places = {node.tensor: place for node, place in plan.places.items()}
    assert places[a].storage is places[b].storage
    assert (places[a].offset, places[b].offset) == (0, x.spec.nbytes)


def test_an_assignment_s_value_is_computed_in_the_variable_s_memory(x):
    v = en.variable(0.0, (4, 4), name="v")
    step, crosswise, product = v - x, v - transpose(v), matmul(v, x)
    for value, direct in ((step, True), (crosswise, False), (product, False)):
        node = next(node for node in plan_of(assign(v, value)).nodes if node.tensor is value)
        assert (node.into is not None) is direct


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_network_s_plan_keeps_its_promises(optimizer, x):
    y = softmax(affine(tanh(affine(x, *weights(4, 8, "a"))), *weights(8, 3, "b")))
    train = OPTIMIZERS[optimizer](0.1).minimize(sum_(y * y))
    plan = plan_of(train, y, copy(y))
    assert plan.arena_bytes < plan_of(train, y, copy(y), reuse=False).arena_bytes


def weights(inputs: int, units: int, name: str) -> tuple[en.Tensor, en.Tensor]:
    return en.variable(en.init.glorot, (inputs, units), name=f"{name}/w"), en.variable(0.0, (units,), name=f"{name}/b")


def test_results_begin_at_a_cache_line(x):
    program = en.Session(x.graph).bind(exp(x) @ x, {x: (4, 4)})
    (result,) = program.results
    assert isinstance(result, np.ndarray)
    assert result.ctypes.data % ALIGN == 0


def test_a_plan_tells_what_is_freed_when(x):
    first = exp(x)
    plan = make_plan([matmul(first, x)], {x: Spec((4, 4))})
    freed_at = next(at for at, storages in plan.freed.items() if at < len(plan.nodes) and storages)
    assert plan.nodes[freed_at].op is matmul
