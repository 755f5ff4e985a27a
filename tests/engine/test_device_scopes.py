"""`with device(...)`: where operations run, and the transfers that a plan puts between devices."""

from __future__ import annotations

import numpy as np
import pytest

import engine as en
from engine.executors import Program
from tests.engine.fake_cupy import FakeArray


def split_lesson(inner: str | None) -> tuple[en.Graph, dict[str, en.Tensor]]:
    """A network whose hidden layer is computed on a device of its own."""
    with en.Graph() as graph:
        x, target = en.placeholder((None, 3), name="x"), en.placeholder((None, 1), name="target")
        with en.device(inner):
            hidden = en.layers.Dense(4, "tanh", "hidden")(x)
        y = en.layers.Dense(1, "linear", "output")(hidden)
        loss = en.losses.mean_squared_error(y, target)
        train = en.optim.Adam(0.1, clip_norm=1.0).minimize(loss)
    return graph, {"x": x, "target": target, "hidden": hidden, "y": y, "loss": loss, "train": train}


def split_feeds(parts: dict[str, en.Tensor]) -> dict[en.Tensor, np.ndarray]:
    rng = np.random.default_rng(0)
    return {parts["x"]: rng.normal(size=(5, 3)).astype("f4"), parts["target"]: rng.normal(size=(5, 1)).astype("f4")}


def kinds(program: Program, name: str) -> set[bool]:
    """Whether the arrays of op ``name`` are the GPU's."""
    arrays = program.arrays.items()
    return {isinstance(array, FakeArray) for node, array in arrays if node.op.name == name and array is not None}


@pytest.mark.parametrize("home", ["cpu:0", "gpu:0"])
@pytest.mark.parametrize("poison", [False, True])
def test_a_network_on_two_devices_trains_as_on_one(fake, home, poison):
    def trained(inner: str | None, home: str, poison: bool) -> tuple[list[float], np.ndarray]:
        graph, parts = split_lesson(inner)
        session = en.Session(graph, seed=1, device=home, poison=poison)
        losses = [float(session.run([parts["loss"], parts["train"]], split_feeds(parts))[0]) for _ in range(5)]
        return losses, session.state()["float32"]

    losses, state = trained(None, "cpu:0", False)
    for inner in ("cpu:0", "gpu:0"):
        found, found_state = trained(inner, home, poison)
        np.testing.assert_allclose(found, losses, rtol=1e-6)
        np.testing.assert_allclose(found_state, state, rtol=1e-5)


def test_each_part_lies_where_its_scope_says_and_transfers_stand_between(fake):
    graph, parts = split_lesson("gpu:0")
    program = en.Session(graph).bind(parts["loss"], {each: v.shape for each, v in split_feeds(parts).items()})
    assert kinds(program, "tanh") == {True}
    assert kinds(program, "square") == {False}
    assert kinds(program, "variable") == kinds(program, "placeholder") == {False}
    moved = [node.tensor.name for node in program.plan.nodes if node.op.name == "transfer"]
    assert sorted(moved) == ["hidden/bias", "hidden/tanh", "hidden/weights", "x"]
    assert program.plan.arenas.keys() == {"", "gpu:0"}


def test_a_gradient_is_computed_where_its_operation_is(fake):
    graph, parts = split_lesson("gpu:0")
    slopes = en.gradients(parts["loss"], graph.variables[:2])
    program = en.Session(graph).bind(slopes, {each: v.shape for each, v in split_feeds(parts).items()})
    where = {(node.op.name, node.spec.shape): node.device for node in program.plan.nodes}
    assert where["matmul", (5, 4)] == ""  # what the output layer sends back
    assert where["tanh_slope", (5, 4)] == "gpu:0"
    assert where["matmul", (3, 4)] == "gpu:0"


def test_a_value_that_two_read_is_moved_once_and_constants_never(fake):
    with en.Graph() as graph:
        x, table = en.placeholder((3,), name="x"), en.constant(np.arange(3, dtype="f4"), name="table")
        with en.device("gpu:0"):
            y = (x + table) * (x - 2.0 * table)
    session = en.Session(graph)
    program = session.bind(y, {x: (3,)})
    assert [node.tensor.name for node in program.plan.nodes if node.op.name == "transfer"] == ["x", "mul_1"]
    assert session.run([y, x, table], {x: [1.0, 2.0, 3.0]})[0].tolist() == [1, 0, -5]


def test_a_scope_that_names_the_session_s_device_changes_nothing(fake):
    graph, parts = split_lesson("gpu:0")
    program = en.Session(graph, device="gpu:0").bind(
        parts["train"], {e: v.shape for e, v in split_feeds(parts).items()}
    )
    assert not [node for node in program.plan.nodes if node.op.name == "transfer"]
    assert program.plan.arenas.keys() == {""}


def test_assignments_from_another_device_and_windows_there(fake):
    with en.Graph() as graph:
        v = en.variable([[1.0, 2.0], [3.0, 4.0]], name="v")
        with en.device("gpu:0"):
            turned = en.ops.reshape(en.ops.transpose(v * 10.0), shape=(4,))
            new = en.ops.assign(v, v * 2.0)
    session = en.Session(graph, poison=True)
    found, changed, after = session.run([turned, new, v])
    assert found.tolist() == [10, 30, 20, 40]
    assert changed.tolist() == after.tolist() == [[2, 4], [6, 8]]


def test_scopes_nest_and_end():
    with en.Graph():
        with en.device("gpu:0"):
            with en.device("cpu:0"):
                inner = en.constant(1.0) * 2.0
            with en.device(None):
                own = en.constant(1.0) * 2.0
            outer = en.constant(1.0) * 2.0
        after = en.constant(1.0) * 2.0
    assert [each.device for each in (inner, own, outer, after)] == ["cpu:0", None, "gpu:0", None]


def test_a_device_that_isn_t_there_is_told_at_the_run_and_a_name_that_none_has_at_its_line(nothing):
    graph, parts = split_lesson("gpu:0")
    with pytest.raises(en.DeviceError, match="gpu:0 can't be used: CuPy isn't installed"):
        en.Session(graph).run(parts["hidden"], {parts["x"]: np.ones((1, 3), "f4")})
    with (
        graph,
        pytest.raises(en.DeviceError, match=r"'/gpu:0' isn't known; cpu:0 and gpu:0 are \(test_device"),
        en.device("/gpu:0"),
    ):
        pass
