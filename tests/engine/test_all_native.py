"""Whole networks in the machine: how many Python calls are left in the plans of their training steps.  None."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import engine as en
from benchmarks.peers.layerlab import network
from benchmarks.workloads import WORKLOADS, Workload
from engine.fuse import Region
from engine.layers import LSTM, BatchNorm, Conv2D, Dense, Flatten, MaxPool, Sequential
from engine.native import NativeProgram, load, problem
from engine.ops import argmax, cast, depthwise_conv2d, equal, global_mean, mean, relu, reshape, sigmoid
from tests.running import MACHINE

pytestmark = pytest.mark.skipif(problem() is not None, reason=str(problem()))


def left(fetches: Sequence[en.Tensor], feeds: dict[en.Tensor, tuple[int, ...]]) -> list[str]:
    """What a run of ``fetches`` leaves to Python."""
    program = en.Session(fetches[0].graph, executor=load(MACHINE)).bind(fetches, feeds)
    assert isinstance(program, NativeProgram)
    regions: list[Region] = program.left_to_python
    return [each.name for each in regions]


@pytest.mark.parametrize("work", WORKLOADS, ids=lambda each: each.name)
def test_the_benchmarks_networks(work: Workload) -> None:
    with en.Graph():
        x = en.placeholder((None, *work.input))
        y = en.placeholder((None,), "int32") if work.classes else en.placeholder((None, 1))
        output = network(work, x)[-1]
        loss = (en.losses.softmax_cross_entropy if work.classes else en.losses.half_squared_error)(output, y)
        train = en.optim.OPTIMIZERS[work.optimizer](work.rate).minimize(loss)
    assert not left([train], {x: (work.batch, *work.input), y: (work.batch,) if work.classes else (work.batch, 1)})


def swish(x: en.Tensor) -> en.Tensor:
    return x * sigmoid(x)


def efficient(train: bool | en.Tensor) -> Callable[[en.Tensor], en.Tensor]:
    """An EfficientNet block (Tan & Le 2019): widened, filtered channel by channel, squeezed, narrowed and added."""

    def block(x: en.Tensor) -> en.Tensor:
        y = swish(BatchNorm(train, "norm0")(Conv2D(24, (1, 1), name="wide")(x)))
        filters = en.variable(en.init.glorot, (3, 3, 24, 1), name="filters")
        y = swish(BatchNorm(train, "norm1")(depthwise_conv2d(y, filters)))
        gate = swish(Dense(4, name="squeeze")(global_mean(y)))
        gate = sigmoid(Dense(24, name="excite")(gate))
        y = y * reshape(gate, shape=(-1, 1, 1, 24))
        return Flatten()(x + BatchNorm(train, "norm2")(Conv2D(6, (1, 1), name="narrow")(y)))

    return block


def convolutions(train: bool | en.Tensor) -> Callable[[en.Tensor], en.Tensor]:
    """Convolutions with batch norms between."""
    first: list[Any] = [Conv2D(8, name="a"), BatchNorm(train, "norm0"), relu, MaxPool()]
    second: list[Any] = [Conv2D(16, name="b", strides=(2, 2)), BatchNorm(train, "norm1"), relu, Flatten()]
    return Sequential([*first, *second])


def recurrent(train: bool | en.Tensor) -> Callable[[en.Tensor], en.Tensor]:
    """Two layers of LSTM."""
    return lambda x: LSTM(12, name="b")(LSTM(9, sequence=True, name="a")(reshape(x, shape=(-1, 8, 8 * 6))))


NETWORKS: dict[str, Any] = {"convolutions": convolutions, "recurrent": recurrent, "efficient": efficient}


@pytest.mark.parametrize("labels", ["whole", "shares"])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_step_and_how_many_were_right(name: str, labels: str) -> None:
    with en.Graph():
        x, train = en.placeholder((None, 8, 8, 6)), en.placeholder((), "bool")
        target = en.placeholder((None,), "int32") if labels == "whole" else en.placeholder((None, 10))
        logits = Dense(10, name="last")(NETWORKS[name](train)(x))
        loss = en.losses.softmax_cross_entropy(logits, target)
        named = target if labels == "whole" else argmax(target)
        right = mean(cast(equal(argmax(logits), named), dtype="float32"))
        step = en.optim.Adam(0.01).minimize(loss)
    feeds: dict[en.Tensor, tuple[int, ...]] = {
        x: (5, 8, 8, 6),
        target: (5,) if labels == "whole" else (5, 10),
        train: (),
    }
    if name == "recurrent":
        del feeds[train]
    assert not left([step, loss, right], feeds)


@pytest.mark.parametrize(
    "build", [lambda x: x + 1, lambda x: 2**31 - 1 + x, lambda x: x + x, lambda x: equal(x, 3), lambda x: equal(4, x)]
)
def test_whole_numbers_with_one_of_them(build: Callable[[en.Tensor], en.Tensor]) -> None:
    with en.Graph() as graph:
        x = en.placeholder((None, 7), "int32")
        found = build(x)
    assert not left([found], {x: (5, 7)})
    value = np.arange(-3, 32, dtype="i4").reshape(5, 7)
    native, numpy = (en.Session(graph, executor=each).run(found, {x: value}) for each in (load(MACHINE), None))
    np.testing.assert_array_equal(native, numpy)
