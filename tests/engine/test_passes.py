"""What the passes leave of a graph: as little as possible, with the same meaning."""

from __future__ import annotations

import numpy as np
import pytest

import engine as en
from engine.executors.numpy import NumpyProgram
from engine.ops import add, broadcast_like, cast, copy, gather, mean, pack, reshape, sum_, tanh, transpose
from engine.passes import FOLD_LIMIT, lower
from engine.spec import Spec


def ops_of(*fetches: en.Tensor, **fed: Spec) -> list[str]:
    """The names of the ops that are left, in order."""
    by_name = {each.name: each for each in fetches[0].graph.tensors}
    nodes, _ = lower(fetches, {by_name[name]: spec for name, spec in fed.items()})
    return [node.op.name for node in nodes]


@pytest.fixture
def x():
    with en.Graph():
        yield en.placeholder((None, 3), name="x")


def test_what_nobody_asks_for_is_pruned(x):
    tanh(x)
    assert ops_of(x + 1.0, x=Spec((2, 3))) == ["placeholder", "constant", "add"]


def test_what_is_fed_needs_nothing_before_it(x):
    inner = tanh(x)
    nodes, _ = lower([inner + 1.0], {inner: Spec((2, 3))})
    assert [node.op.name for node in nodes] == ["placeholder", "constant", "add"]


def test_the_same_expression_is_computed_once(x):
    assert ops_of(tanh(x + 1.0) + tanh(x + 1.0), x=Spec((2, 3))).count("tanh") == 1


def test_expressions_that_differ_in_an_attribute_are_two(x):
    assert ops_of(sum_(x, axis=0), sum_(x, axis=(0,), keepdims=True), x=Spec((2, 3))).count("sum") == 2


def test_equal_constants_are_one_and_others_aren_t(x):
    same = [en.constant([1.0, 2.0, 3.0]), en.constant([1.0, 2.0, 3.0]), en.constant([1.0, 2.0, -0.0])]
    assert ops_of(*(x * each for each in same), x=Spec((2, 3))).count("constant") == 2


def test_constants_are_computed_beforehand(x):
    y = x * (tanh(en.constant([1.0, 2.0, 3.0])) + 1.0)
    assert ops_of(y, x=Spec((2, 3))) == ["placeholder", "constant", "mul"]
    assert ops_of(en.gradients(mean(x * x), [x])[0], x=Spec((2, 3))).count("constant") <= 2


def test_a_large_result_isn_t_kept_as_a_constant(x):
    row = en.constant(np.ones((1, FOLD_LIMIT), "float32"))
    assert "add" in ops_of(row + en.constant(np.ones((2, 1), "float32")))


def test_what_changes_nothing_is_dropped(x):
    y = cast(1.0 * (x + 0.0) * 1.0 / 1.0 - 0.0, dtype="float32")
    assert ops_of(y, x=Spec((2, 3))) == ["placeholder"]


def test_one_vector_is_a_pack_of_itself(x):
    row = x[0]
    assert "pack" not in ops_of(pack(row), x=Spec((2, 3)))
    assert "pack" in ops_of(pack(x), x=Spec((2, 3))), "a matrix isn't a vector"
    assert "pack" in ops_of(pack(row, row), x=Spec((2, 3)))


def test_what_changes_the_shape_or_the_sign_of_zero_stays(x):
    one = en.constant(np.ones((2, 3), "float32"))
    assert "mul" in ops_of(x * one, x=Spec((1, 3)))
    assert "sub" in ops_of(0.0 - x, x=Spec((2, 3)))


def test_element_wise_ops_read_what_was_broadcast(x):
    y = broadcast_like(en.constant([1.0, 2.0, 3.0]) + 0.5, x) * x
    assert "broadcast_like" not in ops_of(y, x=Spec((2, 3)))
    both = broadcast_like(sum_(x), x) + broadcast_like(sum_(x * x), x)
    assert ops_of(both, x=Spec((2, 3))).count("broadcast_like") == 1  # something must have the shape


def test_a_constant_full_of_one_number_is_read_as_that_number(x):
    full = en.constant(np.full((2, 3), 0.5, "float32"))
    _, (root,) = lower([x * full], {x: Spec((2, 3))})
    assert [each.spec.shape for each in root.inputs] == [(2, 3), ()]
    _, (root,) = lower([x * full], {x: Spec((1, 3))})  # here it gives the result its shape
    assert [each.spec.shape for each in root.inputs] == [(1, 3), (2, 3)]
    almost = en.constant(np.array([[0.0, 0.0, -0.0]], "float32"))
    assert lower([x + almost], {x: Spec((2, 3))})[1][0].inputs[1].spec.shape == (1, 3)
    assert en.Session(full.graph).run(x * full, {x: np.ones((2, 3), "f4")}).tolist() == [[0.5] * 3] * 2


def test_a_reshape_of_a_transpose_is_copied_first_and_others_are_windows(x):
    y = en.placeholder((4, 3), name="y")
    assert ops_of(reshape(transpose(y), shape=(-1,)), y=Spec((4, 3))) == ["placeholder", "transpose", "copy", "reshape"]
    assert "copy" not in ops_of(reshape(y[1:3], shape=(-1,)), y=Spec((4, 3)))
    assert "copy" in ops_of(reshape(y[:, 1:3], shape=(-1,)), y=Spec((4, 3)))
    assert "copy" in ops_of(reshape(y[::2], shape=(-1,)), y=Spec((4, 3)))


def test_copies_are_shared(x):
    y = en.placeholder((4, 3), name="y")
    turned = transpose(y)
    assert ops_of(reshape(turned, shape=(-1,)), reshape(turned, shape=(2, 6)), y=Spec((4, 3))).count("copy") == 1


def test_a_large_constant_is_neither_copied_nor_looked_through():
    images = np.lib.stride_tricks.as_strided(np.zeros(1, "uint8"), (60_000, 784), (0, 0))  # 47 MB that aren't there
    with en.Graph() as graph:
        table = en.constant(images)
        rows = en.placeholder((None,), "int32", name="rows")
        y = gather(table[:50_000], rows)
    assert table.attrs["value"] is images
    program = en.Session(graph).bind([y, table[0]], {rows: (2,)})
    assert isinstance(program, NumpyProgram)
    held = [array for node, array in program.arrays.items() if node.op.name in ("constant", "slice")]
    assert all(np.shares_memory(each, images) for each in held)


def test_a_constant_that_can_t_be_computed_names_its_line():
    with en.Graph() as graph:
        y = gather(en.constant([1.0, 2.0]), en.constant([2]))
    with pytest.raises(en.EngineError, match=r"gather: number 2 is outside 0 to 1 \(gather, test_passes\.py:\d+\)"):
        en.Session(graph).run(y)


def test_equal_large_constants_stay_apart_when_they_are_different_arrays():
    with en.Graph() as graph:
        a, b = en.constant(np.zeros(100, "f4")), en.constant(np.ones(100, "f4"))
        y = sum_(copy(a)) + sum_(copy(b))
    assert en.Session(graph).run(y) == 100


def test_a_graph_as_deep_as_it_likes():
    with en.Graph() as graph:
        x = en.placeholder((2,), name="x")
        y = x
        for _ in range(5000):
            y = add(y, x)
        (slope,) = en.gradients(y, [x])
    found = en.Session(graph).run([y, slope], {x: [1.0, 2.0]})
    np.testing.assert_array_equal(found, [[5001, 10002], [5001, 5001]])
