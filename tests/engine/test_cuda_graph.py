"""A step of the GPU as one CUDA graph: captured once, replayed from then on, with the same results."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

import engine as en
from engine.executors.cuda import CudaProgram
from engine.op import REGISTRY, Call, Op, op
from engine.ops import argmax, assign, cast, exp, random_state, scatter_add, sum_, tanh, where
from engine.optim import OPTIMIZERS
from engine.trace import trace
from tests.engine.fake_cupy import FakeCuPy

Net = dict[str, Any]
STEPS, BATCH = 8, 6


def network(activation: str = "tanh", optimizer: str = "adam", classes: bool = False) -> Net:
    with en.Graph() as graph:
        x, rate = en.placeholder((None, 3), name="x"), en.placeholder((), name="rate")
        hidden = en.layers.Dense(5, activation, "hidden")(x)
        y = en.layers.Dense(4, "linear", "output")(hidden)
        if classes:
            target = en.placeholder((None,), "int32", name="target")
            loss = en.losses.softmax_cross_entropy(y, target)
        else:
            target = en.placeholder((None, 4), name="target")
            loss = en.losses.mean_squared_error(y, target)
        # a slope near 0, divided by its own size, is nothing but rounding: a large epsilon keeps it small
        kind = OPTIMIZERS[optimizer]
        train = kind(rate, **({"epsilon": 1e-3} if hasattr(kind, "epsilon") else {})).minimize(loss)
    return {"graph": graph, "x": x, "target": target, "rate": rate, "loss": loss, "train": train}


def deep_network() -> Net:
    """Images, filters, normalisation and dropout."""
    with en.Graph() as graph:
        x, target = en.placeholder((None, 6, 6, 2), name="x"), en.placeholder((None,), "int32", name="target")
        rate, train = en.placeholder((), name="rate"), en.placeholder((), "bool", name="training")
        y = en.layers.BatchNorm(train)(en.layers.Conv2D(3, activation="relu")(x))
        y = en.layers.Flatten()(en.ops.max_pool(y, size=(2, 2)))
        y = en.layers.Dropout(0.4, train)(en.layers.Dense(8, "gelu", "hidden")(y))
        loss = en.losses.softmax_cross_entropy(en.layers.Dense(4, "linear", "output")(y), target)
        step = en.optim.Momentum(rate).minimize(loss)
    return {"graph": graph, "x": x, "target": target, "rate": rate, "loss": loss, "train": step, "training": train}


def streams_of(net: Net) -> dict[en.Tensor, np.ndarray]:
    rng = np.random.default_rng(0)
    x, target = net["x"], net["target"]
    if target.dtype == "int32":
        wanted = rng.integers(0, 4, (STEPS, BATCH)).astype("int32")
    else:
        wanted = rng.normal(size=(STEPS, BATCH, 4)).astype("f4")
    return {x: rng.normal(size=(STEPS, BATCH, *x.shape[1:])).astype("f4"), target: wanted}


def program_of(net: Net, session: en.Session, fetches: Sequence[str] = ("train", "loss")) -> Any:
    single = {net[name]: () for name in ("rate", "training") if name in net}
    shapes = {tensor: stream.shape[1:] for tensor, stream in streams_of(net).items()}
    program = session.bind([net[name] for name in fetches], shapes | single)
    for tensor in single:
        program.feeds[tensor][...] = 0.05 if tensor.dtype == "float32" else True
    return program


def trained(net: Net, where: str, **kind: Any) -> tuple[Any, list[float], Mapping[str, np.ndarray]]:
    """The program, the losses of the last two steps and all variables after STEPS and 2 more steps."""
    session = en.Session(net["graph"], seed=2, device=where, **kind)
    program = program_of(net, session)
    program.run(STEPS, {tensor: session.device.send(stream) for tensor, stream in streams_of(net).items()})
    losses = []
    for _ in range(2):
        program.run()
        losses.append(float(program.fetch()[1]))
    return program, losses, session.state()


def assert_trains_alike(net: Net, where: str, **kind: Any) -> None:
    program, losses, state = trained(net, where, **kind)
    _, wanted, wanted_state = trained(net, "cpu:0")
    np.testing.assert_allclose(losses, wanted, rtol=1e-4)
    for dtype, array in wanted_state.items():
        np.testing.assert_allclose(state[dtype], array, rtol=1e-3, atol=1e-5)
    assert program.captured, program.uncaptured


@pytest.mark.parametrize("classes", [False, True])
@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid", "leaky_relu", "elu", "gelu", "softplus"])
def test_a_network_trains_as_on_the_cpu(gpu: str, activation: str, classes: bool) -> None:
    assert_trains_alike(network(activation, classes=classes), gpu)


@pytest.mark.parametrize("kind", [{}, {"reuse": False}, {"poison": True}], ids=str)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimiser_trains_as_on_the_cpu(gpu: str, optimizer: str, kind: dict[str, Any]) -> None:
    assert_trains_alike(network(optimizer=optimizer), gpu, **kind)


@pytest.mark.parametrize("kind", [{}, {"reuse": False}, {"poison": True}], ids=str)
def test_filters_normalisation_and_dropout_train_as_on_the_cpu(gpu: str, kind: dict[str, Any]) -> None:
    assert_trains_alike(deep_network(), gpu, **kind)


def test_the_first_step_runs_call_by_call_and_all_others_are_one_launch_each(fake: FakeCuPy) -> None:
    net = network()
    session = en.Session(net["graph"], device="gpu:0")
    program = program_of(net, session)
    assert not program.captured
    program.run()
    assert (program.captured, len(fake.launched)) == (False, 0)
    program.run(10)
    assert (program.captured, len(fake.launched)) == (True, 10)
    program.run()
    assert len(set(fake.launched)) == 1
    assert program.uncaptured is None


def test_a_run_computes_one_step_whether_it_is_captured_or_replayed(gpu: str) -> None:
    with en.Graph() as graph:
        v = en.variable(1.0, name="v")
        new = assign(v, v * 2.0 + 1.0)
    session = en.Session(graph, device=gpu)
    assert [float(session.run(new)) for _ in range(5)] == [3, 7, 15, 31, 63]
    session.set(v, 0.0)
    assert [float(session.run(new)) for _ in range(2)] == [1, 3]


def test_what_is_fed_between_replays_is_what_they_read(gpu: str) -> None:
    with en.Graph() as graph:
        x = en.placeholder((3,))
        y = tanh(x) * 2.0
    session = en.Session(graph, device=gpu)
    for number in range(5):
        value = np.full(3, number / 4, "f4")
        np.testing.assert_allclose(session.run(y, {x: value}), 2 * np.tanh(value), rtol=1e-6)


def test_programs_take_turns(gpu: str) -> None:
    with en.Graph() as graph:
        v, x = en.variable(np.zeros(4), name="v"), en.placeholder((4,))
        add, twice = assign(v, v + x), assign(v, v * 2.0)
    session = en.Session(graph, device=gpu)
    wanted = np.zeros(4, "f4")
    for _ in range(4):
        session.run(add, {x: np.ones(4, "f4")})
        session.run(twice)
        wanted = (wanted + 1) * 2
    np.testing.assert_array_equal(session.get(v), wanted)


def temporaries() -> tuple[en.Graph, en.Tensor, en.Tensor]:
    """Operations whose calls make arrays of their own while they run."""
    with en.Graph() as graph:
        x = en.placeholder((4, 3))
        winners = argmax(x, axis=1)
        summed = scatter_add(x, winners, en.constant(np.zeros((3, 3), "f4")))
        y = where(cast(winners, dtype="bool"), exp(sum_(x, axis=1)), 0.0) + sum_(summed)
    return graph, x, y


def test_temporary_arrays_come_from_a_pool_that_lives_as_long_as_the_graph(fake: FakeCuPy) -> None:
    graph, x, y = temporaries()
    session = en.Session(graph, device="gpu:0")
    program = session.bind(y, {x: (4, 3)})
    program.run(3)
    assert isinstance(program, CudaProgram)
    assert program._pool.given > 0
    gc.collect()
    program.run()  # the stand-in refuses to replay once the pool is gone
    program._pool = None
    gc.collect()
    with pytest.raises(AssertionError, match="somebody else's"):
        program.run()


def test_temporary_arrays_are_right_at_every_replay(gpu: str) -> None:
    graph, x, y = temporaries()
    session, cpu = en.Session(graph, device=gpu), en.Session(graph)
    for seed in range(5):
        value = np.random.default_rng(seed).normal(size=(4, 3)).astype("f4")
        np.testing.assert_allclose(session.run(y, {x: value}), cpu.run(y, {x: value}), rtol=1e-5)


def test_random_numbers_go_on_from_replay_to_replay(gpu: str) -> None:
    with en.Graph() as graph:
        state = random_state()
        y = en.ops.random_uniform(en.ops.next_state(state), en.constant(np.zeros((2, 3), "f4")))
    session, cpu = en.Session(graph, device=gpu), en.Session(graph)
    drawn = [session.run(y) for _ in range(5)]
    np.testing.assert_array_equal(drawn, [cpu.run(y) for _ in range(5)])
    assert len({each.tobytes() for each in drawn}) == 5


def test_a_step_on_two_devices_runs_uncaptured_and_says_why(fake: FakeCuPy) -> None:
    with en.Graph() as graph:
        x = en.placeholder((3,))
        with en.device("cpu:0"):
            inner = tanh(x, name="inner")
        y = inner * 2.0
    session = en.Session(graph, device="gpu:0")
    program = session.bind(y, {x: (3,)})
    assert isinstance(program, CudaProgram)
    program.run(4)
    assert (program.captured, len(fake.launched)) == (False, 0)
    assert program.uncaptured is not None
    assert "a graph stays on one device, and " in program.uncaptured
    assert "test_cuda_graph.py:" in program.uncaptured
    np.testing.assert_allclose(session.run(y, {x: np.ones(3, "f4")}), 2 * np.tanh(np.ones(3)), rtol=1e-6)


@pytest.fixture
def looking() -> Iterator[Op]:
    """An op that looks at its numbers on the host, which no capture allows."""

    def kernel(xp: Any, out: Any, x: Any) -> Sequence[Call]:
        return (lambda: out.fill(float(xp.asnumpy(x).sum())),)

    yield op("looking", "The sum, by way of the host.", spec=lambda x: x, kernel=kernel)
    del REGISTRY["looking"]


def test_what_cuda_refuses_to_capture_runs_uncaptured_and_says_why(gpu: str, looking: Op) -> None:
    with en.Graph() as graph:
        v, x = en.variable(0.0, (3,), name="v"), en.placeholder((3,))
        new = assign(v, v + looking(x) * 2.0)
    session = en.Session(graph, device=gpu)
    for number in range(4):
        assert session.run(new, {x: np.ones(3, "f4")}).tolist() == [6.0 * (number + 1)] * 3
    program = session.bind(new, {x: (3,)})
    assert isinstance(program, CudaProgram)
    assert not program.captured
    assert program.uncaptured is not None
    assert program.uncaptured.startswith("CUDA can't capture this step: ")
    if isinstance(session.device.xp, FakeCuPy):  # the first error, not that the capture is broken
        assert program.uncaptured.endswith("cudaErrorStreamCaptureUnsupported: a copy to the host")


def test_a_program_that_only_reads_has_nothing_to_capture(gpu: str) -> None:
    with en.Graph() as graph:
        v = en.variable([1.0, 2.0], name="v")
    session = en.Session(graph, device=gpu)
    assert [session.run(v).tolist() for _ in range(3)] == [[1, 2]] * 3
    program = session.bind(v, {})
    assert isinstance(program, CudaProgram)
    assert (program.captured, program.uncaptured) == (False, "there is nothing to compute")


def test_a_retired_program_gives_its_graph_back_and_refuses(gpu: str) -> None:
    with en.Graph() as graph:
        v = en.variable(1.0, name="v")
        new = assign(v, v + 1.0)
    session = en.Session(graph, device=gpu)
    program = session.bind(new, {})
    assert isinstance(program, CudaProgram)
    program.run(3)
    assert program._graph is not None
    with graph:
        en.variable(1.0, name="w")
    session.run(new)
    assert program._graph is program._pool is None
    with pytest.raises(en.EngineError, match="bind\\(\\) it again"):
        program.run()


def test_a_stream_that_does_not_fit_is_refused(gpu: str) -> None:
    net = network()
    session = en.Session(net["graph"], device=gpu)
    program = program_of(net, session)
    with pytest.raises(en.FeedError, match=r"the stream of x must be float32\(4, 6, 3\)"):
        program.run(4, {net["x"]: session.device.send(np.ones((3, 6, 3), "f4"))})


def test_the_trace_times_operations_one_by_one(gpu: str) -> None:
    net = network()
    session = en.Session(net["graph"], device=gpu)
    feeds = {tensor: stream[0] for tensor, stream in streams_of(net).items()} | {net["rate"]: 0.05}
    before = session.state()["float32"]
    found = trace(session, net["train"], feeds, repeat=3)
    assert {"affine", "tanh"} <= {each.op for each in found.records}
    np.testing.assert_array_equal(session.state()["float32"], before)
