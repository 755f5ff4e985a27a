"""Optimisers: their papers' formulas in plain NumPy, PyTorch where it is installed, clipping, decay, changing rates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import engine as en
from engine import native
from engine.ops import affine, sum_, tanh
from tests.engine.tools import relative_error
from tests.running import MACHINE

Step = Callable[[np.ndarray, np.ndarray], np.ndarray]  # (weights, gradient) -> new weights


def _momentum(rate: float, momentum: float, ahead: bool = False) -> Step:
    v: Any = 0.0

    def step(w: np.ndarray, g: np.ndarray) -> np.ndarray:
        nonlocal v
        v = momentum * v + g
        return w - rate * (g + momentum * v if ahead else v)

    return step


def _adagrad(rate: float) -> Step:
    s: Any = 0.0

    def step(w: np.ndarray, g: np.ndarray) -> np.ndarray:
        nonlocal s
        s = s + g * g
        return w - rate * g / (np.sqrt(s) + 1e-10)

    return step


def _rmsprop(rate: float, decay: float) -> Step:
    s: Any = 0.0

    def step(w: np.ndarray, g: np.ndarray) -> np.ndarray:
        nonlocal s
        s = decay * s + (1 - decay) * g * g
        return w - rate * g / (np.sqrt(s) + 1e-8)

    return step


def _adadelta(rate: float, decay: float) -> Step:
    s: Any = 0.0
    u: Any = 0.0

    def step(w: np.ndarray, g: np.ndarray) -> np.ndarray:
        nonlocal s, u
        s = decay * s + (1 - decay) * g * g
        d = np.sqrt(u + 1e-6) / np.sqrt(s + 1e-6) * g
        u = decay * u + (1 - decay) * d * d
        return w - rate * d

    return step


def _adam(rate: float, decay: float = 0.0) -> Step:
    m: Any = 0.0
    v: Any = 0.0
    t = 0

    def step(w: np.ndarray, g: np.ndarray) -> np.ndarray:
        nonlocal m, v, t
        t += 1
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        return w * (1 - rate * decay) - rate * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)

    return step


BY_HAND: dict[str, Callable[[], Step]] = {
    "sgd": lambda: _momentum(0.1, 0.0),
    "momentum": lambda: _momentum(0.1, 0.9),
    "nesterov": lambda: _momentum(0.1, 0.9, ahead=True),
    "adagrad": lambda: _adagrad(0.1),
    "adadelta": lambda: _adadelta(0.1, 0.9),
    "rmsprop": lambda: _rmsprop(0.1, 0.99),
    "adam": lambda: _adam(0.1),
    "adamw": lambda: _adam(0.1, 0.01),
}


@pytest.mark.parametrize("optimizer", en.optim.OPTIMIZERS)
def test_an_optimiser_does_what_its_formula_says(optimizer: str):
    first = np.array([0.5, -0.3, 1.5])
    with en.Graph() as graph:
        w = en.variable(first, dtype="float64", name="w")
        train = en.optim.OPTIMIZERS[optimizer](0.1).minimize(w * w * w / 3.0)
    session = en.Session(graph)
    session.bind(train, {}).run(steps=10)
    expected, step = first, BY_HAND[optimizer]()
    for _ in range(10):
        expected = step(expected, expected * expected)
    np.testing.assert_allclose(session.get(w), expected, rtol=1e-12)


class Lesson:
    """3-4-2 in float64, trained on five examples."""

    def __init__(self, optimizer: en.optim.Optimizer, seed: int = 1) -> None:
        rng = np.random.default_rng(4)
        self.inputs, self.targets = rng.normal(size=(5, 3)), rng.normal(size=(5, 2))
        with en.Graph() as graph:
            x = en.placeholder((None, 3), "float64", name="x")
            target = en.placeholder((None, 2), "float64", name="target")
            self.weights = [
                en.variable(en.init.Normal(), shape, dtype="float64", name=f"w{at}")
                for at, shape in enumerate([(3, 4), (4,), (4, 2), (2,)])
            ]
            a, b, c, d = self.weights
            self.loss = en.losses.mean_squared_error(affine(tanh(affine(x, a, b)), c, d), target)
            self.train = optimizer.minimize(self.loss, self.weights)
        self.feeds = {x: self.inputs, target: self.targets}
        self.session = en.Session(graph, seed)

    def step(self) -> list[np.ndarray]:
        self.session.run(self.train, self.feeds)
        return self.values()

    def values(self) -> list[np.ndarray]:
        return [self.session.get(each) for each in self.weights]


PYTORCH: dict[str, tuple[en.optim.Optimizer, Callable[[Any, Any], Any]]] = {
    "sgd": (en.optim.SGD(0.1), lambda optim, w: optim.SGD(w, 0.1)),
    "sgd, decay": (en.optim.SGD(0.1, weight_decay=0.2), lambda optim, w: optim.SGD(w, 0.1, weight_decay=0.2)),
    "momentum": (en.optim.Momentum(0.05), lambda optim, w: optim.SGD(w, 0.05, momentum=0.9)),
    "nesterov": (en.optim.Nesterov(0.05, 0.8), lambda optim, w: optim.SGD(w, 0.05, momentum=0.8, nesterov=True)),
    "adagrad": (en.optim.Adagrad(0.1), lambda optim, w: optim.Adagrad(w, 0.1)),
    "adadelta": (en.optim.Adadelta(), lambda optim, w: optim.Adadelta(w, 1.0)),
    "adadelta, own": (en.optim.Adadelta(2.0, 0.8, 1e-4), lambda optim, w: optim.Adadelta(w, 2.0, 0.8, 1e-4)),
    "rmsprop": (en.optim.RMSProp(0.01), lambda optim, w: optim.RMSprop(w, 0.01)),
    "rmsprop, own": (en.optim.RMSProp(0.01, 0.9, 0.1), lambda optim, w: optim.RMSprop(w, 0.01, 0.9, 0.1)),
    "adam": (en.optim.Adam(0.02), lambda optim, w: optim.Adam(w, 0.02)),
    "adam, decay": (en.optim.Adam(0.02, weight_decay=0.1), lambda optim, w: optim.Adam(w, 0.02, weight_decay=0.1)),
    "adam, large epsilon": (
        en.optim.Adam(0.02, 0.8, 0.99, 0.1),
        lambda optim, w: optim.Adam(w, 0.02, (0.8, 0.99), 0.1),
    ),
    "adamw": (en.optim.AdamW(0.02), lambda optim, w: optim.AdamW(w, 0.02)),
    "adamw, own": (en.optim.AdamW(0.02, weight_decay=0.5), lambda optim, w: optim.AdamW(w, 0.02, weight_decay=0.5)),
}


def torch_lesson(torch: Any, lesson: Lesson) -> tuple[list[Any], Callable[[], Any]]:
    """The same network in PyTorch, with the session's weights: (weights, the loss)."""
    a, b, c, d = weights = [torch.tensor(each, requires_grad=True) for each in lesson.values()]
    x, target = torch.tensor(lesson.inputs), torch.tensor(lesson.targets)
    return weights, lambda: torch.nn.functional.mse_loss(torch.tanh(x @ a + b) @ c + d, target)


