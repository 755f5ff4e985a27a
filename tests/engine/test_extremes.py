"""The table of extremes: each operation, loss and optimiser at infinities, NaN, huge, tiny and equal numbers.

A subnormal number may count as 0, read or written. An operation, activation, loss or optimiser in no row fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import engine as en
from engine import losses, ops
from engine.native import load, problem
from engine.op import REGISTRY
from tests.engine import extremes as X
from tests.engine.precise import WIDE, is_wide
from tests.engine.reference import REFERENCE
from tests.engine.test_optim import BY_HAND
from tests.engine.tools import inputs_of
from tests.running import MACHINE

Array = np.ndarray
Kind = tuple[str, dict[str, Any]]
MOVES = [  # the same numbers elsewhere, whatever they are
    "reshape", "reshape_like", "transpose", "expand", "slice", "slice_fill", "pack", "concat", "broadcast_like", "copy",
    "squeeze", "pad", "broadcast_to", "after", "gather", "where", "stop_gradient",
]  # fmt: skip
OTHERS = {
    "of whole numbers, or of a shape alone": {"cast", "count", "one_hot", "random_uniform", "random_normal"},
    "sources, and what changes variables": {"constant", "placeholder", "variable", "assign", "group", "flat"},
    "sums of many, in test_reductions.py": {"sum_like", "scatter_add"},
    "seen through batch_norm": {"moments", "normalize", "slope_sums"},
    "seen as gradients": {
        "max_pool_back", "max_pool_pick", "avg_pool_back", "conv2d_input", "conv2d_filters", "depthwise_conv2d_input",
        "depthwise_conv2d_filters",
    },
}  # fmt: skip


def test_what_is_tested_elsewhere_is():
    for where, names in OTHERS.items():
        file = Path(__file__).with_name(where.rpartition(" in ")[2])
        if file.suffix == ".py":
            text = file.read_text()
            assert not [name for name in names if f"{name}(" not in text and f"({name}," not in text], file.name


def rows(names: Iterable[str]) -> pytest.MarkDecorator:
    """A test for each name."""
    return pytest.mark.parametrize("name", list(names))


@pytest.fixture(params=["numpy float32", "numpy float64", "native float32"])
def kind(request: pytest.FixtureRequest) -> Kind:
    """A dtype, and what a session is made with."""
    executor, dtype = request.param.split()
    if dtype == "float64" and not is_wide(dtype):
        pytest.skip("long double is double on this computer")
    if executor == "native" and problem() is not None:
        pytest.skip(str(problem()))
    return dtype, {"executor": load(MACHINE)} if executor == "native" else {}


def runner(kind: Kind, function: Callable[..., Any], *shapes: tuple[int, ...]) -> Callable[..., list[Array]]:
    """A function of arrays: what the tensors that ``function`` makes of placeholders come to."""
    with en.Graph() as graph:
        inputs = [en.placeholder(shape, kind[0]) for shape in shapes]
        found = list(function(*inputs))
    session = en.Session(graph, **kind[1])
    return lambda *arrays: list(session.run(found, dict(zip(inputs, arrays, strict=True))))


def with_slopes(y: en.Tensor, xs: Sequence[en.Tensor], wanted: Any = True) -> list[en.Tensor]:
    return [y, *(en.gradients(ops.sum_(y), xs) if wanted else ())]


def test_every_operation_is_in_a_row():
    found = {*X.ONE, *X.TWO, *X.FOUR, *MOVES, *(name for names in OTHERS.values() for name in names)}
    assert set(REGISTRY) - found == set()
    assert {name for name, op in en.layers.ACTIVATIONS.items() if op is not None} <= set(X.ONE)


@rows(name for name in X.ONE if name in REGISTRY)
def test_functions_of_a_number(kind: Kind, name: str):
    function, slope = X.ONE[name]
    x, sloped = X.extremes(kind[0]), slope not in (None, X.ZERO)
    found = runner(kind, lambda x: with_slopes(REGISTRY[name](x), [x], sloped), x.shape)(x)
    X.check(found, lambda x: [function(x), slope(x)] if sloped else [function(x)], [x])


@rows(X.TWO)
def test_functions_of_two_numbers(kind: Kind, name: str):
    function, slopes = X.TWO[name]
    one = X.extremes(kind[0])
    a, b = np.repeat(one, one.size), np.tile(one, one.size)
    found = runner(kind, lambda a, b: with_slopes(REGISTRY[name](a, b), [a, b], slopes), a.shape, b.shape)(a, b)
    X.check(found, lambda a, b: [function(a, b), *(slopes(a, b) if slopes else ())], [a, b])


def pooled(pool: Any, **how: Any) -> Callable[..., en.Tensor]:
    """Of images of four pixels."""
    images = {"size": (2, 2), **how}
    return lambda x, axis: ops.reshape(pool(ops.reshape(x, shape=(-1, 2, 2, 1)), **images), shape=(-1,))


def products(name: str, x: en.Tensor) -> en.Tensor:
    """Sums of four numbers times WEIGHTS, by each operation that can."""
    shapes = {"conv2d": ((-1, 1, 1, 4), (1, 1, 4, 1)), "depthwise_conv2d": ((-1, 2, 2, 1), (2, 2, 1, 1))}
    images, filters = shapes.get(name, ((-1, 4), (4, 1)))
    shift = [np.zeros(1, x.dtype)] if name == "affine" else []
    how = {"padding": "valid"} if "conv" in name else {}
    weights = X.WEIGHTS.reshape(filters).astype(x.dtype)
    return ops.reshape(REGISTRY[name](ops.reshape(x, shape=images), weights, *shift, **how), shape=(-1,))


def normed(x: en.Tensor, axis: int) -> en.Tensor:
    """Batch norm of a batch of four, scale 1, shift 0."""
    zero, one = (en.variable(value, x.shape[1:], dtype=x.dtype, name=str(value)) for value in (0.0, 1.0))
    return ops.batch_norm(x, one, zero, ops.Averages(zero, one), train=True)


LAST, FIRST, BOTH = (-1,), (0,), (-1, 0)  # the axes along which it is tried
BUILD: dict[str, tuple[tuple[int, ...], Callable[..., en.Tensor]]] = {
    **{name: (BOTH, REGISTRY[name]) for name in ("sum", "max", "prod", "argmax")},
    "mean": (BOTH, ops.mean),
    "min": (BOTH, ops.min_),
    "softmax": (LAST, lambda x, axis: ops.softmax(x)),
    "log_softmax": (LAST, lambda x, axis: ops.log_softmax(x)),
    "cross_entropy": (LAST, lambda x, axis: ops.cross_entropy(x, np.full(x.shape[:1], X.LABEL, "i4"))),
    "cross_entropy of shares": (
        LAST, lambda x, axis: ops.cross_entropy(x, np.broadcast_to(X.SHARES, x.shape).astype(x.dtype)),
    ),
    "batch_norm": (FIRST, normed),
    "max_pool": (LAST, pooled(ops.max_pool)),
    "max_pool, inf from above": (LAST, pooled(ops.max_pool)),
    "max_pool, lapping": (LAST, pooled(ops.max_pool, strides=(1, 1))),
    "avg_pool": (LAST, pooled(ops.avg_pool)),
    **{
        name: (LAST, lambda x, axis, name=name: products(name, x))
        for name in ("matmul", "affine", "conv2d", "depthwise_conv2d")
    },
}  # fmt: skip


@rows(X.FOUR)
def test_functions_of_four_numbers(kind: Kind, name: str):
    row, x = X.FOUR[name], X.fours(kind[0])
    axes, build = BUILD[name]
    for axis in axes:
        given = x if axis else np.ascontiguousarray(x.T)

        def made(x: en.Tensor, axis: int = axis) -> list[en.Tensor]:
            y = build(x, axis=axis)
            above: Any = X.WEIGHTS if axis else X.WEIGHTS[:, None]
            above = np.array(np.inf) if "inf" in name else above if y.ndim == 2 else np.ones(())
            return [y, *(en.gradients(ops.sum_(y * above.astype(x.dtype)), [x]) if row.slope else ())]

        found = [each if axis else each.T for each in runner(kind, made, given.shape)(given)]
        X.check(
            found, lambda x: [row.value(x), *([row.slope(x)] if row.slope else ())], [x], scale=row.scale, but=row.but
        )


@rows(MOVES)
def test_what_only_moves_numbers(kind: Kind, name: str):
    op, x = REGISTRY[name], X.extremes(kind[0])
    for sample in op.samples:
        arrays = inputs_of(sample, kind[0])
        for each in arrays:
            if each.dtype == kind[0]:
                each[...] = np.resize(x, each.shape)
        with en.Graph() as graph:
            inputs = [en.placeholder(each.shape, each.dtype.name) for each in arrays]
            y = op(*inputs, **sample.attrs)
        found = en.Session(graph, **kind[1]).run(y, dict(zip(inputs, arrays, strict=True)))
        np.testing.assert_array_equal(found, np.asarray(REFERENCE[name](*arrays, **sample.attrs), kind[0]), strict=True)


# ---- losses: of one output and one target, or of one row


def _squared(o: Array, t: Array) -> list[Array]:
    return [(o - t) ** 2, 2 * (o - t)]


def _huber(o: Array, t: Array) -> list[Array]:
    near = np.minimum(np.abs(o - t), 1)
    return [near * (np.abs(o - t) - near / 2), np.clip(o - t, -1, 1)]


LOSSES: dict[str, X.Meaning] = {
    "mean_squared_error": _squared,
    "half_squared_error": lambda o, t: [each / 2 for each in _squared(o, t)],
    "huber": _huber,
    "hinge": lambda o, t: [np.maximum(0, 1 - t * o), np.where(1 - t * o > 0, -t, 0)],
    "l1": lambda w, _: [np.abs(w), np.sign(w)],
    "l2": lambda w, _: [w * w / 2, w],
}
LOSSES_OF_ROWS = {"softmax_cross_entropy"}  # the mean of cross_entropy's


def test_every_loss_is_in_a_row():
    found = {name for name, each in vars(losses).items() if getattr(each, "__module__", "") == losses.__name__}
    assert {name for name in found if not name.startswith("_")} == {*LOSSES, *LOSSES_OF_ROWS}


@rows(LOSSES)
def test_losses(kind: Kind, name: str):
    one = X.extremes(kind[0])
    targets = np.array([-1, 1], kind[0]) if name == "hinge" else one[::5]  # hinge has no others
    o, t = np.repeat(one, targets.size), np.tile(targets, one.size)

    def build(o: en.Tensor, t: en.Tensor) -> list[en.Tensor]:
        loss = getattr(losses, name)
        return with_slopes(loss(o) if name in ("l1", "l2") else loss(o, t), [o])

    step = runner(kind, build, (1, 1), (1, 1))
    found = [step(a.reshape(1, 1), b.reshape(1, 1)) for a, b in zip(o, t, strict=True)]
    X.check([np.array(each).ravel() for each in zip(*found, strict=True)], LOSSES[name], [o, t])


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_of_classes(kind: Kind, smoothing: float):
    x = X.fours(kind[0])

    def build(x: en.Tensor) -> list[en.Tensor]:
        return with_slopes(losses.softmax_cross_entropy(x, en.constant(np.array([X.LABEL], "i4")), smoothing), [x])

    step = runner(kind, build, (1, 4))
    shares = np.eye(4)[X.LABEL] * (1 - smoothing) + smoothing / 4

    def meaning(x: Array) -> list[Array]:
        return [-np.where(shares == 0, 0, shares * X.log_softmax(x)).sum(-1), X.softmax(x) - shares]

    found = [np.concatenate(each) for each in zip(*([y[None], g] for y, g in map(step, x[:, None])), strict=True)]
    X.check(found, meaning, [x], scale=lambda x: np.maximum(1, np.abs(meaning(x)[0])))


# ---- optimisers: what a weight is after an extreme gradient among ordinary ones

SQUARED = {"adagrad", "rmsprop", "adadelta", "adam", "adamw"}  # they take what is beyond 2^50 for 2^50


def test_every_optimiser_is_in_a_row():
    assert set(BY_HAND) == set(en.optim.OPTIMIZERS)


@rows(BY_HAND)
def test_optimisers(kind: Kind, name: str):
    gradients = [np.ones(X.extremes(kind[0]).shape, kind[0]) * each for each in (0.5, -1, 0)]
    gradients.insert(1, X.extremes(kind[0]))
    with en.Graph() as graph:
        w, slope = (
            en.variable(0.5, gradients[0].shape, dtype=kind[0], name="w"),
            en.placeholder(gradients[0].shape, kind[0]),
        )
        train = en.optim.OPTIMIZERS[name](0.1).apply([slope], [w])
    session, found = en.Session(graph, **kind[1]), []
    for each in gradients:
        session.run(train, {slope: each})
        found.append(session.get(w))

    def meaning(*gradients: Array) -> list[Array]:
        step = BY_HAND[name]() if name != "sgd" else lambda w, g: w - WIDE(0.1) * g
        weights = [np.full(gradients[0].shape, WIDE(0.5))]
        for each in gradients:
            weights.append(step(weights[-1], np.clip(each, -X.BOUND, X.BOUND) if name in SQUARED else each))
        return weights[1:]

    def beyond(*gradients: Array) -> list[Any]:
        """Nesterov's sum of two gradients may overflow on its way."""
        return [name == "nesterov" and abs(gradients[1]) > np.finfo(kind[0]).max / 2] * len(gradients)

    def scale(*gradients: Array) -> Array:
        return np.abs([np.full(gradients[0].shape, 0.5), *meaning(*gradients)]).max(0)

    # the first steps of Adam have 1 - 0.999 in them, of which float32 knows four digits
    X.check(found, meaning, gradients, scale=scale, but=beyond, places=2000 if "adam" in name else 32)
