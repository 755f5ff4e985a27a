"""Errors written for a student: the op, the shapes, the layer, the student's own line, and what would work."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable

import numpy as np
import pytest

import engine as en
from engine.ops import (
    affine,
    argmax,
    broadcast_like,
    cast,
    concat,
    cross_entropy,
    expand,
    gather,
    leaky_relu,
    matmul,
    max_,
    pack,
    reshape,
    sign,
    slice_,
    softmax,
    sum_,
    sum_like,
    tanh,
    transpose,
)

HERE = r"test_errors\.py:\d+"


@pytest.fixture(autouse=True)
def graph():
    with en.Graph() as graph:
        yield graph


def x(*shape: int | None, dtype: str = "float32", name: str = "x") -> en.Tensor:
    return en.placeholder(shape, dtype, name=name)


# Each wrong line of a lesson: what is built, the kind of error, and what its text must say.
BUILDING: list[tuple[Callable[[], object], type[en.EngineError], str]] = [
    (lambda: matmul(x(3, 5), x(4, 2)), en.ShapeError, r"matmul\(x float32\(3, 5\), x_1 float32\(4, 2\)\): .*inner sizes"
     r" differ, 5 and 4 \(HERE\)"),
    (lambda: x(3, 5) @ np.ones((4, 2), "f4"), en.ShapeError, r"matmul\(x float32\(3, 5\), array float32\(4, 2\)\)"),
    (lambda: np.ones((3, 5), "f4") @ x(4, 2), en.ShapeError, r"\(3, 5\) @ \(4, 2\): inner sizes differ, 5 and 4"),
    (lambda: x(3) @ x(3), en.ShapeError, r"two matrices are needed.*reshape\(\) makes one \(HERE\)"),
    (lambda: affine(x(2, 3), x(3, 4), x(3)), en.ShapeError, r"a bias of shape \(4,\) is needed"),
    (lambda: x(3, 4) + x(3), en.ShapeError, r"add\(.*\(3, 4\) and \(3,\) don't broadcast: 3 and 4 differ \(HERE\)"),
    (lambda: x(3) + x(3, dtype="float64"), en.DtypeError, r"float32 and float64 don't mix; use cast\(\).*\(HERE\)"),
    (lambda: tanh(x(3, dtype="int32")), en.DtypeError, r"tanh\(x int32\(3,\)\): needs float32 or float64"),
    (lambda: x(3, dtype="uint8") * 2, en.DtypeError, r"can't count in uint8; use cast\(\)"),
    (lambda: sum_(x(3, dtype="bool")), en.DtypeError, r"can't count in bool"),
    (lambda: x(3, dtype="int32") * 2.5, en.DtypeError, r"mul\(x int32\(3,\), 2.5\): 2.5 can't be int32 without loss"),
    (lambda: en.constant(300, "uint8"), en.DtypeError, r"constant: 300 can't be uint8 without loss.*\(HERE\)"),
    (lambda: en.constant(2**40), en.DtypeError, r"can't be int32 without loss"),
    (lambda: en.constant("seven", "float32"), en.DtypeError, r"'seven' isn't a number"),
    (lambda: en.constant([[1, 2], [3]]), en.ShapeError, r"constant: this isn't an array of numbers.*HERE"),
    (lambda: x(3) + None, en.DtypeError, r"add\(x float32\(3,\), None\): 'None' isn't a number \(HERE\)"),
    (lambda: x(3, dtype="float16"), en.DtypeError, r"dtype 'float16' isn't known; float32, float64.*\(HERE\)"),
    (lambda: x(3, -1), en.ShapeError, r"placeholder x: sizes must be .*, or None for any size, got \(3, -1\) \(HERE\)"),
    (lambda: en.variable(0.0, (2, -1), name="v"), en.ShapeError,
     r"variable v: sizes must be whole numbers, got .*HERE"),
    (lambda: en.variable(np.ones((2, 3)), (3, 2), name="v"), en.ShapeError,
     r"\(2, 3\) doesn't fill float32\(3, 2\) \(HERE\)"),
    (lambda: en.variable(en.init.he, name="v"), en.ShapeError, r"an initialiser needs shape= \(HERE\)"),
    (lambda: en.variable(x(2), name="v"), en.EngineError, r"variable v: x float32\(2,\) has no value yet"),
    (lambda: reshape(x(3, 4), shape=(5, -1)), en.ShapeError, r"12 elements don't fill shape \(5, -1\)"),
    (lambda: reshape(x(3, 4), shape=(-1, -1)), en.ShapeError, r"may have one -1"),
    (lambda: transpose(x(3, 4), axes=(0, 0)), en.ShapeError, r"must name each of the 2 axes once"),
    (lambda: x(3, 4)[:, 7], en.ShapeError, r"slice\(x float32\(3, 4\)\): index 7 of axis 1 is outside its size 4"),
    (lambda: x(3)[0, 0], en.ShapeError, r"2 indices for 1 axes"),
    (lambda: slice_(x(3), index=("a",)), en.ShapeError, r"index 'a' of axis 0 must be a whole number or a slice"),
    (lambda: concat(x(3, 4), x(3, 5)), en.ShapeError, r"differ outside axis 0"),
    (lambda: expand(x(3), axis=(0, 0)), en.ShapeError, r"axes \(0, 0\) name a place twice"),
    (lambda: concat(x()), en.ShapeError, r"single numbers have no axis"),
    (lambda: sum_(x(3), axis=1), en.ShapeError, r"axis 1 doesn't exist: there are 1 axes"),
    (lambda: max_(x(0, 3), axis=0), en.ShapeError, r"empty and has no largest element"),
    (lambda: softmax(x(3, 0)), en.ShapeError, r"at least one class"),
    (lambda: gather(x(3), x(2, name="rows")), en.DtypeError, r"rows are chosen by whole numbers, got float32"),
    (lambda: gather(x(), x(2, dtype="int32")), en.ShapeError, r"a single number has no rows"),
    (lambda: cross_entropy(x(8, 3), x(7, dtype="int32")), en.ShapeError, r"label a row is needed, \(8,\), got \(7,\)"),
    (lambda: cross_entropy(x(8, 3), x(8, 4)), en.ShapeError, r"must have the logits' shape \(8, 3\), got \(8, 4\)"),
    (lambda: cross_entropy(x(8, 3), x(8, dtype="bool")), en.DtypeError, r"whole numbers or probabilities, got bool"),
    (lambda: broadcast_like(x(3), x(4)), en.ShapeError, r"don't broadcast"),
    (lambda: broadcast_like(x(3, 4), x(4)), en.ShapeError, r"\(3, 4\) can't be repeated to \(4,\)"),
    (lambda: sum_like(x(3), x(2)), en.ShapeError, r"don't broadcast"),
    (lambda: leaky_relu(x(3), slope=2), en.EngineError, r"slope must lie between 0 and 1, got 2"),
    (lambda: tanh(x(3), x(3)), en.EngineError, r"tanh\(.*\): takes 1 input\(s\), got 2 \(HERE\)"),
    (lambda: tanh(1.0), en.EngineError, r"tanh: at least one input must be a tensor; constant\(\).*\(HERE\)"),
    (lambda: en.layers.activate(x(3), "reluu"), en.EngineError, r"activation 'reluu' isn't known; relu, tanh.*HERE"),
    (lambda: en.layers.Dense(3, name="hidden2")(x(4)), en.ShapeError, r'known number of inputs.*layer "hidden2", HERE'),
    (lambda: en.layers.Dense(3)(x(4, 2, dtype="uint8")), en.ShapeError, r"of floats .* got x uint8\(4, 2\)"),
    (lambda: en.layers.Dense(3)(x(4, None)), en.ShapeError, r"known number of inputs, got x float32\(4, \?\)"),
    (lambda: en.layers.Dense(-3)(x(4, 2)), en.ShapeError,
     r'units is a whole number of at least 1, got -3 \(layer "dense", HERE'),
    (lambda: en.losses.mean_squared_error(x(8, 1), x(8)), en.ShapeError, r"must have one shape \(HERE\)"),
    (lambda: en.losses.half_squared_error(x(8, 1), x(8, 2)), en.ShapeError, r"must have one shape"),
    (lambda: en.optim.SGD(0.1).minimize(en.ops.sum_(x(3))), en.GradientError, r"no trainable variable"),
    (lambda: en.optim.SGD(0.1).minimize(sum_(t := x(3)), [t]), en.EngineError, r"x \(HERE\) isn't a variable"),
    (lambda: en.gradients(x(3), [x(3)]), en.GradientError, r"x \(HERE\) doesn't depend on x_1 \(HERE\)"),
    (lambda: en.gradients(cast(t := x(3), dtype="int32"), [t]), en.GradientError, r"cast holds int32: only floats"),
    (lambda: en.gradients(sum_(t := x(3)), [t], seed=x(2)), en.ShapeError, r"the seed of sum must be float32\(\)"),
    (lambda: en.gradients(sum_(pack(t := x(None))), [t]), en.ShapeError, r"gradient of pack \(pack.*HERE\)"),
]  # fmt: skip


@pytest.mark.parametrize(("build", "kind", "text"), BUILDING, ids=lambda each: getattr(each, "__name__", None))
def test_what_can_t_be_built_is_refused_at_the_line_that_builds_it(build, kind, text):
    with pytest.raises(kind, match=text.replace("HERE", HERE)) as caught:
        build()
    assert type(caught.value) is kind


def test_the_line_is_the_student_s_and_the_layer_is_named():
    with en.name_scope("hidden2"):
        line = inspect.currentframe().f_lineno + 2  # type: ignore[union-attr]
        with pytest.raises(en.ShapeError) as caught:
            x(3, 5) @ x(4, 2)
    assert str(caught.value).endswith(f'inner sizes differ, 5 and 4 (layer "hidden2", test_errors.py:{line})')


def test_a_module_whose_name_begins_like_the_engine_s_folder_is_the_user_s(tmp_path):
    path = f"{en.__file__.removesuffix('__init__.py')[:-1]}io/lesson.py"
    space = {"t": x(3)}
    exec(compile("made = t + 1.0", path, "exec"), space)
    assert str(space["made"].source) == "lesson.py:1"


def test_nothing_of_a_refused_layer_stays_behind(graph):
    with pytest.raises(en.EngineError, match=r'reluu.*layer "hidden", ' + HERE):
        en.layers.Dense(3, "reluu", "hidden")(x(4, 2))
    assert not graph.variables
    en.layers.Dense(3, "relu", "hidden")(x(4, 2))


def test_two_variables_of_one_name():
    en.variable(0.0, name="w")
    with pytest.raises(en.EngineError, match=rf"variable w: there is .* named 'w' already, from {HERE}; .* \({HERE}\)"):
        en.variable(0.0, name="w")
    tanh(x(2))
    en.variable(0.0, name="tanh")  # an op's own name is free


def test_a_tensor_of_another_graph(graph):
    y = x(3)
    with (
        en.Graph() as other,
        pytest.raises(en.EngineError, match=rf"x \({HERE}\) belongs to another graph.*with graph"),
    ):
        en.placeholder((3,)) + y
    with other, pytest.raises(en.GradientError, match="belongs to another graph"):
        en.gradients(sum_(x(3)), [y])
    session = en.Session(other)
    for ask in (lambda: session.run(y, {y: [1.0, 2.0, 3.0]}), lambda: session.run([], {y: [0.0] * 3})):
        with pytest.raises(en.EngineError, match=r"x float32\(3,\).*belongs to another graph than this session's"):
            ask()
    variable = en.variable(0.0, name="v")
    with pytest.raises(en.EngineError, match="another graph"):
        session.get(variable)


def test_no_gradient_names_the_first_node_that_has_none(graph):
    v = en.variable([1.0, 2.0], name="v")
    choice = argmax(tanh(v))
    y = cast(choice, dtype="float32") * 2.0
    with pytest.raises(
        en.GradientError, match=rf"no gradient from mul \({HERE}\) to v: argmax \(argmax int32\(\), {HERE}"
    ):
        en.gradients(y, [v])


def test_a_gradient_that_would_miss_a_part_is_refused(graph):
    v = en.variable([1.0, 2.0], name="v")
    new = en.ops.assign(v, v * 2.0)
    with pytest.raises(en.GradientError, match=rf"assign \(assign float32\(2,\), {HERE}\) has no gradient"):
        en.gradients(sum_(new + v), [v])


def test_a_slope_of_zero_is_a_gradient(graph):
    v = en.variable([1.0, 2.0], name="v")
    assert en.Session(graph).run(en.gradients(sign(v), [v])[0]).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("use", "text"),
    [
        (bool, "`if` and `while` can't ask for it; use where"),
        (list, "can't be looped over; slice it"),
        (np.asarray, "NumPy can't compute with it; use the operations of engine.ops"),
    ],
    ids=["if", "for", "an array"],
)
def test_a_tensor_isn_t_a_value(use, text):
    with pytest.raises(en.EngineError, match=rf"x float32\(3,\) .*{text}.*\({HERE}\)"):
        use(x(3))


def test_nothing_is_built_without_a_graph():
    def outside():
        return en.placeholder((2,))

    import contextvars

    with pytest.raises(en.EngineError, match=rf"no graph to build in; write `with Graph\(\) as graph:`.*{HERE}"):
        contextvars.Context().run(outside)


# Each wrong feed of the placeholder lesson_x float32(?, 2) and labels int32(?,)
FEEDS: list[tuple[object, type[en.EngineError], str]] = [
    (np.zeros((3, 2)), en.DtypeError, r"was fed float64; write value.astype\(np.float32\)"),
    (np.zeros((3, 5), "f4"), en.ShapeError, r"placeholder lesson_x float32\(\?, 2\) \(HERE\) was fed shape \(3, 5\)"),
    (np.zeros(2, "f4"), en.ShapeError, r"was fed shape \(2,\)"),
    ([["a", "b"]], en.FeedError, r"lesson_x float32\(\?, 2\) \(HERE\) can't be fed this: .*isn't a number"),
    ([[1.0, 2.0], [3.0]], en.FeedError, r"isn't an array of numbers"),
    (None, en.FeedError, r"'None' isn't a number"),
]


@pytest.mark.parametrize(("value", "kind", "text"), FEEDS)
def test_what_can_t_be_fed(graph, value, kind, text):
    lesson_x = en.placeholder((None, 2), name="lesson_x")
    with pytest.raises(kind, match=text.replace("HERE", HERE)):
        en.Session(graph).run(lesson_x * 2.0, {lesson_x: value})


def test_numbers_that_a_type_can_t_hold_aren_t_fed(graph):
    rows, pixels = x(None, dtype="int32", name="rows"), x(None, dtype="uint8", name="pixels")
    session = en.Session(graph)
    for tensor, value in ((rows, [0.5]), (rows, [2**40]), (pixels, [300]), (pixels, [-1]), (rows, [float("nan")])):
        with pytest.raises(en.EngineError, match=rf"{tensor.name} {re.escape(str(tensor.spec))} .*without loss"):
            session.run(tensor, {tensor: value})
    assert session.run(rows, {rows: [1.0, 2.0]}).tolist() == [1, 2]


def test_a_tensor_fed_as_a_value(graph):
    a, b = x(3, name="a"), x(3, name="b")
    with pytest.raises(en.FeedError, match=r"a was fed the tensor b; feed a value: session.run\(b\)"):
        en.Session(graph).run(a * 2.0, {a: b})
    with pytest.raises(en.FeedError, match=r"b float32\(3,\) has no value yet"):
        en.Session(graph).run(a * 2.0, {a: [b, b, b]})


def test_a_placeholder_that_isn_t_fed(graph):
    a, b = x(3, name="a"), x(3, name="b")
    easy, hard = a * 2.0, b + a
    with pytest.raises(en.FeedError, match=rf"placeholder b float32\(3,\) \({HERE}\) isn't fed, and add needs it"):
        en.Session(graph).run([easy, hard], {a: [1.0, 2.0, 3.0]})


def test_shapes_that_only_meet_in_a_run(graph):
    a, b = x(None, name="a"), x(None, name="b")
    y = a + b
    with pytest.raises(en.ShapeError, match=rf"add\(a float32\(3,\), b float32\(2,\)\): .*3 and 2|2 and 3.*{HERE}"):
        en.Session(graph).run(y, {a: [1.0, 2.0, 3.0], b: [1.0, 2.0]})


def test_shapes_to_bind_are_checked_as_feeds_are(graph):
    a = x(None, 2, name="a")
    with pytest.raises(en.ShapeError, match=r"placeholder a float32\(\?, 2\) .* was fed shape \(3, 5\)"):
        en.Session(graph).bind(a * 2.0, {a: (3, 5)})


@pytest.mark.parametrize("wrong", [None, "loss", 3, {1, 2}])
def test_only_tensors_are_fetched(graph, wrong):
    with pytest.raises(en.EngineError, match="tensors of the graph are fetched and fed"):
        en.Session(graph).run([wrong])


@pytest.mark.parametrize("wrong", [None, "loss", 3])
def test_only_tensors_are_fed(graph, wrong):
    session, known = en.Session(graph), x(3)
    with pytest.raises(en.EngineError, match="feeds are keyed by tensors of the graph"):
        session.run(known, {wrong: [1.0]})
    with pytest.raises(en.EngineError, match="tensors of the graph are fetched and fed"):
        session.bind(known, {wrong: (3,)})


def test_what_a_property_lacks_inside_is_said_as_it_is():
    class Half(en.errors.Named):
        @property
        def whole(self):
            return (1).missing  # type: ignore[attr-defined]

    with pytest.raises(AttributeError, match="'int' object has no attribute 'missing'"):
        Half().whole  # noqa: B018
