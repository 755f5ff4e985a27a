"""An op's code as a tree: what can stand in it, and that all that is made of it means the same."""

from __future__ import annotations

import math

import numpy as np
import pytest

from engine.expression import FUNCTIONS, evaluate, expanded, kernel, operands, parse, written
from engine.op import REGISTRY, Op, attributes
from tests.engine.tools import compute, inputs_of

WITH_CODE = [op for op in REGISTRY.values() if op.code]
each_op = pytest.mark.parametrize("op", WITH_CODE, ids=lambda op: op.name)
MATH = {name: getattr(math, name) for name in FUNCTIONS if hasattr(math, name)}
MATH |= {"max": max, "min": min, "select": lambda choice, a, b: a if choice else b}


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("{0} * (1 - {1} * {1})", "a * (1 - b * b)"),
        ("({0} - {1}) - {0}", "a - b - a"),
        ("{0} - ({1} - {0})", "a - (b - a)"),
        ("{0} + ({1} + {0})", "a + (b + a)"),
        ("-({0} + 1)", "-(a + 1)"),
        ("-{0} * {1}", "-a * b"),
        ("-(-{0}) - -1", "-(-a) - -1"),
        ("-(-1) * {0}", "-(-1) * a"),
        ("select(({0} > 0) == ({1} > 0), -1, 0.5)", "select((a > 0) == (b > 0), -1, 0.5)"),
    ],
)
def test_it_is_written_with_the_parentheses_that_it_needs(code: str, text: str) -> None:
    names = {"0": "a", "1": "b"}
    assert written(parse(code), names) == text
    assert written(parse(text), {"a": "{0}", "b": "{1}"}) == written(parse(code), {"0": "{0}", "1": "{1}"})


@pytest.mark.parametrize(
    "code", ["", "{0} +", "sinh({0})", "{0} ** 2", "{0} if {1} else 0", "'a'", "{0}.real", "f(x)(y)"]
)
def test_what_no_tree_can_hold_is_refused(code: str) -> None:
    with pytest.raises(ValueError, match="isn't made of"):
        parse(code)


@each_op
def test_it_names_the_op_s_inputs_and_attributes(op: Op) -> None:
    assert {*operands(op.tree)} == {*map(str, range(op.arity or 0)), *attributes(op, {})}


@each_op
@pytest.mark.parametrize("in_place", [False, True])
def test_the_kernel_that_is_made_of_it_gives_what_the_op_s_own_gives(op: Op, in_place: bool) -> None:
    for sample in op.samples:
        arrays = inputs_of(sample, "float32")
        wanted = compute(op, arrays, sample.attrs)
        fits = [at for at in op.reuse if arrays[at].shape == wanted.shape] if in_place else [-1]
        for at in fits:
            given = [each.copy() for each in arrays]
            out = given[at] if at >= 0 else np.full_like(wanted, 77)
            for call in kernel(op.tree, attributes(op, {}))(np, out, *given, **sample.attrs):
                call()
            np.testing.assert_allclose(out, wanted, 1e-6, 1e-7)


@pytest.mark.parametrize(("code", "wanted"), [("{0}", [1.0, 2.0]), ("{rate}", [0.5, 0.5]), ("3", [3.0, 3.0])])
def test_a_kernel_of_no_sign_or_function_gives_what_stands_there(code: str, wanted: list[float]) -> None:
    out = np.full(2, 77.0)
    for call in kernel(parse(code), {"rate": 0.5})(np, out, np.array([1.0, 2.0])):
        call()
    assert out.tolist() == wanted


@each_op
def test_one_element_by_python_s_own_arithmetic(op: Op) -> None:
    numbers = [0.75, 0.5, 2.0, 1.5][: op.arity]
    values = dict(zip("0123", numbers, strict=False)) | attributes(op, {})
    found = compute(op, [np.array(each, "float64") for each in numbers], {})
    assert math.isclose(evaluate(expanded(op.tree), values, MATH), found)
