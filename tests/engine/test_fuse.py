"""What may be computed in one go, and what must not be."""

from __future__ import annotations

import expressions
import numpy as np
import pytest

import engine as en
from engine.executors.base import together
from engine.native.expressions import expressions as known
from engine.native.expressions import pieces
from engine.op import REGISTRY
from engine.plan import Plan, make_plan
from engine.spec import Spec


class Known(expressions.Everything):
    """Takes what the native machine has."""

    def __contains__(self, text: object) -> bool:
        return text in known()


def planned(*fetches: en.Tensor, everything: bool = True) -> Plan:
    fed = {each: each.spec for each in fetches[0].graph.tensors if each.op.name == "placeholder"}
    return make_plan(fetches, fed, taker=expressions.Everything() if everything else Known())


def fused(plan: Plan) -> list[str]:
    found = [pieces(step, expressions.Everything()) for step in plan.steps if step.work]
    return [piece.text for each in found for piece in each or ()]


def test_the_list_of_expressions_is_up_to_date() -> None:
    held = expressions.FILE.read_text(encoding="utf-8")
    assert held == expressions.text(), "run: python scripts/expressions.py"


def test_a_chain_becomes_one_operation() -> None:
    with en.Graph():
        x, y = en.placeholder((3, 4), name="x"), en.placeholder((3, 4), name="y")
        sum_of_squares = x + y * y
    plan = planned(sum_of_squares, everything=False)
    assert fused(plan) == ["(x0 + (x1 * x1))"]
    assert [step.name for step in plan.steps][-1] == "mul+add"


def test_what_others_read_stays_alone() -> None:
    with en.Graph():
        x = en.placeholder((3, 4), name="x")
        inner = x * x
        outer = inner + 1.0
    assert fused(planned(outer, inner)) == ["(x0 * x0)", "(x0 + x1)"]
    assert fused(planned(outer, en.ops.sum_(inner))) == ["(x0 * x0)", "(x0 + x1)"]


def test_an_unknown_expression_is_done_in_known_parts() -> None:
    with en.Graph():
        x, y = en.placeholder((3, 4), name="x"), en.placeholder((3, 4), name="y")
        odd = en.ops.sin(en.ops.exp(x + y * y))
    assert fused(planned(odd, everything=False)) == ["(x0 + (x1 * x1))", "(exp(x0))", "(sin(x0))"]


@pytest.mark.parametrize("everything", [True, False])
@pytest.mark.parametrize("name", ["tanh", "sigmoid", "gelu"])
def test_a_slope_is_computed_with_its_function_if_that_is_kept(name: str, everything: bool) -> None:
    """A product reads it; where one region takes both, nothing is to be kept."""
    with en.Graph():
        x, w = en.placeholder((3, 4), name="x"), en.placeholder((4, 4), name="w")
        y = REGISTRY[name](x @ w)
        inner = en.gradients(en.ops.sum_((y @ w) * (y @ w)), [x])[0]
        last = en.gradients(en.ops.sum_(y * y), [x])[0]
    assert fused(planned(inner, everything=everything))[0] == f"({name}(x0)); ({name}_slope(x0))"
    assert not any(";" in each for each in fused(planned(last, everything=everything)))


def test_an_attribute_is_an_input() -> None:
    with en.Graph() as graph:
        x = en.placeholder((3,), name="x")
        y = en.ops.leaky_relu(x, slope=0.25) * 2.0
    assert fused(planned(y)) == ["((select(x0 > 0, x0, x1 * x0)) * x2)"]
    assert en.Session(graph).run(y, {x: [-4.0, 0.0, 1.0]}).tolist() == [-2.0, 0.0, 2.0]


def test_types_are_letters() -> None:
    with en.Graph():
        pixels, yes = en.placeholder((2, 3), "uint8", name="pixels"), en.placeholder((), "bool", name="yes")
        scaled = en.ops.cast(pixels, dtype="float32") * 0.5
        chosen = en.ops.where(yes, scaled, 1.0)
    assert fused(planned(chosen)) == ["(select(t0, ((u1) * x2), x3))"]


def test_the_old_value_of_a_variable_is_not_read_too_late() -> None:
    with en.Graph() as graph:
        v = en.variable(np.array([1.0, 2.0], "f"), name="v")
        old = v * 2.0
        new = en.ops.assign(v, v + 10.0)
        both = old + new
    assert all("*" not in each or "+" not in each for each in fused(planned(both)))
    assert en.Session(graph).run(both).tolist() == [13.0, 16.0]


def test_a_product_starts_its_sums_from_what_is_added() -> None:
    with en.Graph():
        a, b, c = en.placeholder((3, 4)), en.placeholder((4, 5)), en.placeholder((3, 5))
        row, images, filters = en.placeholder((5,)), en.placeholder((1, 4, 4, 2)), en.placeholder((3, 3, 2, 5))
        matrix, added_row = a @ b + c, a @ b + row
        convolved = en.ops.conv2d(images, filters) + row

    def names(*fetches: en.Tensor) -> list[str]:
        return [step.name for step in planned(*fetches).steps if step.name[:3] in ("mat", "con") and step.work]

    assert names(matrix) == names(added_row) == ["matmul+add"]
    assert names(convolved) == ["conv2d+add"]
    assert names(matrix, added_row) == ["matmul"], "a @ b is computed once for both"


@pytest.mark.parametrize(
    ("shapes", "wanted"),
    [([(3, 4), (3, 4)], (12,)), ([(3, 4), (4,)], (3, 4)), ([(2, 3, 4), (4,)], (6, 4)), ([(3, 4), (3, 1)], (3, 4))],
)
def test_axes_are_taken_together_where_all_inputs_allow_it(shapes: list[tuple[int, ...]], wanted: tuple[int]) -> None:
    arrays = [np.broadcast_to(np.zeros(shape, "f"), shapes[0]) for shape in shapes]
    shape, strides = together(shapes[0], [each.strides for each in arrays])
    assert shape == wanted
    assert all(len(each) == len(shape) for each in strides)


def test_specs_of_fused_operations_are_what_comes_out() -> None:
    with en.Graph():
        x = en.placeholder((3, 4), name="x")
        y = en.ops.cast(en.ops.greater(x, 0.0), dtype="float32") * x
    plan = planned(y)
    assert plan.nodes[-1].spec == Spec((3, 4))
