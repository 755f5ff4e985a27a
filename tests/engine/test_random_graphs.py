"""Graphs that nobody thought of: a session must do what the naive interpreter does, to the last bit."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from expressions import Everything
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

import engine as en
from engine.executors.numpy import Numpy
from engine.fuse import Region, Taker
from engine.layers import ACTIVATIONS
from engine.op import REGISTRY, Op
from engine.ops import assign, flat, group, reshape, transpose
from engine.optim import OPTIMIZERS
from engine.spec import Spec
from tests.engine.tools import Interpreter


class Greedy:
    """Takes whatever it is offered."""

    largest = 32
    joins_from = 1

    def accepts(self, region: Region) -> bool:
        return True


class Fused(Numpy):
    """Plans what a taker takes as regions, and has them computed by NumPy, so that the numbers are the very same."""

    def __init__(self, taker: Taker) -> None:
        self._taker, self.largest, self.joins_from = taker, taker.largest, taker.joins_from

    def accepts(self, region: Region) -> bool:
        return self._taker.accepts(region)


KINDS: dict[str, dict[str, Any]] = {
    "reuse": {}, "no reuse": {"reuse": False}, "poison": {"poison": True},
    "fused": {"executor": Fused(Everything())}, "fused, poison": {"executor": Fused(Everything()), "poison": True},
    "greedy": {"executor": Fused(Greedy()), "poison": True},
}  # fmt: skip
OPS = [(op, sample.attrs) for op in REGISTRY.values() for sample in op.samples]
SHAPES = [(3, 4), (3, 4), (4,), (4, 3), (3,), (1, 4), (), (0, 4), (3, 1)]

often = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], phases=[Phase.generate])
picks = st.integers(0, 63)
one_move = st.tuples(st.integers(0, len(OPS) - 1), st.lists(picks, min_size=4, max_size=4))
moves = st.lists(one_move, min_size=5, max_size=40)
targets = st.sampled_from(["v", "row", "column", "w", "both", "turned", "chain"])
changes = st.lists(st.tuples(targets, picks), max_size=6)


@dataclass
class Case:
    """A random graph: what can be fetched, and the values of its placeholders."""

    graph: en.Graph
    feeds: dict[en.Tensor, np.ndarray]
    pool: list[en.Tensor] = field(default_factory=list)
    real: dict[en.Tensor, Spec] = field(default_factory=dict)  # what the graph doesn't know: sizes when it runs

    def add(self, tensor: en.Tensor) -> en.Tensor:
        self.pool.append(tensor)
        value = self.feeds.get(tensor)
        if value is not None:
            self.real[tensor] = Spec(value.shape, value.dtype.name)
        else:
            inputs = [self.real.get(each, each.spec) for each in tensor.inputs]
            self.real[tensor] = tensor.op.spec(*inputs, **tensor.attrs)
        return tensor

    def session(self, **options: Any) -> en.Session:
        return en.Session(self.graph, seed=3, **options)

    def first_values(self) -> dict[en.Tensor, np.ndarray]:
        session = self.session()
        return {each: session.get(each) for each in self.graph.variables}


def sources() -> Case:
    """Placeholders, constants and two variables, all positive so that most functions stay finite."""
    rng = np.random.default_rng(0)
    with en.Graph() as graph:
        feeds = {en.placeholder((None,) * len(shape)): rng.uniform(0.5, 1.5, shape).astype("f4") for shape in SHAPES}
        feeds[en.placeholder((None,), "int32", name="rows")] = np.array([2, 0, 1, 1], "int32")
        constants = [en.constant(rng.uniform(0.5, 1.5, shape).astype("f4")) for shape in SHAPES]
        constants += [en.constant(value) for value in (0.0, 1.0, 2.0)]
        v = en.variable(en.init.Uniform(0.5, 1.5), (3, 4), name="v")
        w = en.variable(en.init.Uniform(0.5, 1.5), (4,), name="w")
    case = Case(graph, feeds)
    for each in (*feeds, *constants, v, w, v, w):
        case.add(each)
    return case


def grow(case: Case, moves: Sequence[tuple[int, list[int]]], ops: Sequence[tuple[Op, Any]] = OPS) -> None:
    """Apply each move's op to tensors of the pool, where they fit."""
    for choice, which in moves:
        op, attrs = ops[choice % len(ops)]
        count = op.arity or len(which)
        inputs = [case.pool[at % len(case.pool)] for at in which[:count]]
        try:
            op.spec(*(case.real[each] for each in inputs), **attrs)
        except en.EngineError:
            continue
        case.add(op(*inputs, **attrs))


def change(case: Case, changes: Sequence[tuple[str, int]]) -> list[en.Tensor]:
    """Assign tensors of the pool to variables and parts of them, where they fit."""
    v, w = case.graph.variables
    done: list[en.Tensor] = []
    for what, pick in changes:
        chained = done[-1] if done else v
        target = {
            "v": v, "row": v[1], "column": v[:, 2], "turned": transpose(v),
            "w": w, "both": flat(v, w), "chain": chained,
        }[what]  # fmt: skip
        fitting = [each for each in case.pool if case.real[each] == target.spec]
        if fitting:
            done.append(assign(target, fitting[pick % len(fitting)]))
            for each in (done[-1], done[-1] * 2.0, target + 1.0):
                case.add(each)
    return done


