"""Whole networks: their gradients by finite differences, and against PyTorch where it is installed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import engine as en
from engine.layers import ACTIVATIONS
from tests.engine.tools import numeric_gradient, relative_error

LOSSES = ["squares", "classes", "probabilities"]
RNG = np.random.default_rng(4)
INPUTS = RNG.normal(size=(5, 3))
TARGETS = {
    "squares": RNG.normal(size=(5, 2)),
    "classes": np.array([0, 1, 1, 0, 1], "int32"),
    "probabilities": np.array([[0.25, 0.75], [1, 0], [0.5, 0.5], [0, 1], [0.9, 0.1]]),
}


class Network:
    """3-4-3-2 in float64."""

    def __init__(self, activation: str, loss: str) -> None:
        target = TARGETS[loss]
        with en.Graph() as self.graph:
            self.x = y = en.placeholder((None, 3), "float64", name="x")
            self.target = en.placeholder((None,) * target.ndim, target.dtype.name, name="target")
            for at, units in enumerate((4, 3)):
                y = en.layers.Dense(units, activation, f"hidden{at + 1}", bias=en.init.Normal(0.3))(y)
            self.y = en.layers.Dense(2, "linear", "output")(y)
            if loss == "squares":
                self.loss = en.losses.mean_squared_error(self.y, en.ops.reshape(self.target, shape=(-1, 2)))
            else:
                self.loss = en.losses.softmax_cross_entropy(self.y, self.target)
        self.feeds = {self.x: INPUTS, self.target: target}
        self.variables = list(self.graph.variables)


each_network = pytest.mark.parametrize(("activation", "loss"), [(a, b) for a in ACTIVATIONS for b in LOSSES])


@each_network
def test_the_gradient_of_a_network_is_its_slope(activation: str, loss: str):
    network = Network(activation, loss)
    tensors = [*network.variables, network.x]
    session = en.Session(network.graph, seed=2)
    feeds = network.feeds | {each: session.get(each) for each in network.variables} | {network.x: INPUTS.copy()}
    for tensor, slope in zip(tensors, session.run(en.gradients(network.loss, tensors), network.feeds), strict=True):
        numeric = numeric_gradient(lambda: float(session.run(network.loss, feeds)), feeds[tensor])
        assert relative_error(slope, numeric) <= 1e-6, tensor.name


def torch_network(torch: Any, network: Network, session: en.Session) -> tuple[list[Any], Callable[[], Any]]:
    """The same weights in PyTorch, and the loss they give."""
    F = torch.nn.functional
    activation = {
        "relu": torch.relu, "tanh": torch.tanh, "sigmoid": torch.sigmoid, "linear": lambda x: x, "elu": F.elu,
        "leaky_relu": F.leaky_relu, "gelu": lambda x: F.gelu(x, approximate="tanh"), "softplus": F.softplus,
    }  # fmt: skip
    weights = [torch.tensor(session.get(each), requires_grad=True) for each in network.variables]
    target = network.feeds[network.target]

    def loss() -> Any:
        y = torch.tensor(INPUTS)
        for at in range(0, len(weights), 2):
            y = y @ weights[at] + weights[at + 1]
            if at < 4:
                y = activation[used](y)
        if target.shape == (5, 2) and network.loss.inputs[0].inputs[0].op.name != "cross_entropy":
            return F.mse_loss(y, torch.tensor(target))
        return F.cross_entropy(y, torch.tensor(target.astype("int64") if target.ndim == 1 else target))

    used = next((node.op.name for node in network.graph.tensors if node.op.name in activation), "linear")
    return weights, loss


@each_network
def test_loss_and_gradient_are_pytorch_s(activation: str, loss: str):
    torch = pytest.importorskip("torch")
    network = Network(activation, loss)
    slopes = en.gradients(network.loss, network.variables)
    session = en.Session(network.graph, seed=2)
    value, *found = session.run([network.loss, *slopes], network.feeds)
    weights, torch_loss = torch_network(torch, network, session)
    theirs = torch_loss()
    theirs.backward()
    assert relative_error(value, theirs.detach().numpy()) < 1e-12
    for slope, weight in zip(found, weights, strict=True):
        assert relative_error(slope, weight.grad.numpy()) < 1e-12


OPTIMIZERS: dict[str, tuple[en.optim.Optimizer, Callable[[Any, Any], Any]]] = {
    "sgd": (en.optim.SGD(0.1), lambda torch, weights: torch.optim.SGD(weights, 0.1)),
    "momentum": (en.optim.Momentum(0.05), lambda torch, weights: torch.optim.SGD(weights, 0.05, momentum=0.9)),
    "adam": (en.optim.Adam(0.02), lambda torch, weights: torch.optim.Adam(weights, 0.02)),
    "adam, large epsilon": (
        en.optim.Adam(0.02, 0.8, 0.99, 0.1),
        lambda torch, weights: torch.optim.Adam(weights, 0.02, (0.8, 0.99), 0.1),
    ),
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_fifty_steps_of_an_optimiser_are_pytorch_s(optimizer: str):
    torch = pytest.importorskip("torch")
    ours, theirs = OPTIMIZERS[optimizer]
    network = Network("tanh", "classes")
    train = ours.minimize(network.loss)
    session = en.Session(network.graph, seed=2)
    weights, torch_loss = torch_network(torch, network, session)
    descent = theirs(torch, weights)
    for _ in range(50):
        session.run(train, network.feeds)
        descent.zero_grad()
        torch_loss().backward()
        descent.step()
        for variable, weight in zip(network.variables, weights, strict=True):
            assert relative_error(session.get(variable), weight.detach().numpy()) < 1e-11


def by_hand(optimizer: str, w: np.ndarray, steps: int) -> np.ndarray:
    """The optimisers from their papers' formulas, for a loss whose slope is w * w."""
    velocity, m, v = np.zeros_like(w), np.zeros_like(w), np.zeros_like(w)
    for t in range(1, steps + 1):
        g = w * w
        if optimizer == "sgd":
            w = w - 0.1 * g
        elif optimizer == "momentum":
            velocity = 0.9 * velocity + g
            w = w - 0.1 * velocity
        else:
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
            w = w - 0.1 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    return w


