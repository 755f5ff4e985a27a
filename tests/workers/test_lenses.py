"""What is computed for the pages' lenses, and what isn't."""

from __future__ import annotations

from tests.workers.bench import Bench
from webapp.workers.messages import FrameOut


def test_what_all_lenses_share_is_computed_once_and_each_open_lens_once():
    bench = Bench()
    experiment = bench.create()
    bench.want(lenses=frozenset({"network"}))
    bench.want(lenses=frozenset({"", "network"}))
    bench.go(0.1)
    (frame,) = bench.of(FrameOut)
    assert frame.blobs.keys() == {"", "network"}
    assert experiment.frames == 1 and experiment.calls.count("through network") == 1


def test_a_closed_lens_is_not_computed():
    bench = Bench()
    experiment = bench.create()
    bench.want(lenses=frozenset({"network"}))
    bench.go(0.1)
    bench.want(fresh=True)
    bench.go(0.1)
    assert [set(frame.blobs) for frame in bench.of(FrameOut)] == [{"network"}, {""}]
    assert experiment.calls.count("through network") == 1
