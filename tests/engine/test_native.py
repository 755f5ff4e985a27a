"""The native executor against the reference: the same results within rounding, whatever the network."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import engine as en
from engine.native import Native, NativeProgram, problem
from engine.op import REGISTRY, Op
from tests.engine.tools import inputs_of

pytestmark = pytest.mark.skipif(problem() is not None, reason=str(problem()))
POSITIVE = ("sqrt", "log", "pow")


def network(sizes: list[int], activation: str, optimizer: str, classes: bool) -> dict[str, Any]:
    """A dense network and its training step."""
    with en.Graph() as graph:
        x = en.placeholder((None, sizes[0]), name="x")
        flow = x
        for at, units in enumerate(sizes[1:-1]):
            flow = en.layers.Dense(units, activation, f"hidden{at}")(flow)
        flow = en.layers.Dense(sizes[-1], "linear", "output")(flow)
        if classes:
            target = en.placeholder((None,), "int32", name="target")
            loss = en.losses.softmax_cross_entropy(flow, target)
        else:
            target = en.placeholder((None, sizes[-1]), name="target")
            loss = en.losses.half_squared_error(en.ops.tanh(flow), target)
        rate = en.placeholder((), name="rate")
        kind = en.optim.OPTIMIZERS[optimizer]
        # a slope near 0, divided by its own size, is nothing but rounding: a large epsilon keeps it small
        settings: dict[str, Any] = {"epsilon": 1e-3} if hasattr(kind, "epsilon") else {}
        train = kind(rate, **settings).minimize(loss)
    return {"graph": graph, "x": x, "target": target, "rate": rate, "loss": loss, "train": train}


def batches(net: dict[str, Any], steps: int, size: int, seed: int = 0) -> dict[en.Tensor, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(steps, size, net["x"].shape[1])).astype("f")
    if net["target"].dtype == "int32":
        classes = next(each for each in net["graph"].variables if each.name == "output/bias").shape[0]
        target = rng.integers(0, classes, (steps, size)).astype(np.int32)
    else:
        target = rng.choice([-1.0, 1.0], (steps, size, net["target"].shape[1])).astype("f")
    return {net["x"]: x, net["target"]: target}


def trained(net: dict[str, Any], streams: dict[en.Tensor, np.ndarray], steps: int, **options: Any) -> np.ndarray:
    """All variables after ``steps`` steps on these batches."""
    session = en.Session(net["graph"], seed=2, **options)
    program = session.bind(net["train"], {t: s.shape[1:] for t, s in streams.items()} | {net["rate"]: ()})
    program.feeds[net["rate"]][...] = 0.01
    program.run(steps, streams)
    return session.state()["float32"]


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_every_op_agrees(native: Native, name: str) -> None:
    for sample in REGISTRY[name].samples:
        agrees(native, REGISTRY[name], inputs_of(sample, "float32"), sample.attrs)


@pytest.mark.parametrize("name", sorted(name for name, op in REGISTRY.items() if op.code and op.arity in (1, 2)))
@pytest.mark.parametrize("size", [1, 7, 40, 5000])
def test_every_element_wise_op_agrees(native: Native, name: str, size: int) -> None:
    op = REGISTRY[name]
    rng = np.random.default_rng(4)
    low = 0.2 if name in POSITIVE else -3.0
    arrays = [rng.uniform(low, 3.0, size).astype("f") for _ in range(op.arity or 0)]
    agrees(native, op, arrays)
    if len(arrays) == 2:
        agrees(native, op, [arrays[0][:1].reshape(()), arrays[1]])
        agrees(native, op, [arrays[0], arrays[1][:1]])


@pytest.mark.parametrize("name", ["add", "sub", "where", "greater"])
def test_inputs_may_be_rows_columns_and_windows(native: Native, name: str) -> None:
    op = REGISTRY[name]
    rng = np.random.default_rng(5)
    with en.Graph() as graph:
        table, row, column = en.placeholder((6, 40)), en.placeholder((19,)), en.placeholder((6, 1))
        window, turned = table[:, 2:21], en.ops.transpose(table)[3:22, :6]
        pairs = [(window, row), (column, window), (window, column), (en.ops.transpose(turned), window), (row, row)]
        choice = [en.ops.greater(a, 0.1) for a, _ in pairs] if name == "where" else None
        results = [op(*pair) if choice is None else op(choice[at], *pair) for at, pair in enumerate(pairs)]
    feeds = {each: rng.normal(size=each.spec.concrete).astype("f") for each in (table, row, column)}
    for found, wanted in zip(
        en.Session(graph, executor=native).run(results, feeds), en.Session(graph).run(results, feeds), strict=True
    ):
        np.testing.assert_allclose(found, wanted, 1e-6)


def agrees(native: Native, op: Op, arrays: list[np.ndarray], attrs: dict[str, Any] | None = None) -> None:
    """One op, native and as NumPy does it."""
    with en.Graph() as graph:
        holders = [en.placeholder(each.shape, each.dtype.name) for each in arrays]
        result = op(*holders, **(attrs or {}))
    feeds = dict(zip(holders, arrays, strict=True))
    found = en.Session(graph, executor=native).run(result, feeds)
    np.testing.assert_allclose(found, en.Session(graph).run(result, feeds), 3e-6, 2e-6)


def test_a_training_step_is_one_table(native: Native) -> None:
    net = network([2, 4, 3, 1], "tanh", "adam", classes=False)
    session = en.Session(net["graph"], executor=native)
    program = session.bind(net["train"], {net["x"]: (10, 2), net["target"]: (10, 1), net["rate"]: ()})
    assert isinstance(program, NativeProgram)
    assert program.whole


@given(
    sizes=st.lists(st.integers(1, 12), min_size=2, max_size=5),
    activation=st.sampled_from(["relu", "tanh", "sigmoid", "linear", "leaky_relu", "elu", "gelu", "softplus"]),
    optimizer=st.sampled_from(sorted(en.optim.OPTIMIZERS)),
    classes=st.booleans(),
    size=st.integers(1, 12),
)
@settings(max_examples=60)
def test_random_networks_train_alike(
    native: Native, *, sizes: list[int], activation: str, optimizer: str, classes: bool, size: int
) -> None:
    net = network(sizes, activation, optimizer, classes)
    streams = batches(net, 8, size)
    np.testing.assert_allclose(
        trained(net, streams, 8, executor=native), trained(net, streams, 8), rtol=5e-3, atol=2e-4
    )


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
def test_a_network_large_enough_for_blas_and_chains_trains_alike(native: Native, optimizer: str) -> None:
    net = network([200, 96, 64, 10], "relu", optimizer, classes=True)
    streams = batches(net, 12, 64)
    np.testing.assert_allclose(trained(net, streams, 12, executor=native), trained(net, streams, 12), 2e-3, 2e-4)


def test_two_runs_are_identical(native: Native) -> None:
    net = network([20, 16, 4], "tanh", "adam", classes=True)
    streams = batches(net, 50, 10)
    first, second = (trained(net, streams, 50, executor=native) for _ in range(2))
    assert np.array_equal(first, second)


@pytest.mark.parametrize("executor", ["numpy", "native"])
def test_streams_are_feeds_one_after_the_other(native: Native, executor: str) -> None:
    net = network([3, 4, 1], "tanh", "momentum", classes=False)
    options: dict[str, Any] = {"executor": native} if executor == "native" else {}
    streams = batches(net, 6, 5)
    session = en.Session(net["graph"], seed=2, **options)
    for step in range(6):
        session.run(net["train"], {t: s[step] for t, s in streams.items()} | {net["rate"]: 0.01})
    assert np.array_equal(session.state()["float32"], trained(net, streams, 6, **options))


def test_a_label_out_of_range_is_an_error(native: Native) -> None:
    net = network([3, 4], "linear", "sgd", classes=True)
    session = en.Session(net["graph"], executor=native)
    feeds = {net["x"]: np.ones((2, 3), "f"), net["target"]: np.array([1, 9], np.int32), net["rate"]: 0.1}
    with pytest.raises(en.EngineError, match=r"one_hot: number 9 is outside 0 to 3 \(.*test_native.py"):
        session.run(net["train"], feeds)


def test_a_stream_that_does_not_fit_is_refused(native: Native) -> None:
    net = network([3, 4, 1], "tanh", "sgd", classes=False)
    session = en.Session(net["graph"], executor=native)
    program = session.bind(net["train"], {net["x"]: (5, 3), net["target"]: (5, 1), net["rate"]: ()})
    with pytest.raises(en.FeedError, match=r"the stream of x must be float32\(4, 5, 3\)"):
        program.run(4, {net["x"]: np.ones((3, 5, 3), "f")})


def test_what_is_not_a_number_stays_so(native: Native) -> None:
    with en.Graph() as graph:
        x = en.placeholder((None,))
        results = [en.ops.tanh(x), en.ops.exp(x), en.ops.relu(x) + x, en.ops.sigmoid(x)]
    values = np.array([np.nan, np.inf, -np.inf, 200.0, -200.0], "f")
    for result in results:
        found = en.Session(graph, executor=native).run(result, {x: values})
        np.testing.assert_array_equal(np.isnan(found), np.isnan(en.Session(graph).run(result, {x: values})))
