"""Fused kernels: whatever the operations, types, shapes and windows, they give what NumPy gives.

They run on a stand-in for a GPU, which compiles the same sources for the processor, and on a GPU where there is one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import engine as en
from engine.executors.cuda import CudaProgram
from engine.executors.cuda_source import Source
from engine.op import REGISTRY, Op
from engine.ops import assign, cast, exp, pack, reshape, slice_, sum_, tanh, transpose
from engine.spec import DTYPES
from tests.engine.test_random_graphs import Case, assert_equal, change, grow, moves, picks, sources
from tests.engine.tools import inputs_of

ELEMENT_WISE = [op for op in REGISTRY.values() if op.code]
# Their last digit depends on who computes them
ROUNDED = {"tanh", "exp", "log", "sin", "cos", "pow", "elu", "softplus", "gelu", "sigmoid"}
ROUNDED |= {"tanh_slope", "sigmoid_slope", "gelu_slope"}
EXACT = [(op, each.attrs) for op in REGISTRY.values() for each in op.samples if op.name not in ROUNDED]
# Rows that aren't there are refused on the CPU and taken modulo on a GPU
EXACT = [(op, attrs) for op, attrs in EXACT if op.name not in ("gather", "scatter_add", "one_hot", "cross_entropy")]
TOLERANCE = {"float32": 2e-6, "float64": 1e-14}
WHOLE = [each for each in DTYPES if not each.startswith("float")]

some = settings(
    max_examples=100,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


Feeds = Mapping[en.Tensor, np.ndarray]


def bound(tensors: Sequence[en.Tensor], feeds: Feeds, where: str) -> tuple[en.Session, CudaProgram]:
    """A session of the GPU and its program."""
    session = en.Session(tensors[0].graph, device=where)
    program = session.bind(tensors, {tensor: value.shape for tensor, value in feeds.items()})
    assert isinstance(program, CudaProgram)
    return session, program


def assert_all_same(cases: Sequence[tuple[Sequence[en.Tensor], Feeds]], where: str) -> list[CudaProgram]:
    """The GPU gives what NumPy gives; the programs that did (bound before the first runs: compiled at once)."""
    made = [bound(tensors, feeds, where) for tensors, feeds in cases]
    for (tensors, feeds), (session, _) in zip(cases, made, strict=True):
        wanted = en.Session(session.graph).run(tensors, feeds)
        for one, other in zip(session.run(tensors, feeds), wanted, strict=True):
            assert one.dtype == other.dtype
            tolerance = TOLERANCE.get(other.dtype.name, 0)
            np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)
    return [program for _, program in made]


def assert_same(tensors: Sequence[en.Tensor], feeds: Feeds, where: str) -> CudaProgram:
    return assert_all_same([(tensors, feeds)], where)[0]


def applied(op: Op, arrays: Sequence[np.ndarray], attrs: Mapping[str, Any]) -> tuple[Sequence[en.Tensor], Feeds]:
    with en.Graph():
        inputs = [en.placeholder(each.shape, each.dtype.name) for each in arrays]
        return [op(*inputs, **attrs)], dict(zip(inputs, arrays, strict=True))


def kind(source: Source) -> str:
    """A kernel's name without the digits that tell it apart."""
    return source.name.rpartition("_")[0]


def stores(text: str) -> int:
    """How many results a kernel writes to memory."""
    return sum("] = " in line for line in text.splitlines())


each_op = pytest.mark.parametrize("op", ELEMENT_WISE, ids=lambda op: op.name)


@each_op
def test_every_op_with_code_is_one_kernel_that_agrees(gpu: str, op: Op) -> None:
    cases = [
        applied(op, inputs_of(sample, dtype), sample.attrs) for sample in op.samples for dtype in ("float32", "float64")
    ]
    for program in assert_all_same(cases, gpu):
        assert len(program.calls) == len(program.sources) == (op.identity is None or op.arity != 1)


ODD = [np.nan, np.inf, -np.inf, 0.0, -0.0, 200.0, -200.0, 1e-30, -3.0, 0.5]


