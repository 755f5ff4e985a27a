"""Random numbers whose state is a variable: reproducible, restored, different at each step; and dropout."""

from __future__ import annotations

import numpy as np
import pytest

import engine as en
from engine.ops import dropout, next_state, random_normal, random_state, random_uniform

MANY = (200, 500)


def drawing(op=random_uniform, dtype="float32"):
    with en.Graph() as graph:
        like = en.placeholder((None, None), dtype)
        numbers = op(next_state(random_state("dice")), like)
    return graph, numbers, {like: np.zeros(MANY, dtype)}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_uniform_numbers_are_spread_evenly(dtype: str):
    graph, numbers, feeds = drawing(random_uniform, dtype)
    found = en.Session(graph, seed=3).run(numbers, feeds)
    assert 0 <= found.min() < 1e-3 and 1 - 1e-3 < found.max() < 1
    counts = np.histogram(found, 20, (0, 1))[0]
    assert ((counts - 5000) ** 2 / 5000).sum() < 45  # chi-square with 19 degrees: 0.999 lie below 43.8
    assert abs(np.corrcoef(found[:, :-1].ravel(), found[:, 1:].ravel())[0, 1]) < 0.01


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_normal_numbers_have_the_moments_of_a_bell_curve(dtype: str):
    graph, numbers, feeds = drawing(random_normal, dtype)
    found = en.Session(graph, seed=3).run(numbers, feeds).astype("f8")
    assert found.mean() == pytest.approx(0, abs=0.01)
    assert found.std() == pytest.approx(1, abs=0.01)
    assert (found**3).mean() == pytest.approx(0, abs=0.05)
    assert (found**4).mean() == pytest.approx(3, abs=0.1)


def test_each_step_draws_other_numbers_and_a_seed_the_same_ones():
    graph, numbers, feeds = drawing()
    one, same, other = (en.Session(graph, seed=seed) for seed in (1, 1, 2))
    first, second = one.run(numbers, feeds), one.run(numbers, feeds)
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.01
    np.testing.assert_array_equal([same.run(numbers, feeds) for _ in range(2)], [first, second])
    assert abs(np.corrcoef(first.ravel(), other.run(numbers, feeds).ravel())[0, 1]) < 0.01


def test_a_session_s_state_restores_its_random_numbers():
    graph, numbers, feeds = drawing()
    session = en.Session(graph, seed=1)
    session.run(numbers, feeds)
    state = session.state()
    wanted = [session.run(numbers, feeds) for _ in range(2)]
    session.load_state(state)
    np.testing.assert_array_equal([session.run(numbers, feeds) for _ in range(2)], wanted)


def test_it_draws_on_when_the_steps_have_no_number_left(options):
    """After 2^31 - 1 steps they are counted from -2^31 on: no numbers come twice before 2^32 steps."""
    with en.Graph() as graph:
        state = random_state("dice")
        numbers = random_uniform(next_state(state), en.constant(np.zeros(1000, "f4")))
    session = en.Session(graph, **options)
    key, _ = session.get(state)
    session.set(state, [key, 2**31 - 3])
    found = [session.run(numbers) for _ in range(4)]
    assert session.get(state).tolist() == [key, -(2**31) + 1]
    assert np.abs(np.corrcoef(found) - np.eye(4)).max() < 0.15
    session.set(state, [key, -(2**31)])
    np.testing.assert_array_equal(session.run(numbers), found[3])
    session.set(state, [key, 2**31 - 1])
    np.testing.assert_array_equal(session.run(numbers), found[2])


def test_states_of_different_names_draw_different_numbers():
    with en.Graph() as graph:
        like = en.constant(np.zeros(1000, "f4"))
        a, b = (random_uniform(next_state(random_state(name)), like) for name in "ab")
    a, b = en.Session(graph).run([a, b])
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.1


def dropped(rate: float = 0.25, **fixed):
    with en.Graph() as graph:
        x = en.placeholder((None, 100), name="x")
        train = fixed.get("train")
        if train is None:
            train = en.placeholder((), "bool", name="train")
        y = dropout(x, rate, train, random_state())
    return graph, x, train, y


def test_dropout_zeroes_a_share_and_makes_up_for_it():
    graph, x, train, y = dropped()
    found = en.Session(graph).run(y, {x: np.ones((500, 100), "f4"), train: True})
    assert set(np.unique(found)) == {0, np.float32(1 / 0.75)}
    assert (found == 0).mean() == pytest.approx(0.25, abs=0.01)
    assert found.mean() == pytest.approx(1, abs=0.01)


def test_dropout_leaves_evaluation_alone_and_its_state_too():
    graph, x, train, y = dropped()
    session, value = en.Session(graph), np.random.default_rng(0).normal(size=(3, 100)).astype("f4")
    session.run(y, {x: value, train: True})
    state = session.state()["int32"]
    np.testing.assert_array_equal(session.run(y, {x: value, train: False}), value)
    np.testing.assert_array_equal(session.state()["int32"], state)
    assert dropped(train=False)[3].op.name == "placeholder"
    assert dropped(rate=0.0)[3].op.name == "placeholder"


@pytest.mark.parametrize("fixed", [{}, {"train": True}])
def test_the_gradient_of_dropout_is_its_mask(fixed):
    graph, x, train, y = dropped(**fixed)
    slope = en.gradients(y, [x])[0]
    feeds = {x: np.ones((5, 100), "f4"), **({} if fixed else {train: True})}
    out, mask = en.Session(graph).run([y, slope], feeds)
    np.testing.assert_array_equal(out, mask)
    assert 0 < (mask == 0).sum() < mask.size


def test_a_rate_that_leaves_nothing_is_refused():
    with pytest.raises(en.EngineError, match=r"rate of dropout .* got 1"):
        dropped(rate=1)


def test_a_state_of_another_kind_is_refused():
    with en.Graph():
        x = en.placeholder((3,))
        with pytest.raises(en.DtypeError, match="random_state"):
            random_uniform(x, x)
        with pytest.raises(en.ShapeError, match="two numbers"):
            random_uniform(en.constant([1, 2, 3]), x)


def test_numbers_are_new_in_each_run_as_the_error_tells(options):
    with en.Graph() as graph:
        with pytest.raises(en.EngineError) as caught:
            random_normal((2, 3))
        advised = str(caught.value).split("if it moves on: ")[1].rsplit(" (", 1)[0]
        numbers = eval(advised, {**vars(en), **vars(en.ops), "np": np})
    session = en.Session(graph, **options)
    assert numbers.shape == (2, 3)
    assert not np.array_equal(session.run(numbers), session.run(numbers))