@pytest.mark.parametrize("name", PYTORCH)
def test_fifty_steps_are_pytorch_s(name: str):
    torch = pytest.importorskip("torch")
    ours, theirs = PYTORCH[name]
    lesson = Lesson(ours)
    weights, loss = torch_lesson(torch, lesson)
    descent = theirs(torch.optim, weights)
    for _ in range(50):
        descent.zero_grad()
        loss().backward()
        descent.step()
        for value, weight in zip(lesson.step(), weights, strict=True):
            assert relative_error(value, weight.detach().numpy()) < 1e-10


@pytest.mark.parametrize("kind", ["value", "norm"])
def test_fifty_steps_with_clipping_are_pytorch_s(kind: str):
    torch = pytest.importorskip("torch")
    lesson = Lesson(
        en.optim.Momentum(0.05, clip_value=0.1) if kind == "value" else en.optim.Momentum(0.05, clip_norm=0.2)
    )
    weights, loss = torch_lesson(torch, lesson)
    descent = torch.optim.SGD(weights, 0.05, momentum=0.9)
    for _ in range(50):
        descent.zero_grad()
        loss().backward()
        if kind == "value":
            torch.nn.utils.clip_grad_value_(weights, 0.1)
        else:
            torch.nn.utils.clip_grad_norm_(weights, 0.2)
        descent.step()
        for value, weight in zip(lesson.step(), weights, strict=True):
            assert relative_error(value, weight.detach().numpy()) < 1e-4  # theirs adds 1e-6 to the norm