@each_op
def test_what_is_not_a_number_or_infinite_is_so_in_numpy_too(gpu: str, op: Op) -> None:
    cases = []
    for dtype in ("float32", "float64"):
        odd = np.array(ODD, dtype)
        arrays = [odd] if op.arity == 1 else [np.repeat(odd, len(odd)), np.tile(odd, len(odd))]
        cases.append(applied(op, [*arrays, arrays[0] * 2, arrays[0]][: op.arity], {}))
    assert_all_same(cases, gpu)


@each_op
def test_whole_numbers_and_bools_are_computed_as_such(gpu: str, op: Op) -> None:
    cases = []
    for dtype in WHOLE:
        arrays = [
            np.array([3, 0, 1, 100, 7], dtype),
            np.array([3, 1, 0, 2, 9], dtype),
            np.array([1, 0, 5, 0, 2], dtype),
            np.array([0, 2, 1, 1, 0], dtype),
        ]
        if dtype in ("int32", "int64"):
            arrays[0][1], arrays[1][3] = -5, np.iinfo(dtype).max // 200  # beyond what float32 holds exactly
        with contextlib.suppress(en.DtypeError):  # many are for floats alone
            cases.append(applied(op, arrays[: op.arity], {}))
    assert_all_same(cases, gpu)


def test_a_cast_to_and_from_every_type_is_a_line_of_a_kernel(gpu: str) -> None:
    cases: list[tuple[Sequence[en.Tensor], Feeds]] = []
    for dtype in DTYPES:
        with en.Graph():
            x = en.placeholder((40,))
            y = cast(cast(x * 2.0, dtype=dtype), dtype="float64") + 1.0
        cases.append(([y], {x: np.repeat(np.array([0.0, 1.0, 2.75, 100.0, 7.5], "f4"), 8)}))
    for program in assert_all_same(cases, gpu):
        assert len(program.calls) == 1


def test_a_chain_is_one_launch_and_what_only_it_needs_never_goes_to_memory(gpu: str) -> None:
    with en.Graph():
        x = en.placeholder((40, 30))
        inner = tanh(x * 2.0, name="squashed")
        y = (inner + 1.0) * (inner - x)
    program = assert_same([y], {x: np.random.default_rng(0).normal(size=(40, 30)).astype("f4")}, gpu)
    (source,) = program.sources
    assert source.name.startswith("mul_tanh_add_sub_mul_")
    assert "// tanh: squashed" in source.text
    assert stores(source.text) == 1
    program = assert_same([y, inner], {x: np.ones((40, 30), "f4")}, gpu)
    assert [stores(each.text) for each in program.sources] == [2]


def test_a_value_that_a_sum_reads_is_stored_and_the_kernel_goes_on_behind_it(gpu: str) -> None:
    with en.Graph():
        x = en.placeholder((6, 5))
        squared = exp(x) * x
        results = [sum_(squared), tanh(squared), squared]
    program = assert_same(results, {x: np.ones((6, 5), "f4")}, gpu)
    assert [(kind(each), stores(each.text)) for each in program.sources] == [("exp_mul_tanh", 2)]
    assert len(program.calls) == 2


def test_a_value_that_a_sum_reads_has_memory_beside_what_goes_on_from_it(gpu: str) -> None:
    with en.Graph():
        x = en.placeholder((6, 5))
        squared = exp(x) * x
        results = [sum_(squared), tanh(squared)]
    program = assert_same(results, {x: np.ones((6, 5), "f4")}, gpu)
    assert [(kind(each), stores(each.text)) for each in program.sources] == [("exp_mul_tanh", 2)]


def test_a_layer_is_a_product_and_one_kernel(gpu: str) -> None:
    with en.Graph():
        x = en.placeholder((8, 3))
        y = en.layers.Dense(4, "tanh", "hidden")(x)
    program = assert_same([y], {x: np.ones((8, 3), "f4")}, gpu)
    assert [kind(each) for each in program.sources] == ["affine_tanh"]
    assert len(program.calls) == 2


