"""All or nothing: what is refused leaves the graph as it was, so that the corrected line does what it says."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import engine as en
from engine import theano
from engine.checkpoint import describe


class Lesson:
    """A graph, and tensors of all kinds in it."""

    def __init__(self) -> None:
        with en.Graph() as self.graph:
            self.x = en.placeholder((None, 4), name="x")
            self.y = en.layers.Dense(3, name="first")(self.x)
            self.total, self.whole, self.long = self.y.sum(), self.y.cast("int32"), self.x.expand(0)
            self.images, self.vector, self.yes = self.x.reshape(-1, 2, 2, 1), en.ops.pack(self.x), self.x > 0

    def go_on(self) -> tuple[object, dict[str, np.ndarray]]:
        """What is in the graph, and the first weights, after the corrected lines."""
        with self.graph:
            hidden = en.layers.Dense(3, "tanh", "second")(self.y)
            noisy = en.layers.Dropout(0.5, name="drop")(en.layers.BatchNorm(name="norm")(hidden))
            en.optim.Adam(en.schedules.Cosine(0.1, 10)).minimize(en.losses.l2(noisy + 1.0))
        return describe(self.graph), en.Session(self.graph, seed=3).state()


def interrupted(x: en.Tensor) -> en.Tensor:
    raise KeyboardInterrupt


layers, losses, optim = en.layers, en.losses, en.optim
REFUSED: dict[str, Callable[[Lesson], object]] = {
    "an activation": lambda it: layers.Dense(3, "reluu", "second")(it.y),
    "a convolution's stride": lambda it: layers.Conv2D(3, 1, strides=0)(it.images),
    "a norm's setting": lambda it: layers.BatchNorm(name="norm", momentum="0.9")(it.y),  # type: ignore[arg-type]
    "a rate": lambda it: layers.Dropout(1.5, name="drop")(it.y),
    "a length that isn't known": lambda it: layers.LSTM(3, name="second")(it.long),
    "a table's rows": lambda it: layers.Embedding(3, 4, "second")(it.y),
    "the second layer of two": lambda it: layers.Sequential([layers.Dense(3, name="second"), layers.Dense(0)])(it.y),
    "a function among layers": lambda it: layers.Sequential([layers.Dense(3, name="norm"), en.ops.logical_not])(it.y),
    "by the user": lambda it: layers.Sequential([layers.Dense(3, name="second"), interrupted])(it.y),
    "a loss without variables": lambda it: optim.Adam(0.1).minimize(it.vector),
    "a clip of another type": lambda it: optim.Adam(0.1, clip_value=it.whole[0, 0]).minimize(it.total),
    "a schedule's words": lambda it: optim.Adam(lambda step: step + "1").minimize(it.total),
    "labels": lambda it: losses.softmax_cross_entropy(it.y, it.whole, smoothing=0.1),
    "a target's type": lambda it: losses.huber(it.y, it.whole),
    "an array that doesn't fit": lambda it: it.y + np.ones(5, "f4"),
    "a mean of answers": lambda it: en.ops.mean(it.yes),
    "random numbers of no state": lambda it: en.ops.dropout(it.y, 0.5, True, it.x),
    "a gradient": lambda it: en.gradients(it.vector, [it.x]),
    "an update given twice": lambda it: theano.function([it.x], it.y, [(it.graph.variables[0], 1.0)] * 2),
    "a new value's shape": lambda it: theano.function([it.x], it.y, [(it.graph.variables[0], it.total)]),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused_leaves_nothing_behind(what: str):
    found, wanted = Lesson(), Lesson()
    with found.graph, pytest.raises((en.EngineError, KeyboardInterrupt)):
        REFUSED[what](found)
    if what == "a clip of another type":  # the part that is the setting was right
        assert wanted.whole[0, 0] is not None
    assert describe(found.graph) == describe(wanted.graph)
    assert found.graph.sizes == wanted.graph.sizes
    assert list(found.graph.offsets.values()) == list(wanted.graph.offsets.values())
    (model, state), (model_of_it, state_of_it) = found.go_on(), wanted.go_on()
    assert model == model_of_it
    assert state.keys() == state_of_it.keys()
    for dtype, values in state_of_it.items():
        np.testing.assert_array_equal(state[dtype], values)


def test_a_tensor_that_was_kept_of_what_was_refused_is_another_graph_s():
    kept: list[en.Tensor] = []

    def keep(x: en.Tensor) -> en.Tensor:
        kept.append(x * 2.0)
        raise en.EngineError("no")

    it = Lesson()
    graph, y = it.graph, it.y
    with graph, pytest.raises(en.EngineError, match="no"):
        en.layers.Sequential([keep])(y)
    with graph, pytest.raises(en.EngineError, match="belongs to another graph"):
        y + kept[0]


def test_what_was_built_line_by_line_stays():
    """In a notebook the names of a block's first lines are there, so the corrected last line is enough."""
    it = Lesson()
    graph, y = it.graph, it.y
    with pytest.raises(en.EngineError, match="reluu"), graph, en.name_scope("block"):
        hidden = en.layers.Dense(3, name="hidden")(y)
        en.layers.Dense(3, "reluu", "output")(hidden)
    with graph, en.name_scope("block"):
        en.layers.Dense(3, "relu", "output")(hidden)
    names = [each.name for each in graph.variables[2:]]
    assert names == [f"block/{each}" for each in ("hidden/weights", "hidden/bias", "output/weights", "output/bias")]


