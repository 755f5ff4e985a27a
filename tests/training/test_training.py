"""What both pages' experiments promise: settings at any time, the same first weights, going on from a snapshot."""

import itertools
import math
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from webapp.contract.errors import ProtocolError
from webapp.contract.kind import Part
from webapp.contract.wire import pack, unpack
from webapp.kinds import commands, registry
from webapp.kinds.digits.commands import Drawing
from webapp.kinds.digits.experiment import DigitsExperiment
from webapp.kinds.points.experiment import PointsExperiment
from webapp.kinds.points.settings import PointsSettings
from webapp.training.commands import Look, Weight
from webapp.training.experiment import Diverged

RUN = "A" * 22


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(params=["points", "digits"])
def experiment(request: pytest.FixtureRequest, data_dir: Path) -> Any:
    return make(request.param, data_dir)


def make(kind: str, data_dir: Path, **settings: object) -> Any:
    chosen = registry()[kind].settings_for(dict(settings))
    if kind == "points":
        return PointsExperiment(chosen)
    return DigitsExperiment(chosen, data_dir=data_dir)


def configure(experiment: Any, **patch: object) -> None:
    experiment.configure(experiment.kind.settings_for(patch, experiment.settings))


def train(experiment: Any, steps: int) -> None:
    while steps > 0:
        steps -= experiment.train(steps, time.perf_counter() + 60)


def evaluate(experiment: Any) -> None:
    while experiment.background(time.perf_counter() + 60):
        pass


def units(experiment: Any) -> list[int]:
    return [layer.units for layer in experiment.settings.layers]


def state(experiment: Any) -> np.ndarray:
    return experiment.model.session.state()["float32"]


def parts_of(experiment: Any, key: bool) -> list[Part]:
    """What a page sees through the first lens."""
    return [*experiment.frame(key), *experiment.through("network", key)]


def frame(experiment: Any, key: bool = False) -> dict[str, np.ndarray]:
    return {part.section: part.array for part in parts_of(experiment, key)}


def test_the_same_seed_gives_the_same_run(experiment: Any, data_dir: Path) -> None:
    twin = make(experiment.kind.name, data_dir)
    for each in (experiment, twin):
        train(each, 30)
    assert np.array_equal(state(experiment), state(twin))


def test_reset_returns_to_the_very_same_first_weights(experiment: Any) -> None:
    first = state(experiment)
    train(experiment, 20)
    assert not np.array_equal(state(experiment), first)
    experiment.reset()
    assert np.array_equal(state(experiment), first)
    assert experiment.step == 0
    assert experiment.epoch == 0.0


def test_another_weight_seed_gives_other_weights(data_dir: Path) -> None:
    one, other = make("points", data_dir), make("points", data_dir, weight_seed=2)
    assert not np.array_equal(state(one), state(other))


def test_an_epoch_takes_each_example_once(experiment: Any) -> None:
    configure(experiment, batch=7 if experiment.kind.name == "points" else 999)
    rows = np.concatenate([experiment._next_rows(1).ravel() for _ in range(experiment.steps_per_epoch)])
    assert np.array_equal(np.sort(rows), np.arange(experiment.examples()))
    assert experiment.epoch == 1.0


def test_a_run_goes_on_from_a_snapshot_bit_for_bit(experiment: Any, data_dir: Path) -> None:
    configure(experiment, optimizer="adam", hidden=[5])
    train(experiment, 33)
    saved = experiment.snapshot()
    train(experiment, 50)
    other = make(experiment.kind.name, data_dir, optimizer="adam", hidden=[5])
    other.restore(saved)
    train(other, 50)
    assert np.array_equal(state(other), state(experiment))
    assert (other.step, other.epoch) == (experiment.step, experiment.epoch)


def test_a_snapshot_of_older_settings_is_carried_over_to_the_present_ones(experiment: Any, data_dir: Path) -> None:
    configure(experiment, hidden=[4, 3])
    train(experiment, 20)
    saved, first = experiment.snapshot(), experiment.model.weights(experiment.model.layers[0])
    other = make(experiment.kind.name, data_dir, hidden=[6, 3], rate=0.002, activation="elu")
    other.restore(saved)
    assert np.array_equal(other.model.weights(other.model.layers[0])[:, :4], first)
    assert (other.step, units(other), other.settings.rate) == (20, [6, 3], 0.002)


def test_the_rates_change_without_a_new_network(experiment: Any) -> None:
    before = experiment.model
    configure(experiment, rate=0.001, speed="max", regularization_rate=0.5)
    assert experiment.model is before


