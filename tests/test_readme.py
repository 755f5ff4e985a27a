"""What the README says is so."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import get_args

import pytest

from tests.running import ROOT
from webapp import protocol

README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("number", range(2))
def test_its_examples_run(number: int) -> None:
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(blocks) == 2
    done = subprocess.run([sys.executable, "-c", blocks[number]], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_its_op_has_the_right_gradient() -> None:
    block = re.findall(r"```python\n(.*?)```", README, re.DOTALL)[1]
    check = """
import numpy as np
import engine as en
with en.Graph() as graph:
    x = en.placeholder((None,), dtype="float64")
    y = softsign(x)
    slope = en.gradients(y, [x])[0]
at, h = np.array([-2.0, -0.3, 0.4, 3.0]), 1e-6
run = lambda tensor, values: en.Session(graph).run(tensor, {x: values})
np.testing.assert_allclose(run(y, at), at / (1 + abs(at)))
np.testing.assert_allclose(run(slope, at), (run(y, at + h) - run(y, at - h)) / (2 * h), rtol=1e-6)
"""
    done = subprocess.run([sys.executable, "-c", block + check], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_files_that_it_names_are_there() -> None:
    named = re.findall(r"`((?:engine|webapp|static|docs|scripts|tests)/[\w./-]+)`", README)
    named += re.findall(r"\]\(([\w./-]+)\)", README)
    assert len(named) > 10
    missing = [name for name in named if not (ROOT / name).exists()]
    assert not missing


def test_it_names_every_activation_and_optimiser() -> None:
    for choice in (*get_args(protocol.Activation), *get_args(protocol.Optimizer)):
        assert re.search(choice.replace("_", " "), README, re.IGNORECASE)
