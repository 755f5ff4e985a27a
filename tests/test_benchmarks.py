"""The benchmarks, as far as they need no other engine: the workloads, our own runner, the tables."""

from __future__ import annotations

import json
import math
import re
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import costs, processor, report, run, threads
from benchmarks.against import ROOT, Checkout
from benchmarks.costs import SIZES, small_cnn, toy
from benchmarks.measure import UnequalLoss, compare, take_turns
from benchmarks.peers import layerlab
from benchmarks.pieces import blas
from benchmarks.pieces import run as pieces
from benchmarks.pieces.catalogue import CATALOGUE, Product
from benchmarks.pieces.form import Form
from benchmarks.stream import Class
from benchmarks.workloads import BATCHES, EARLY, LATE, WORKLOADS, Dropout, Unsupported, Workload, dense

LIGHT = dense("light", (2, 3, 1), 4, "tanh", rate=0.1)
SHAPES = {
    "W1": [(2, 4), (4,), (4, 2), (2,), (2, 1), (1,)],
    "W3b": [(784, 512), (512,), (512, 512), (512,), (512, 10), (10,)],
    "W4": [(5, 5, 1, 32), (32,), (5, 5, 32, 64), (64,), (3136, 1024), (1024,), (1024, 10), (10,)],
    "W4b": [(3, 3, 1, 8), (8,), (3, 3, 8, 16), (16,), (784, 10), (10,)],
    "W5": [(156, 512), (512,), (128, 10), (10,)],
}


def named(name: str) -> Workload:
    return next(work for work in WORKLOADS if work.name == name)


@pytest.mark.parametrize("work", WORKLOADS, ids=lambda work: work.name)
def test_our_runner_trains_each_workload(work):
    runner = layerlab.Runner(work.without_dropout())
    x, y = (runner.xs[:1], runner.ys[:1])
    runner.xs, runner.ys = x, y  # the loss of the batch that it trains on
    before = runner.loss()
    runner.run(1)
    assert runner.loss() < before


@pytest.mark.parametrize("name", SHAPES)
def test_first_weights_have_the_shapes_of_the_layers(name):
    arrays = [array for pair in named(name).first_weights() for array in pair]
    assert [array.shape for array in arrays] == SHAPES[name]
    assert {array.dtype.name for array in arrays} == {"float32"}


def test_a_penalty_pulls_at_weights_alone():
    work = replace(LIGHT, rate=0.1, l2=1.0)
    with_it, without = layerlab.Runner(work), layerlab.Runner(replace(work, l2=0.0))
    first = [array for pair in work.first_weights() for array in pair]
    for runner in (with_it, without):
        runner.run(1)
    for variable, before in zip(with_it.session.graph.variables, first, strict=True):
        pulled = without.session.get(without.session.graph.tensors[variable.id]) - with_it.session.get(variable)
        wanted = 0.1 * before if before.ndim > 1 else 0 * before
        np.testing.assert_allclose(pulled, wanted, atol=1e-6)


def test_an_lstm_remembers_at_first():
    bias = named("W5").first_weights()[0][1].reshape(4, 128)
    assert (bias.min(axis=1) == [0, 1, 0, 0]).all()
    assert (bias.max(axis=1) == [0, 1, 0, 0]).all()


@pytest.mark.parametrize("work", WORKLOADS, ids=lambda work: work.name)
def test_batches_fit_the_network(work):
    x, y = work.data()
    assert x.shape == (BATCHES, work.batch, *work.input)
    assert y.shape == ((BATCHES, work.batch) if work.classes else (BATCHES, work.batch, 1))
    assert -1 <= x.min() < x.max() <= 1


def test_without_dropout_nothing_else_changes():
    work = named("W4")
    plain = work.without_dropout()
    assert [layer for layer in work.layers if layer not in plain.layers] == [Dropout(0.5)]
    assert plain.goals == work.goals
    assert len(plain.first_weights()) == len(work.first_weights())


def test_every_workload_has_its_goals():
    assert all(set(work.goals) == set(report.FORMS) for work in WORKLOADS)


class Peer:
    """A peer's module and runner in one, whose loss is given."""

    def __init__(self, name: str, loss: float, fails: str = "") -> None:
        self.NAME = self.name = name
        self.fails, self.value, self.steps = fails, loss, 0

    def Runner(self, work: Workload, device: str) -> Peer:
        if self.fails:
            raise Unsupported(self.fails)
        return self

    def run(self, steps: int) -> None:
        self.steps += steps
        sum(range(300 * steps))  # takes time that can be measured

    def loss(self) -> float:
        return self.value


def compared(*peers: Peer):
    return compare(peers, LIGHT, "cpu:0", 2, 1e-4)