def test_networks_of_other_widths_and_names_run_the_same_kernels(gpu: str) -> None:
    def codes(width: int, name: str) -> set[str]:
        with en.Graph():
            x = en.placeholder((None, 3))
            y = en.layers.Dense(width, "relu", name)(x)
            train = en.optim.Adam(0.1).minimize(sum_(y * y))
        return {each.code for each in bound([train], {x: np.ones((width, 3), "f4")}, gpu)[1].sources}

    assert codes(5, "a") == codes(9, "hidden")


def test_names_can_t_end_a_comment(gpu: str) -> None:
    with en.Graph():
        x = en.placeholder((3,))
        y = tanh(x, name="a\nb\\")
    program = assert_same([y], {x: np.ones(3, "f4")}, gpu)
    assert "// tanh: a?b?\n" in program.sources[0].text


@pytest.mark.parametrize("shapes", [[(3, 4), (4,)], [(3, 1), (1, 4)], [(2, 3, 4), (3, 1)], [(), (2, 3)], [(1,), ()]])
def test_what_is_broadcast_is_read_again_and_again(gpu: str, shapes: list[tuple[int, ...]]) -> None:
    rng = np.random.default_rng(0)
    with en.Graph():
        inputs = [en.placeholder(shape) for shape in shapes]
        y = (inputs[0] * inputs[1] + inputs[1]) * inputs[0]
    program = assert_same([y], {each: rng.normal(size=each.shape).astype("f4") for each in inputs}, gpu)
    assert len(program.calls) == 1


def test_windows_are_read_where_they_lie(gpu: str) -> None:
    with en.Graph():
        x = en.placeholder((4, 6))
        turned = transpose(x)[:4, :]
        every_second = slice_(x, index=(slice(None), slice(None, None, 2)))
        y = [turned * 2.0 + x[:, :4], every_second[::-1] + 1.0, reshape(exp(x), shape=(3, 8)) * 2.0]
    assert_same(y, {x: np.arange(24, dtype="f4").reshape(4, 6) / 10}, gpu)


def test_what_is_read_crosswise_waits_until_it_is_written(gpu: str) -> None:
    with en.Graph():
        x = en.placeholder((40, 40))
        first = exp(x)
        y = first - transpose(first)
    program = assert_same([y], {x: np.random.default_rng(0).normal(size=(40, 40)).astype("f4")}, gpu)
    assert len(program.calls) == 2


def test_an_assignment_waits_for_who_reads_the_old_value(gpu: str) -> None:
    with en.Graph():
        v, x = en.variable(np.eye(5), name="v"), en.placeholder((5, 5))
        y = exp(x)
        z = y @ v
        new = assign(v, y * 2.0)
    program = assert_same([z, new], {x: np.ones((5, 5), "f4")}, gpu)
    assert [kind(each) for each in program.sources] == ["exp", "mul"]
    assert len(program.calls) == 3


