"""The classic mistakes: what one types who comes from TensorFlow, Keras, PyTorch or NumPy, and what is said or done.

Each line is executed as line 7 of lesson.py.  Those of ``REFUSED`` are an EngineError that names that line and what
would work; those of ``WORKS`` do what is meant.
"""

from __future__ import annotations

import copy
import inspect
import math
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import engine as en
from engine import native
from engine.op import REGISTRY, Op
from tests.engine.tools import inputs_of

LINE = 7


@pytest.fixture(params=["numpy", "native"], scope="module")
def executor(request) -> dict[str, Any]:
    """The options of a session on this executor."""
    if request.param == "numpy":
        return {}
    if native.problem() is not None:
        pytest.skip(str(native.problem()))
    return {"executor": native.load(Path(__file__).parents[2] / ".tools" / "machine")}


@pytest.fixture
def lesson(executor) -> dict[str, Any]:
    """What stands above the line: a graph, some tensors and a session."""
    with en.Graph() as graph:
        found: dict[str, Any] = {
            "x": en.placeholder((None, 4), name="x"),
            "images": en.placeholder((None, 8, 8, 3), name="images"),
            "w": en.variable(np.arange(12).reshape(4, 3), name="w"),
            "one": en.placeholder((), name="one"),
        }
    words = {name: getattr(en, name) for name in ("layers", "losses", "ops", "optim")}
    session = en.Session(graph, **executor)
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


