"""What the README says is so."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import get_args

import pytest

from engine import native
from tests.running import MACHINE, ROOT
from webapp.contract import settings

README = (ROOT / "README.md").read_text(encoding="utf-8")


BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_its_examples_are_those_that_are_tried_here() -> None:
    assert len(BLOCKS) == 3


def ran(code: str) -> None:
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr


def test_its_first_example_learns() -> None:
    ran(BLOCKS[0])


@pytest.mark.skipif(native.problem() is not None, reason=str(native.problem()))
def test_its_machine_trains_that_example() -> None:
    native = BLOCKS[1].replace("build/machine", str(MACHINE))
    ran(f"{BLOCKS[0]}{native}for _ in range(200): session.run(train, feeds)\nassert session.run(loss, feeds) < 0.1")


def test_its_op_has_the_right_gradient() -> None:
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
    ran(BLOCKS[2] + check)


def test_files_that_it_names_are_there() -> None:
    named = re.findall(r"`((?:engine|webapp|static|docs|scripts|tests)/[\w./-]+)`", README)
    named += re.findall(r"\]\(([\w./-]+)\)", README)
    assert len(named) > 10
    missing = [name for name in named if not (ROOT / name).exists()]
    assert not missing


def test_it_names_every_activation_and_optimiser() -> None:
    for choice in (*get_args(settings.Activation), *get_args(settings.Optimizer)):
        assert re.search(choice.replace("_", " "), README, re.IGNORECASE)