def moved(optimizer: en.optim.Optimizer, slopes: dict[str, list[float]], dtypes: dict[str, str]) -> dict[str, Any]:
    """How far each weight went in one step of rate 1 along constant slopes."""
    with en.Graph() as graph:
        made = {name: en.variable(0.0, (2,), dtype=dtypes.get(name, "float32"), name=name) for name in slopes}
        parts = [en.ops.cast(sum_(w * np.asarray(slopes[name], w.dtype)), dtype="float32") for name, w in made.items()]
        en.variable(0.0, (), trainable=False, name="between")
        train = optimizer.apply(en.gradients(parts[0] + parts[1], list(made.values())), list(made.values()))
    session = en.Session(graph)
    session.run(train)
    return {name: (-session.get(w)).tolist() for name, w in made.items()}


@pytest.mark.parametrize("dtypes", [{}, {"b": "float64"}], ids=["one vector", "two vectors"])
def test_clipping(dtypes: dict[str, str]):
    slopes = {"a": [3.0, 0.0], "b": [0.0, -4.0]}
    assert moved(en.optim.SGD(1.0, clip_value=3.5), slopes, dtypes) == {"a": [3, 0], "b": [0, -3.5]}
    assert moved(en.optim.SGD(1.0, clip_norm=10.0), slopes, dtypes) == slopes  # its length is 5
    shorter = moved(en.optim.SGD(1.0, clip_norm=2.5), slopes, dtypes)
    np.testing.assert_allclose([*shorter["a"], *shorter["b"]], [1.5, 0, 0, -2], rtol=1e-6)
    both = moved(en.optim.SGD(1.0, clip_value=3.0, clip_norm=1.0), slopes, dtypes)
    np.testing.assert_allclose([*both["a"], *both["b"]], np.array([1, 0, 0, -1]) / np.sqrt(2), rtol=1e-6)


def test_a_gradient_of_zero_isn_t_clipped_to_nan():
    assert moved(en.optim.SGD(1.0, clip_norm=1.0), {"a": [0.0, 0.0], "b": [0.0, 0.0]}, {}) == {"a": [0, 0], "b": [0, 0]}


@pytest.mark.parametrize("dtypes", [{}, {"b": "float64"}], ids=["one vector", "two vectors"])
@pytest.mark.parametrize(
    ("clip", "slopes", "steps"),
    [
        (0.0, {"a": [0.0, 0.0], "b": [0.0, 0.0]}, {"a": [0, 0], "b": [0, 0]}),
        (0.0, {"a": [3.0, 0.0], "b": [0.0, 1e30]}, {"a": [0, 0], "b": [0, 0]}),
        (2.0, {"a": [1e20, 0.0], "b": [0.0, 5.0]}, {"a": [2, 0], "b": [0, 0]}),
        (2.0, {"a": [np.inf, 0.0], "b": [0.0, -1e38]}, {"a": [2**0.5, 0], "b": [0, -(2**0.5)]}),
        (1e3, {"a": [3e-30, 0.0], "b": [0.0, 4e-30]}, {"a": [3e-30, 0], "b": [0, 4e-30]}),
    ],
)
def test_clipping_by_norm_at_the_edges(clip: float, slopes: Any, steps: Any, dtypes: dict[str, str]):
    found = moved(en.optim.SGD(1.0, clip_norm=clip), slopes, dtypes)
    for name, wanted in steps.items():
        np.testing.assert_allclose(found[name], wanted, rtol=1e-6, atol=1e-11)


@pytest.mark.parametrize("executor", ["NumPy", "native"])
@pytest.mark.parametrize("optimizer", BY_HAND)
def test_steps_in_float32_are_those_of_float64_but_for_rounding(optimizer: str, executor: str):
    if executor == "native" and native.problem() is not None:
        pytest.skip(str(native.problem()))
    with en.Graph() as graph:
        w, slope = en.variable(0.0, (4,), name="w"), en.placeholder((4,))
        train = en.optim.OPTIMIZERS[optimizer](0.1).apply([slope], [w])
    session = en.Session(graph, executor=native.load(MACHINE)) if executor == "native" else en.Session(graph)
    step, expected, rng = BY_HAND[optimizer](), np.zeros(4), np.random.default_rng(5)
    for _ in range(30):
        gradient = rng.uniform(0.5, 2.0, 4).astype("f")
        session.run(train, {slope: gradient})
        expected = step(expected, gradient.astype(float))
        np.testing.assert_allclose(session.get(w), expected, rtol=2e-6)


