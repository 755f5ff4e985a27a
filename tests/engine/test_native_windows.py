"""The native machine's convolutions and pools: any windows, nothing left to Python, sums that stay exact."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

import engine as en
from engine.native import Native, NativeProgram, executor, instructions, problem, windows
from engine.native.instructions import OP
from engine.native.lowering import LOWERINGS, Table
from engine.op import REGISTRY, Op
from tests.engine.tools import inputs_of

pytestmark = pytest.mark.skipif(problem() is not None, reason=str(problem()))
often = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
WINDOWED = sorted(name for name in REGISTRY if "conv2d" in name or ("pool" in name and "pick" not in name))
pairs = st.tuples(*[st.sampled_from([1, 1, 2, 3])] * 2)
few = st.tuples(*[st.integers(0, 5)] * 2)
paddings = st.sampled_from(["same", "valid"]) | st.tuples(few, few)


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


@contextmanager
def small_caches(size: int) -> Iterator[None]:
    """Lines and images are gone through as if so many bytes fitted a cache; nobody writes beside a kernel's memory."""
    rooms: list[tuple[np.ndarray, int, int]] = []

    def make_room(self: Any, workers: int) -> None:
        between, lead = workers * self._size, 1 << 16
        self._workers, self._kept = workers, np.full(between + 2 * lead, 0xFF, np.uint8)  # NaN
        lead -= self._kept.ctypes.data % 64
        self._told[instructions.MEMORY] = self._kept.ctypes.data + lead
        rooms.append((self._kept, lead, lead + between))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(windows, "CACHE", size)
        patch.setattr(windows, "FRAMES", size // 4)
        patch.setattr(executor._Launcher, "_make_room", make_room)
        yield
    for kept, begin, end in rooms:
        assert (kept[:begin] == 0xFF).all()
        assert (kept[end:] == 0xFF).all()


def normal(*shapes: tuple[int, ...]) -> list[np.ndarray]:
    rng = np.random.default_rng(7)
    return [rng.normal(size=shape).astype("f") for shape in shapes]


def assert_close(found: list[np.ndarray], wanted: list[np.ndarray], within: float) -> None:
    """Within so much of the largest number."""
    for got, right in zip(found, wanted, strict=True):
        assert got.shape == right.shape
        np.testing.assert_allclose(got, right, 0, within * np.abs(right).max(initial=1e-3))


@pytest.mark.parametrize("padding", ["same", "valid", ((0, 0), (0, 0))])
def test_windows_of_a_pixel_are_a_product(native: Native, padding: Any) -> None:
    images, filters, bias, g = normal((2, 3, 5, 17), (1, 1, 17, 20), (20,), (2, 3, 5, 20))
    x, w, sent = images.reshape(-1, 17).astype("d"), filters[0, 0].astype("d"), g.reshape(-1, 20).astype("d")
    node: Any = SimpleNamespace(attrs={"padding": padding}, op=op("conv2d_filters"))
    names = {code: name for name, code in native.machine.codes.items()}
    for name, arrays, shape, kinds in [
        ("conv2d", [images, filters], g.shape, ["product"]),
        ("conv2d+add+relu", [images, filters, bias], g.shape, ["product", "(select(x0 <= 0, 0, x0))"]),
        ("conv2d_input", [g, filters], images.shape, ["product"]),
        ("conv2d_filters", [images, g], filters.shape, ["product"]),
    ]:
        table = Table(native.machine.codes)
        LOWERINGS[name](table, node, np.empty(shape, "f"), arrays)
        assert [names[row[OP]] for row in table.rows] == kinds

    def build(x: en.Tensor, w: en.Tensor, b: en.Tensor, g: en.Tensor) -> list[en.Tensor]:
        y = op("conv2d")(x, w, padding=padding)
        others = [op("conv2d_input")(g, w, x, padding=padding), op("conv2d_filters")(x, g, w, padding=padding)]
        return [y, en.ops.relu(op("conv2d")(x, w, padding=padding) + b), *others]

    wanted = [x @ w, np.maximum(x @ w + bias, 0), sent @ w.T, x.T @ sent]
    found = results(native, build, [images, filters, bias, g])
    assert_close(found, [a.reshape(b.shape) for a, b in zip(wanted, found, strict=True)], 1e-6)


@pytest.mark.parametrize("size", [(6, 5, 3), (1, 130, 150), (1, 9, 1), (70, 40, 3)], ids=str)
def test_relu_follows_whichever_product_it_is(native: Native, size: tuple[int, int, int]) -> None:
    pixels, channels, n = size
    images, filters, bias = normal((1, 1, pixels, channels), (1, 1, channels, n), (n,))
    found = results(native, lambda x, w, b: [en.ops.relu(op("conv2d")(x, w) + b)], [images, filters, bias])
    assert_close(found, [np.maximum(images.astype("d") @ filters[0, 0] + bias, 0)], 1e-6)


@often
@given(
    size=st.tuples(st.integers(1, 3), st.integers(1, 12), st.integers(1, 20)),
    channels=st.tuples(st.sampled_from([1, 2, 3, 17, 33]), st.sampled_from([1, 2, 3, 16, 20, 33, 65])),
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 5)),
    how=st.fixed_dictionaries({"strides": pairs, "dilations": pairs, "padding": paddings}),
    depthwise=st.booleans(),
    views=st.booleans(),
    cache=st.sampled_from([windows.CACHE, 1 << 12, 1 << 9]),
)
def test_convolutions_of_any_windows(
    native: Native, *, size: Any, channels: Any, kernel: Any, how: Any, depthwise: bool, views: bool, cache: int
) -> None:
    """All three of them, padding beyond a window's reach included, against float64.

    ``views``: of images that come turned, so that axes of one pixel have other strides than those of an image.
    """
    name = "depthwise_conv2d" if depthwise else "conv2d"
    x, w = normal((*size, channels[0]), (*kernel, channels[0], channels[1] % 4 + 1 if depthwise else channels[1]))

    def build(x: en.Tensor, w: en.Tensor, g: en.Tensor) -> list[en.Tensor]:
        if views:
            x, g = (en.ops.transpose(each, (0, 1, 3, 2)) for each in (x, g))
        return [op(name)(x, w, **how), op(f"{name}_input")(g, w, x, **how), op(f"{name}_filters")(x, g, w, **how)]

    try:
        with en.Graph():
            y = op(name)(en.placeholder(x.shape), en.placeholder(w.shape), **how)
    except en.ShapeError:
        assume(False)
    (g,) = normal(y.spec.concrete)
    if views:
        x, g = (np.ascontiguousarray(each.swapaxes(2, 3)) for each in (x, g))
    wanted = results(None, build, [each.astype("d") for each in (x, w, g)])
    with small_caches(cache):
        found = results(native, build, [x, w, g])
    assert_close(found, wanted, 3e-6)