REFUSED = {
    # operations
    "ops.softmax(x, axis=0)": r"softmax\(x float32\(\?, 4\)\): there is no axis .* last axis; transpose\(\) brings",
    "ops.tanh(x, axis=0)": r"no axis to be set: .* element by element",
    "ops.relu(x, inplace=True)": r"relu\(.*\): there is no inplace .*nothing is done in place",
    "ops.sum_(x, dim=1)": r"there is no dim .*: it takes axis, keepdims; dim is called axis here",
    "ops.sum_(x, axis='rows')": r"axis is a whole number, several, or None, got 'rows'",
    "ops.sum_(x, axis=one)": r"axis is a whole number, several, or None, got <one: placeholder",
    "ops.sum_(x, 1, axis=1)": "axis is given twice",
    "ops.reshape(x)": "needs shape",
    "ops.reshape(x, (None, 2))": r"shape is whole numbers, got \(None, 2\)",
    "ops.cast(x, int)": "dtype <class 'int'> isn't known; float32",
    "ops.max_pool(images)": "needs size",
    "ops.conv2d(images, images, strides='two')": "strides is a whole number, or two: down and across, got 'two'",
    "ops.stack(x, x)": r"stack\(\) takes a list of tensors, got x",
    "ops.mean([1.0, 2.0])": r"mean\(\) wants a tensor, got \[1.0, 2.0\]; constant\(\)",
    "ops.tanh([1.0, 2.0])": r"tanh: at least one input must be a tensor; constant\(\)",
    "ops.split(x, 2)": r"split\(\) takes the sizes of the parts, \[2, 2\], got 2",
    "ops.clip(x, 1.0, -1.0)": "between low and high, got 1.0 and -1.0",
    "ops.reduce_mean(x)": "engine.ops has no reduce_mean; ops.mean does that",
    "ops.sum(x)": "engine.ops has no sum; ops.sum_ does that",
    "en.relu(x)": "engine has no relu; en.ops.relu",
    "en.train.AdamOptimizer(0.1)": "engine has no train; en.optim",
    # tensors taken for values
    "ops.where(x == 2.0, x, 0.0)": r"x .* isn't compared by ==; equal\(a, b\) compares numbers, `a is b`",
    "ops.where(x != w, x, 0.0)": r"isn't compared by !=; not_equal\(a, b\)",
    "1 if x == 2 else 0": "isn't compared by ==",
    "1 if one > 2 else 0": r"`if` and `while` can't ask for it; use where\(\)",
    "found = [each for each in x]": "can't be looped over",
    "x in [w, one]": "isn't compared by ==.*`a is b`",
    "np.exp(x)": r"NumPy can't compute exp of it; x.exp\(\) can",
    "np.mean(x)": r"NumPy can't compute mean of it; x.mean\(\) can",
    "np.median(x)": "NumPy can't compute median of it; the operations of engine.ops can",
    "math.exp(one)": "no value yet, so Python's functions of numbers can't compute with it; those of engine.ops can",
    "float(one)": r"no value yet.*session.run\(\) gives one",
    "range(one)": "no value yet, so it isn't a number that can be used here",
    "len(x)": "x.shape has its sizes",
    "f'{one:.2f}'": "can't be written as '.2f'",
    "x.numpy()": r"a tensor has no numpy; .*session.run\(x\)",
    "y.backward()": r"has no backward; gradients\(loss, \[x\]\)",
    "x.view(-1, 2)": r"has no view; x.reshape\(shape\)",
    "x[0] = 1.0": r"can't be changed in part.*ops.assign\(w\[0\], value\)",
    "w -= 0.1 * w": r"isn't changed by -=.*ops.assign\(w, w - ...\)",
    "x[:, None]": r"index None of axis 1 .*expand\(\)",
    "x[[0, 1]]": r"index \[0, 1\] of axis 0 .*gather\(\)",
    "pickle.dumps(y)": "a Tensor can't be pickled or copied.*engine.checkpoint keeps the values",
    "copy.deepcopy(y)": "a Tensor can't be pickled or copied",
    "copy.copy(session)": "a Session can't be pickled or copied",
    "pickle.dumps(graph)": "a Graph can't be pickled or copied",
    # sources
    "en.placeholder('float32', (2, 3))": r"a shape is a tuple of sizes, got \'float32\'; the type comes second: \(None",
    "en.placeholder(None, 2)": "a shape is a tuple of sizes, .* got None",
    "en.placeholder(4, 2)": "dtype 2 isn't known",
    "en.variable(3.0)": "variable: missing a required argument: 'name'; it takes initial, shape",
    "en.variable(en.init.He, (2, 3), name='v')": r"He is a class; an initialiser is made of it: He\(\)",
    "en.variable(0.0, name='w')": "named 'w' already, from .*; give each .* a name of its own, or .* new Graph",
    # layers, losses, optimisers
    "layers.Dense(3)(images)": r"got images float32\(\?, 8, 8, 3\); Flatten\(\) makes one axis of them",
    "layers.Dense(3)(data)": r"Dense wants a tensor, got array float32\(2, 4\); constant\(\)",
    "layers.Dense('relu')(x)": "units is a whole number of at least 1, got 'relu'",
    "layers.Dense(3, 'ReLU')(x)": "activation 'ReLU' isn't known; relu, tanh",
    "layers.Dense(3, use_bias=False)": "Dense: there is no use_bias to be set; it takes units, activation",
    "layers.Conv2D(3, 'relu')(images)": "size is a whole number, or two: down and across, got 'relu'",
    "layers.Sequential([layers.Dense])(x)": r"is no layer and no function of a tensor; Dense\(...\) makes one",
    "layers.Dropout(1.5)(x)": "rate of dropout must be at least 0 and below 1, got 1.5",
    "losses.mean_squared_error(y, x)": "must have one shape",
    "en.gradients(y, 'w')": r"gradients\(y, \[x\]\) is of tensors by tensors, got 'w'",
    "optim.SGD('0.1')": r"SGD: rate is a number, a tensor \(\) or a schedule, got '0.1'",
    "optim.SGD(learning_rate=0.1)": "SGD: there is no learning_rate to be set; it takes rate",
    "optim.Adam(0.1, beta1='0.9')": r"Adam: beta1 is a number or a tensor \(\), got '0.9'",
    "optim.SGD(en.schedules.Cosine)": "SGD: rate is .* a schedule, got <class",
    "optim.SGD(0.1).minimize(3.0)": r"minimize\(\) wants a tensor, got 3.0",
    "optim.SGD(0.1).apply([w], [w, w])": "1 gradients for 2 variables",
    "en.schedules.Cosine('0.1', 10)": "Cosine: rate is a number, got '0.1'",
    # sessions
    "en.Session(graph, 'gpu')": r"the seed .* is a whole number, got 'gpu'; .* device=\"gpu:0\"",
    "en.Session(y)": r"a session runs a graph, Session\(graph\), got matmul",
    "en.Session(graph, device='cuda')": "device 'cuda' isn't known; cpu:0 and gpu:0",
    "en.Session(graph, executor='native')": r"an executor is what native.load\(\) gives, got 'native'",
    "session.run(y, data)": r"which tensor each value is for, run\(y, \{x: value\}\), got array float32\(2, 4\)",
    "session.run(y, [data])": r"run\(y, \{x: value\}\), got \[array",
    "session.run(y, 3.0)": r"run\(y, \{x: value\}\), got 3.0",
    "session.run(y, w)": r"several tensors are fetched as a list, run\(\[a, b\]\)",
    "session.run(y, {'x': data})": "feeds are keyed by tensors of the graph, got 'x'; the tensor itself is meant",
    "session.run(y, {x: data}, feed_dict={x: data})": "two words for the same",
    "session.run(y, {x: w})": r"x was fed the tensor w; feed a value: session.run\(w\)",
    "session.run(y, {x: np.ones((2, 4))})": r"was fed float64; write value.astype\(np.float32\)",
    "session.run(y, {x: [['a'] * 4]})": "isn't a number",
    "session.run(y, {x: data.T})": r"was fed shape \(4, 2\)",
    "session.run(None)": "tensors of the graph are fetched and fed, got None",
    "session.run(data)": r"got array float32\(2, 4\); that has a value already",
    "session.run('y')": "got 'y'; the tensor itself is meant, not its name",
    "session.run([w, [None]])": "fetched and fed, got None",
    "session.run(layers.Dense(3))": "a layer, a function or an optimiser gives a tensor when it is called",
    "session.bind(y, {x: (2, 4)}).run({x: [data]})": r"run\(steps, streams\): steps is a whole number, got {",
    "session.bind(y, {x: (2, 4)}).run(1, {x: [data]})": r"the stream of x is an array, got \[array",
    "session.load_state([1])": r"a state is what state\(\) gave, got \[1\]",
}