def test_all_are_measured_who_arrive_at_our_loss():
    found = compared(Peer("ours", 0.5), Peer("alike", 0.5001))
    assert found.loss == 0.5
    assert list(found.speeds) == [EARLY]
    assert list(found.speeds[EARLY]) == ["ours", "alike"]
    assert all(len(rounds) == 2 and min(rounds) > 0 for rounds in found.speeds[EARLY].values())
    assert found.left_out == []


def test_some_workloads_are_measured_late_too():
    peers = Peer("ours", 0.5), Peer("alike", 0.5)
    found = compare(peers, replace(LIGHT, late=True), "cpu:0", 2, 1e-6)
    assert list(found.speeds) == [EARLY, LATE]
    assert all(peer.steps >= BATCHES + LATE for peer in peers)


@pytest.mark.parametrize(
    "peer, reason",
    [
        (Peer("it", 0.6), "after 20 steps its loss is 0.6, not 0.5"),
        (Peer("it", math.nan), "after 20 steps its loss is nan, not 0.5"),
        (Peer("it", 0.5, "it has no layers"), "it has no layers"),
    ],
)
def test_who_trains_something_else_is_left_out_with_the_reason(peer, reason):
    found = compared(Peer("ours", 0.5), peer, Peer("alike", 0.5))
    assert list(found.speeds[EARLY]) == ["ours", "alike"]
    assert found.left_out == [f"light without it: {reason}"]


def test_if_nobody_agrees_with_us_there_is_no_table():
    with pytest.raises(UnequalLoss, match=r"nobody but ours has a loss of 0\.5"):
        compared(Peer("ours", 0.5), Peer("it", 0.6))


def test_turns_are_whole_chunks():
    peer = Peer("ours", 0.5)
    take_turns([peer], 100, rounds=3, seconds=1e-4)
    assert peer.steps % 100 == 0
    assert peer.steps >= 500  # one to warm up, one to measure, three rounds


NAMES = ["ours", "PyTorch eager", "PyTorch compiled", "JAX lax.scan"]


def test_a_row_of_speeds_has_medians_and_dashes():
    speeds = {"ours": [3000.0, 1000.0, 2000.0], "PyTorch eager": [1.25, 1.5, 50.0]}
    row = report.speed_row(NAMES, LIGHT.title, 0.123456, speeds)
    assert row == ["light: 2-3-1 tanh, batch 4, sgd", "0.1235", "2,000", "1.50", "–", "–"]


@pytest.mark.parametrize(
    "wanted, told",
    [
        ({"PyTorch": 2.5, "JAX": 0.95}, "PyTorch compiled 2.00 ≥ 2.5 **missed**; else met"),
        ({"PyTorch": 2.5, "JAX": 1.1}, "PyTorch compiled 2.00 ≥ 2.5 **missed**; JAX lax.scan 1.00 ≥ 1.1 **missed**"),
        ({"PyTorch": 2.0, "JAX": 1.0}, "met"),
    ],
)
def test_a_row_of_ratios_says_which_goals_are_missed(wanted, told):
    speeds = {
        "ours": [10.0, 20.0],
        "PyTorch eager": [1.0, 2.0],
        "PyTorch compiled": [5.0, 10.0],
        "JAX lax.scan": [10.0, 20.0],
    }
    row = report.ratio_row(NAMES, "W2", wanted, speeds)
    assert row == ["W2", "10.0", "2.00", "1.00", told]


def test_a_goal_without_its_peer_is_not_judged():
    assert report.goals(named("W2").goals, {"ours": [1.0]}) == "–"


def test_a_ratio_compares_turns_of_one_round():
    speeds = {"ours": [10.0, 1.0, 10.0], "it": [5.0, 0.5, 5.0]}  # the second round was disturbed
    assert report.ratio(speeds, "ours", "it") == 2


def test_each_new_architecture_is_a_new_one():
    for make in (toy, small_cnn):
        shapes = [tuple(w.shape for w, _ in make(number).first_weights()) for number in range(6)]
        assert len(set(shapes)) == 6


def test_growth_goes_from_small_to_large():
    for sizes in SIZES.values():
        assert list(sizes) == sorted(sizes)
        assert all(layers[0] == 784 and layers[-1] == 10 for layers, _ in sizes.values())


def test_two_threads_should_gain_where_there_is_enough_to_share():
    speeds = {"one thread": [10.0, 10.0], "two threads": [15.0, 15.0]}
    assert threads.row("W4", speeds) == ["W4", "10.0", "15.0", "1.50", "1.7 **missed**"]
    assert threads.row("W1", speeds) == ["W1", "10.0", "15.0", "1.50", "0.97 met"]
    assert set(threads.GOALS) <= {work.name for work in WORKLOADS}


