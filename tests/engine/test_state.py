"""Who sees which value of a variable: readers the old one, an assignment's readers its own, a fetch the last."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import engine as en
from engine.ops import assign, broadcast_like, copy, flat, group, pack, reshape, sum_, transpose
from tests.engine.tools import Interpreter


@pytest.fixture(params=[{}, {"reuse": False}, {"poison": True}], ids=["reuse", "no reuse", "poison"])
def run(request) -> Iterator:
    """Runs fetches in a fresh session, checks them against the interpreter, and gives them as lists."""

    def in_a_new_session(*fetches: en.Tensor):
        session = en.Session(fetches[0].graph, **request.param)
        naive = Interpreter({each: session.get(each) for each in session.graph.variables})
        found, wanted = session.run(fetches), naive.run(fetches)
        for each, value, meant in zip(fetches, found, wanted, strict=True):
            if each.op is not group:
                np.testing.assert_array_equal(value, meant, err_msg=str(each))
        return [None if each is None else each.tolist() for each in found]

    with en.Graph():
        yield in_a_new_session


def test_readers_see_the_old_value_and_a_fetch_the_new(run):
    v = en.variable([1.0, 2.0], name="v")
    early = v * 10.0
    new = assign(v, v + 1.0)
    late = v * 10.0  # written later, and yet it doesn't ask for the new value
    assert run(early, new, late, v) == [[10, 20], [2, 3], [10, 20], [2, 3]]


def test_who_asks_for_the_new_value_reads_the_assignment(run):
    v = en.variable([1.0, 2.0], name="v")
    new = assign(v, v + 1.0)
    assert run(new * 10.0, v * 10.0) == [[20, 30], [10, 20]]


def test_an_identity_keeps_the_old_value(run):
    v = en.variable([1.0, 2.0], name="v")
    kept = v * 1.0
    new = assign(v, v + 1.0)
    assert run(kept + new, v) == [[3, 5], [2, 3]]


def test_what_was_broadcast_keeps_the_old_value(run):
    v = en.variable(1.0, (), name="v")
    wide = broadcast_like(v, en.constant([0.0, 0.0]))
    new = assign(v, v + 1.0)
    assert run(wide + (new + en.constant([0.0, 5.0]))) == [[3, 8]]


def test_a_window_shows_the_old_value(run):
    v = en.variable([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], name="v")
    row, turned, wide = v[0], transpose(v), reshape(transpose(v), shape=(2, 3))
    new = assign(v, v * 2.0)
    assert run(row, turned, wide, new[0]) == [
        [1, 2, 3], [[1, 4], [2, 5], [3, 6]], [[1, 4, 2], [5, 3, 6]], [2, 4, 6],
    ]  # fmt: skip


def test_a_value_that_reads_the_variable_crosswise_is_computed_elsewhere(run):
    v = en.variable([[1.0, 2.0], [3.0, 4.0]], name="v")
    assert run(assign(v, v - transpose(v)), v) == [[[0, -1], [1, 0]]] * 2


def test_a_product_isn_t_computed_over_its_own_factor(run):
    v = en.variable([[1.0, 2.0], [3.0, 4.0]], name="v")
    assert run(assign(v, v @ v)) == [[[7, 10], [15, 22]]]


def test_assignments_to_one_variable_happen_in_the_order_they_were_written(run):
    v = en.variable([1.0], name="v")
    first, second = assign(v, v + 1.0), assign(v, v + 10.0)
    assert run(second, first, v) == [[11], [2], [11]]


def test_an_assignment_that_has_to_wait_isn_t_overtaken(run):
    v = en.variable([1.0], name="v")
    first, second = assign(v, v + 1.0), assign(v, en.constant([10.0]))
    late = v * 2.0  # the first assignment waits for this
    assert run(group(first, second), late, v) == [None, [2], [10]]


def test_a_chain_of_assignments(run):
    v = en.variable([1.0], name="v")
    first = assign(v, v + 1.0)
    between = first * 100.0
    second = assign(first, first * 3.0)
    assert run(second, between, first * 1.0, v, v * 1.0) == [[6], [200], [2], [6], [1]]


def test_two_variables_swap(run):
    a, b = en.variable([1.0], name="a"), en.variable([2.0], name="b")
    assert run(assign(a, b * 1.0), assign(b, a * 1.0), a, b) == [[2], [1], [2], [1]]


def test_a_swap_without_a_copy_is_refused(run):
    a, b = en.variable([1.0], name="a"), en.variable([2.0], name="b")
    with pytest.raises(en.EngineError, match=r"old and the new value .* a, b; test_state.py:\d+.*keep the old one"):
        run(assign(a, b), assign(b, a))


def test_old_and_new_value_in_one_sum_are_refused_with_a_way_out(run):
    v = en.variable([1.0], name="v")
    new = assign(v, v + 1.0)
    with pytest.raises(en.EngineError, match="keep the old one first"):
        run(v + new)


def test_a_value_that_is_fetched_too_isn_t_changed_by_later_assignments(run):
    v = en.variable([1.0], name="v")
    value = v + 1.0
    new = assign(v, value)
    newer = assign(new, new * 5.0)
    assert run(value, newer, v) == [[2], [10], [10]]


def test_parts_of_a_variable_are_assigned(run):
    v = en.variable(np.zeros((2, 3)), name="v")
    changed = [assign(v[0], en.constant([1.0, 2.0, 3.0])), assign(v[:, 1], en.constant([7.0, 8.0]))]
    assert run(group(*changed), v) == [None, [[1, 7, 3], [0, 8, 0]]]


def test_a_part_that_only_a_copy_could_hold_isn_t_assigned(run):
    v = en.variable(np.zeros((2, 3)), name="v")
    with pytest.raises(en.EngineError, match=r"reshape .*copy.*assign to the variable itself \(test_state.py"):
        run(assign(reshape(transpose(v), shape=(6,)), en.constant([0.0] * 6)))


def test_many_variables_as_one_vector(run):
    a, b = en.variable([[1.0, 2.0]], name="a"), en.variable([3.0], name="b")
    vector = flat(a, b)
    new = assign(vector, vector * 2.0)
    assert run(sum_(vector), new, a, b, vector) == [6, [2, 4, 6], [[2, 4]], [6], [2, 4, 6]]


def test_the_value_of_a_vector_may_be_packed(run):
    a, b = en.variable([[1.0, 2.0]], name="a"), en.variable([3.0], name="b")
    new = assign(flat(a, b), pack(a + 1.0, b + 1.0))
    assert run(new, a) == [[2, 3, 4], [[2, 3]]]


def test_packed_parts_live_as_long_as_anyone_reads_them(run):
    x = en.variable([1.0, 2.0], name="x")
    part, other = x + 1.0, x + 2.0
    packed = sum_(pack(part, other))
    filler = [copy(x * float(at)) + packed for at in range(6)]  # wants memory after the pack is done with
    assert run(*filler, part * 2.0, other)[6:] == [[4, 6], [3, 4]]


def test_a_part_packed_twice_and_in_two_packs(run):
    x = en.variable([1.0, 2.0], name="x")
    part = x + 1.0
    assert run(pack(part, part), pack(x, part), part) == [[2, 3, 2, 3], [1, 2, 2, 3], [2, 3]]


def test_only_variables_keep_values(run):
    x = en.placeholder((2,), name="x")
    with pytest.raises(en.EngineError, match=r"assign\(add.*only a variable keeps a value.*test_state.py:\d+"):
        assign(x + 1.0, x)


def test_only_variables_side_by_side_are_one_vector(run):
    a, b, c = (en.variable([1.0], name=name) for name in "abc")
    with pytest.raises(en.EngineError, match="c doesn't lie right behind"):
        flat(a, c)
    with pytest.raises(en.EngineError, match="pack"):
        flat(a, b * 2.0)


def test_a_fed_variable_is_read_but_can_t_be_assigned():
    with en.Graph() as graph:
        v, w = en.variable([1.0], name="v"), en.variable([2.0], name="w")
        new, vector = assign(v, v + 1.0), sum_(flat(v, w))
    session = en.Session(graph)
    assert session.run([v, v + 1.0], {v: [5.0]})[1].tolist() == [6]
    for wanted in (new, vector):
        with pytest.raises(en.FeedError, match="v can't be fed in a run that needs the variable itself"):
            session.run(wanted, {v: [5.0]})
    assert session.get(v).tolist() == [1]


def test_what_computes_with_a_variable_takes_the_old_value_and_a_fetch_of_it_the_new(options):
    with en.Graph() as graph:
        v = en.variable(1.0, name="v")
        up = assign(v, v + 1.0)
        tenfold = v * 10.0
    assert [float(each) for each in en.Session(graph, **options).run([tenfold, up, v])] == [10.0, 2.0, 2.0]
