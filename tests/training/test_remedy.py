"""A run that diverged: what is kept as its last good point, and what helps it on."""

from __future__ import annotations

import random
import time
from typing import Any

import numpy as np
import pytest

from webapp.contract.settings import Settings
from webapp.kinds.points import kind as points_kind
from webapp.kinds.points.experiment import PointsExperiment
from webapp.training.experiment import Diverged
from webapp.training.remedy import LEAST_RATE, remedy

STEPS = 300
# Found by a soak of ten clients: the loss of a tanh output is bounded, so it stays small while the weights explode.
EXPLODING = {
    "activation": "relu", "optimizer": "sgd", "rate": 10.0, "regularization": "l2", "regularization_rate": 10.0,
}  # fmt: skip


def settings(**patch: Any) -> Settings:
    return points_kind.settings_for(patch)


def diverges(points: PointsExperiment, steps: int = STEPS) -> bool:
    try:
        while steps > 0:
            steps -= points.train(steps, time.perf_counter() + 60)
    except Diverged:
        return True
    return False


def largest(points: PointsExperiment) -> float:
    return float(max(np.abs(array).max() for array in points.model.session.state().values()))


@pytest.mark.parametrize("seed", range(8))
def test_weights_on_their_way_to_infinity_are_no_good_point(seed: int) -> None:
    points = PointsExperiment(settings(**EXPLODING, weight_seed=seed))
    points.measure()
    try:
        while True:
            points.train(1, 0.0)
            points.measure()
    except Diverged:
        assert not np.isfinite(largest(points))
    points.recover()
    assert largest(points) <= 100


def test_weights_that_are_too_large_are_not_kept_though_their_loss_is_the_best() -> None:
    points = PointsExperiment(settings(optimizer="sgd", rate=0.1))
    diverges(points, 20)
    points.measure()
    good = largest(points)
    weights = points.model.layers[-1].variables["weights"]
    points.model.session.set(weights, points.model.session.get(weights) * 1e6)
    points.record([0.0, 0.0, 1.0, 1.0])
    points.recover()
    assert largest(points) == good


def test_the_best_of_another_network_is_no_measure_for_this_one() -> None:
    points = PointsExperiment(settings())
    diverges(points)
    points.measure()
    changed = points_kind.settings_for({"noise": 0.5}, points.settings)
    points.configure(changed)
    points.recover()
    assert points.step == STEPS, "the mean loss of noisier points is larger, and yet this is where to go back to"


def test_regularisation_that_overshoots_is_named_and_made_weaker() -> None:
    found = remedy(settings(**EXPLODING))
    assert found.settings == settings(**EXPLODING | {"regularization_rate": 0.01})
    assert found.values == {"cause": "regularization", "regularization_rate": 0.01}


@pytest.mark.parametrize(
    ("wild", "rate"),
    [
        ({"rate": 0.7}, 0.07),
        ({"rate": 1e-5}, LEAST_RATE),
        ({"rate": 10.0, "regularization": "l1", "regularization_rate": 10.0}, 1.0),
        ({"rate": 0.2, "regularization": "l2", "regularization_rate": 10.0}, 0.02),
    ],
)
def test_else_a_tenth_of_the_rate_is_offered(wild: dict[str, Any], rate: float) -> None:
    found = remedy(settings(**wild))
    assert (found.cause, found.settings) == ("rate", settings(**wild | {"rate": rate}))


def any_settings(seed: int) -> dict[str, Any]:
    draw = random.Random(seed)
    inputs = ["x", "y", "x2", "y2", "xy", "sinx", "siny"]
    return {
        "activation": draw.choice(["relu", "tanh", "sigmoid", "linear", "leaky_relu", "elu", "gelu", "softplus"]),
        "optimizer": draw.choice(["sgd", "momentum", "adam"]),
        "rate": draw.choice([0.1, 0.3, 1.0, 3.0, 10.0]),
        "regularization": draw.choice(["none", "l1", "l2"]),
        "regularization_rate": draw.choice([0.001, 0.1, 1.0, 3.0, 10.0]),
        "data": draw.choice(["circle", "xor", "gauss", "spiral"]),
        "hidden": [draw.randint(1, 8) for _ in range(draw.randint(0, 4))],
        "inputs": draw.sample(inputs, draw.randint(1, len(inputs))),
        "batch": draw.choice([1, 10, 30]),
        "weight_seed": draw.randint(0, 1000),
    }


def test_after_the_remedy_39_of_40_divergences_train_on() -> None:
    helped: list[bool] = []
    seed = 0
    while len(helped) < 40:
        seed += 1
        points = PointsExperiment(settings(**any_settings(seed)))
        points.measure()
        if diverges(points):
            points.configure(remedy(points.settings).settings)
            points.recover()
            helped.append(not diverges(points))
    assert sum(helped) >= 39
