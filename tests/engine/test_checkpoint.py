"""Checkpoints: what comes back, and what is refused without a trace."""

from __future__ import annotations

import json

import numpy as np
import pytest
import safetensors.numpy

import engine as en
from engine import checkpoint


class Lesson:
    def __init__(self, units: int = 3, name: str = "hidden") -> None:
        with en.Graph() as self.graph:
            self.x = en.placeholder((4, 2), name="x")
            y = en.layers.Dense(units, "tanh", name)(self.x)
            en.variable(0, (), dtype="int32", trainable=False, name="steps")
            self.train = en.optim.Adam(0.1).minimize(en.losses.l2(y))
        self.session = en.Session(self.graph, seed=1)

    def steps(self, count: int) -> dict[str, np.ndarray]:
        rng = np.random.default_rng(3)
        for _ in range(count):
            self.session.run(self.train, {self.x: rng.normal(size=(4, 2)).astype("f4")})
        return self.session.state()


def assert_same(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> None:
    assert a.keys() == b.keys()
    for dtype, values in a.items():
        np.testing.assert_array_equal(values, b[dtype])


def test_training_goes_on_bit_for_bit():
    first, second = Lesson(), Lesson()
    first.steps(5)
    data = checkpoint.dumps(first.session)
    checkpoint.loads(second.session, data)
    assert_same(first.session.state(), second.session.state())
    assert_same(first.steps(5), second.steps(5))


def test_a_file_holds_every_variable_by_name_and_the_metadata(tmp_path):
    lesson = Lesson()
    state = lesson.steps(2)
    path = tmp_path / "lesson.safetensors"
    checkpoint.save(lesson.session, path, {"epoch": "7"})
    with safetensors.safe_open(path, "numpy") as file:
        assert file.metadata() == {"epoch": "7"}
        assert set(file.keys()) == {each.name for each in lesson.graph.variables}
    lesson.session.reset()
    checkpoint.restore(lesson.session, path)
    assert_same(lesson.session.state(), state)
    assert [each.name for each in tmp_path.iterdir()] == ["lesson.safetensors"]


def test_a_file_is_replaced_as_a_whole(tmp_path, monkeypatch):
    lesson, path = Lesson(), tmp_path / "lesson.safetensors"
    checkpoint.save(lesson.session, path)
    before = path.read_bytes()
    monkeypatch.setattr(safetensors.numpy, "save", lambda *_: b"half")
    monkeypatch.setattr(type(path), "replace", lambda *_: (_ for _ in ()).throw(OSError("the disk is full")))
    with pytest.raises(OSError, match="full"):
        checkpoint.save(lesson.session, path)
    assert path.read_bytes() == before


def parts(lesson: Lesson) -> dict[str, np.ndarray]:
    return {each.name: lesson.session.get(each) for each in lesson.graph.variables}


def without_one(lesson: Lesson) -> bytes:
    return safetensors.numpy.save(dict(list(parts(lesson).items())[1:]))


def of_another_shape(lesson: Lesson) -> bytes:
    return safetensors.numpy.save(parts(lesson) | {"hidden/bias": np.ones(4, "f4")})


def of_another_type(lesson: Lesson) -> bytes:
    return safetensors.numpy.save(parts(lesson) | {"hidden/bias": np.ones(3)})


def of_other_names(lesson: Lesson) -> bytes:
    return checkpoint.dumps(Lesson(name="other").session)


def cut_short(lesson: Lesson) -> bytes:
    return checkpoint.dumps(lesson.session)[:-3]


def of_a_type_that_numpy_lacks(lesson: Lesson) -> bytes:
    header = json.dumps({"hidden/bias": {"dtype": "BF16", "shape": [1], "data_offsets": [0, 2]}}).encode()
    return len(header).to_bytes(8, "little") + header + b"\0\0"


WRONG = {
    without_one: "only the checkpoint has none, only the graph hidden/weights",
    of_another_shape: r"hidden/bias: the checkpoint holds float32\(4,\), the graph needs float32\(3,\)",
    of_another_type: r"hidden/bias: the checkpoint holds float64\(3,\)",
    of_other_names: "only the checkpoint has other/bias, other/weights, only the graph hidden/bias, hidden/weights",
    cut_short: "isn't a whole safetensors file",
    of_a_type_that_numpy_lacks: "holds a dtype that isn't known here: 'BF16'",
}


@pytest.mark.parametrize("wrong", WRONG, ids=lambda make: make.__name__)
def test_what_doesn_t_fit_is_refused_and_the_session_left_alone(wrong, tmp_path):
    lesson = Lesson()
    before, data = lesson.steps(2), wrong(lesson)
    with pytest.raises(en.CheckpointError, match=WRONG[wrong]):
        checkpoint.loads(lesson.session, data)
    path = tmp_path / "wrong.safetensors"
    path.write_bytes(data)
    with pytest.raises(en.CheckpointError, match=r"wrong\.safetensors: "):
        checkpoint.restore(lesson.session, path)
    assert_same(lesson.session.state(), before)


def test_a_file_that_isn_t_there():
    with pytest.raises(FileNotFoundError):
        checkpoint.restore(Lesson().session, "nowhere.safetensors")
