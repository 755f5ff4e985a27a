"""Sessions: first weights, plans kept, graphs that grow, states, feeds of anything."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref

import numpy as np
import pytest

import engine as en
from engine.session import PROGRAMS, name_rng
from engine.spec import DTYPES


class Lesson:
    """A small network in training, and a batch for it."""

    def __init__(self) -> None:
        with en.Graph() as self.graph:
            self.x, self.target = en.placeholder((None, 2), name="x"), en.placeholder((None, 1), name="target")
            self.y = en.layers.Dense(1, "linear", "output")(en.layers.Dense(3, "tanh", "hidden")(self.x))
            self.loss = en.losses.mean_squared_error(self.y, self.target)
            self.train = en.optim.Adam(0.1).minimize(self.loss)
        rng = np.random.default_rng(0)
        self.feeds = {each: rng.normal(size=(4, each.shape[1])).astype("f4") for each in (self.x, self.target)}

    def steps(self, session: en.Session, count: int) -> np.ndarray:
        for _ in range(count):
            session.run(self.train, self.feeds)
        return session.state()["float32"]


@pytest.fixture
def lesson() -> Lesson:
    return Lesson()


def test_the_same_seed_gives_the_same_weights_and_another_others(lesson):
    first, second, other = (en.Session(lesson.graph, seed).state()["float32"] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)


def test_a_name_decides_a_variable_s_first_value_whatever_was_made_before():
    def weights(*names: str) -> np.ndarray:
        with en.Graph() as graph:
            made = {name: en.variable(en.init.he, (2, 3), name=name) for name in names}
        return en.Session(graph, seed=7).get(made["b"])

    np.testing.assert_array_equal(weights("b"), weights("a", "b", "c"))
    np.testing.assert_array_equal(weights("b"), en.init.he(name_rng(7, "b"), (2, 3)).astype("f4"))


def test_reset_goes_back_to_the_very_first_weights_and_on_to_the_same_later_ones(lesson):
    session = en.Session(lesson.graph, seed=5)
    first, later = session.state()["float32"], lesson.steps(session, 10)
    session.reset()
    np.testing.assert_array_equal(session.state()["float32"], first)
    np.testing.assert_array_equal(lesson.steps(session, 10), later)


def test_an_array_that_a_variable_began_with_may_change_later():
    initial = np.ones(3, "f4")
    with en.Graph() as graph:
        v = en.variable(initial, name="v")
    initial[:] = 9
    assert en.Session(graph).get(v).tolist() == [1, 1, 1]


def test_a_state_is_a_copy_and_can_be_gone_back_to(lesson):
    session = en.Session(lesson.graph)
    lesson.steps(session, 3)
    state, kept = session.state(), session.state()["float32"].copy()
    later = lesson.steps(session, 3)
    np.testing.assert_array_equal(state["float32"], kept)
    session.load_state(state)
    np.testing.assert_array_equal(lesson.steps(session, 3), later)
    en.Session(lesson.graph).load_state(state)


@pytest.mark.parametrize(
    "state",
    [{}, {"float32": np.zeros(3, "f4")}, {"float64": np.zeros(35)}, {"float32": np.zeros(35)}],
    ids=["empty", "short", "of another type", "of a wrong type"],
)
def test_a_state_that_doesn_t_fit_is_refused_and_changes_nothing(lesson, state):
    session = en.Session(lesson.graph)
    before = session.state()["float32"]
    assert len(before) != 3
    wrong = {dtype: np.zeros(len(before), array.dtype) if len(array) == 35 else array for dtype, array in state.items()}
    with pytest.raises(en.EngineError, match="this graph's variables need"):
        session.load_state(wrong)
    np.testing.assert_array_equal(session.state()["float32"], before)


@pytest.mark.parametrize(("named", "shape"), [("v", (3, 2)), ("w", (2, 3))], ids=["another shape", "another name"])
def test_another_network_s_state_of_the_same_size_is_refused(named, shape, options):
    def session(name, shape):
        with en.Graph() as graph:
            en.variable(np.arange(6).reshape(shape), name=name)
        return en.Session(graph, **options)

    ours, other = session("v", (2, 3)), session(named, shape)
    for state in (other.state(), pickle.loads(pickle.dumps(other.state())), copy.deepcopy(other.state())):
        with pytest.raises(
            en.EngineError, match=r"another graph's state: it holds (v|w) .* where .* has v float32\(2, 3\)"
        ):
            ours.load_state(state)
    ours.load_state(dict(other.state()))  # arrays alone don't tell whose they are
    session("v", (2, 3)).load_state(ours.state())


def test_variables_of_several_types_live_in_arenas_of_their_own():
    with en.Graph() as graph:
        made = [en.variable(at, (2,), dtype=dtype, name=dtype) for at, dtype in enumerate(DTYPES[:5])]
    session = en.Session(graph)
    assert [session.get(each).tolist() for each in made] == [[at, at] for at in range(5)]
    assert set(session.state()) == set(DTYPES[:5])


def test_get_is_a_copy_and_set_takes_what_fits(lesson):
    session = en.Session(lesson.graph)
    bias = next(each for each in lesson.graph.variables if each.name == "hidden/bias")
    session.get(bias)[:] = 9
    assert session.get(bias).tolist() == [0, 0, 0]
    session.set(bias, [1, 2, 3])
    assert session.get(bias).tolist() == [1, 2, 3]
    with pytest.raises(en.ShapeError, match=r"variable hidden/bias float32\(3,\).*was fed shape \(2,\)"):
        session.set(bias, [1, 2])
    with pytest.raises(en.EngineError, match="peek"):
        session.get(lesson.y)


def test_a_result_is_a_copy(lesson):
    session = en.Session(lesson.graph)
    weights = lesson.graph.variables[0]
    session.run(weights)[:] = 9
    assert not (session.run(weights) == 9).any()


def test_any_tensor_may_be_fetched_or_fed(lesson):
    session = en.Session(lesson.graph)
    inner = lesson.y.inputs[0]
    hidden = session.run(inner, lesson.feeds)
    assert hidden.shape == (4, 3)
    np.testing.assert_array_equal(session.run(lesson.y, {inner: hidden}), session.run(lesson.y, lesson.feeds))
    np.testing.assert_array_equal(session.run(lesson.x, lesson.feeds), lesson.feeds[lesson.x])
    np.testing.assert_array_equal(session.peek(inner, lesson.feeds), hidden)


def test_one_tensor_gives_a_value_and_a_list_gives_a_list(lesson):
    session = en.Session(lesson.graph)
    assert isinstance(session.run(lesson.y, lesson.feeds), np.ndarray)
    assert [type(each) for each in session.run([lesson.y, lesson.train], lesson.feeds)] == [np.ndarray, type(None)]
    assert session.run([]) == []


def test_a_plan_is_kept_for_its_fetches_and_shapes_in_any_order(lesson):
    session = en.Session(lesson.graph)
    shapes = {lesson.x: (4, 2), lesson.target: (4, 1)}
    program = session.bind(lesson.train, shapes)
    assert session.bind([lesson.train], dict(reversed(shapes.items()))) is program
    assert session.bind(lesson.train, {lesson.x: [4, 2], lesson.target: [4, 1]}) is program
    assert session.bind(lesson.train, {lesson.x: (3, 2), lesson.target: (3, 1)}) is not program


def test_only_so_many_plans_are_kept_and_those_used_last(lesson):
    session = en.Session(lesson.graph)
    first = session.bind(lesson.y, {lesson.x: (1, 2)})
    for batch in range(2, PROGRAMS + 1):
        session.bind(lesson.y, {lesson.x: (batch, 2)})
    assert session.bind(lesson.y, {lesson.x: (1, 2)}) is first
    second = weakref.ref(session.bind(lesson.y, {lesson.x: (2, 2)}))
    for batch in range(100, 100 + PROGRAMS):
        session.bind(lesson.y, {lesson.x: (batch, 2)})
    assert session.bind(lesson.y, {lesson.x: (1, 2)}) is not first
    gc.collect()
    assert second() is None


def test_a_session_that_nobody_holds_is_gone_at_once(lesson):
    session = en.Session(lesson.graph)
    lesson.steps(session, 1)
    gone = weakref.ref(session.bind(lesson.train, {lesson.x: (4, 2), lesson.target: (4, 1)}))
    gc.disable()
    try:
        del session
        assert gone() is None  # large arrays needn't wait for the garbage collector
    finally:
        gc.enable()


def test_a_graph_may_grow_while_it_is_used(lesson):
    session = en.Session(lesson.graph, seed=1)
    trained = lesson.steps(session, 3)
    with lesson.graph:
        more = en.layers.Dense(2, "relu", "more")(lesson.y)
    assert session.run(more, lesson.feeds).shape == (4, 2)
    np.testing.assert_array_equal(session.state()["float32"][: len(trained)], trained)
    twin = en.Session(lesson.graph, seed=1)
    np.testing.assert_array_equal(session.get(lesson.graph.variables[-2]), twin.get(lesson.graph.variables[-2]))
    lesson.steps(session, 1)


def test_a_program_bound_before_the_graph_grew_doesn_t_train_forgotten_memory(lesson):
    session = en.Session(lesson.graph)
    program = session.bind(lesson.train, {lesson.x: (4, 2), lesson.target: (4, 1)})
    with lesson.graph:
        en.variable(0.0, (3,), name="more")
    program.run()  # the session hasn't looked yet, so this is still its memory
    session.state()
    with pytest.raises(en.EngineError, match=r"bind\(\) it again"):
        program.run()


def test_growing_by_another_type_or_by_nothing_moves_no_memory(lesson):
    session = en.Session(lesson.graph)
    program = session.bind(lesson.train, {lesson.x: (4, 2), lesson.target: (4, 1)})
    with lesson.graph:
        en.variable(0, (3,), dtype="int32", name="count")
        en.variable(0.0, (0,), name="nothing")
    before = session.state()["float32"]
    for tensor, value in lesson.feeds.items():
        program.feeds[tensor][...] = value
    program.run()
    assert not np.array_equal(session.state()["float32"], before)


def test_an_initialiser_of_a_wrong_shape_is_named():
    with en.Graph() as graph:
        en.variable(lambda rng, shape: np.zeros(2), (3,), name="v")
    with pytest.raises(
        en.ShapeError, match=r"v float32\(3,\) \(test_session.py:\d+\): its initialiser gave shape \(2,\)"
    ):
        en.Session(graph).state()


@pytest.mark.parametrize("batch", [0, 1, 2])
def test_batches_of_no_example_and_of_one(lesson, batch):
    session = en.Session(lesson.graph, poison=True)
    feeds = {each: value[:batch] for each, value in lesson.feeds.items()}
    loss, y, _ = session.run([lesson.loss, lesson.y, lesson.train], feeds)
    assert y.shape == (batch, 1)
    assert np.isnan(loss) == (batch == 0)  # a mean of nothing isn't a number


def test_overflow_is_silent_and_shows_as_inf(lesson, recwarn):
    session = en.Session(lesson.graph)
    assert session.run(en.ops.exp(lesson.y * 1e6), lesson.feeds).max() in (0, np.inf)
    assert not recwarn.list


def test_an_integer_beyond_a_table_is_refused_at_run_time_with_the_op_and_the_line():
    with en.Graph() as graph:
        rows = en.placeholder((None,), "int32", name="rows")
        y = en.ops.gather(en.constant([10.0, 20.0]), rows)
        loss = en.losses.softmax_cross_entropy(en.constant(np.zeros((1, 3), "f4")), rows)
    session = en.Session(graph)
    assert session.run(y, {rows: [1, 0]}).tolist() == [20, 10]
    for wrong in (2, -1):
        with pytest.raises(
            en.EngineError, match=rf"gather: number {wrong} is outside 0 to 1 \(gather, test_session.py"
        ):
            session.run(y, {rows: [0, wrong]})
    with pytest.raises(en.EngineError, match="cross_entropy: number 3 is outside 0 to 2"):
        session.run(loss, {rows: [3]})


@pytest.mark.parametrize("dtype", ["uint8", "int32", "int64"])
def test_labels_and_rows_of_every_whole_number_type(dtype):
    with en.Graph() as graph:
        labels = en.placeholder((None,), dtype, name="labels")
        logits = en.variable(en.init.Normal(), (300, 10), name="logits")
        chosen = en.ops.gather(logits, labels)
        loss = en.losses.softmax_cross_entropy(chosen, labels)
        (slope,) = en.gradients(loss, [logits])
    loss_value, slope_value = en.Session(graph).run([loss, slope], {labels: np.array([3, 9], dtype)})
    assert np.isfinite(loss_value)
    assert np.flatnonzero(slope_value.any(1)).tolist() == [3, 9]