def test_adding_and_removing_layers_keeps_the_weights_that_stay(experiment: Any) -> None:
    configure(experiment, hidden=[4, 3])
    train(experiment, 20)
    first, step = experiment.model.weights(experiment.model.layers[0]), experiment.step
    configure(experiment, hidden=[6, 3, 2])
    kept = experiment.model.weights(experiment.model.layers[0])
    assert kept.shape[1] == 6
    assert np.array_equal(kept[:, :4], first)
    configure(experiment, hidden=[3])
    assert np.array_equal(experiment.model.weights(experiment.model.layers[0]), first[:, :3])
    assert experiment.step == step


def test_before_training_new_settings_mean_the_first_weights_of_these_settings(data_dir: Path) -> None:
    changed = make("points", data_dir)
    configure(changed, hidden=[8, 8])
    assert np.array_equal(state(changed), state(make("points", data_dir, hidden=[8, 8])))


def test_toggling_an_input_keeps_the_weights_of_the_others(data_dir: Path) -> None:
    points = make("points", data_dir, inputs=["x", "y"])
    train(points, 20)
    before = points.model.weights(points.model.layers[0])
    configure(points, inputs=["x2", "y", "x"])
    after = points.model.weights(points.model.layers[0])
    assert np.array_equal(after[[2, 1]], before)


def test_a_diverged_run_says_so_and_recovers(data_dir: Path) -> None:
    points = make("points", data_dir, hidden=[8, 8], activation="linear", optimizer="sgd", rate=0.01)
    train(points, 100)
    points.frame(False)
    sane = points.step
    configure(points, rate=10.0, activation="relu", inputs=["x", "y", "x2", "y2"])
    for layer in points.model.layers:  # a push, so that the overflow comes soon
        points.model.session.set(layer.variables["weights"], points.model.weights(layer) * 1e20)
    with pytest.raises(Diverged) as caught:
        train(points, 10_000)
    assert caught.value.step > sane
    configure(points, rate=0.001)
    points.recover()
    points.frame(False)
    assert np.isfinite(points.metrics).all()


def test_a_new_layer_after_a_divergence_starts_from_the_last_good_weights(experiment: Any) -> None:
    configure(experiment, hidden=[4], activation="relu")
    train(experiment, 30)
    experiment.frame(False)
    evaluate(experiment)
    session, layers = experiment.model.session, experiment.model.layers
    session.set(layers[0].variables["weights"], np.full_like(experiment.model.weights(layers[0]), np.nan))
    with pytest.raises(Diverged):
        train(experiment, 1)
    configure(experiment, hidden=[4, 3])
    assert np.isfinite(state(experiment)).all()
    train(experiment, 5)


def test_a_weight_can_be_set_and_one_that_is_not_there_is_refused(experiment: Any) -> None:
    configure(experiment, hidden=[4])
    command = Weight(seq=1, run=RUN, layer=1, source=0, target=2, value=0.75)
    experiment.edit(command)
    assert experiment.model.weights(experiment.model.layers[0])[0, 2] == 0.75
    wrongs: list[dict[str, int]] = [{"layer": 3}, {"target": 4}, {"source": 783, "layer": 2}]
    for wrong in wrongs:
        before = state(experiment)
        with pytest.raises(ProtocolError):
            experiment.edit(msgspec.structs.replace(command, **wrong))
        assert np.array_equal(state(experiment), before)


@pytest.mark.parametrize(
    ("kind", "said", "code"),
    [
        ("points", {"type": "weight", "layer": 10, "source": 0, "target": 0, "value": 1.0}, "no_such_layer"),
        ("digits", {"type": "weight", "layer": 1, "source": 784, "target": 0, "value": 1.0}, "no_such_weight"),
        ("digits", {"type": "weight", "layer": 1, "source": 0, "target": 512, "value": 1.0}, "no_such_weight"),
        ("points", {"type": "look", "layer": 10, "unit": 0}, "no_such_neuron"),
        ("points", {"type": "look", "layer": 1, "unit": 512}, "no_such_neuron"),
        ("digits", {"type": "look", "image": 10_000}, "no_such_image"),
    ],
)
def test_what_a_network_lacks_is_refused_by_its_experiment(
    kind: str, said: dict[str, Any], code: str, data_dir: Path
) -> None:
    wish = commands().decode({"seq": 1, "run": RUN, **said})
    command = commands().of(wish, kind)
    assert command.handle
    with pytest.raises(ProtocolError) as refused:
        command.handle(make(kind, data_dir), wish)
    assert refused.value.problem.code == code


def test_a_key_frame_is_asked_for_after_new_data_and_after_a_reset(data_dir: Path) -> None:
    points = make("points", data_dir)
    assert points.needs_key()
    points.frame(True)
    assert not points.needs_key()
    configure(points, noise=0.3)
    assert points.needs_key()
    points.frame(True)
    points.reset()
    assert points.needs_key()


