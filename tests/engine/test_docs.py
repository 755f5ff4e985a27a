"""docs/engine.md: its examples run, and its table is what the records say."""

from __future__ import annotations

import doctest
import inspect
import pydoc

import op_table
import pytest

from engine.op import REGISTRY


def test_the_examples_of_the_page_run():
    failed, tried = doctest.testfile(str(op_table.PAGE), module_relative=False, optionflags=doctest.ELLIPSIS)
    assert tried > 20
    assert failed == 0


def test_the_table_of_operations_is_up_to_date():
    page = op_table.PAGE.read_text(encoding="utf-8")
    assert page == op_table.renewed(page), "run: python scripts/op_table.py"


def test_the_table_names_every_operation_once():
    rows = [line for line in op_table.table().splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == list(REGISTRY)


def test_a_page_without_the_marks_is_refused():
    with pytest.raises(ValueError, match=r"engine\.md needs the marks"):
        op_table.renewed("# a page")


@pytest.mark.parametrize("name", REGISTRY)
def test_help_tells_how_an_operation_is_called(name: str):
    op = REGISTRY[name]
    parameters = inspect.signature(op).parameters
    inputs = [each for each in parameters.values() if each.kind is not each.KEYWORD_ONLY]
    assert len(inputs) == (op.arity or 1)
    assert list(parameters)[len(inputs) :] == [*op.attributes, "name"]
    assert [each for each in op.attributes if parameters[each].default is inspect.Parameter.empty] == list(op.must)
    told = pydoc.render_doc(op)
    assert f"{name}{inspect.signature(op)}" in told and op.doc in told


def test_help_names_attributes_with_what_they_may_be():
    told = pydoc.render_doc(REGISTRY["conv2d"])
    assert "conv2d(x, filters, /, *, strides=(1, 1), padding='same', dilations=(1, 1), name=None): Filters" in told
    assert "strides: a whole number, or two: down and across" in told
