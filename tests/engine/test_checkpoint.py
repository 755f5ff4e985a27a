"""Checkpoints: what comes back, and what is refused without a trace."""

from __future__ import annotations

import json
from typing import Any

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
        assert file.metadata().keys() == {"epoch", checkpoint.KEY}
        assert file.metadata()["epoch"] == "7"
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


class LongLesson:
    """All that changes from step to step: batches and noise drawn outside, dropout, AdamW at a rate by schedule."""

    def __init__(self, units: int = 6, **options: Any) -> None:
        rng = np.random.default_rng(5)
        self.inputs, self.labels = rng.normal(size=(40, 3)).astype("f4"), rng.integers(0, 4, 40).astype("i4")
        with en.Graph() as self.graph:
            self.x, self.noise = en.placeholder((None, 3), name="x"), en.placeholder((None, units), name="noise")
            self.y = en.placeholder((None,), "int32", name="y")
            hidden = en.layers.Dropout(0.2)(en.layers.Dense(units, "relu", "hidden")(self.x) * self.noise)
            self.loss = en.losses.softmax_cross_entropy(en.layers.Dense(4, name="output")(hidden), self.y)
            rate = en.schedules.WarmUp(5, en.schedules.Cosine(0.05, 30))
            self.train = en.optim.AdamW(rate, clip_norm=1.0).minimize(self.loss)
        self.session = en.Session(self.graph, seed=3, **options)
        self.random = {"batches": np.random.default_rng(7), "noise": np.random.Generator(np.random.MT19937(8))}

    def steps(self, count: int) -> list[float]:
        losses = []
        for _ in range(count):
            rows = self.random["batches"].integers(0, 40, 8)
            noise = self.random["noise"].binomial(1, 0.5, (8, 6)).astype("f4")
            feeds = {self.x: self.inputs[rows], self.y: self.labels[rows], self.noise: noise}
            losses.append(float(self.session.run([self.loss, self.train], feeds)[0]))
        return losses


def test_a_restored_run_takes_the_very_steps_that_it_would_have_taken(tmp_path, options):
    first, second, path = LongLesson(**options), LongLesson(**options), tmp_path / "run.safetensors"
    first.steps(10)
    checkpoint.save(first.session, path, random=first.random)
    went_on = first.steps(15)
    second.steps(3)  # whatever it did before
    checkpoint.restore(second.session, path, second.random)
    assert second.steps(15) == went_on
    assert_same(first.session.state(), second.session.state())


def test_a_checkpoint_describes_its_model_its_optimiser_and_its_randomness():
    lesson = LongLesson()
    found = checkpoint.description(checkpoint.dumps(lesson.session, {"lesson": "3"}, lesson.random))
    assert (found.seed, found.metadata) == (3, {"lesson": "3"})
    assert found.random["batches"] == lesson.random["batches"].bit_generator.state
    assert found.random["noise"]["bit_generator"] == "MT19937"
    first = found.model["variables"][0]
    assert first == {"name": "hidden/weights", "shape": [3, 6], "dtype": "float32", "trainable": True}
    by_name = {each["name"]: each for each in found.model["operations"]}
    affine = by_name["hidden/affine"]
    assert (affine["op"], affine["inputs"]) == ("affine", ["x", "hidden/weights", "hidden/bias"])
    assert affine["shape"] == [None, 6]
    (settings,) = found.model["optimizers"].values()
    assert settings.startswith("AdamW(rate=WarmUp(steps=5, then=Cosine(rate=0.05, steps=30")


@pytest.mark.parametrize(
    ("random", "text"),
    [
        ({"other": np.random.default_rng(0)}, "holds the random states batches, noise; other of kind PCG64 is wanted"),
        ({"noise": np.random.default_rng(0)}, "noise of kind PCG64 is wanted, and there it is MT19937"),
    ],
    ids=["of another name", "of another kind"],
)
def test_random_states_that_don_t_fit_change_nothing(random, text):
    lesson, other = LongLesson(), LongLesson()
    lesson.steps(2)
    (generator,) = random.values()
    before, state = other.session.state(), generator.bit_generator.state
    with pytest.raises(en.CheckpointError, match=text):
        checkpoint.loads(other.session, checkpoint.dumps(lesson.session, random=lesson.random), random)
    assert_same(other.session.state(), before)
    assert generator.bit_generator.state == state


def test_the_engine_s_own_name_in_the_metadata_is_refused():
    with pytest.raises(en.CheckpointError, match=r"'layerlab' .* is taken"):
        checkpoint.dumps(Lesson().session, {"layerlab": "mine"})


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "isn't a whole"),
        (b"\2\0\0\0\0\0\0\0[]", "isn't a whole"),
        (safetensors.numpy.save({"w": np.zeros(2)}), "has the format None, this engine reads 1 to 2"),
    ],
    ids=["empty", "a list", "someone else's"],
)
def test_a_file_without_a_description(data, text):
    with pytest.raises(en.CheckpointError, match=text):
        checkpoint.description(data)