@pytest.mark.parametrize("huge", [1e20, -1e38, np.inf])
@pytest.mark.parametrize("optimizer", ["adagrad", "rmsprop", "adadelta", "adam", "adamw"])
def test_one_huge_gradient_doesn_t_stop_a_weight_for_good(optimizer: str, huge: float):
    with en.Graph() as graph:
        w, slope = en.variable(0.5, (2,), name="w"), en.placeholder((2,))
        train = en.optim.OPTIMIZERS[optimizer](0.1).apply([slope], [w])
    session, step, expected = en.Session(graph), BY_HAND[optimizer](), np.full(2, 0.5)
    for each in (1.0, huge, 1.0, -1e15):
        gradient = np.array([each, 1.0])
        session.run(train, {slope: gradient.astype("f")})
        expected = step(expected, gradient.clip(-(2.0**50), 2.0**50))
        np.testing.assert_allclose(session.get(w), expected, rtol=4e-6)


def test_a_setting_may_be_a_tensor_that_is_fed():
    with en.Graph() as graph:
        w, decay, clip = (
            en.variable(1.0, (), name="w"),
            en.placeholder((), name="decay"),
            en.placeholder((), name="clip"),
        )
        train = en.optim.SGD(0.5, weight_decay=decay, clip_norm=clip).minimize(w * 4.0)
    session = en.Session(graph)
    for length, pull in ((1.0, 0.0), (2.0, 1.0)):
        session.run(train, {decay: pull, clip: length})
    assert session.get(w) == 0.5 - 0.5 * (2 + 0.5)


def test_a_rate_that_is_fed_may_change_without_a_new_plan():
    with en.Graph() as graph:
        w, rate = en.variable(1.0, (), name="w"), en.placeholder((), name="rate")
        train = en.optim.SGD(rate).minimize(w * 1.0)
    session = en.Session(graph)
    programs = set()
    for value in (0.5, 0.25):
        session.run(train, {rate: value})
        programs.add(session.bind(train, {rate: ()}))
    assert session.get(w) == 0.25
    assert len(programs) == 1


@pytest.mark.parametrize("optimizer", en.optim.OPTIMIZERS)
def test_variables_that_lie_apart_or_aren_t_trained(optimizer: str):
    """One vector where they lie side by side, several else: the steps are the same."""

    def trained(order: dict[str, float], over: list[str] | None) -> dict[str, list[float]]:
        with en.Graph() as graph:
            made = {name: en.variable(first, (2,), trainable=first != 9, name=name) for name, first in order.items()}
            loss = en.ops.sum_(made["a"] * made["a"]) + en.ops.sum_(made["b"] * made["b"])
            train = en.optim.OPTIMIZERS[optimizer](0.1).minimize(loss, [made[name] for name in over] if over else None)
        session = en.Session(graph)
        for _ in range(5):
            session.run(train)
        return {name: session.get(each).tolist() for name, each in made.items() if name in "ab"}

    together = trained({"a": 0.5, "b": 1.5}, over=None)
    assert trained({"a": 0.5, "kept": 9, "b": 1.5}, over=None) == together
    assert trained({"a": 0.5, "b": 1.5}, over=["b", "a"]) == together
    assert trained({"b": 1.5, "a": 0.5}, over=None) == together
    assert trained({"a": 0.5, "b": 1.5}, over=["a"]) == {"a": together["a"], "b": [1.5, 1.5]}


def test_two_optimisers_in_one_graph_keep_slots_of_their_own():
    with en.Graph() as graph:
        w = en.variable(1.0, (2,), name="w")
        first, second = (en.optim.Adam(0.1).minimize(en.ops.sum_(w * w)) for _ in range(2))
    session = en.Session(graph)
    session.run(first)
    state = session.state()["float32"]
    session.run(second)
    assert len(graph.variables) == len({each.name for each in graph.variables}) == 9
    assert not np.array_equal(session.state()["float32"], state)


def test_mixed_types_are_trained_together():
    with en.Graph() as graph:
        a, b = en.variable(1.0, (2,), name="a"), en.variable(1.0, (2,), dtype="float64", name="b")
        loss = en.ops.sum_(a * a) + en.ops.sum_(en.ops.cast(b * b, dtype="float32"))
        train = en.optim.SGD(0.25).minimize(loss)
    session = en.Session(graph)
    session.run(train)
    assert session.get(a).tolist() == session.get(b).tolist() == [0.5, 0.5]


def test_the_settings_are_noted_for_checkpoints():
    with en.Graph() as graph:
        w = en.variable(1.0, (), name="w")
        en.optim.AdamW(0.1, clip_norm=2.0).minimize(w * w)
    (note,) = graph.notes.values()
    assert note.startswith("AdamW(rate=0.1")
    assert "clip_norm=2.0" in note
