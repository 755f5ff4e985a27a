"""A program's feeds: what is put there, with ``[...]`` or without, and what is there before."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import engine as en


class Doubled:
    """y = 2 x, bound for two rows."""

    def __init__(self, options: dict[str, Any]) -> None:
        with en.Graph() as graph:
            self.x = en.placeholder((None, 3), name="x")
            self.y = self.x * 2.0
        self.program = en.Session(graph, **options).bind(self.y, {self.x: (2, 3)})

    def run(self) -> Any:
        self.program.run()
        found: Any = self.program.fetch()[0]
        return found.tolist()


@pytest.fixture
def doubled(options: dict[str, Any]) -> Doubled:
    return Doubled(options)


BATCH = [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
TWICE = [[0.0, 2.0, 4.0], [6.0, 8.0, 10.0]]


@pytest.mark.parametrize(
    "batch", [BATCH, np.array(BATCH, "f4"), np.array(BATCH, ">f4")], ids=["list", "array", "turned"]
)
def test_a_batch_may_be_put_in_without_dots(doubled: Doubled, batch: Any):
    place = doubled.program.feeds[doubled.x]
    doubled.program.feeds[doubled.x] = batch
    assert doubled.run() == TWICE
    assert doubled.program.feeds[doubled.x] is place


def test_the_other_ways_of_putting_it_in_do_the_same(doubled: Doubled):
    doubled.program.feeds.update({doubled.x: BATCH})
    assert doubled.run() == TWICE
    doubled.program.feeds[doubled.x] *= 2.0
    assert doubled.run() == [[2 * each for each in row] for row in TWICE]
    doubled.program.feeds[doubled.x][...] = np.array(BATCH, "f4")
    assert doubled.run() == TWICE


@pytest.mark.parametrize(
    ("batch", "kind", "text"),
    [
        (np.zeros((4, 3), "f4"), en.ShapeError, r"x float32\(\?, 3\) .* shape \(2, 3\) in this program.* fed \(4, 3\)"),
        (np.zeros((2, 4), "f4"), en.ShapeError, r"x float32\(\?, 3\) .* fed shape \(2, 4\)"),
        (0.5, en.ShapeError, r"fed shape \(\)"),
        (np.zeros((2, 3)), en.DtypeError, "was fed float64.*astype"),
        ("digits", en.FeedError, "isn't a number"),
    ],
)
def test_a_batch_that_doesn_t_fit_is_refused_and_changes_nothing(doubled: Doubled, batch, kind, text):
    doubled.program.feeds[doubled.x] = BATCH
    with pytest.raises(kind, match=f"{text}.*test_filled_feeds.py"):
        doubled.program.feeds[doubled.x] = batch
    assert doubled.run() == TWICE


def test_what_isn_t_fed_here_can_t_be_put_in(doubled: Doubled):
    with pytest.raises(en.FeedError, match="isn't fed in this program, which is fed x"):
        doubled.program.feeds[doubled.y] = BATCH


def test_a_feed_that_nobody_has_filled_is_zero(options: dict[str, Any]):
    kept = [np.full((2, 3), np.nan, "f4") for _ in range(50)]
    del kept  # memory that the next arrays of this size are given
    assert Doubled(options).run() == [[0.0] * 3] * 2
