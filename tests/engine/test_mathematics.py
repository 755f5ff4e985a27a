"""Functions of single numbers and their slopes, against long double, over numbers of every size."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

import engine as en
from engine import ops as O
from engine.native import load, problem
from engine.op import REGISTRY
from tests.engine.precise import FUNCTIONS, SLOPES, WIDE, is_wide, last_places, numbers
from tests.running import MACHINE

NEAREST = 4  # last places
ROOT_OF_GELU_SLOPE = -0.7524614220710163


@pytest.fixture(scope="session", params=["NumPy float32", "NumPy float64", "native float32"])
def how(request: pytest.FixtureRequest) -> tuple[Any, str]:
    """An executor (None: NumPy's) and a type."""
    who, dtype = request.param.split()
    if who == "NumPy":
        return None, dtype
    if problem() is not None:
        pytest.skip(str(problem()))
    return load(MACHINE), dtype


def computed(how: tuple[Any, str], build: Callable[..., list[en.Tensor]], *values: np.ndarray) -> list[np.ndarray]:
    """What ``build`` makes of these values."""
    executor, dtype = how
    with en.Graph() as graph:
        holders = [en.placeholder((None,), dtype) for _ in values]
        fetches = build(*holders)
    session = en.Session(graph) if executor is None else en.Session(graph, executor=executor)
    return session.run(fetches, {each: value.astype(dtype) for each, value in zip(holders, values, strict=True)})


@cache
def right(name: str, dtype: str, slope: bool) -> tuple[np.ndarray, np.ndarray]:
    """Numbers, and the function (or slope) of that name of each."""
    x = numbers(dtype)
    if name in ("sqrt", "log"):
        x = x[x >= 0]
    with np.errstate(all="ignore"):
        return x, (SLOPES if slope else FUNCTIONS)[name](x.astype(WIDE))


def slope_of(name: str, x: en.Tensor) -> en.Tensor:
    return en.gradients(O.sum_(REGISTRY[name](x)), [x])[0]


def assert_near(found: np.ndarray, name: str, dtype: str, slope: bool) -> None:
    x, wanted = right(name, dtype, slope)
    off = last_places(found, wanted)
    if name == "gelu" and slope and dtype == "float64":  # long double has 11 digits more, and all are lost at its zero
        off = np.where(np.abs(x - ROOT_OF_GELU_SLOPE) < 0.01, 0.0, off)
    worst = int(off.argmax())
    assert off[worst] <= NEAREST, f"{found[worst]!r} at {x[worst]!r}, right {wanted[worst]!r}"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_and_slopes_are_right_to_the_last_places(how: tuple[Any, str], name: str) -> None:
    if not is_wide(how[1]):
        pytest.skip("long double has no more digits than double here")
    x = right(name, how[1], slope=False)[0]
    found = computed(how, lambda x: [REGISTRY[name](x), *([slope_of(name, x)] if name in SLOPES else [])], x)
    for slope, each in enumerate(found):
        assert_near(each, name, how[1], bool(slope))


@pytest.mark.parametrize("name", sorted({*FUNCTIONS} - {"relu", "leaky_relu"}))
def test_nan_stays_nan(how: tuple[Any, str], name: str) -> None:
    payload = np.array([0xFFFFFFFF, 0x7FC00001], np.uint32).view(np.float32) if how[1] == "float32" else [math.nan]
    given = np.concatenate([payload, np.ones(20), payload])
    for found in computed(how, lambda x: [REGISTRY[name](x)], given):
        assert np.array_equal(np.isnan(found), np.isnan(given))
    if name in {"tanh", "sigmoid", "gelu", "elu", "softplus"}:
        (slope,) = computed(how, lambda x: [slope_of(name, x)], given)
        assert np.array_equal(np.isnan(slope), np.isnan(given))


def test_relu_is_flat_at_nan_and_sign_is_nan(how: tuple[Any, str]) -> None:
    """As the table of operations says."""
    given = np.array([math.nan, -1.0, 0.0, 2.0])
    slope, sign = computed(how, lambda x: [slope_of("relu", x), O.sign(x)], given)
    assert slope.tolist() == [0.0, 0.0, 0.0, 1.0]
    np.testing.assert_array_equal(sign, [math.nan, -1.0, 0.0, 1.0])


def test_a_gate_that_is_shut_has_a_logarithm(how: tuple[Any, str]) -> None:
    given = np.array([-20.0, -80.0])
    loss, slope = computed(how, lambda x: [-O.log(O.sigmoid(x)), slope_of("sigmoid", x) / O.sigmoid(x)], given)
    np.testing.assert_allclose(loss, [20.0, 80.0], 1e-6)
    np.testing.assert_allclose(slope, [1.0, 1.0], 1e-6)


def test_equal_numbers_share_the_gradient_of_the_larger(how: tuple[Any, str]) -> None:
    a, b = np.array([1.0, 2.0, 3.0, -0.0]), np.array([2.0, 2.0, 2.0, 0.0])

    def build(a: en.Tensor, b: en.Tensor) -> list[en.Tensor]:
        pairs = [f(*order) for f in (O.maximum, O.minimum) for order in ((a, b), (b, a))]
        return [slope for each in pairs for slope in en.gradients(O.sum_(each), [a, b])]

    up, down = [0.0, 0.5, 1.0, 0.5], [1.0, 0.5, 0.0, 0.5]
    assert [each.tolist() for each in computed(how, build, a, b)] == [up, down, up, down, down, up, down, up]


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "gelu"])
def test_a_function_and_its_slope_are_the_same_bits_alone_and_together(how: tuple[Any, str], name: str) -> None:
    """Together they share their work; also in windows with gaps, and where only few numbers are left."""
    given = numbers(how[1], 1 << 9)
    given = given[: len(given) // 7 * 7].reshape(-1, 7)
    for part in (slice(None), slice(1, 5), slice(2, 3)):

        def parts(x: en.Tensor, part: slice = part) -> list[en.Tensor]:
            window = O.reshape(x, (-1, 7))[:, part]
            return [REGISTRY[name](window), REGISTRY[f"{name}_slope"](window)]

        both = computed(how, parts, given.ravel())
        alone = [computed(how, lambda x, at=at: [parts(x)[at]], given.ravel())[0] for at in range(2)]
        assert all(one.tobytes() == other.tobytes() for one, other in zip(both, alone, strict=True))


BASES = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -3.0, 1e30, -1e30, 1e-30, math.inf, -math.inf, math.nan, 0.99999994]
EXPONENTS = [0.0, -0.0, 1.0, -1.0, 2.0, 3.0, -3.0, 0.5, -0.5, 1e30, -1e30, 16777216.0, math.inf, -math.inf, math.nan]


