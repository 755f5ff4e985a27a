"""Where the native executor could go wrong: edges of memory, of sizes and of numbers, and what is told of errors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import engine as en
from engine import ops as O
from engine.errors import EngineError
from engine.fuse import Region
from engine.native import Native, NativeProgram, problem
from engine.plan import make_plan

pytestmark = pytest.mark.skipif(problem() is not None, reason=str(problem()))

Build = Callable[..., en.Tensor | list[en.Tensor]]


def both(native: Native, build: Build, *shapes: tuple[int, ...]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """What ``build`` makes of random numbers of these shapes, natively and by NumPy."""
    with en.Graph() as graph:
        holders = [en.placeholder(shape) for shape in shapes]
        made = build(*holders)
    fetches = made if isinstance(made, list) else [made]
    rng = np.random.default_rng(2)
    feeds = {each: rng.normal(size=each.spec.concrete).astype("f") for each in holders}
    return en.Session(graph, 1, executor=native).run(fetches, feeds), en.Session(graph, 1).run(fetches, feeds)


def chain_around_python(x: en.Tensor) -> en.Tensor:
    h = O.tanh(x) * O.sin(x)
    return O.exp(-O.square(h) + O.max_(h, axis=0))  # the machine has no maxima of columns


def truths_between_numbers(x: en.Tensor, y: en.Tensor) -> list[en.Tensor]:
    choice = O.greater(x, y)
    a, b = O.where(choice, x, y), O.where(choice, y, x)
    return [a, b, O.tanh(a) * O.sin(b)]


def residual(x: en.Tensor) -> en.Tensor:
    h = O.tanh(x)
    return h @ en.variable(en.init.Normal(0.1), (40, 40), name="w") + h


def summed_to_its_own_shape(x: en.Tensor) -> en.Tensor:
    return O.sum_like(en.variable(en.init.Normal(), (3, 4), name="v"), x)


def filters_turned_around(x: en.Tensor, w: en.Tensor) -> list[en.Tensor]:
    turned = O.transpose(w, axes=(1, 0, 3, 2))[::-1, :, ::-1]
    straight = en.variable(en.init.Normal(), (3, 3, 2, 4), name="v")
    return [O.conv2d(x, turned), *en.gradients(O.sum_(O.conv2d(x, straight) * 2.0), [straight])]


CASES: dict[str, tuple[Build, tuple[tuple[int, ...], ...]]] = {
    "a chain around a Python call": (chain_around_python, ((64, 128),)),
    "truths between long rows of numbers": (truths_between_numbers, ((5000,), (5000,))),
    "a product added to its own factor": (residual, ((20, 40),)),
    "backwards": (lambda x: O.copy(x[:, ::-1]), ((3, 5),)),
    "backwards in twos": (lambda x: x[::-2, ::-2] + 1.0, ((6, 5),)),
    "backwards and turned": (lambda x: O.copy(O.transpose(x)[::-1]), ((3, 5),)),
    "softmax backwards": (lambda x: O.softmax(x[:, ::-1]), ((3, 20),)),
    "a factor backwards": (lambda a, b: a @ O.transpose(b[:, ::-1]), ((20, 40), (50, 40))),
    "both factors backwards": (lambda a, b: a[::-1] @ b[::-1, ::-1], ((20, 40), (40, 50))),
    "a variable summed to its own shape": (summed_to_its_own_shape, ((3, 4),)),
    "filters' gradient without images": (lambda x, g: O.conv2d_filters(x, g, en.constant(np.zeros((3, 3, 3, 2), "f"))),
                                         ((0, 6, 6, 3), (0, 6, 6, 2))),
    "a product over nothing": (lambda a, b: O.matmul(a, b, transpose_b=True), ((5, 0), (100, 0))),
    "a product over nothing, and a sum": (lambda a, b, c: a @ b + c, ((2, 0), (0, 50), (2, 50))),
    "a number twice": (lambda x: [O.tanh(x * 0.5 + x * 0.5), O.maximum(x, x), x + x], ((5000,),)),
    "filters that lie turned around": (filters_turned_around, ((2, 6, 6, 2), (3, 3, 4, 2))),
    "one image for two": (lambda x, w: O.conv2d(x, w) + O.conv2d(x, w * 2.0), ((2, 9, 9, 3), (3, 3, 3, 4))),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_edges(native: Native, name: str) -> None:
    build, shapes = CASES[name]
    for found, wanted in zip(*both(native, build, *shapes), strict=True):
        np.testing.assert_allclose(found, wanted, 1e-4, 1e-5)


def test_a_single_number_of_many_axes_beside_rows_and_a_whole(native: Native) -> None:
    rng = np.random.default_rng(4)
    values = [rng.normal(size=shape).astype("f") for shape in ((64, 8, 16), (1, 1, 1), (16,))]
    with en.Graph() as graph:
        x, one, row = (en.placeholder(each.shape) for each in values)
        y = x * one + row
    found = en.Session(graph, executor=native).run(y, dict(zip((x, one, row), values, strict=True)))
    np.testing.assert_allclose(found, values[0] * values[1] + values[2], 1e-5, 1e-6)


def test_a_bool_moves_a_counter(native: Native) -> None:
    with en.Graph() as graph:
        yes = en.placeholder((), "bool")
        number = O.cast(yes, dtype="int32")
    session = en.Session(graph, executor=native)
    assert [int(session.run(number, {yes: np.bool_(value)})) for value in (True, False)] == [1, 0]


def test_exp_to_the_ends_of_float32(native: Native) -> None:
    with en.Graph() as graph:
        x = en.placeholder((None,))
        y = O.exp(x)
    values = np.array([-200, -104, -100, -87.5, -1, 0, 1, 88.3, 88.4, 88.72, 88.73, 100, np.inf, -np.inf, np.nan], "f")
    found = en.Session(graph, executor=native).run(y, {x: values})
    with np.errstate(over="ignore"):
        right = np.exp(values)
    right[right < np.finfo("f").tiny] = 0.0  # while the machine runs, what is subnormal counts as 0
    np.testing.assert_allclose(found, right, 1e-6, 0.0)


def test_the_same_input_twice_stays_in_the_machine(native: Native) -> None:
    with en.Graph() as graph:
        x = en.placeholder((8,))
        y = O.tanh(x + x)
    program = en.Session(graph, executor=native).bind(y, {x: (8,)})
    assert isinstance(program, NativeProgram)
    assert program.whole


def test_a_wrong_label_changes_nothing(native: Native) -> None:
    with en.Graph() as graph:
        x, labels = en.placeholder((None, 3)), en.placeholder((None,), "int32", name="labels")
        loss = en.losses.softmax_cross_entropy(en.layers.Dense(4)(x), labels)
        train = en.optim.SGD(0.5).minimize(loss)
    session = en.Session(graph, executor=native)
    before = session.state()["float32"]
    good, bad = np.zeros(2, "int32"), np.array([1, 9], "int32")
    with pytest.raises(en.EngineError, match=r"number 9 is outside 0 to 3 \(.*test_native_edges"):
        session.run(train, {x: np.ones((2, 3), "f"), labels: bad})
    program = session.bind(train, {x: (2, 3), labels: (2,)})
    with pytest.raises(en.EngineError, match="number 9 is outside 0 to 3"):
        program.run(3, {x: np.ones((3, 2, 3), "f"), labels: np.stack([good, good, bad])})
    assert np.array_equal(session.state()["float32"], before)
    session.run(train, {x: np.ones((2, 3), "f"), labels: good})
    assert not np.array_equal(session.state()["float32"], before)


def test_a_number_found_wrong_on_the_way_is_an_error_of_that_run_alone(native: Native) -> None:
    with en.Graph() as graph:
        rows = en.placeholder((4,), "int32")
        table = en.constant(np.arange(5, dtype="f"))
        result = O.gather(table, rows[::2] + 0)  # not a fed number, but one that was computed
    session = en.Session(graph, executor=native)
    with pytest.raises(en.EngineError, match="outside"):
        session.run(result, {rows: np.array([9, 0, 9, 0], "int32")})
    assert session.run(result, {rows: np.array([1, 0, 2, 0], "int32")}).tolist() == [1.0, 2.0]


def test_work_on_long_chains_grows_with_their_length(native: Native) -> None:
    tried: list[Region] = []

    class Counted:
        largest = native.largest
        joins_from = native.joins_from

        def accepts(self, region: Region) -> bool:
            tried.append(region)
            return native.accepts(region)

    def attempts(length: int) -> int:
        with en.Graph():
            x = en.placeholder((3,))
            y = x
            for _ in range(length):
                y = y + x
        tried.clear()
        make_plan([y], {x: x.spec}, taker=Counted())
        return len(tried)

    assert attempts(400) < 5 * attempts(100)


SUBNORMAL = np.float32(1e-40)


def test_subnormal_numbers_count_as_zero_while_the_machine_runs(native: Native) -> None:
    """What decays ends at 0 instead of staying where each operation costs a hundred times as much."""
    with en.Graph() as graph:
        slots = en.variable(np.full((3, 40), SUBNORMAL), name="slots")
        labels = en.placeholder((None,), "int32", name="labels")
        decayed = O.assign(slots, slots * 0.9)
        results = [decayed, slots @ en.constant(np.ones((40, 2), "f")), O.sum_(slots, axis=0)]
        chosen = O.gather(slots, labels)
    session = en.Session(graph, executor=native)
    for result in session.run(results):
        np.testing.assert_array_equal(result, np.zeros_like(result))
    with pytest.raises(EngineError, match="outside"):  # it raises before a run
        session.run(chosen, {labels: np.array([7], "i")})
    with pytest.raises(EngineError, match="outside"):  # and after it
        session.run(O.gather(slots, O.add(labels, labels)), {labels: np.array([7], "i")})
    assert SUBNORMAL * np.float32(0.5) == np.float32(5e-41)  # Python's own arithmetic is as it was
    assert np.sum(np.full(1000, SUBNORMAL)) > np.float32(9e-38) and np.ldexp(1.0, -1070) * 2.0 > 0.0
