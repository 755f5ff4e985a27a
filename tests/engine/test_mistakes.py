"""What is said of the classic mistakes, or done (see mistakes.py and misnamed.py).

Each line is executed as line 7 of lesson.py.  Those of ``REFUSED`` and ``MISNAMED`` are an EngineError that names that
line and what would work; those of ``WORKS`` do what is meant.
"""

from __future__ import annotations

import copy
import inspect
import math
import pickle
import re
from typing import Any

import numpy as np
import pytest

import engine as en
from engine.op import REGISTRY, Op
from tests.engine.misnamed import MISNAMED
from tests.engine.mistakes import REFUSED, WORKS
from tests.engine.tools import inputs_of

LINE = 7


@pytest.fixture
def lesson(options) -> dict[str, Any]:
    """What stands above the line: a graph, some tensors and a session."""
    with en.Graph() as graph:
        found: dict[str, Any] = {
            "x": en.placeholder((None, 4), name="x"),
            "images": en.placeholder((None, 8, 8, 3), name="images"),
            "w": en.variable(np.arange(12).reshape(4, 3), name="w"),
            "one": en.placeholder((), name="one"),
        }
    words = {name: getattr(en, name) for name in ("layers", "losses", "ops", "optim")}
    session = en.Session(graph, **options)
    more = {"y": found["x"] @ found["w"], "session": session, "graph": graph, "data": np.ones((2, 4), "f4")}
    return {**found, **more, **words, "en": en, "np": np, "math": math, "copy": copy, "pickle": pickle}


def do(line: str, lesson: dict[str, Any]) -> Any:
    """The value of ``line``, in the graph; of a statement, what it calls ``found``."""
    with lesson["graph"]:
        try:
            code = compile("\n" * (LINE - 1) + line, "lesson.py", "eval")
        except SyntaxError:
            exec(compile("\n" * (LINE - 1) + line, "lesson.py", "exec"), lesson)
            return lesson.get("found")
        return eval(code, lesson)


@pytest.mark.parametrize("line", REFUSED | MISNAMED)
def test_a_classic_mistake_is_answered_with_its_line_and_what_would_work(line: str, lesson: dict[str, Any]):
    with pytest.raises(en.EngineError, match=(REFUSED | MISNAMED)[line]) as caught:
        do(line, lesson)
    assert f"lesson.py:{LINE})" in str(caught.value)


@pytest.mark.parametrize("line", WORKS)
def test_what_is_clear_is_done(line: str, lesson: dict[str, Any]):
    rng = np.random.default_rng(3)
    x, images = rng.normal(size=(2, 4)).astype("f4"), rng.normal(size=(2, 8, 8, 3)).astype("f4")
    w = np.arange(12, dtype="f4").reshape(4, 3)
    tensor, session = do(line, lesson), lesson["session"]
    feeds = {each: x for each in lesson["graph"].tensors if each.op.name == "placeholder" and each.ndim == 2}
    found = session.run(tensor, {**feeds, lesson["images"]: images, lesson["one"]: 1.0})
    wanted = np.asarray(WORKS[line](x, w, images))
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, rtol=2e-6, atol=1e-6)


def test_a_run_answers_in_the_structure_that_it_was_asked_in(lesson):
    session, x, w, data = lesson["session"], lesson["x"], lesson["w"], lesson["data"]
    found = session.run({"w": w, "both": [x, (w, {})], "none": []}, feed_dict={x: data})
    assert found.keys() == {"w", "both", "none"}
    assert found["none"] == []
    (first, (second, third)), weights = found["both"], found["w"]
    np.testing.assert_array_equal(first, data)
    np.testing.assert_array_equal(second, weights)
    assert third == {}
    with en.Session(lesson["graph"]) as again:
        assert isinstance(again.run((w, w)), tuple)


def test_a_session_may_be_closed_and_goes_on(lesson):
    session, w = lesson["session"], lesson["w"]
    with session:
        first = session.run(w)
    session.close()
    np.testing.assert_array_equal(session.run(w), first)


