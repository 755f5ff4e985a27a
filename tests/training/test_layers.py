"""Settings of layers: what may stand where, what older versions said, and what of the weights survives a change."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

import msgspec
import numpy as np
import pytest
from msgspec import Meta

from webapp.contract.errors import ProtocolError
from webapp.kinds import registry
from webapp.kinds.points.experiment import PointsExperiment
from webapp.layers import KINDS, Layer, LayerError, layer
from webapp.layers.dense import Dense
from webapp.training.commands import Weight
from webapp.training.layers import overlap
from webapp.training.saved import Saved
from webapp.training.settings import NetworkSettings

POINTS = registry()["points"]


def refused(patch: dict[str, Any]) -> ProtocolError:
    with pytest.raises(ProtocolError) as caught:
        POINTS.settings_for(patch)
    return caught.value


@pytest.mark.parametrize("sizes", [[], [4], [32] * 8])
def test_hidden_is_the_older_name_of_dense_layers(sizes: list[int]) -> None:
    new = POINTS.settings_for({"layers": [{"type": "dense", "units": size} for size in sizes]})
    assert POINTS.settings_for({"hidden": sizes}) == new
    assert POINTS.settings_for({"hidden": sizes}, POINTS.settings_for({"hidden": [7]})) == new


def test_a_snapshot_of_an_older_version_opens() -> None:
    points = PointsExperiment(POINTS.settings_for({"hidden": [5, 2]}))
    points.train(1, 0.0)
    saved = msgspec.msgpack.decode(points.snapshot(), type=Saved)
    older = {name: value for name, value in saved.settings.items() if name != "layers"} | {"hidden": [5, 2]}
    other = PointsExperiment(POINTS.settings_for({}))
    other.restore(msgspec.msgpack.encode(msgspec.structs.replace(saved, settings=older)))
    assert other.step == 1
    other.configure(points.settings)
    weights = [each.model.weights(each.model.layers[0])[:, :4] for each in (points, other)]
    assert np.array_equal(weights[0], weights[1])


@pytest.mark.parametrize(
    ("patch", "where", "says"),
    [
        ({"hidden": [4, 99]}, "layers[1].units", "99 is too many; 1 to 32 work"),
        ({"hidden": [1] * 9}, "layers", "9 is too many; 0 to 8 work"),
        ({"hidden": "4-3"}, "layers", "Expected `array`"),
        ({"hidden": [0]}, "layers[0].units", ">= 1"),
        ({"hidden": [1, 2.5]}, "layers[1].units", "got `float`"),
        ({"hidden": [4], "layers": []}, "settings", "unknown field `hidden`"),
        ({"layers": [{"type": "lstm"}]}, "layers[0].type", "Invalid value 'lstm'"),
        ({"layers": [{"type": "dense", "wide": 4}]}, "layers[0]", "unknown field `wide`"),
        ({"layers": [4]}, "layers[0]", "got `int`"),
    ],
)
def test_a_refusal_names_the_layer_and_what_would_work(patch: dict[str, Any], where: str, says: str) -> None:
    problem = refused(patch).problem
    assert (problem.code, problem.values["where"]) == ("bad_value", where)
    assert says in problem.message


def test_a_layer_that_cant_follow_the_one_before_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS, "dense", replace(KINDS["dense"], takes="image"))
    assert refused({"hidden": [4]}).problem == msgspec.structs.replace(
        refused({"hidden": [4]}).problem, code="layer_unfit", values={"layer": 1}
    )
    monkeypatch.setitem(KINDS, "dense", replace(KINDS["dense"], takes="vector", gives="image"))
    assert refused({"hidden": [4, 4]}).problem.values == {"layer": 2}


def test_a_kind_with_layers_bounds_their_number() -> None:
    with pytest.raises(LayerError, match="limits"):
        NetworkSettings().check({})


def test_the_short_field_is_a_whole_number() -> None:
    with pytest.raises(LayerError, match="rate"):
        layer(Dense, takes="vector", gives="vector", words="layer.dense", short="rate")


def test_a_layer_is_known_by_its_module() -> None:
    assert [kind.tag for kind in KINDS.values()] == list(KINDS)
    assert all(issubclass(kind.struct, Layer) for kind in KINDS.values())


def numbers(*shape: int, first: int = 0) -> np.ndarray:
    return np.arange(first, first + np.prod(shape, dtype=int), dtype=np.float32).reshape(shape)


def test_units_and_inputs_that_stay_keep_their_numbers() -> None:
    first = {"weights": numbers(3, 4, first=100), "bias": numbers(4, first=100), "new": numbers(2)}
    trained = {"weights": numbers(2, 5), "bias": numbers(5), "old": numbers(1)}
    kept = overlap(first, trained, None)
    assert kept["weights"].tolist() == [[0, 1, 2, 3], [5, 6, 7, 8], [108, 109, 110, 111]]
    assert (kept["bias"].tolist(), kept["new"].tolist()) == ([0, 1, 2, 3], [0, 1])
    assert first["bias"][0] == 100, "what was given is left as it was"


def test_inputs_with_names_are_found_where_they_were() -> None:
    kept = overlap({"weights": numbers(2, 1, first=100)}, {"weights": numbers(3, 1)}, ([1], [2]))
    assert kept["weights"].tolist() == [[100], [2]]


def test_filters_of_another_size_start_anew() -> None:
    same = overlap({"filters": numbers(3, 3, 1, 2, first=100)}, {"filters": numbers(3, 3, 1, 1)}, None)["filters"]
    assert (same[..., 0].ravel().tolist(), same[0, 0, 0, 1]) == (list(range(9)), 101)
    other = overlap({"filters": numbers(5, 5, 1, 1, first=100)}, {"filters": numbers(3, 3, 1, 1)}, None)["filters"]
    assert other[0, 0, 0, 0] == 100


def test_a_single_number_is_kept() -> None:
    assert overlap({"size": numbers()}, {"size": numbers(first=7)}, None)["size"] == 7


def test_a_layer_needs_no_whole_number() -> None:
    class Noise(Layer, frozen=True, tag="noise"):
        rate: Annotated[float, Meta(ge=0.0, le=0.9)] = 0.5

    kind = layer(Noise, takes="vector", gives="vector", words="layer.noise")(lambda *_: None)  # type: ignore[arg-type]
    assert kind.describe({"units": 32})["short"] is None
    assert kind.sizes == {}


def test_a_weight_is_edited_only_where_it_has_a_source_and_a_target() -> None:
    points = PointsExperiment(POINTS.settings_for({}))
    layer = points.model.layers[0]
    points.model.layers[0] = replace(layer, variables={"weights": layer.variables["bias"]})
    with pytest.raises(ProtocolError) as caught:
        points.edit(Weight(run="r" * 22, seq=1, layer=1, source=0, target=0, value=1.0))
    assert caught.value.problem.code == "no_such_weight"
