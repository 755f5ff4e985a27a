"""Windows on memory stay windows: on single numbers, on axes of size 1, one on another, fed again and again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import engine as en
from engine import native, ops
from engine.op import REGISTRY, Op
from tests.engine.reference import REFERENCE
from tests.engine.tools import compute, inputs_of
from tests.running import MACHINE

VIEWS = sorted(name for name, op in REGISTRY.items() if op.view is not None)
ALL = slice(None)

Case = tuple[tuple[int, ...], dict[str, Any]]  # the first input's shape, attributes
CASES: dict[str, list[Case]] = {
    "after": [((), {}), ((1,), {}), ((1, 3), {})],
    "expand": [
        ((), {"axis": ()}), ((), {"axis": 0}), ((), {"axis": (0, 1)}), ((), {"axis": (-1,)}), ((1,), {"axis": ()}),
        ((1,), {"axis": 0}), ((1, 3), {"axis": 1}), ((3, 1), {"axis": (0, -1)}), ((2, 3), {"axis": ()}),
    ],
    "reshape": [
        ((), {"shape": ()}), ((), {"shape": (1,)}), ((), {"shape": (-1,)}), ((), {"shape": (1, 1)}),
        ((1,), {"shape": ()}), ((1, 1), {"shape": ()}), ((3, 1), {"shape": (1, 3)}), ((1, 3), {"shape": (3,)}),
    ],
    "reshape_like": [((), {}), ((1,), {}), ((3, 1), {})],
    "slice": [
        ((), {"index": ()}), ((), {"index": (...,)}), ((1,), {"index": (0,)}), ((1,), {"index": (-1,)}),
        ((3,), {"index": (1,)}), ((3, 2), {"index": (2, 1)}), ((3, 2), {"index": (-1, -2, ...)}),
        ((3, 2), {"index": (..., 1)}), ((2, 3, 2), {"index": (1, ..., -1)}),
        ((1, 3), {"index": (0,)}), ((3, 1), {"index": (ALL, 0)}), ((1, 3), {"index": (ALL, slice(None, None, -1))}),
        ((1, 1), {"index": (slice(None, None, -1), slice(0, 9, 2))}), ((3, 1), {"index": (slice(1, 2),)}),
    ],
    "squeeze": [
        ((), {"axis": ()}), ((1,), {"axis": 0}), ((1, 1), {"axis": (0, 1)}), ((1, 3), {"axis": 0}),
        ((3, 1), {"axis": -1}), ((3, 2), {"axis": ()}),
    ],
    "transpose": [
        ((), {}), ((), {"axes": ()}), ((1,), {}), ((1,), {"axes": (0,)}), ((1, 3), {}), ((3, 1), {"axes": (1, 0)}),
        ((1, 1), {}), ((2, 1, 3), {"axes": (1, 2, 0)}),
    ],
}  # fmt: skip
LIKE = {(): (1, 1), (1,): (), (3, 1): (1, 3)}  # the shapes that reshape_like takes from its second input
every_view = pytest.mark.parametrize("op", [REGISTRY[name] for name in VIEWS], ids=VIEWS)


@pytest.fixture(params=["numpy", "native", "stand-in for a GPU"])
def session_of(request: pytest.FixtureRequest) -> Callable[[en.Graph], en.Session]:
    """Makes sessions of one kind."""
    if request.param == "numpy":
        return en.Session
    if request.param == "native":
        if native.problem() is not None:
            pytest.skip(str(native.problem()))
        return lambda graph: en.Session(graph, executor=native.load(MACHINE))
    request.getfixturevalue("fake")
    return lambda graph: en.Session(graph, device="gpu:0")


def view(op: Op, x: en.Tensor, attrs: dict[str, Any]) -> en.Tensor:
    """``op`` of ``x``, with what else it needs."""
    if op.name == "reshape_like":
        return op(x, np.zeros(LIKE[x.shape], "f"))
    return op(x, x * 2.0) if op.name == "after" else op(x, **attrs)


def expected(op: Op, x: np.ndarray, attrs: dict[str, Any]) -> np.ndarray:
    others = [np.zeros(LIKE[x.shape])] if op.name == "reshape_like" else []
    return np.array(REFERENCE[op.name](x, *others, **attrs))


def test_every_view_has_cases():
    assert set(VIEWS) == set(CASES)


@every_view
def test_a_view_is_a_window_on_its_input(op: Op):
    for shape, attrs in CASES[op.name]:
        x = np.ones(shape, "f")
        others = [np.zeros(LIKE[shape], "f")] if op.name == "reshape_like" else []
        window = compute(op, [x, *others], attrs)
        assert isinstance(window, np.ndarray), (shape, attrs)
        assert np.shares_memory(window, x), (shape, attrs)


def test_fed_three_times_every_view_shows_what_is_fed(session_of: Callable[[en.Graph], en.Session]):
    rng = np.random.default_rng(3)
    with en.Graph() as graph:
        checks = [each for name in VIEWS for case in CASES[name] for each in readers(REGISTRY[name], *case)]
    session = session_of(graph)
    for _ in range(3):
        feeds = {x: rng.uniform(1, 9, x.shape).astype("f") for x, _, _ in checks}
        found = session.run([tensor for _, tensor, _ in checks], feeds)
        for (x, tensor, meaning), value in zip(checks, found, strict=True):
            np.testing.assert_array_equal(value, meaning(feeds[x]), str(tensor), strict=True)


def test_fed_three_times_every_kernel_reads_memory_with_gaps_anew(session_of: Callable[[en.Graph], en.Session]):
    checks = []
    with en.Graph() as graph:
        for op in REGISTRY.values():
            for each in op.samples if op.kernel and op.pure else ():
                arrays = inputs_of(each, "float32")
                feeds = [en.placeholder(array.T.shape, array.dtype.name) for array in arrays]
                checks.append((op, each, feeds, op(*(ops.transpose(feed) for feed in feeds), **each.attrs)))
    session = session_of(graph)
    for seed in range(3):
        drawn = [inputs_of(each, "float32", seed) for _, each, _, _ in checks]
        fed = {
            feed: array.T.copy()
            for (_, _, feeds, _), arrays in zip(checks, drawn, strict=True)
            for feed, array in zip(feeds, arrays, strict=True)
        }
        found = session.run([result for _, _, _, result in checks], fed)
        for (op, each, _, result), arrays, value in zip(checks, drawn, found, strict=True):
            wanted = compute(op, arrays, each.attrs)
            np.testing.assert_allclose(value, wanted, rtol=1e-4, atol=1e-5, err_msg=f"{result} {each}")


def readers(
    op: Op, shape: tuple[int, ...], attrs: dict[str, Any]
) -> list[tuple[en.Tensor, en.Tensor, Callable[[np.ndarray], np.ndarray]]]:
    """The op of what is fed, computed, assigned and kept, and who reads it: (feed, tensor, what it is of the feed)."""
    x = en.placeholder(shape)
    kept = en.variable(0.0, shape, name=f"kept{x.id}")
    of_x = view(op, x, attrs)
    chain = ops.expand(ops.reshape(of_x, shape=(-1,)), axis=(0, -1))
    (slope,) = en.gradients(ops.sum_(ops.square(of_x)), [x])

    def meaning(value: np.ndarray) -> np.ndarray:
        return expected(op, value, attrs)

    def slopes(value: np.ndarray) -> np.ndarray:
        places = np.arange(value.size).reshape(shape)
        return np.where(np.isin(places, expected(op, places, attrs)), 2 * value, np.float32(0))

    return [
        (x, of_x, meaning),
        (x, of_x * 2.0, lambda value: 2 * meaning(value)),
        (x, view(op, x + 1.0, attrs), lambda value: meaning(value + 1)),
        (x, chain, lambda value: meaning(value).reshape(1, -1, 1)),
        (x, ops.squeeze(chain, axis=(0, -1))[0], lambda value: meaning(value).ravel()[0]),
        (x, view(op, ops.assign(kept, x), attrs), meaning),
        (x, kept, lambda value: value),
        (x, slope, slopes),
    ]


def test_a_variable_is_fetched_through_a_view_as_it_was_read(session_of: Callable[[en.Graph], en.Session]):
    with en.Graph() as graph:
        w, x = en.variable(1.0, (), name="w"), en.placeholder(())
        windows = [ops.expand(w, axis=()), ops.reshape(w, shape=(1,)), ops.transpose(w), w[...]]
        step = ops.assign(w, w * x)
    session = session_of(graph)
    for factor, before in ((2.0, 1), (3.0, 2), (5.0, 6)):
        *seen, new = session.run([*windows, step], {x: factor})
        assert [each.item() for each in seen] == [before] * 4
        assert new == before * factor


def test_a_gradient_s_factor_that_is_fed(session_of: Callable[[en.Graph], en.Session]):
    with en.Graph() as graph:
        w, strength = en.variable(3.0, name="w"), en.placeholder(())
        (slope,) = en.gradients(strength * en.losses.l2(w), [w])
    session = session_of(graph)
    assert [float(session.run(slope, {strength: each})) for each in (2.0, 1.0, 0.0)] == [6, 3, 0]


def test_parts_of_any_kind_are_filled_in(session_of: Callable[[en.Graph], en.Session]):
    with en.Graph() as graph:
        x = en.placeholder(())
        filled = REGISTRY["slice_fill"](x, np.zeros((2, 3), "f"), index=(1, -1))
        padded = ops.pad(x, widths=())
    session = session_of(graph)
    for value in (1.0, 2.0, 3.0):
        one, other = session.run([filled, padded], {x: value})
        assert one.tolist() == [[0, 0, 0], [0, 0, value]]
        assert other == value