def test_powers_follow_the_rules_of_c(how: tuple[Any, str]) -> None:
    base, exponent = (each.ravel() for each in np.meshgrid(BASES, EXPONENTS))
    (found,) = computed(how, lambda a, b: [O.power(a, b)], base, exponent)
    with np.errstate(all="ignore"):
        wanted = np.power(base.astype(how[1]).astype(WIDE), exponent.astype(how[1]).astype(WIDE))
    assert last_places(found, wanted).max() <= NEAREST
    assert np.array_equal(np.signbit(found)[found == 0], np.signbit(wanted.astype(how[1]))[found == 0])


def test_powers_are_right_to_the_last_places(how: tuple[Any, str]) -> None:
    rng = np.random.default_rng(3)
    base = np.concatenate([rng.uniform(0.1, 10, 20000), 1 + rng.normal(size=9000) * 1e-3, rng.normal(size=9000)])
    exponent = np.concatenate([rng.uniform(-38, 38, 20000), rng.normal(size=9000) * 2e4, rng.integers(-9, 9, 9000)])
    (found,) = computed(how, lambda a, b: [O.power(a, b)], base, exponent)
    with np.errstate(all="ignore"):
        wanted = np.power(base.astype(how[1]).astype(WIDE), exponent.astype(how[1]).astype(WIDE))
    assert last_places(found, wanted).max() <= NEAREST


def test_slopes_of_powers_where_0_meets_infinity(how: tuple[Any, str]) -> None:
    base = np.array([0.0, 0.0, 0.0, 0.0, -2.0, -2.0, math.inf, 3.0])
    exponent = np.array([0.0, 1.0, 2.0, -1.0, 3.0, -1.0, -1.0, 0.0])
    found = computed(how, lambda a, b: en.gradients(O.sum_(O.power(a, b)), [a, b]), base, exponent)
    np.testing.assert_array_equal(found[0], [0.0, 1.0, 0.0, -math.inf, 12.0, -0.25, 0.0, 0.0])
    np.testing.assert_allclose(found[1], [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, math.log(3)], 1e-6)


@pytest.mark.parametrize("exponent", [2, 3])
def test_higher_derivatives_of_whole_powers_at_0(how: tuple[Any, str], exponent: int) -> None:
    def build(x: en.Tensor) -> list[en.Tensor]:
        found = [O.power(x, float(exponent))]
        for _ in range(4):
            found.append(en.gradients(O.sum_(found[-1]), [x])[0])
        return found[1:]

    found = computed(how, build, np.array([0.0, 1e-30, 2.0]))
    for order, each in enumerate(found, 1):
        factor = math.perm(exponent, order)
        np.testing.assert_allclose(each, [factor * x ** max(0, exponent - order) for x in (0, 1e-30, 2)], 1e-6, 1e-37)


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "gelu", "softplus"])
def test_third_derivatives_are_there_at_0(how: tuple[Any, str], name: str) -> None:
    def third(x: en.Tensor) -> list[en.Tensor]:
        found = REGISTRY[name](x)
        for _ in range(3):
            (found,) = en.gradients(O.sum_(found), [x])
        return [found]

    wanted = {"tanh": -2.0, "sigmoid": -0.125, "gelu": 0.0, "softplus": 0.0}[name]
    np.testing.assert_allclose(computed(how, third, np.zeros(3))[0], wanted, 1e-6, 1e-6)


def test_the_slope_of_gelus_slope_is_0_far_out(how: tuple[Any, str]) -> None:
    x = np.array([-1e30, -1e13, -50, 50, 1e13, 1e30])

    def build(x: en.Tensor) -> list[en.Tensor]:
        return en.gradients(O.sum_(slope_of("gelu", x)), [x])

    assert np.array_equal(computed(how, build, x)[0], np.zeros(6))


def test_what_is_short_enough_keeps_its_slope_at_0(how: tuple[Any, str]) -> None:
    def build(x: en.Tensor) -> list[en.Tensor]:
        return en.gradients(O.sum_(O.clip_by_norm(x, 1.0)), [x])

    assert np.array_equal(computed(how, build, np.zeros(3))[0], np.ones(3))


def test_a_subnormal_number_has_the_sign_of_0() -> None:
    if problem() is not None:
        pytest.skip(str(problem()))
    found = computed((load(MACHINE), "float32"), lambda x: [O.sign(x)], np.array([1e-40, -1e-40, 0, 1e-30, np.nan]))
    np.testing.assert_array_equal(found[0], [0, 0, 0, 1, np.nan])
