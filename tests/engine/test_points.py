"""The sets of points: the same again for the same seed, half and half, inside the plane."""

from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.datasets.points import EDGE, SETS, Points, generate, split
from webapp.kinds.points.settings import PointsData

names = st.sampled_from(sorted(SETS))
counts = st.integers(2, 600)
noises = st.floats(0.0, 0.5)
seeds = st.integers(0, 2**31 - 1)


@given(names, counts, noises, seeds)
def test_every_set_is_balanced_finite_and_inside_the_plane(name: str, count: int, noise: float, seed: int) -> None:
    points = generate(name, count, noise, seed)
    assert points.xy.shape == (count, 2)
    assert points.xy.dtype == np.float32
    assert points.labels.dtype == np.int8
    assert np.isfinite(points.xy).all()
    assert np.abs(points.xy).max() <= EDGE
    assert (points.labels == 1).sum() == count // 2
    assert (points.labels == -1).sum() == count - count // 2


@given(names, counts, noises, seeds)
def test_the_same_arguments_give_the_same_points(name: str, count: int, noise: float, seed: int) -> None:
    first, second = (generate(name, count, noise, seed) for _ in range(2))
    np.testing.assert_array_equal(first.xy, second.xy)
    np.testing.assert_array_equal(first.labels, second.labels)


def test_the_page_offers_every_set() -> None:
    assert set(get_args(PointsData)) == set(SETS)


def test_another_seed_gives_other_points() -> None:
    assert not np.array_equal(generate("gauss", seed=1).xy, generate("gauss", seed=2).xy)


def test_points_come_in_a_mixed_order() -> None:
    labels = generate("circle").labels
    assert 150 < (np.diff(labels) != 0).sum() < 350  # one change would mean: sorted by class


def test_circle_without_noise_is_a_disc_in_a_ring() -> None:
    points = generate("circle", noise=0.0)
    radius = np.hypot(*points.xy.T)
    assert radius[points.labels == 1].max() <= 2.5 + 1e-6
    assert radius[points.labels == -1].min() >= 3.5 - 1e-6
    assert radius.max() <= 5.0 + 1e-6


def test_xor_without_noise_is_the_sign_of_the_product_beside_a_gap() -> None:
    points = generate("xor", noise=0.0)
    np.testing.assert_array_equal(np.sign(points.xy.prod(axis=1)), points.labels)
    assert np.abs(points.xy).min() >= 0.3 - 1e-6
    assert np.abs(points.xy).max() <= 5.0


def test_gauss_clouds_lie_where_they_should_and_widen_with_noise() -> None:
    calm, wild = (generate("gauss", 5000, noise, 3) for noise in (0.0, 0.5))
    for label in (1, -1):
        cloud = calm.xy[calm.labels == label]
        np.testing.assert_allclose(cloud.mean(axis=0), 2.0 * label, atol=0.1)
        np.testing.assert_allclose(cloud.var(axis=0), 0.5, rtol=0.1)
    assert wild.xy[wild.labels == 1].var() > 4 * calm.xy[calm.labels == 1].var()


def test_spiral_arms_mirror_each_other_through_the_centre() -> None:
    points = generate("spiral", noise=0.0)
    arms = [points.xy[points.labels == label] for label in (1, -1)]
    arms = [arm[np.argsort(np.hypot(*arm.T))] for arm in arms]
    np.testing.assert_allclose(arms[0], -arms[1], atol=1e-5)
    assert np.hypot(*points.xy.T).max() == pytest.approx(5.0, abs=0.05)


@pytest.mark.parametrize("name", sorted(SETS))
def test_noise_blurs_the_border_between_the_classes(name: str) -> None:
    def strangers(noise: float) -> float:
        """The share of points whose nearest neighbour is of the other class."""
        points = generate(name, 500, noise, 1)
        distance = np.hypot(*(points.xy[:, None] - points.xy[None]).transpose(2, 0, 1))
        np.fill_diagonal(distance, np.inf)
        return float((points.labels[distance.argmin(axis=1)] != points.labels).mean())

    assert strangers(0.0) < 0.01
    assert strangers(0.5) > 0.04


@given(st.integers(2, 300), st.floats(0.0, 1.0), seeds)
def test_a_split_takes_each_point_once_and_leaves_no_side_empty(count: int, share: float, seed: int) -> None:
    points = Points(np.zeros((count, 2), np.float32), np.ones(count, np.int8))
    training, unseen = split(points, share, seed)
    assert len(training) >= 1
    assert len(unseen) >= 1
    assert abs(len(training) - share * count) <= 1
    np.testing.assert_array_equal(np.sort(np.concatenate([training, unseen])), np.arange(count))


def test_a_larger_share_adds_to_the_training_points() -> None:
    points = generate("xor")
    small, large = (set(split(points, share, 7)[0].tolist()) for share in (0.3, 0.6))
    assert small < large


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("moons",), "no set of points is called 'moons'; there are circle, xor"),
        (("circle", 1), "at least 2 points"),
        (("circle", 10, 0.6), "noise goes from 0 to 0.5; got 0.6"),
        ((["circle"],), r"no set of points is called \['circle'\]"),
        (("circle", "10"), "at least 2 points.* got count='10'"),
        (("circle", 2.5), "at least 2 points.* got count=2.5"),
        (("circle", 10, "a"), "noise goes from 0 to 0.5; got 'a'"),
        (("circle", 10, float("nan")), "noise goes from 0 to 0.5; got nan"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_a_sentence(arguments: tuple[Any, ...], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        generate(*arguments)


def test_what_cannot_be_split_is_refused_in_a_sentence() -> None:
    with pytest.raises(ValueError, match="share goes from 0 to 1"):
        split(generate("xor"), 1.5, 1)
    with pytest.raises(ValueError, match="1 point can't be split"):
        split(Points(np.zeros((1, 2), np.float32), np.ones(1, np.int8)), 0.5, 1)