def assert_equal(found: Sequence[Any], wanted: Sequence[Any], tensors: Sequence[en.Tensor]) -> None:
    for a, b, tensor in zip(found, wanted, tensors, strict=True):
        if tensor.op is not group:
            assert a.dtype == b.dtype, tensor
            np.testing.assert_array_equal(a, b, err_msg=f"{tensor} ({tensor.op.name})")


def run_all_kinds(case: Case, fetches: Sequence[en.Tensor]) -> None:
    """Two runs one after the other, in sessions of every kind and in the interpreter: values and variables agree."""
    naive = Interpreter(case.first_values())
    sessions = {name: case.session(**kind) for name, kind in KINDS.items()}
    for _ in range(2):
        with np.errstate(all="ignore"):
            wanted = naive.run(fetches, case.feeds)
        for session in sessions.values():
            assert_equal(session.run(fetches, case.feeds), wanted, fetches)
            for each, value in naive.state.items():
                np.testing.assert_array_equal(session.get(each), value, err_msg=each.name)


@often
@given(moves, st.lists(picks, min_size=1, max_size=5))
def test_any_expression(moves: list[tuple[int, list[int]]], wanted: list[int]):
    case = sources()
    grow(case, moves)
    run_all_kinds(case, [case.pool[-1 - at % len(case.pool)] for at in wanted])


@often
@given(moves, changes, moves, st.lists(picks, min_size=1, max_size=5))
def test_any_assignments(before: Any, changes: Any, after: Any, wanted: list[int]):
    case = sources()
    grow(case, before)
    done = change(case, changes)
    grow(case, after)
    fetches = [*(case.pool[-1 - at % len(case.pool)] for at in wanted), *case.graph.variables, *done]
    try:
        case.session().bind(fetches, {each: value.shape for each, value in case.feeds.items()})
    except en.EngineError as error:
        assume("asked for at the same time" not in str(error))
        raise
    run_all_kinds(case, fetches)


@often
@given(moves, picks)
def test_any_gradient(moves: Any, wanted: int):
    case = sources()
    grow(case, moves)
    floats = [each for each in case.pool if each.spec.is_float]
    y = floats[-1 - wanted % len(floats)]
    found = []
    for x in floats[: len(SHAPES)] + case.graph.variables:
        with contextlib.suppress(en.GradientError, en.ShapeError):  # ShapeError: pack() of sizes not known yet
            found += en.gradients(y, [x])
    run_all_kinds(case, [y, *found])


def first_network(widths: Sequence[int], activation: str, optimizer: str) -> tuple[en.Graph, dict[str, en.Tensor]]:
    with en.Graph() as graph:
        x, target = en.placeholder((None, 3), name="x"), en.placeholder((None, 2), name="target")
        y = x
        for at, width in enumerate(widths):
            y = en.layers.Dense(width, activation, f"hidden{at}")(y)
        y = en.layers.Dense(2, "linear", "output")(y)
        loss = en.losses.mean_squared_error(y, target) + 0.01 * en.losses.l2(graph.variables[0])
        train = OPTIMIZERS[optimizer](0.05).minimize(loss)
    return graph, {"x": x, "target": target, "y": y, "loss": loss, "train": train}


@often
@given(
    st.lists(st.integers(1, 6), max_size=4),
    st.sampled_from(list(ACTIVATIONS)),
    st.sampled_from(list(OPTIMIZERS)),
    st.integers(1, 9),
)
def test_any_network_trains_as_the_interpreter_does(widths: list[int], activation: str, optimizer: str, batch: int):
    graph, parts = first_network(widths, activation, optimizer)
    rng = np.random.default_rng(batch)
    feeds = {
        parts["x"]: rng.normal(size=(batch, 3)).astype("float32"),
        parts["target"]: rng.normal(size=(batch, 2)).astype("float32"),
    }
    run_all_kinds(Case(graph, feeds), [parts["train"], parts["loss"], parts["y"], *graph.variables])


@pytest.mark.parametrize("kind", KINDS)
def test_a_program_run_many_times_is_the_session_run_many_times(kind: str):
    graph, parts = first_network([4], "tanh", "adam")
    feeds: Mapping[en.Tensor, np.ndarray] = {parts["x"]: np.ones((5, 3), "f4"), parts["target"]: np.ones((5, 2), "f4")}
    one, many = Case(graph, {}).session(**KINDS[kind]), Case(graph, {}).session()
    program = one.bind(parts["train"], {each: value.shape for each, value in feeds.items()})
    for tensor, value in feeds.items():
        program.feeds[tensor][...] = value
    program.run(steps=20)
    for _ in range(20):
        many.run(parts["train"], feeds)
    np.testing.assert_array_equal(one.state()["float32"], many.state()["float32"])


@pytest.mark.parametrize("kind", [name for name in KINDS if name.startswith(("fused", "greedy"))])
def test_the_kinds_that_fuse_have_steps_of_several_operations(kind: str):
    graph, parts = first_network([4], "tanh", "adam")
    shapes = {parts["x"]: (5, 3), parts["target"]: (5, 2)}
    plan = Case(graph, {}).session(**KINDS[kind]).bind(parts["train"], shapes).plan
    assert any(len(step.work) > 1 for step in plan.steps)


def test_a_window_that_needs_a_copy_is_read_in_time():
    with en.Graph() as graph:
        v = en.variable(np.arange(12.0).reshape(3, 4), name="v")
        turned = reshape(transpose(v), shape=(2, 6))
        new = assign(v, v + 100.0)
    run_all_kinds(Case(graph, {}), [turned, new, turned * 2.0, v])