def test_a_session_goes_on_after_a_refusal_of_what_it_has_not_seen():
    it = Lesson()
    graph, x, y = it.graph, it.x, it.y
    session, value = en.Session(graph, seed=1), np.ones((2, 4), "f4")
    first = session.run(y, {x: value})
    with graph, pytest.raises(en.EngineError):
        en.layers.Dense(3, "reluu", "second")(y)
    np.testing.assert_array_equal(session.run(y, {x: value}), first)
    with graph:
        z = en.layers.Dense(3, "relu", "second")(y)
    assert session.run(z, {x: value}).shape == (2, 3)


@pytest.mark.parametrize("first", ["layer", "variable", "integers"])
def test_a_session_that_ran_inside_what_was_refused_goes_on_as_if_it_hadn_t(first: str):
    def built(refuse: bool) -> dict[str, np.ndarray]:
        lesson = Lesson()
        with lesson.graph:
            session, held = en.Session(lesson.graph, seed=1), lesson.graph.variables[0]
            session.set(held, data := np.full(held.shape, 3.0, "f4"))
            if refuse:

                def look(x: en.Tensor) -> en.Tensor:
                    if first == "integers":
                        en.variable(7, (2,), dtype="int32", name="whole")
                    session.run(x, {lesson.x: np.ones((2, 4), "f4")})
                    return x

                layers = [en.layers.Dense(5, name="second")] if first == "layer" else []
                with pytest.raises(en.ShapeError):
                    en.layers.Sequential([*layers, look, en.layers.Dense(0)])(lesson.y)
            np.testing.assert_array_equal(session.get(held), data)
            lesson.go_on()
            session.run(lesson.y, {lesson.x: np.ones((2, 4), "f4")})
            return session.state()

    straight, after = built(False), built(True)
    assert straight.keys() == after.keys()
    for dtype in straight:
        np.testing.assert_array_equal(straight[dtype], after[dtype])


def test_a_program_of_what_was_refused_changes_no_other_variables_memory():
    with en.Graph() as graph:
        session, programs = en.Session(graph), []

        def look(x: en.Tensor) -> en.Tensor:
            programs.append(session.bind(en.ops.assign(graph.variables[0], graph.variables[0] + 1.0), {}))
            return x

        x = en.placeholder((2, 4))
        with pytest.raises(en.ShapeError):
            en.layers.Sequential([en.layers.Dense(3, name="same"), look, en.layers.Dense(0)])(x)
        en.layers.Dense(3, name="same")(x)
        session.run(x, {x: np.ones((2, 4), "f4")})
        with pytest.raises(en.EngineError, match=r"bind\(\) it again"):
            programs[0].run()
