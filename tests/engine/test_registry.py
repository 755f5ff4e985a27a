"""Every op of the registry, by its own samples: one description of what holds for all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import engine as en
from engine.devices import find_device, gpu_problem
from engine.op import REGISTRY, Op, Sample
from engine.spec import Spec
from tests.engine.reference import REFERENCE
from tests.engine.tools import bound, compute, inputs_of, numeric_gradient, projected, relative_error

SOURCES = {"constant", "placeholder", "variable"}
STATE = {"assign", "flat", "group"}
TOLERANCE = {"float32": 2e-6, "float64": 1e-13}


def cases(wanted: Callable[[Op, Sample], bool] = lambda op, sample: True) -> pytest.MarkDecorator:
    """Every op with every sample of its own that is ``wanted``."""
    found = [
        pytest.param(op, sample, id=f"{op.name}-{at}")
        for op in REGISTRY.values()
        for at, sample in enumerate(op.samples)
        if wanted(op, sample)
    ]
    return pytest.mark.parametrize(("op", "sample"), found)


def result_of(op: Op, sample: Sample) -> Spec:
    specs = [Spec(how.shape, "int32" if how.integers else "float64") for how in sample.inputs]
    return op.spec(*specs, **sample.attrs)


def has_slope(op: Op, sample: Sample) -> bool:
    if op is en.ops.stop_gradient:  # whose gradient is 0 on purpose
        return False
    return op.grad is not None and result_of(op, sample).is_float and any(not how.integers for how in sample.inputs)


def takes_one_array_everywhere(op: Op, sample: Sample) -> bool:
    return len(op.reuse) > 1 and all(how == sample.inputs[0] for how in sample.inputs)


every_op = cases()
both_floats = pytest.mark.parametrize("dtype", ["float32", "float64"])


def expected(op: Op, arrays: Sequence[np.ndarray], attrs: dict[str, Any]) -> np.ndarray:
    return np.asarray(REFERENCE[op.name](*arrays, **attrs))


def assert_same(found: np.ndarray, wanted: np.ndarray, dtype: str) -> None:
    assert (found.shape, found.dtype) == (wanted.shape, wanted.dtype)
    np.testing.assert_allclose(found, wanted, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


def test_every_op_but_sources_and_state_has_samples_and_a_reference():
    without = {name for name, op in REGISTRY.items() if not op.samples}
    assert without == SOURCES | STATE
    assert set(REFERENCE) == set(REGISTRY) - without


def test_every_op_says_what_it_is():
    assert not [op.name for op in REGISTRY.values() if not op.doc.endswith(".") or len(op.doc) < 10]


@both_floats
@every_op
def test_forward_is_the_reference_and_the_shape_rule_tells_its_shape(op: Op, sample: Sample, dtype: str):
    arrays = inputs_of(sample, dtype)
    wanted = expected(op, arrays, sample.attrs)
    with en.Graph() as graph:
        inputs = [en.placeholder((None,) * each.ndim, each.dtype.name) for each in arrays]
        y = op(*inputs, **sample.attrs)
    assert_same(en.Session(graph).run(y, dict(zip(inputs, arrays, strict=True))), wanted, dtype)
    assert op.spec(*(Spec(each.shape, each.dtype.name) for each in arrays), **sample.attrs) == Spec(
        wanted.shape, wanted.dtype.name
    )


@every_op
def test_the_shape_rule_holds_with_sizes_not_known_yet(op: Op, sample: Sample):
    arrays = inputs_of(sample, "float32")
    specs = [Spec(each.shape, each.dtype.name) for each in arrays]
    whole = op.spec(*specs, **sample.attrs)
    for at, spec in enumerate(specs):
        for axis in range(spec.ndim):
            unknown = Spec((*spec.shape[:axis], None, *spec.shape[axis + 1 :]), spec.dtype)
            assert op.spec(*specs[:at], unknown, *specs[at + 1 :], **sample.attrs).fits(whole)
    assert op.spec(*(Spec((None,) * each.ndim, each.dtype) for each in specs), **sample.attrs).fits(whole)


@both_floats
@cases(lambda op, sample: bool(op.reuse))
def test_out_may_be_any_input_that_reuse_names(op: Op, sample: Sample, dtype: str):
    wanted = expected(op, inputs_of(sample, dtype), sample.attrs)
    for at in op.reuse:
        arrays = inputs_of(sample, dtype)
        if (arrays[at].shape, arrays[at].dtype) == (wanted.shape, wanted.dtype):
            assert_same(compute(op, arrays, sample.attrs, out=arrays[at]), wanted, dtype)


@both_floats
@cases(takes_one_array_everywhere)
def test_one_array_may_be_every_input_and_out(op: Op, sample: Sample, dtype: str):
    first = inputs_of(sample, dtype)[0]
    wanted = expected(op, [first] * len(sample.inputs), sample.attrs)
    assert_same(compute(op, [first] * len(sample.inputs), sample.attrs, out=first), wanted, dtype)


@every_op
def test_inputs_may_be_windows_on_other_memory(op: Op, sample: Sample):
    arrays = inputs_of(sample, "float64")
    wanted = expected(op, arrays, sample.attrs)
    for spread in (every_second, column_by_column, backwards):
        assert_same(compute(op, [spread(each) for each in arrays], sample.attrs), wanted, "float64")


def every_second(x: np.ndarray) -> np.ndarray:
    large = np.full([2 * size for size in x.shape], 99, x.dtype)
    window = large[(slice(None, None, 2),) * x.ndim + (...,)]
    window[...] = x
    return window


def column_by_column(x: np.ndarray) -> np.ndarray:
    return x.copy(order="F")


def backwards(x: np.ndarray) -> np.ndarray:
    turn = (slice(None, None, -1),) * x.ndim + (...,)
    return x[turn].copy()[turn]


@cases(lambda op, sample: op.kernel is not None)
def test_calls_may_run_again_on_new_values(op: Op, sample: Sample):
    assert op.kernel is not None
    arrays, later = inputs_of(sample, "float64"), inputs_of(sample, "float64", seed=1)
    out = np.array(expected(op, arrays, sample.attrs))
    read, attrs = bound(op, arrays, sample.attrs)
    calls = op.kernel(np, out, *read, **attrs)
    for old, new in zip(arrays, later, strict=True):
        old[...] = new
    for call in calls:
        call()
    assert_same(out, expected(op, later, sample.attrs), "float64")


def scalar_of(op: Op, sample: Sample, order: int) -> tuple[en.Tensor, list[en.Tensor], list[np.ndarray]]:
    """A number that depends on the op (order 1) or on its gradients (order 2); its float inputs and their values."""
    arrays = inputs_of(sample, "float64")
    with en.Graph():
        inputs = [en.placeholder(each.shape, each.dtype.name) for each in arrays]
        floats = [each for each in inputs if each.spec.is_float]
        found = projected(op(*inputs, **sample.attrs), seed=1)
        if order == 2:
            parts = [projected(g, seed=2 + at) for at, g in enumerate(en.gradients(found, floats))]
            for part in parts:
                found = part if part is parts[0] else found + part
    return found, inputs, arrays


@pytest.mark.parametrize("order", [1, 2])
@cases(has_slope)
def test_gradient_is_the_slope_that_finite_differences_see(op: Op, sample: Sample, order: int):
    y, inputs, arrays = scalar_of(op, sample, order)
    session, feeds = en.Session(y.graph), dict(zip(inputs, arrays, strict=True))
    for x, value in feeds.items():
        if not x.spec.is_float:
            continue
        numeric = numeric_gradient(lambda: float(session.run(y, feeds)), value)
        try:
            exact = session.run(en.gradients(y, [x])[0], feeds)
        except en.GradientError as error:  # the gradient of a linear op is a constant
            assert "doesn't depend" in str(error)
            exact = np.zeros_like(numeric)
        assert relative_error(exact, numeric) <= 1e-6, f"{op.name} by {x.name}"


@cases(lambda op, sample: op.grad is None)
def test_an_op_without_gradient_says_so(op: Op, sample: Sample):
    with en.Graph():
        x = en.placeholder((3, 4), "float64")
        inputs = [en.placeholder(how.shape, "int32" if how.integers else "float64") for how in sample.inputs]
        y = en.ops.cast(op(*inputs, **sample.attrs), dtype="float64")
        floats = [each for each in inputs if each.spec.is_float] or [x]
        with pytest.raises(en.GradientError):
            en.gradients(y, floats)


@pytest.mark.skipif(gpu_problem() is not None, reason=gpu_problem() or "")
@every_op
def test_numpy_and_cupy_agree(op: Op, sample: Sample):
    gpu = find_device("gpu:0")
    arrays = inputs_of(sample, "float32")
    found = gpu.fetch(compute(op, [gpu.send(each) for each in arrays], sample.attrs, xp=gpu.xp))
    assert_same(found, np.asarray(compute(op, arrays, sample.attrs)), "float32")
