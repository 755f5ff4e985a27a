"""The native machine's convolutions and pools: any windows, nothing left to Python, sums that stay exact."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

import engine as en
from engine.native import Native, NativeProgram, load, problem
from engine.op import REGISTRY, Op
from tests.engine.tools import inputs_of

pytestmark = pytest.mark.skipif(problem() is not None, reason=str(problem()))
CACHE = Path(__file__).parents[2] / ".tools" / "machine"
often = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
WINDOWED = sorted(name for name in REGISTRY if "conv2d" in name or ("pool" in name and "pick" not in name))
pairs = st.tuples(*[st.sampled_from([1, 1, 2, 3])] * 2)
few = st.tuples(*[st.integers(0, 5)] * 2)
paddings = st.sampled_from(["same", "valid"]) | st.tuples(few, few)


@pytest.fixture(scope="session")
def native() -> Native:
    return load(CACHE)


def op(name: str) -> Op:
    return REGISTRY[name]


def results(executor: Native | None, build: Any, arrays: list[np.ndarray]) -> list[np.ndarray]:
    """What ``build`` makes of these arrays; in the machine all of it."""
    with en.Graph() as graph:
        holders = [en.placeholder(each.shape, each.dtype.name) for each in arrays]
        fetches = build(*holders)
    session = en.Session(graph, executor=executor)
    if executor is not None:
        program = session.bind(fetches, {each: each.shape for each in holders})
        assert isinstance(program, NativeProgram)
        assert program.whole, [str(each) for each in program.left_to_python]
    found: list[np.ndarray] = session.run(fetches, dict(zip(holders, arrays, strict=True)))
    return found


def normal(*shapes: tuple[int, ...]) -> list[np.ndarray]:
    rng = np.random.default_rng(7)
    return [rng.normal(size=shape).astype("f") for shape in shapes]


def assert_close(found: list[np.ndarray], wanted: list[np.ndarray], within: float) -> None:
    """Within so much of the largest number."""
    for got, right in zip(found, wanted, strict=True):
        assert got.shape == right.shape
        np.testing.assert_allclose(got, right, 0, within * np.abs(right).max(initial=1e-3))


@often
@given(
    size=st.tuples(st.integers(1, 3), st.integers(1, 12), st.integers(1, 20)),
    channels=st.tuples(st.sampled_from([1, 2, 3, 17, 33]), st.sampled_from([1, 2, 3, 16, 20, 33, 65])),
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 5)),
    how=st.fixed_dictionaries({"strides": pairs, "dilations": pairs, "padding": paddings}),
    depthwise=st.booleans(),
)
def test_convolutions_of_any_windows(
    native: Native, *, size: Any, channels: Any, kernel: Any, how: Any, depthwise: bool
) -> None:
    """All three of them, padding beyond a window's reach included, against float64."""
    name = "depthwise_conv2d" if depthwise else "conv2d"
    x, w = normal((*size, channels[0]), (*kernel, channels[0], channels[1] % 4 + 1 if depthwise else channels[1]))

    def build(x: en.Tensor, w: en.Tensor, g: en.Tensor) -> list[en.Tensor]:
        return [op(name)(x, w, **how), op(f"{name}_input")(g, w, x, **how), op(f"{name}_filters")(x, g, w, **how)]

    try:
        with en.Graph():
            y = op(name)(en.placeholder(x.shape), en.placeholder(w.shape), **how)
    except en.ShapeError:
        assume(False)
    (g,) = normal(y.spec.concrete)
    wanted = results(None, build, [each.astype("d") for each in (x, w, g)])
    assert_close(results(native, build, [x, w, g]), wanted, 3e-6)


@pytest.mark.parametrize("name", WINDOWED)
def test_nothing_is_left_to_python(native: Native, name: str) -> None:
    for sample in op(name).samples:
        arrays = inputs_of(sample, "float32")
        build = lambda *given: [op(name)(*given, **sample.attrs)]  # noqa: E731, B023 - used at once
        assert_close(results(native, build, arrays), results(None, build, arrays), 3e-6)


@pytest.mark.parametrize("name", WINDOWED)
@pytest.mark.parametrize("executor", ["numpy", "native"])
def test_an_empty_batch(native: Native, name: str, executor: str) -> None:
    sample = op(name).samples[0]
    empty = [each[:0] if each.shape[0] == sample.inputs[0].shape[0] else each for each in inputs_of(sample, "float32")]
    with en.Graph() as graph:
        holders = [en.placeholder(each.shape) for each in empty]
        y = op(name)(*holders, **sample.attrs)
    session = en.Session(graph, executor=native if executor == "native" else None)
    found = session.run(y, dict(zip(holders, empty, strict=True)))
    assert found.shape == y.spec.concrete
    assert not found.any()


@pytest.mark.parametrize("executor", ["numpy", "native"])
@pytest.mark.parametrize("name", ["conv2d_filters", "depthwise_conv2d_filters"])
def test_long_sums_of_filters(native: Native, name: str, executor: str) -> None:
    """300,000 windows whose gradients all have one sign: a running total would be 1e-5 off."""
    rng = np.random.default_rng(8)
    x = rng.uniform(0.5, 1.5, (12, 160, 160, 1)).astype("f")
    build = lambda x, g, w: [op(name)(x, g, w, padding="valid")]  # noqa: E731
    x, g, w = [x, x[:, 1:-1, 1:-1], np.zeros((3, 3, 1, 1), "f")]
    found = results(native if executor == "native" else None, build, [x, g, w])
    (wanted,) = results(None, build, [each.astype("d") for each in (x, g, w)])
    np.testing.assert_allclose(found[0], wanted, 2e-6)
