"""docs/engine.md: its examples run, and its table is what the records say."""

from __future__ import annotations

import doctest

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