def test_limits_are_told_with_their_verdict():
    assert report.at_most(4.9, 5) == "4.90 ≤ 5 met"
    assert report.at_most(27.5, 25) == "27.5 ≤ 25 **missed**"
    assert set(costs.LIMITS) >= {f"first step of {network}, ms" for network in costs.NEW}


def test_the_processor_is_told():
    assert re.fullmatch(r"[\w.-]+", processor.kind())
    assert processor.about().startswith(f"{processor.brand()} ({processor.kind()})")


def test_results_go_by_the_kind_of_processor(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "RESULTS", tmp_path)
    monkeypatch.setitem(sys.modules, "benchmarks.plot", SimpleNamespace())
    told = run.Report(["a line"], {"about": {"processor": "Some CPU (kind); AVX2", "date": "2026-11-27"}})
    run.save(told, "kind")
    assert (tmp_path / "kind.md").read_text(encoding="utf-8").startswith("# Some CPU (kind), 2026-11-27\n\na line\n")
    assert json.loads((tmp_path / "kind.json").read_text(encoding="utf-8")) == told.raw


def test_pieces_have_names_of_their_own_and_inputs_of_their_shapes():
    names = [piece.name for piece in CATALOGUE]
    assert len(set(names)) == len(names)
    for piece in {type(each): each for each in CATALOGUE if each.flops < 1e8}.values():  # one of each kind
        assert [each.shape for each in piece.arrays()] == list(piece.shapes)
        assert {each.dtype.name for each in piece.arrays()} == {"float32"}
        assert piece.flops or piece.nbytes


class Engine:
    """An engine that multiplies as NumPy does, but for what is added."""

    def __init__(self, name: str, added: float) -> None:
        self.NAME, self._added = name, added

    def forms(self, piece: Product) -> dict[str, Form]:
        a, b = piece.arrays()
        return {"": Form(lambda times: sum(range(300 * times)), lambda: [a @ b + self._added])}


def test_pieces_are_measured_of_engines_that_agree():
    found = pieces.compare([Engine("ours", 0.0), blas, Engine("it", 1e-5)], Product(4, 5, 6), 3, 1e-4)
    assert list(found.times) == ["ours", "NumPy", "it"]
    assert all(len(rounds) == 3 for rounds in found.times.values())


def test_a_piece_that_a_peer_computes_otherwise_is_not_measured():
    with pytest.raises(pieces.UnequalResults, match="product 4x5x6: it: result 0 is off"):
        pieces.compare([Engine("ours", 0.0), Engine("it", 0.1)], Product(4, 5, 6), 1, 1e-4)


def test_a_turned_factor_gives_the_same_product():
    for turned in ("", "first", "second", "both"):
        piece = Product(4, 5, 6, turned)
        a, b = (each.T if turn else each for each, turn in zip(piece.arrays(), piece.turns, strict=True))
        form = blas.forms(piece)[""]
        form.run(1)
        np.testing.assert_allclose(form.results()[0], a @ b, rtol=1e-5)


def test_a_piece_is_judged_by_its_fastest_peer():
    product = Product(1000, 500, 1000)  # a thousand million operations
    times = {"ours": [0.02, 0.02], "slow": [0.04, 0.04], "quick": [0.018, 0.018]}
    row = pieces.Measured(product, times, [100e9, 100e9], ["a note"]).row()
    assert row[1:4] == ["20,000", "50.0 GF/s", "50%"]
    assert row[4:] == ["slow 40,000; quick 18,000", "0.90", "0.95 **missed**; a note"]


def test_large_products_are_judged_by_the_peak_too():
    times = {"ours": [0.04], "it": [0.04]}  # 54 GF/s of 100
    row = pieces.Measured(Product(1024, 1024, 1024), times, [100e9]).row()
    assert row[-1] == "0.95 met; 0.85 **missed** of the peak"


def test_a_class_of_pages_is_served(lab):
    host, port = lab.url.removeprefix("http://").split(":")
    pages = Class(host, int(port), "points")
    pages.add(2)
    pages.until(lambda: all(page.frames > 1 for page in pages.pages))
    pages.pages[0].ask()
    pages.until(lambda: len(pages.pages[0].latencies) == 1)
    for page in pages.pages:
        page.socket.close()


def test_two_checkouts_can_be_compared():
    here = Checkout(ROOT, "layerlab")
    assert [work.name for work in WORKLOADS] == here.ask("works")
    assert math.isfinite(here.ask("loss", "W1", seconds=0.01))
    assert here.ask("speed", "W1") > 0
    assert here.ask("first", "W1") > 0
    here.close()