@pytest.mark.parametrize("name", ["conv2d", "depthwise_conv2d"])
@pytest.mark.parametrize("filters", [5, 33])
@pytest.mark.parametrize("strides", [1, 2])
def test_images_of_one_pixel_a_line_that_come_turned(native: Native, name: str, filters: int, strides: int) -> None:
    x, w = normal((3, 10, 4, 1), (3, 3, 4, filters if name == "conv2d" else 1))
    (g,) = normal((3, 10 // strides, filters if name == "conv2d" else 4, 1))

    def build(x: en.Tensor, w: en.Tensor, g: en.Tensor) -> list[en.Tensor]:
        x, g = (en.ops.transpose(each, (0, 1, 3, 2)) for each in (x, g))
        how: dict[str, Any] = {"padding": "same", "strides": (strides, strides)}
        return [op(name)(x, w, **how), op(f"{name}_input")(g, w, x, **how), op(f"{name}_filters")(x, g, w, **how)]

    wanted = results(None, build, [each.astype("d") for each in (x, w, g)])
    assert_close(results(native, build, [x, w, g]), wanted, 3e-6)


@pytest.mark.parametrize("padding", [((9, 0), (1, 1)), ((0, 9), (1, 1)), ((8, 8), (8, 8)), ((5, 1), (0, 4))])
def test_blocks_of_lines_on_padding_alone(native: Native, padding: Any) -> None:
    x, w = normal((2, 8, 12, 3), (3, 3, 3, 65))
    y = results(None, lambda x, w: [en.ops.conv2d(x, w, padding=padding)], [x, w])[0]
    build = lambda x, g, w: [op("conv2d_filters")(x, g, w, padding=padding), en.ops.conv2d(x, w, padding=padding)]  # noqa: E731
    with small_caches(1 << 12):
        found = results(native, build, [x, y, w])
    assert_close(found, results(None, build, [each.astype("d") for each in (x, y, w)]), 3e-6)


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


MAX_POOLS: dict[str, dict[str, Any]] = {
    "apart": {"size": (2, 2)}, "overlapping": {"size": (2, 2), "strides": (1, 1)}, "with gaps": {"size": (1, 2)},
    "padded": {"size": (2, 3), "strides": (2, 1), "padding": ((1, 0), (1, 1))},
}  # fmt: skip
BOTH = pytest.mark.parametrize("executor", ["numpy", "native"])


@BOTH
@pytest.mark.parametrize("name", MAX_POOLS)
def test_an_infinite_gradient_goes_to_the_largest_pixels_alone(native: Native, name: str, executor: str) -> None:
    """0 times inf would be NaN for all others."""
    how = MAX_POOLS[name]
    (x,) = normal((2, 4, 6, 5))
    y = results(None, lambda x: [en.ops.max_pool(x, **how)], [x])[0]
    build = lambda g, x: [op("max_pool_back")(g, x, **how), op("max_pool_pick")(x / np.float32(0), x, **how)]  # noqa: E731
    found, picked = results(native if executor == "native" else None, build, [np.full_like(y, np.inf), x])
    assert set(np.unique(found)) == {0, np.inf}
    assert np.array_equal(picked, np.copysign(np.inf, y))


@BOTH
@pytest.mark.parametrize("name", MAX_POOLS)
def test_not_a_number_counts_as_largest(native: Native, name: str, executor: str) -> None:
    how = MAX_POOLS[name]
    (x,) = normal((1, 4, 6, 2))
    x[0, 1, 1, 0] = x[0, 1, 2, 1] = np.nan
    build = lambda x: [en.ops.max_pool(x, **how), *en.gradients(en.ops.max_pool(x, **how), [x])]  # noqa: E731
    found, sent = results(native if executor == "native" else None, build, [x])
    large = np.where(np.isnan(x), np.float32(9), x)
    wanted, shares = results(None, build, [large])
    assert np.array_equal(found, np.where(wanted == 9, np.nan, wanted), equal_nan=True)
    assert np.array_equal(sent, shares)


@pytest.mark.parametrize("pool", ["max_pool", "avg_pool"])
@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"size": (2, 2), "padding": ((2, 0), (0, 0))}, r"window 0 down, of 2 .* lies on padding alone, 2 \+ 0 .* 4;"),
        ({"size": (1, 2), "strides": (1, 1), "padding": ((0, 0), (0, 3))}, "window 5 across"),
        ({"size": (2, 2), "strides": (1, 1), "padding": ((1, 2), (0, 0)), "dilations": (5, 1)}, "window 0 down"),
    ],
)
def test_a_window_on_padding_alone_is_refused(pool: str, how: dict[str, Any], told: str) -> None:
    with en.Graph():
        x = en.placeholder((None, 4, 5, 1))
        with pytest.raises(en.ShapeError, match=told):
            op(pool)(x, **how)