@pytest.mark.parametrize("optimizer", en.optim.OPTIMIZERS)
def test_an_optimiser_does_what_its_formula_says(optimizer: str):
    with en.Graph() as graph:
        w = en.variable(np.array([0.5, -0.3, 1.5]), dtype="float64", name="w")
        train = en.optim.OPTIMIZERS[optimizer](0.1).minimize(w * w * w / 3.0)
    session = en.Session(graph)
    session.bind(train, {}).run(steps=10)
    np.testing.assert_allclose(session.get(w), by_hand(optimizer, np.array([0.5, -0.3, 1.5]), 10), rtol=1e-12)


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


def test_a_rate_may_change_between_steps():
    with en.Graph() as graph:
        w, rate = en.variable(1.0, (), name="w"), en.placeholder((), name="rate")
        train = en.optim.SGD(rate).minimize(w * 1.0)
    session = en.Session(graph)
    for value in (0.5, 0.25):
        session.run(train, {rate: value})
    assert session.get(w) == 0.25


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


def test_penalties_pull_weights_towards_zero():
    with en.Graph() as graph:
        w = en.variable([3.0, -2.0], name="w")
        slopes = [en.gradients(penalty(w), [w])[0] for penalty in (en.losses.l1, en.losses.l2)]
        both = en.gradients(en.losses.l2(en.ops.flat(w)) + en.losses.l2(w), [w])[0]
    assert [each.tolist() for each in en.Session(graph).run([*slopes, both])] == [[1, -1], [3, -2], [6, -4]]