def test_variables_are_changed_in_part_in_turn_and_crosswise(gpu: str) -> None:
    def changed(where: str) -> list[np.ndarray]:
        with en.Graph() as graph:
            v, w = en.variable(np.arange(12.0).reshape(3, 4), name="v"), en.variable(np.ones((3, 4)), name="w")
            found = [assign(v, w + 1.0), assign(w, v * 2.0), assign(v[1], v[0] + w[2])]
            found += [assign(transpose(v), transpose(w) - 1.0), assign(w[:, 1], v[:, 0])]
            packed = pack(v * 3.0, tanh(w))
        session = en.Session(graph, device=where)
        return [each for _ in range(3) for each in session.run([*found, packed, v, w])]

    for one, other in zip(changed(gpu), changed("cpu:0"), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


@pytest.mark.parametrize("down", [False, True])
def test_numbers_are_read_before_others_come_in_their_place_out_of_step(gpu: str, down: bool) -> None:
    lower, upper = (slice(None, -1),), (slice(1, None),)
    source, target = (upper, lower) if down else (lower, upper)

    def moved(where: str) -> list[np.ndarray]:
        with en.Graph() as graph:
            v, w = en.variable(np.arange(300.0), name="v"), en.variable(-np.arange(299.0), name="w")
            found = [slice_(v, index=source) * 2.0, assign(slice_(v, index=target), w)]
        session = en.Session(graph, device=where)
        return [each for _ in range(3) for each in session.run([*found, v])]

    for one, other in zip(moved(gpu), moved("cpu:0"), strict=True):
        np.testing.assert_array_equal(one, other)


@some
@given(moves, st.lists(picks, min_size=1, max_size=5), st.sampled_from([{}, {"reuse": False}, {"poison": True}]))
def test_any_expression_is_numpy_s_to_the_last_bit(fake: Any, moves: Any, wanted: list[int], kind: Any) -> None:
    case = sources()
    grow(case, moves, EXACT)
    agree(case, [case.pool[-1 - at % len(case.pool)] for at in wanted], kind)


@some
@given(
    moves,
    st.lists(st.tuples(st.sampled_from(["v", "row", "column", "w", "both", "turned", "chain"]), picks), max_size=6),
    moves,
    st.lists(picks, min_size=1, max_size=5),
    st.sampled_from([{}, {"reuse": False}, {"poison": True}]),
)
def test_any_assignments(fake: Any, before: Any, changes: Any, after: Any, wanted: Any, kind: Any) -> None:  # noqa: PLR0917
    case = sources()
    grow(case, before, EXACT)
    done = change(case, changes)
    grow(case, after, EXACT)
    agree(case, [*(case.pool[-1 - at % len(case.pool)] for at in wanted), *case.graph.variables, *done], kind)


@some
@given(moves, picks)
def test_any_gradient(fake: Any, moves: Any, wanted: int) -> None:
    case = sources()
    grow(case, moves, EXACT)
    floats = [each for each in case.pool if each.spec.is_float]
    y, found = floats[-1 - wanted % len(floats)], []
    for x in floats[:9] + case.graph.variables:
        with contextlib.suppress(en.GradientError, en.ShapeError):  # ShapeError: pack() of sizes not known yet
            found += en.gradients(y, [x])
    agree(case, [y, *found], {})


@settings(some, max_examples=25)
@given(st.lists(st.tuples(st.sampled_from(sorted(ROUNDED | {"add", "sub", "mul", "div"})), picks, picks), max_size=25))
def test_chains_of_smooth_functions_agree_within_rounding(gpu: str, chain: list[tuple[str, int, int]]) -> None:
    shapes = [(5, 4), (4,), (5, 1), (), (5, 4)]
    with en.Graph():
        pool = [en.placeholder(shape, "float64") for shape in shapes]
        feeds = {each: np.random.default_rng(at).uniform(0.5, 1.5, each.shape) for at, each in enumerate(pool)}
        for name, *which in chain:
            op = REGISTRY[name]
            pool.append(op(*(pool[at % len(pool)] for at in which[: op.arity])))
        results = pool[-4:]
    session, _ = bound(results, feeds, gpu)
    with np.errstate(all="ignore"):
        for one, other in zip(session.run(results, feeds), en.Session(session.graph).run(results, feeds), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-9)  # each function passes rounding on, enlarged


def agree(case: Case, fetches: Sequence[en.Tensor], kind: Mapping[str, Any]) -> None:
    """Four runs (call by call, captured, replayed) in both sessions: the results and the variables are the same."""
    cpu, gpu = case.session(), case.session(device="gpu:0", **kind)
    try:
        cpu.bind(fetches, {each: value.shape for each, value in case.feeds.items()})
    except en.EngineError as error:
        assert "asked for at the same time" in str(error)
        return
    for _ in range(4):
        assert_equal(gpu.run(fetches, case.feeds), cpu.run(fetches, case.feeds), fetches)
        np.testing.assert_array_equal(gpu.state()["float32"], cpu.state()["float32"])
