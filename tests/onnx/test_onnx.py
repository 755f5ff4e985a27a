"""ONNX's own cases: every one whose operators we have gives what ONNX says; the others are counted by reason."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="the onnx package isn't installed; `pip install onnx` adds its cases")

from onnx import numpy_helper  # noqa: E402
from onnx.backend.test.case.node import collect_testcases  # noqa: E402
from onnx.backend.test.loader import load_model_tests  # noqa: E402

import engine as en  # noqa: E402
from engine.spec import DTYPES  # noqa: E402
from tests.onnx import elementwise, images, networks, reductions, shapes  # noqa: E402, F401 - they enter handlers
from tests.onnx.adapter import Unsupported, check_type, run_model  # noqa: E402

Values = list[Any]
NUMPY_TYPES = {onnx.helper.np_dtype_to_tensor_dtype(np.dtype(name)) for name in DTYPES}


@dataclass
class Tally:
    """What became of a kind of cases."""

    passed: int = 0
    unsupported: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)

    def table(self, title: str) -> str:
        total = self.passed + self.unsupported.total() + len(self.failed)
        lines = [f"{title}: {self.passed} of {total} pass, {len(self.failed)} fail, {self.unsupported.total()} need:"]
        return "\n".join([*lines, *(f"  {count:4} {reason}" for reason, count in self.unsupported.most_common())])


@dataclass
class Case:
    """A model, and what it gives for some inputs."""

    name: str
    model: Any
    sets: list[tuple[Values, Values]]
    rtol: float
    atol: float


def generated() -> Iterator[Case]:
    """The cases that the onnx package makes of its operators' definitions."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the generators overflow on purpose
        for each in collect_testcases(None):
            sets = [(arrays(inputs), arrays(outputs)) for inputs, outputs in each.data_sets or ()]
            yield Case(each.name, each.model, sets, each.rtol, each.atol)


def arrays(values: Iterable[Any]) -> Values:
    """Tensors as arrays, where NumPy has their type."""
    return [
        numpy_helper.to_array(each) if isinstance(each, onnx.TensorProto) and each.data_type in NUMPY_TYPES else each
        for each in values
    ]


def recorded(kind: str) -> Iterator[Case]:
    """Recorded models of a kind, with recorded values."""
    for each in load_model_tests(kind=kind):
        folder = Path(each.model_dir or "")
        sets = [(values(data, "input"), values(data, "output")) for data in sorted(folder.glob("test_data_set_*"))]
        yield Case(each.name, onnx.load(folder / "model.onnx"), sets, each.rtol, each.atol)


def values(folder: Path, what: str) -> Values:
    """What was recorded in input_0.pb, input_1.pb ..."""
    found = []
    for at in range(len(list(folder.glob(f"{what}_*.pb")))):
        tensor = onnx.TensorProto()
        tensor.ParseFromString((folder / f"{what}_{at}.pb").read_bytes())
        found.append(numpy_helper.to_array(tensor))
    return found


def problems(case: Case) -> list[str]:
    """What is wrong with our results, if anything.  Raises Unsupported."""
    for each in (each for inputs, outputs in case.sets for each in (*inputs, *outputs)):
        check_type(each)
    found = []
    for inputs, outputs in case.sets:
        try:
            results = run_model(case.model, inputs)
        except en.EngineError as error:
            found.append(f"{type(error).__name__}: {error}")
            continue
        for ours, theirs in zip(results, outputs, strict=True):
            if (ours.dtype, ours.shape) != (theirs.dtype, theirs.shape):
                found.append(f"{ours.dtype}{ours.shape} instead of {theirs.dtype}{theirs.shape}")
            elif not np.allclose(ours, theirs, rtol=case.rtol, atol=case.atol, equal_nan=True):
                found.append(f"values differ: {ours.ravel()[:5]} instead of {theirs.ravel()[:5]}")
    return [f"{case.name}: {text}" for text in found]


def tally(cases: Iterator[Case]) -> tuple[Tally, Tally]:
    """Cases of one node, and cases of several."""
    one, several = Tally(), Tally()
    for case in cases:
        into = one if len(case.model.graph.node) == 1 else several
        try:
            wrong = problems(case)
        except Unsupported as error:
            into.unsupported[str(error)] += 1
            continue
        into.failed += wrong
        into.passed += not wrong
    return one, several


def test_generated_cases(record_property, capsys):
    one, several = tally(generated())
    with capsys.disabled():
        print("\n" + one.table("ONNX, one node"))
        print(several.table("ONNX, functions written out"))
    record_property("onnx_one_node", one.passed)
    record_property("onnx_functions", several.passed)
    assert not [*one.failed, *several.failed]
    assert one.passed >= 365


@pytest.mark.parametrize(("kind", "least"), [("pytorch-converted", 60), ("pytorch-operator", 28), ("simple", 5)])
def test_recorded_models(kind: str, least: int, record_property, capsys):
    one, several = tally(recorded(kind))
    with capsys.disabled():
        print("\n" + one.table(f"ONNX, {kind}, one node") + "\n" + several.table(f"ONNX, {kind}, several nodes"))
    record_property(kind, one.passed + several.passed)
    assert not [*one.failed, *several.failed]
    assert one.passed + several.passed >= least
