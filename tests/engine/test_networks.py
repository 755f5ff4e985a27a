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


def test_penalties_pull_weights_towards_zero():
    with en.Graph() as graph:
        w = en.variable([3.0, -2.0], name="w")
        slopes = [en.gradients(penalty(w), [w])[0] for penalty in (en.losses.l1, en.losses.l2)]
        both = en.gradients(en.losses.l2(en.ops.flat(w)) + en.losses.l2(w), [w])[0]
    assert [each.tolist() for each in en.Session(graph).run([*slopes, both])] == [[1, -1], [3, -2], [6, -4]]
