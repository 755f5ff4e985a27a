"""What every executor keeps to.  A new one is a class, and one line in :data:`EXECUTORS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

import engine as en
from engine import native
from engine.devices import find_device
from engine.executors import Executor, Memory
from engine.executors.cuda import Cuda
from engine.executors.numpy import Numpy, NumpyProgram
from engine.fuse import Region
from engine.plan import Plan, make_plan
from engine.spec import Spec
from tests.doors.counts import files_needed
from tests.engine.conftest import fake  # noqa: F401 - a machine with a GPU, for those who ask for one
from tests.running import MACHINE

Options = dict[str, Any]  # of a session


class Counting:
    """Counts what it is asked to do, and has it done by NumPy: an executor that the engine knows nothing of."""

    label = "CPU · counting"
    on_gpu = False
    largest = joins_from = 1

    def __init__(self) -> None:
        self.compiled = 0
        self.steps = 0

    def accepts(self, region: Region) -> bool:
        return False

    def compile(self, plan: Plan, memory: Memory, poison: bool = False) -> CountingProgram:
        self.compiled += 1
        return CountingProgram(self, plan, memory, poison)


class CountingProgram(NumpyProgram):
    def __init__(self, counts: Counting, plan: Plan, memory: Memory, poison: bool) -> None:
        super().__init__(plan, memory, poison)
        self._counts = counts

    def run(self, steps: int = 1, streams: Mapping[en.Tensor, Any] | None = None) -> None:
        super().run(steps, streams)
        self._counts.steps += steps


def on_the_machine(request: pytest.FixtureRequest) -> Options:
    if native.problem() is not None:
        pytest.skip(str(native.problem()))
    return {"executor": native.load(MACHINE)}


def on_the_stand_in_for_a_gpu(request: pytest.FixtureRequest) -> Options:
    request.getfixturevalue("fake")
    return {"executor": Cuda(find_device("gpu:0")), "device": "gpu:0"}


EXECUTORS: dict[str, Callable[[pytest.FixtureRequest], Options]] = {
    "reference": lambda _: {"executor": Numpy()},
    "native": on_the_machine,
    "cuda": on_the_stand_in_for_a_gpu,
    "counting": lambda _: {"executor": Counting()},
}


@pytest.fixture(params=EXECUTORS)
def options(request: pytest.FixtureRequest) -> Options:
    return EXECUTORS[request.param](request)


class Net:
    """A network with a step of Adam, dropout, and a row of another table for each example."""

    def __init__(self) -> None:
        with en.Graph() as self.graph:
            self.rows = en.placeholder((None,), "int32", name="rows")
            table = en.constant(np.random.default_rng(0).normal(size=(40, 5)).astype("f"))
            self.hidden = en.layers.Dense(7, "tanh", "hidden")(en.ops.gather(table, self.rows))
            dropped = en.layers.Dropout(0.3)(self.hidden)
            self.output = en.layers.Dense(3, "linear", "output")(dropped)
            self.labels = en.placeholder((None,), "int32", name="labels")
            self.loss = en.losses.softmax_cross_entropy(self.output, self.labels)
            self.train = en.optim.Adam(0.02, epsilon=1e-3).minimize(self.loss)
        rng = np.random.default_rng(1)
        self.streams = {
            self.rows: rng.integers(0, 40, (6, 8)).astype("int32"),
            self.labels: rng.integers(0, 3, (6, 8)).astype("int32"),
        }

    def batch(self, step: int) -> dict[en.Tensor, np.ndarray]:
        return {tensor: stream[step] for tensor, stream in self.streams.items()}

    def bound(self, session: en.Session, *fetches: en.Tensor) -> Any:
        """The program of ``fetches``, with the first batch in its feeds."""
        shapes = {each: stream.shape[1:] for each, stream in self.streams.items()}
        program = session.bind(fetches or [self.train], shapes)
        for tensor, feed in program.feeds.items():
            feed[...] = session.device.send(self.streams[tensor][0])
        return program


@pytest.fixture
def net() -> Net:
    return Net()


def close(found: Any, wanted: Any) -> None:
    np.testing.assert_allclose(found, wanted, rtol=2e-3, atol=2e-5)


@pytest.mark.parametrize("more", [{}, {"poison": True}, {"reuse": False}], ids=str)
def test_it_trains_as_the_reference_does(options: Options, net: Net, more: Options) -> None:
    ours, theirs = en.Session(net.graph, 3, **options, **more), en.Session(net.graph, 3)
    for step in range(6):
        close(*(each.run([net.loss, net.train], net.batch(step))[0] for each in (ours, theirs)))
    for dtype, values in theirs.state().items():
        close(ours.state()[dtype], values)


def test_many_steps_of_a_stream_are_as_many_runs(options: Options, net: Net) -> None:
    one, many = en.Session(net.graph, 3, **options), en.Session(net.graph, 3, **options)
    for step in range(6):
        one.run(net.train, net.batch(step))
    streams = {tensor: many.device.send(stream) for tensor, stream in net.streams.items()}
    program = net.bound(many)
    program.run(4, streams)
    program.run(2, {tensor: stream[4:] for tensor, stream in streams.items()})
    np.testing.assert_array_equal(one.state()["float32"], many.state()["float32"])


def test_every_tensor_inside_can_be_fetched(options: Options, net: Net) -> None:
    ours, theirs = en.Session(net.graph, 3, **options), en.Session(net.graph, 3)
    inside = [each for each in net.graph.tensors if each.op.name in ("tanh", "affine", "mul", "sub", "softmax")]
    wanted = theirs.run(inside, net.batch(0))
    for found, value in zip(ours.run(inside, net.batch(0)), wanted, strict=True):
        close(found, value)
    for tensor, value in zip(inside[:4], wanted, strict=False):
        close(en.Session(net.graph, 3, **options).run(tensor, net.batch(0)), value)


def test_old_and_new_values_of_a_variable_are_kept_apart(options: Options) -> None:
    with en.Graph() as graph:
        v = en.variable(np.arange(6.0), name="v")
        before = v * 2.0
        new = en.ops.assign(v, before + v)
        after = new - before
    session = en.Session(graph, **options)
    for step in range(3):
        found, changed, difference, last = session.run([before, new, after, v])
        start = np.arange(6.0) * 3.0**step
        close(np.stack([found, changed, difference, last]), np.stack([2 * start, 3 * start, start, 3 * start]))


def test_a_stream_that_doesn_t_fit_is_refused_and_changes_nothing(options: Options, net: Net) -> None:
    session = en.Session(net.graph, 3, **options)
    before, program = session.state()["float32"], net.bound(session)
    for wrong in (net.streams[net.rows][:2], net.streams[net.rows][:, :3], net.streams[net.rows].astype("float32")):
        with pytest.raises(en.FeedError, match="the stream of rows must be int32"):
            program.run(4, {net.rows: session.device.send(wrong)})
    with pytest.raises(en.FeedError, match="isn't fed in this program"):
        program.run(1, {net.loss: session.device.send(np.zeros((1,), "f"))})
    np.testing.assert_array_equal(session.state()["float32"], before)


def test_a_program_of_a_graph_that_grew_says_so(options: Options, net: Net) -> None:
    session = en.Session(net.graph, 3, **options)
    program = net.bound(session)
    program.run()
    with net.graph:
        en.variable(0.0, name="more")
    session.run(net.loss, net.batch(0))
    with pytest.raises(en.EngineError, match=r"bind\(\) it again"):
        program.run()


def test_what_was_fetched_stays_and_results_are_windows(options: Options, net: Net) -> None:
    session = en.Session(net.graph, 3, **options)
    program = net.bound(session, net.loss, net.train)
    program.run()
    first = program.fetch()[0]
    kept = float(first)
    for _ in range(3):
        program.run()
    assert float(first) == kept
    assert float(session.device.fetch(program.results[0])) == float(program.fetch()[0]) != kept
    assert program.fetch()[1] is None


def test_a_step_can_be_timed_call_by_call(options: Options, net: Net) -> None:
    session = en.Session(net.graph, 3, **options)
    before = session.state()["float32"]
    found = en.trace.trace(session, net.train, net.batch(0), repeat=2)
    assert {each for record in found.records for each in record.op.split("+")} >= {"tanh", "gather", "one_hot"}
    np.testing.assert_array_equal(session.state()["float32"], before)


def test_it_is_offered_no_more_than_it_takes(options: Options, net: Net) -> None:
    executor: Executor = options["executor"]
    fed = {tensor: Spec(stream.shape[1:], tensor.dtype) for tensor, stream in net.streams.items()}
    plan = make_plan([net.train, net.loss], fed, taker=executor)
    together = [step for step in plan.steps if len(step.work) > 1]
    assert all(len(step.work) <= executor.largest and executor.accepts(step) for step in together)
    assert bool(together) == (executor.largest > 1)


def test_a_session_goes_over_to_it_with_its_variables(options: Options, net: Net) -> None:
    executor = options["executor"]
    session = en.Session(net.graph, 3, device=options.get("device", "cpu:0"))
    session.run(net.train, net.batch(0))
    session.use(executor)
    assert session.executor is executor
    assert " · " in session.executor.label
    stayed = en.Session(net.graph, 3)
    for step in range(4):
        if step:
            session.run(net.train, net.batch(step))
        stayed.run(net.train, net.batch(step))
    close(session.state()["float32"], stayed.state()["float32"])


def test_it_is_refused_where_it_doesn_t_compute(options: Options, net: Net, fake: Any) -> None:  # noqa: F811
    elsewhere = "cpu:0" if options["executor"].on_gpu else "gpu:0"
    with pytest.raises(en.DeviceError, match=f"{options['executor'].label} doesn't compute on {elsewhere}"):
        en.Session(net.graph, device=elsewhere, executor=options["executor"])


def test_an_executor_counts_without_a_line_in_the_engine(net: Net) -> None:
    counting = Counting()
    session = en.Session(net.graph, executor=counting)
    for step in range(3):
        session.run(net.train, net.batch(step))
    net.bound(session, net.loss).run(5)
    assert (counting.compiled, counting.steps) == (2, 3 + 5)


def test_it_needs_as_many_files_as_is_said() -> None:
    assert files_needed("an executor") == 1, "this one: Counting stands in it"
