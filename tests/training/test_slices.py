"""Many batches in one call, on NumPy and on the native machine: the very same training."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from engine import native
from engine.executors.numpy import NumpyProgram
from engine.native import NativeProgram
from tests.running import MACHINE
from webapp.kinds import registry
from webapp.kinds.digits.experiment import DigitsExperiment
from webapp.kinds.points.experiment import PointsExperiment
from webapp.training.experiment import Diverged

needs_numba = pytest.mark.skipif(native.problem() is not None, reason=str(native.problem()))
EXECUTORS = ["numpy", pytest.param("native", marks=needs_numba)]
SETTINGS: list[tuple[str, dict[str, Any]]] = [
    ("points", {}),
    ("points", {"batch": 7, "optimizer": "momentum", "regularization": "l2", "activation": "relu", "hidden": [5, 4]}),
    ("points", {"inputs": ["x", "xy", "siny"], "share": 0.3, "hidden": []}),
    ("digits", {}),
    ("digits", {"hidden": [32], "batch": 999, "optimizer": "momentum", "rate": 0.05}),
]


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture
def make(data_dir: Path) -> Any:
    def make(kind: str, settings: dict[str, Any], executor: str = "numpy") -> Any:
        chosen = registry()[kind].settings_for(settings)
        made = PointsExperiment(chosen) if kind == "points" else DigitsExperiment(chosen, data_dir=data_dir)
        if executor == "native":
            made.use_machine(native.load(MACHINE))
        return made

    return make


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """How many steps each call of an executor was asked for."""
    found: list[int] = []
    for kind in (NumpyProgram, NativeProgram):

        def run(self: Any, steps: int = 1, streams: Any = None, *, real: Any = kind.run) -> None:
            if streams is not None:
                found.append(steps)
            real(self, steps, streams)

        monkeypatch.setattr(kind, "run", run)
    yield found


def train(experiment: Any, steps: int) -> np.ndarray:
    """Its variables after so many steps."""
    while steps > 0:
        steps -= experiment.train(steps, time.perf_counter() + 60)
    return state(experiment)


def state(experiment: Any) -> np.ndarray:
    found: np.ndarray = experiment.model.session.state()["float32"]
    return found


@pytest.mark.parametrize("batch", [1, 7, 10, 125, 250])
def test_batches_drawn_together_are_those_drawn_one_by_one(make: Any, batch: int) -> None:
    together, single = make("points", {"batch": batch}), make("points", {"batch": batch})
    for wanted in (1, 3, 40, 8, 100, 2):
        rows = together._next_rows(wanted)
        assert 1 <= len(rows) <= wanted
        for batch_rows in rows:
            assert np.array_equal(batch_rows, single._next_rows(1)[0])
        assert together.epoch == single.epoch


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize(("kind", "settings"), SETTINGS)
def test_a_slice_in_one_call_trains_as_batch_by_batch(make: Any, kind: str, settings: Any, executor: str) -> None:
    steps = 70
    together, single = make(kind, settings, executor), make(kind, settings, executor)
    for _ in range(steps):
        single.train(1, 0.0)
    assert np.array_equal(train(together, steps), state(single))
    assert (together.step, together.epoch) == (single.step, single.epoch)


@needs_numba
@pytest.mark.parametrize(("kind", "settings"), SETTINGS)
def test_native_training_agrees_with_numpys_within_rounding(make: Any, kind: str, settings: Any) -> None:
    native, reference = make(kind, settings, "native"), make(kind, settings)
    assert (native.executor, reference.executor) == ("CPU · native", "CPU · NumPy")
    np.testing.assert_allclose(train(native, 70), train(reference, 70), rtol=5e-3, atol=5e-4)


@needs_numba
@pytest.mark.parametrize(("first", "then"), [("numpy", "native"), ("native", "numpy")])
@pytest.mark.parametrize(("kind", "settings"), SETTINGS)
def test_a_snapshot_of_one_executor_goes_on_with_the_other(
    make: Any, kind: str, settings: Any, first: str, then: str
) -> None:
    begun, other = make(kind, settings, first), make(kind, settings, then)
    saved = train(begun, 35)
    other.restore(begun.snapshot())
    assert np.array_equal(state(other), saved)
    np.testing.assert_allclose(train(other, 35), train(begun, 35), rtol=5e-3, atol=5e-4)
    assert (other.step, other.epoch) == (begun.step, begun.epoch)


@needs_numba
def test_going_over_in_the_middle_keeps_everything_and_new_networks_stay_native(make: Any) -> None:
    points = make("points", {})
    before = train(points, 40)
    points.use_machine(native.load(MACHINE))
    assert np.array_equal(state(points), before)
    assert (points.step, points.executor) == (40, "CPU · native")
    points.configure(registry()["points"].settings_for({"hidden": [6, 3], "noise": 0.3}, points.settings))
    assert points.executor == "CPU · native"
    train(points, 10)
    assert points.step == 50


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("seconds", [2.0**-13, 2.0**-7])
def test_short_steps_go_many_to_a_call_and_long_ones_one_by_one(
    make: Any, calls: list[int], monkeypatch: pytest.MonkeyPatch, executor: str, seconds: float
) -> None:
    def now() -> float:
        """On this clock, a step takes so long and nothing else takes any time."""
        return sum(calls) * seconds

    monkeypatch.setattr("webapp.training.training.time", SimpleNamespace(perf_counter=now))
    points = make("points", {}, executor)
    for _ in range(5):
        points.train(1 << 30, now() + 2.0**-8)
    assert calls[0] == 1  # how long a step takes isn't known yet
    assert max(calls) == max(1, 2.0**-8 / seconds)


@pytest.mark.parametrize("executor", EXECUTORS)
def test_the_step_of_a_divergence_is_found_within_a_long_call(make: Any, executor: str) -> None:
    wild = {"optimizer": "sgd", "rate": 0.5, "batch": 7, "regularization": "l2", "regularization_rate": 8.0}
    together, single = make("points", wild, executor), make("points", wild, executor)
    with pytest.raises(Diverged) as alone:
        for _ in range(2000):
            single.train(1, 0.0)
    with pytest.raises(Diverged) as found:
        train(together, 2000)
    assert found.value.step == alone.value.step == together.step
    assert 20 < together.step < 1000
    assert together.epoch == single.epoch
