"""An op from a file of its own: NumPy's kernel, machine code and CUDA's source are made from its ``code``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from engine import native
from tests.doors.counts import files_needed
from tests.running import MACHINE, ROOT

FOLDER = Path(__file__).parent / "op"

TRAIN = """
import sys
import numpy as np
import engine as en
from engine.op import REGISTRY
assert "swish" not in REGISTRY
from swish import swish

def network():
    with en.Graph() as graph:
        x, target = en.placeholder((None, 3), name="x"), en.placeholder((None, 1), name="target")
        hidden = swish(en.layers.Dense(16, name="hidden")(x))
        loss = en.losses.mean_squared_error(en.layers.Dense(1, name="output")(hidden), target)
        train = en.optim.Adam(0.02, epsilon=1e-3).minimize(loss)
    return graph, x, target, hidden, loss, train

rng = np.random.default_rng(0)
inputs = rng.normal(size=(64, 3)).astype("f")
targets = np.sin(inputs.sum(1, keepdims=True))

def trained(executor=None, device="cpu:0"):
    graph, x, target, hidden, loss, train = network()
    session = en.Session(graph, 1, device, executor=executor)
    feeds = {x: inputs, target: targets}
    before = float(session.run(loss, feeds))
    for _ in range(100):
        session.run(train, feeds)
    program = session.bind(train, {tensor: value.shape for tensor, value in feeds.items()})
    after = float(session.run(loss, feeds))
    assert after < before / 3, (before, after)
    return session.run([loss, hidden], feeds), program
"""
NUMPY = """
found, _ = trained()
at = np.array([-3.0, -0.4, 0.0, 0.7, 30.0])
with en.Graph() as graph:
    x = en.placeholder((5,), "float64")
    y = swish(x)
    (slope,) = en.gradients(y, [x])
run = lambda tensor, values: en.Session(graph).run(tensor, {x: values})
np.testing.assert_allclose(run(y, at), at / (1 + np.exp(-at)), 1e-12)
np.testing.assert_allclose(run(slope, at), (run(y, at + 1e-6) - run(y, at - 1e-6)) / 2e-6, 1e-6, 1e-9)
"""
NATIVE = """
from pathlib import Path
from engine import native
found, program = trained(native.load(Path(sys.argv[1])))
assert program.whole, "the step is one table of instructions: Python computes none of it"
np.testing.assert_allclose(found[1], trained()[0][1], 1e-2, 1e-3)
"""
CUDA = """
import importlib.util, subprocess, types
from tests.engine.fake_cupy import FakeCuPy
sys.modules["cupy"] = FakeCuPy()
importlib.util.find_spec, subprocess.run = lambda name: object(), lambda *_, **__: types.SimpleNamespace(returncode=0)
found, program = trained(device="gpu:0")
assert any("swish" in source.name for source in program.sources), "the op is part of a kernel"
np.testing.assert_allclose(found[1], trained()[0][1], 1e-2, 1e-3)
"""


def run(code: str) -> None:
    """In a fresh interpreter that finds the op's folder."""
    path = f"import sys; sys.path[:0] = [{str(FOLDER)!r}, {str(ROOT)!r}]\n"
    command = [sys.executable, "-c", path + TRAIN + code, str(MACHINE)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr


def test_it_needs_as_many_files_as_is_said() -> None:
    assert len(list(FOLDER.glob("*.py"))) == files_needed("an op")


def test_it_trains_on_numpy_and_has_the_right_gradient() -> None:
    run(NUMPY)


@pytest.mark.skipif(native.problem() is not None, reason=str(native.problem()))
def test_it_trains_as_machine_code() -> None:
    run(NATIVE)


def test_it_is_part_of_a_gpu_s_kernel() -> None:
    run(CUDA)