@given(st.data())
@hypothesis_settings(max_examples=40, suppress_health_check=list(HealthCheck))
def test_any_settings_in_any_order_give_frames_that_fit(data: st.DataObject) -> None:
    points = PointsExperiment(PointsSettings())
    for _ in range(3):
        configure(points, **data.draw(point_settings))
        train(points, 2)
        found = frame(points, key=True)
        sizes = found["layers"].tolist()
        assert sizes == [len(points.settings.inputs), *units(points), 1]
        assert found["maps"].shape == (sum(sizes), 30, 30)
        assert found["weights"].size == sum(a * b for a, b in itertools.pairwise(sizes))
        assert found["biases"].size == sum(sizes[1:])
        assert found["plane"].shape == (100, 100)
        blob = pack(
            registry().codes, kind="points", run=RUN, sequence=1, command=1, step=points.step, epoch=points.epoch,
            parts=parts_of(points, True), key=True, playing=True,
        )  # fmt: skip
        assert np.array_equal(unpack(registry().codes, blob).parts["layers"], found["layers"])


point_settings = st.fixed_dictionaries(
    {},
    optional={
        "activation": st.sampled_from(["relu", "tanh", "sigmoid", "linear", "leaky_relu", "elu", "gelu", "softplus"]),
        "optimizer": st.sampled_from(["sgd", "momentum", "adam"]),
        "regularization": st.sampled_from(["none", "l1", "l2"]),
        "rate": st.floats(1e-5, 0.05),
        "hidden": st.lists(st.integers(1, 32), max_size=8),
        "inputs": st.lists(st.sampled_from(["x", "y", "x2", "y2", "xy", "sinx", "siny"]), min_size=1, unique=True),
        "data": st.sampled_from(["circle", "xor", "gauss", "spiral"]),
        "noise": st.floats(0, 0.5),
        "share": st.floats(0.1, 0.9),
        "batch": st.integers(1, 250),
        "data_seed": st.integers(0, 2**31 - 1),
        "weight_seed": st.integers(0, 2**31 - 1),
    },
)


def test_the_plane_shows_the_neuron_that_is_looked_at_and_forgets_one_that_is_gone(data_dir: Path) -> None:
    points = make("points", data_dir, hidden=[4, 3])
    points.look(Look(seq=1, run=RUN, layer=2, unit=1))
    assert frame(points)["look"].tolist() == [2, 1]
    with pytest.raises(ProtocolError):
        points.look(Look(seq=2, run=RUN, layer=2, unit=3))
    configure(points, hidden=[4])
    assert frame(points)["look"].tolist() == [2, 0]


def test_the_circle_is_learned(data_dir: Path) -> None:
    points = make("points", data_dir)
    train(points, 100 * points.steps_per_epoch)
    points.measure()
    assert points.metrics[3] >= 0.97


def test_softmax_regression_reads_nine_of_ten_digits(data_dir: Path) -> None:
    digits = make("digits", data_dir)
    train(digits, 2 * digits.steps_per_epoch)
    evaluate(digits)
    assert digits.metrics[3] >= 0.91
    assert digits.metrics.shape == (4,)
    assert int(frame(digits)["confusion"].sum()) == 10_000


def test_the_gallery_shows_mistakes_and_a_drawing_becomes_the_subject(data_dir: Path) -> None:
    digits = make("digits", data_dir)
    train(digits, 200)
    evaluate(digits)
    configure(digits, gallery="mistakes")
    found = frame(digits, key=True)
    predicted = found["gallery_probs"].argmax(axis=1)
    assert len(predicted) == 40
    assert (predicted != found["labels"]).all()
    drawing = np.zeros(784, np.uint8)
    drawing[300:310] = 255
    digits.draw(Drawing(seq=1, run=RUN, pixels=drawing.tobytes()))
    found = frame(digits)
    assert np.array_equal(found["subject"].ravel(), drawing)
    assert math.isclose(found["activations"].sum(), 1.0, rel_tol=1e-5)
    digits.look(Look(seq=2, run=RUN, image=9_999))
    assert not np.array_equal(frame(digits)["subject"].ravel(), drawing)


def test_mistakes_before_the_first_evaluation_are_none(data_dir: Path) -> None:
    digits = make("digits", data_dir, gallery="mistakes")
    found = frame(digits, key=True)
    assert found["gallery_images"].shape == (0, 28, 28)
    assert found["gallery_probs"].shape == (0, 10)


def test_all_test_images_are_evaluated_at_one_moment(data_dir: Path) -> None:
    digits = make("digits", data_dir)
    train(digits, 100)
    assert digits.background(time.perf_counter())  # one slice only
    first = digits._evaluation
    train(digits, 100)
    while digits._evaluation is first:
        digits.background(time.perf_counter() + 60)
    assert first is not None
    assert first.step == 100
    scored = digits.metrics[3]
    digits.reset()
    train(digits, 100)
    evaluate(digits)
    assert digits.metrics[3] == scored