@pytest.mark.parametrize("how", [{}, {"strides": (2, 2)}, {"strides": (2, 3), "padding": ((1, 0), (2, 3))}])
def test_a_few_filters_over_many_channels(native: Native, how: dict[str, Any]) -> None:
    """Forwards, with a bias and relu, and as what a first layer of many filters sends back to its images."""
    x, w, b, image, v = normal((2, 5, 9, 64), (3, 4, 64, 3), (3,), (2, 9, 11, 3), (5, 4, 3, 32))

    def build(x: en.Tensor, w: en.Tensor, b: en.Tensor, image: en.Tensor, v: en.Tensor) -> list[en.Tensor]:
        y = en.ops.conv2d(image, v, **how)
        return [en.ops.relu(en.ops.conv2d(x, w, **how) + b), *en.gradients(en.ops.sum_(y * y), [image])]

    arrays = [x, w, b, image, v]
    wanted = results(None, build, [each.astype("d") for each in arrays])
    assert_close(results(native, build, arrays), wanted, 3e-6)


@BOTH
def test_an_average_that_counts_padding_is_0_of_nothing_else(native: Native, executor: str) -> None:
    build = lambda x: [en.ops.avg_pool(x, size=(1, 2), padding=((0, 0), (2, 0)), count_padding=True)]  # noqa: E731
    (found,) = results(native if executor == "native" else None, build, [np.ones((1, 1, 4, 1), "f")])
    assert found.ravel().tolist() == [0, 1, 1]


def test_relu_and_its_slope_are_done_with_convolutions_and_pools(native: Native) -> None:
    """Nothing passes over the images for them alone, and the results are those of the ops one by one."""
    build = lambda x, w, b: en.gradients(  # noqa: E731
        en.ops.sum_(en.ops.square(en.ops.max_pool(en.ops.relu(en.ops.conv2d(x, w) + b), size=(2, 2)))), [w, b]
    )
    arrays = normal((3, 8, 8, 2), (3, 3, 2, 5), (5,))
    assert_close(results(native, build, arrays), results(None, build, arrays), 3e-6)
    with en.Graph() as graph:
        holders = [en.placeholder(each.shape) for each in arrays]
        fetches = build(*holders)
    program = en.Session(graph, executor=native).bind(fetches, {each: each.shape for each in holders})
    names = [step.name for step in program.plan.steps]
    assert "conv2d+add+relu" in names
    assert "max_pool_back+step+mul" in names
