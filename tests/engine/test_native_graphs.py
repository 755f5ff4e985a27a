"""The native executor on graphs that nobody thought of, and on networks of every kind of layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import engine as en
from engine.native import Native, NativeProgram, problem
from tests.engine.test_random_graphs import OPS, change, changes, grow, moves, picks, sources

pytestmark = pytest.mark.skipif(problem() is not None, reason=str(problem()))
# a difference in the last bit may become one of 1 in these
JUMPS = {"floor", "sign", "step", "greater", "greater_equal", "equal", "not_equal", "argmax", "max", "max_pool_back"}
often = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], phases=[Phase.generate])


@often
@given(moves, changes, moves, st.lists(picks, min_size=1, max_size=5))
def test_any_graph(native: Native, before: Any, changes: Any, after: Any, wanted: list[int]) -> None:
    case = sources()
    smooth = [[move for move in part if OPS[move[0]][0].name not in JUMPS] for part in (before, after)]
    grow(case, smooth[0])
    done = change(case, changes)
    grow(case, smooth[1])
    fetches = [*(case.pool[-1 - at % len(case.pool)] for at in wanted), *case.graph.variables, *done]
    reference, session = case.session(), case.session(executor=native)
    try:
        expected = reference.run(fetches, case.feeds)
    except en.EngineError:  # values asked for that no order gives: another test's business
        return
    for found, value, tensor in zip(session.run(fetches, case.feeds), expected, fetches, strict=True):
        sane = np.abs(value.astype(float)) < 1e3  # beyond, rounding is stretched by what made it so large
        np.testing.assert_allclose(found[sane], value[sane], 2e-3, 2e-3, err_msg=str(tensor))


def step_of(
    middle: Callable[[en.Tensor], en.Tensor], shape: tuple[int, ...], optimizer: Any
) -> tuple[en.Graph, dict[str, en.Tensor]]:
    """A training step of a classifier whose inputs have this shape."""
    with en.Graph() as graph:
        x, labels = en.placeholder((None, *shape), name="x"), en.placeholder((None,), "int32", name="labels")
        logits = en.layers.Dense(5, "linear", "output")(middle(x))
        loss = en.losses.softmax_cross_entropy(logits, labels)
        train = optimizer.minimize(loss)
    return graph, {"x": x, "labels": labels, "loss": loss, "train": train}


def assert_trains_alike(
    native: Native, middle: Callable[[en.Tensor], en.Tensor], shape: tuple[int, ...], batch: int = 6
) -> None:
    """Some steps from the same weights on the same batch: whole in the machine, and the variables as NumPy has them."""
    graph, parts = step_of(middle, shape, en.optim.Momentum(0.02))
    rng = np.random.default_rng(3)
    feeds = {
        parts["x"]: rng.normal(size=(batch, *shape)).astype("f"),
        parts["labels"]: rng.integers(0, 5, batch).astype("int32"),
    }
    states = []
    for options in ({"executor": native}, {}):
        session = en.Session(graph, seed=4, **options)  # type: ignore[arg-type]
        program = session.bind(parts["train"], {each: value.shape for each, value in feeds.items()})
        for each, value in feeds.items():
            program.feeds[each][...] = value
        program.run(4)
        states.append(session.state())
        if options:
            assert isinstance(program, NativeProgram)
            assert program.whole, [str(each) for each in program.left_to_python]
    for dtype, values in states[1].items():
        np.testing.assert_allclose(states[0][dtype], values, 2e-3, 2e-4)


def flat(*layers: Any) -> Callable[[en.Tensor], en.Tensor]:
    return en.layers.Sequential([*layers, en.layers.Flatten()])


L = en.layers
NETWORKS: dict[str, tuple[Callable[[en.Tensor], en.Tensor], tuple[int, ...]]] = {
    "convolutions": (flat(L.Conv2D(4, (3, 3), "relu", "a"), L.MaxPool(), L.Conv2D(7, (5, 5), "relu", "b")), (9, 8, 2)),
    "many filters": (flat(L.Conv2D(33, (3, 3), "tanh", "a"), L.Conv2D(40, (1, 1), "relu", "b")), (6, 17, 20)),
    "strides": (flat(L.Conv2D(6, (3, 3), "relu", "a", (2, 2)), L.Conv2D(5, (3, 2), "relu", "b", (2, 1))), (11, 9, 3)),
    "dilations": (flat(L.Conv2D(6, (3, 3), "relu", "a", dilations=(2, 2)), L.AvgPool((3, 2))), (9, 9, 3)),
    "valid": (flat(L.Conv2D(6, (3, 3), "elu", "a", padding="valid"), L.MaxPool((3, 3), (2, 2))), (9, 9, 3)),
    "pools that overlap": (flat(L.MaxPool((3, 3), (1, 2), "same"), L.AvgPool((2, 2), (1, 1), "same")), (7, 6, 18)),
    "lstm": (L.LSTM(20), (5, 7)),
    "lstm sequence": (flat(L.LSTM(6, sequence=True)), (4, 3)),
    "gru": (L.GRU(9), (5, 7)),
    "dropout": (L.Sequential([L.Dense(40, "relu", "a"), L.Dropout(0.4)]), (12,)),
    "batch norm": (L.Sequential([L.Dense(40, "relu", "a"), L.BatchNorm()]), (12,)),
    "wide": (L.Sequential([L.Dense(150, "gelu", "a"), L.Dense(70, "leaky_relu", "b")]), (300,)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_train_alike(native: Native, name: str) -> None:
    assert_trains_alike(native, *NETWORKS[name])


@often
@given(
    size=st.tuples(st.integers(1, 12), st.integers(1, 20), st.integers(1, 40)),
    turned=st.tuples(st.booleans(), st.booleans()),
    start=st.sampled_from(["none", "row", "matrix"]),
    scale=st.sampled_from([1, 1, 1, 17, 40]),
)
def test_products_of_any_size(native: Native, size: Any, turned: Any, start: str, scale: int) -> None:
    m, n, k = (each * (scale if at != 2 or scale < 40 else 8) for at, each in enumerate(size))
    with en.Graph() as graph:
        a, b = en.placeholder((k, m) if turned[0] else (m, k)), en.placeholder((n, k) if turned[1] else (k, n))
        result = en.ops.matmul(a, b, transpose_a=turned[0], transpose_b=turned[1])
        begin = en.placeholder({"none": (), "row": (n,), "matrix": (m, n)}[start])
        result = result if start == "none" else begin + result
    rng = np.random.default_rng(m + 100 * n)
    feeds = {each: rng.normal(size=each.spec.concrete).astype("f") for each in (a, b, begin)}
    found = en.Session(graph, executor=native).run(result, feeds)
    np.testing.assert_allclose(found, en.Session(graph).run(result, feeds), 1e-4, 1e-4 * k**0.5)


@often
@given(
    image=st.tuples(st.integers(1, 3), st.integers(1, 16), st.integers(1, 30), st.sampled_from([1, 2, 3, 8, 17])),
    kernel=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    filters=st.sampled_from([1, 2, 8, 16, 33]),
    how=st.tuples(
        st.tuples(st.integers(1, 3), st.integers(1, 3)),
        st.sampled_from(["same", "valid", ((1, 0), (2, 1)), ((2, 3), (0, 0))]),
        st.tuples(st.integers(1, 2), st.integers(1, 2)),
    ),
)
def test_convolutions_of_any_kind(native: Native, image: Any, kernel: Any, filters: int, how: Any) -> None:
    with en.Graph() as graph:
        x, w = en.placeholder(image), en.placeholder((*kernel, image[3], filters))
        try:
            y = en.ops.conv2d(x, w, strides=how[0], padding=how[1], dilations=how[2])
        except en.ShapeError:  # a window larger than the image
            return
        weights = en.constant(np.random.default_rng(1).normal(size=y.shape).astype("f"))
        results = [y, *en.gradients(y, [x, w], weights)]
    rng = np.random.default_rng(0)
    feeds = {each: rng.normal(size=each.shape).astype("f") for each in (x, w)}
    for found, wanted in zip(
        en.Session(graph, executor=native).run(results, feeds), en.Session(graph).run(results, feeds), strict=True
    ):
        np.testing.assert_allclose(found, wanted, 2e-4, 2e-3)


LINKS: dict[str, Callable[..., en.Tensor]] = {  # (a, b, v, size): long element-wise runs, and what comes between
    "add": lambda a, b, v, n: a + b,
    "product": lambda a, b, v, n: a * b * 0.5,
    "tanh": lambda a, b, v, n: en.ops.tanh(a),
    "twice": lambda a, b, v, n: a * 0.5 + a,
    "backwards": lambda a, b, v, n: en.ops.tanh(a[::-1]) + b,
    "mean": lambda a, b, v, n: a * 0.5 + en.ops.mean(b),
    "shifted": lambda a, b, v, n: en.ops.concat(a[1:], a[:1], axis=0) + a,
    "copy": lambda a, b, v, n: en.ops.copy(a) * b,
    "python": lambda a, b, v, n: en.ops.cast(en.ops.argmax(a), dtype="float32") * 0.0 + b,
    "assign": lambda a, b, v, n: en.ops.tanh(en.ops.assign(v, en.ops.tanh(a + b))),
    "turned": lambda a, b, v, n: en.ops.reshape(en.ops.transpose(en.ops.reshape(a, shape=(n // 4, 4))), shape=(n,)) + b,
    "truths": lambda a, b, v, n: en.ops.where(en.ops.greater(v, 100.0), a, b),
}


@often
@given(
    st.sampled_from([40, 4096, 5000]),
    st.lists(st.tuples(st.sampled_from(sorted(LINKS)), st.integers(0, 3), st.integers(0, 3)), min_size=4, max_size=25),
)
def test_any_long_chain(native: Native, size: int, links: list[tuple[str, int, int]]) -> None:
    with en.Graph() as graph:
        x, v = en.placeholder((size,)), en.variable(np.ones(size, "f"), name="v")
        made = [x, v * 1.0, x * 0.5, en.ops.tanh(x)]
        for name, first, second in links:
            made.append(LINKS[name](made[-1 - first], made[-1 - second], v, size))
    fetches, feeds = [made[-1], made[len(made) // 2], v], {x: np.random.default_rng(size).normal(size=size).astype("f")}
    reference, session = en.Session(graph), en.Session(graph, executor=native)
    try:
        wanted = [reference.run(fetches, feeds) for _ in range(2)]
    except en.EngineError:  # the old value and the new are both asked for
        return
    for run in wanted:
        for found, value in zip(session.run(fetches, feeds), run, strict=True):
            sane = np.abs(value) < 1e3
            np.testing.assert_allclose(found[sane], value[sane], 5e-3, 5e-3)