def test_what_goes_wrong_inside_is_no_misfit(lesson):
    """A TypeError of what was called rightly stays what it is."""

    def broken(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        raise TypeError("my own")

    with lesson["graph"]:
        v = en.variable(broken, (2,), name="v")
    with pytest.raises(TypeError, match="my own"):
        lesson["session"].run(v)
    with pytest.raises(TypeError, match="my own"):
        lesson["session"].peek(v)


def test_a_dropout_rate_may_be_fed(lesson):
    with lesson["graph"]:
        keep, training = en.placeholder((), name="keep"), en.placeholder((), "bool", name="training")
        ones = en.constant(np.ones((100, 100), "f4"))
        y = en.layers.Dropout(1.0 - keep, training)(ones)
        (slope,) = en.gradients(y, [ones])
    session = lesson["session"]
    for kept in (1.0, 0.8, 0.25):
        found, back = session.run([y, slope], {keep: kept, training: True})
        np.testing.assert_array_equal(found, back)
        assert set(np.unique(found)) <= {0.0, np.float32(1 / np.float32(kept))}
        assert (found > 0).mean() == pytest.approx(kept, abs=0.02)
    assert not session.run(y, {keep: 0.0, training: True}).any()
    assert (session.run(y, {keep: 0.0, training: False}) == 1).all()
    with lesson["graph"], pytest.raises(en.ShapeError, match=r"rate of dropout must be a single float, got x"):
        en.layers.Dropout(lesson["x"], name="other")(ones)


def test_tensors_are_found_in_dicts_and_sets_without_being_compared(lesson):
    x, w = lesson["x"], lesson["w"]
    assert {x: 1, w: 2}[w] == 2
    assert x in {x, w}
    assert (x, w) == (x, w)
    assert [w, x].index(w) == 0


def test_what_a_tensor_offers_is_shown(lesson):
    assert {"mean", "reshape", "T", "shape"} <= set(dir(lesson["x"]))
    assert not hasattr(lesson["x"], "nothing_like_it")


def test_python_s_own_errors_inside_a_layer_are_not_hidden():
    def broken(x: en.Tensor) -> en.Tensor:
        raise TypeError("my own")

    class Broken(en.layers.Flatten):
        def __init__(self) -> None:
            raise TypeError("my own")

    for use in (lambda: en.layers.Sequential([broken])(en.placeholder((2, 2))), Broken):
        with en.Graph(), pytest.raises(TypeError, match="my own"):
            use()


NONSENSE = [None, "nonsense", 1.5, -1, 99, True, [], (1, 1), [[1]], {}, np.ones(2), np.float32(1), object(), int]


@pytest.mark.parametrize("op", [op for op in REGISTRY.values() if op.samples and op.attributes], ids=lambda op: op.name)
def test_an_attribute_is_refused_at_its_line_or_it_works(op: Op):
    sample = op.samples[0]
    arrays = inputs_of(sample, "float32")
    for name in op.attributes:
        for value in NONSENSE:
            with en.Graph() as graph:
                inputs = [en.constant(each) for each in arrays]
                try:
                    made = op(*inputs, **{**sample.attrs, name: value})
                except en.EngineError as error:
                    assert re.search(r"\(test_mistakes\.py:\d+\)$", str(error)), error
                    continue
                assert en.Session(graph).run(made).shape == made.shape, (name, value)


def is_of_tensors(made: object) -> bool:
    public = inspect.isfunction(made) and not made.__name__.startswith("_")
    return public and next(iter(made.__annotations__.values()), None) == "Tensor"


FUNCTIONS = [each for module in (en.ops, en.losses) for each in vars(module).values() if is_of_tensors(each)]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda each: each.__name__)
def test_a_function_of_a_tensor_says_so(function):
    others = list(inspect.signature(function).parameters.values())[1:]
    for value in NONSENSE:
        with en.Graph(), pytest.raises(en.EngineError, match=rf"{function.__name__}\(\) wants a tensor.*test_mistakes"):
            function(value, *(en.constant(1.0) for each in others if each.default is each.empty))


@pytest.mark.parametrize("layer", [en.layers.Dense, en.layers.BatchNorm, en.layers.Dropout])
def test_a_name_is_a_text(layer):
    with en.Graph() as graph, pytest.raises(en.EngineError, match=r"a name is a text, got .*test_mistakes"):
        layer(**{"units": 3} if layer is en.layers.Dense else {}, name=np.ones(2))(en.placeholder((2, 3)))
    assert not graph.variables
