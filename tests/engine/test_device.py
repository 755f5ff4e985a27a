"""Choosing a device, and everything that is special on a GPU, with a stand-in for CuPy where there is none."""

from __future__ import annotations

import subprocess
import types

import numpy as np
import pytest

import engine as en
from engine.devices import CPU, choose, find_device, gpu_problem
from engine.executors.cuda import CudaProgram
from tests.engine.fake_cupy import FakeArray


def lesson() -> tuple[en.Graph, dict[str, en.Tensor]]:
    with en.Graph() as graph:
        rows, target = en.placeholder((None,), "int32", name="rows"), en.placeholder((None, 1), name="target")
        table = en.constant(np.random.default_rng(0).normal(size=(50, 3)).astype("f4"), name="table")
        hidden = en.layers.Dense(4, "tanh", "hidden")(en.ops.gather(table, rows))
        y = en.layers.Dense(1, "sigmoid", "output")(hidden)
        loss = en.losses.mean_squared_error(y, target)
        train = en.optim.Adam(0.1).minimize(loss)
    return graph, {"rows": rows, "target": target, "y": y, "loss": loss, "train": train}


FEEDS = {"rows": np.array([1, 4, 9], "int32"), "target": np.array([[0.0], [1.0], [0.5]], "f4")}


def trained(where: str) -> tuple[en.Session, np.ndarray, np.ndarray]:
    graph, parts = lesson()
    session = en.Session(graph, seed=1, device=where)
    for _ in range(5):
        session.run(parts["train"], {parts[name]: value for name, value in FEEDS.items()})
    return session, session.run(parts["y"], {parts["rows"]: FEEDS["rows"]}), session.state()["float32"]


def test_the_cpu_is_always_there(nothing):
    assert (choose("auto"), choose("cpu"), choose("cpu:0")) == ("cpu:0",) * 3
    assert find_device("cpu:0") is CPU
    assert CPU.label == "CPU · NumPy"
    CPU.synchronize()


def test_without_cupy_a_gpu_is_refused_with_the_way_to_it(nothing):
    for ask in (lambda: choose("gpu"), lambda: find_device("gpu:0"), lambda: en.Session(en.Graph(), device="gpu:0")):
        with pytest.raises(en.DeviceError, match=r"gpu:0 can't be used: CuPy isn't installed; `pip install"):
            ask()


@pytest.mark.parametrize("wrong", ["tpu", "cpu:1", "gpu:", "gpu:x", ""])
def test_names_that_no_device_has(wrong):
    with pytest.raises(en.DeviceError, match="isn't known; cpu:0 and gpu:0 are"):
        find_device(wrong)


@pytest.mark.parametrize(
    ("tried", "text"),
    [
        (types.SimpleNamespace(returncode=1, stderr="Traceback\nCUDARuntimeError: no device\n"), "no device"),
        (types.SimpleNamespace(returncode=-11, stderr=""), "the probe ended with code -11"),
    ],
    ids=["an error", "a crash"],
)
def test_a_driver_that_fails_is_told_and_auto_takes_the_cpu(fake, monkeypatch, tried, text):
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: tried)
    assert choose("auto") == "cpu:0"
    with pytest.raises(en.DeviceError, match=f"CuPy is installed, but no GPU can be used: .*{text}"):
        choose("gpu")


def test_a_driver_that_hangs_is_given_up(fake, monkeypatch):
    def hang(*_, **options):
        raise subprocess.TimeoutExpired("python", options["timeout"])

    monkeypatch.setattr(subprocess, "run", hang)
    assert "didn't answer" in str(gpu_problem())


def test_a_gpu_is_chosen_where_there_is_one(fake):
    assert (choose("auto"), choose("gpu"), choose("gpu:1"), choose("cpu")) == ("gpu:0", "gpu:0", "gpu:1", "cpu:0")
    assert find_device("gpu:1").label == "GPU · CuPy"
    with pytest.raises(en.DeviceError, match="gpu:2 doesn't exist: this machine has 2"):
        find_device("gpu:2")
    find_device("gpu:1")
    assert fake.used[-1] == 1


def test_training_on_the_stand_in_is_training_on_the_cpu(fake):
    session, y, state = trained("gpu:0")
    _, cpu_y, cpu_state = trained("cpu:0")
    np.testing.assert_allclose(state, cpu_state, rtol=1e-5)
    np.testing.assert_allclose(y, cpu_y, rtol=1e-5)
    weights = session.graph.variables[0]
    assert {type(each) for each in (y, state, session.get(weights), session.run(weights))} == {np.ndarray}


def test_every_array_of_a_program_is_the_device_s(fake):
    graph, parts = lesson()
    session = en.Session(graph, device="gpu:0")
    program = session.bind(parts["train"], {parts["rows"]: (3,), parts["target"]: (3, 1)})
    assert isinstance(program, CudaProgram)
    arrays = [each for each in program.arrays.values() if each is not None]
    assert all(isinstance(each, FakeArray) for each in arrays)


def test_a_constant_is_sent_once_however_many_programs_read_it(fake):
    graph, parts = lesson()
    session = en.Session(graph, device="gpu:0")
    for batch in (1, 2, 3):
        session.bind(parts["y"], {parts["rows"]: (batch,)})
    assert fake.sent.count(50 * 3 * 4) == 1


def test_training_in_a_program_sends_and_fetches_nothing(fake):
    graph, parts = lesson()
    session = en.Session(graph, device="gpu:0")
    program = session.bind(parts["train"], {parts["rows"]: (3,), parts["target"]: (3, 1)})
    for name, value in FEEDS.items():
        program.feeds[parts[name]][...] = session.device.send(value)
    before = len(fake.sent), len(fake.fetched)
    program.run(10)
    assert (len(fake.sent), len(fake.fetched)) == before
    session.device.synchronize()
    assert fake.waited == 1


def test_state_and_reset_on_a_device(fake):
    session, _, state = trained("gpu:0")
    session.reset()
    first = session.state()["float32"]
    assert not np.array_equal(first, state)
    session.load_state({"float32": state})
    np.testing.assert_array_equal(session.state()["float32"], state)
    data = en.checkpoint.dumps(session)
    session.reset()
    en.checkpoint.loads(session, data)
    np.testing.assert_array_equal(session.state()["float32"], state)


@pytest.mark.skipif(gpu_problem() is not None, reason=gpu_problem() or "")
def test_training_on_a_gpu_is_training_on_the_cpu():
    _, y, state = trained("gpu:0")
    _, cpu_y, cpu_state = trained("cpu:0")
    np.testing.assert_allclose(state, cpu_state, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(y, cpu_y, rtol=1e-3)


def test_a_fetched_array_is_a_copy():
    array = np.arange(3.0)
    fetched = CPU.fetch(array)
    fetched[:] = 9
    assert array.tolist() == [0, 1, 2]
    assert CPU.send(array) is array