@pytest.mark.parametrize("line", REFUSED)
def test_a_classic_mistake_is_answered_with_its_line_and_what_would_work(line: str, lesson: dict[str, Any]):
    with pytest.raises(en.EngineError, match=REFUSED[line]) as caught:
        do(line, lesson)
    assert f"lesson.py:{LINE})" in str(caught.value)


WORKS = {
    "ops.sum_(x, axis=[1])": lambda x, w, images: x.sum(1),
    "ops.sum_(x, 1)": lambda x, w, images: x.sum(1),
    "ops.sum_(x, np.int64(1))": lambda x, w, images: x.sum(1),
    "x.sum(1, keepdims=True)": lambda x, w, images: x.sum(1, keepdims=True),
    "ops.argmax(y, 1)": lambda x, w, images: (x @ w).argmax(1),
    "w.argmin(0)": lambda x, w, images: w.argmin(0),
    "ops.reshape(x, [-1, 2])": lambda x, w, images: x.reshape(-1, 2),
    "x.reshape(-1, 2)": lambda x, w, images: x.reshape(-1, 2),
    "w.transpose(1, 0)": lambda x, w, images: w.T,
    "w.T": lambda x, w, images: w.T,
    "ops.cast(x, 'int32')": lambda x, w, images: x.astype("i4"),
    "ops.cast(x, np.int32)": lambda x, w, images: x.astype("i4"),
    "ops.concat([x, x], 1)": lambda x, w, images: np.concatenate([x, x], 1),
    "ops.concat(x, x, 1)": lambda x, w, images: np.concatenate([x, x], 1),
    "ops.stack([x, x], 1)": lambda x, w, images: np.stack([x, x], 1),
    "ops.unstack(w)[1]": lambda x, w, images: w[1],
    "x.mean()": lambda x, w, images: x.mean(),
    "w.max(0)": lambda x, w, images: w.max(0),
    "w.min(axis=0)": lambda x, w, images: w.min(0),
    "x < 0.5": lambda x, w, images: x < 0.5,
    "data <= x": lambda x, w, images: np.float32(1) <= x,
    "(x > 0) & ~(x >= 1)": lambda x, w, images: (x > 0) & ~(x >= 1),
    "abs(x)": lambda x, w, images: abs(x),
    "x ** 2": lambda x, w, images: x**2,
    "(x ** 2) ** 0.5": lambda x, w, images: abs(x),
    "2.0 ** x": lambda x, w, images: np.float32(2) ** x,
    "data * x": lambda x, w, images: x,
    "data - x": lambda x, w, images: 1 - x,
    "data @ w": lambda x, w, images: np.ones((2, 4), "f4") @ w,
    "x.clip(-0.5, 0.5)": lambda x, w, images: x.clip(-0.5, 0.5),
    "ops.clip_by_norm(w * 1e25, 2.0)": lambda x, w, images: w * np.float32(2 / np.linalg.norm(w)),
    "ops.clip_by_norm(w, 1e3)": lambda x, w, images: w,
    "ops.max_pool(images, 2, 2)": lambda x, w, images: images.reshape(2, 4, 2, 4, 2, 3).max((2, 4)),
    "layers.MaxPool(2)(images)": lambda x, w, images: images.reshape(2, 4, 2, 4, 2, 3).max((2, 4)),
    "layers.AvgPool(2, strides=2, padding='VALID')(images)": lambda x, w, images: images.reshape(2, 4, 2, 4, 2, 3).mean(
        (2, 4)
    ),
    "layers.Conv2D(1, 1, initial=1.0)(images)": lambda x, w, images: images.sum(3, keepdims=True),
    "layers.Conv2D(1, 1, strides=2, initial=1.0)(images)": lambda x, w, images: images[:, ::2, ::2].sum(
        3, keepdims=True
    ),
    "layers.Dense(3, ops.relu, initial=1.0)(x)": lambda x, w, images: np.maximum(x @ np.ones((4, 3), "f4"), 0),
    "layers.Dense(3, activation=None, initial=1.0)(x)": lambda x, w, images: x @ np.ones((4, 3), "f4"),
    "losses.mean_squared_error(x, np.zeros((2, 4)))": lambda x, w, images: (x**2).mean(),
    "en.gradients(x.sum(), x)[0]": lambda x, w, images: np.ones_like(x),
    "en.gradients((x * ops.stop_gradient(x)).sum(), x)[0]": lambda x, w, images: x,
    "ops.assign_add(w, 1.0)": lambda x, w, images: w + 1,
    "ops.assign_sub(w, x[:, :1].sum())": lambda x, w, images: w - x[:, :1].sum(),
    "en.placeholder(np.array([2, 4])) * 0.0 + x": lambda x, w, images: x,
}


@pytest.mark.parametrize("line", WORKS)
def test_what_is_clear_is_done(line: str, lesson: dict[str, Any]):
    rng = np.random.default_rng(3)
    x, images = rng.normal(size=(2, 4)).astype("f4"), rng.normal(size=(2, 8, 8, 3)).astype("f4")
    w = np.arange(12, dtype="f4").reshape(4, 3)
    tensor, session = do(line, lesson), lesson["session"]
    feeds = {each: x for each in lesson["graph"].tensors if each.op.name == "placeholder" and each.ndim == 2}
    found = session.run(tensor, {**feeds, lesson["images"]: images})
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
