"""What the pages are told when something in a run failed."""

from __future__ import annotations

import pytest

from engine.datasets import mnist
from tests.workers.bench import A, Bench
from webapp.kinds.points.settings import PointsSettings
from webapp.workers.messages import Create


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_an_error_made_for_people_reaches_the_people_with_its_code_and_values(bench, monkeypatch, tmp_path):
    file = tmp_path / "file"
    file.write_text("not a folder")
    monkeypatch.setattr(bench.scheduler, "_make", lambda kind, settings: mnist.load(file))
    bench.receive(Create(run=A, kind="digits", settings=PointsSettings()))
    [notice] = bench.notices
    assert (notice.code, notice.values["code"]) == ("refused", "data_folder")
    assert notice.values["folder"] == str(file / "mnist")
    assert "--data-dir names another one" in notice.message
    assert not bench.statuses[-1].playing


def test_any_other_error_is_something_failed_with_a_number_that_is_in_the_log_too(bench, monkeypatch, caplog):
    monkeypatch.setattr(bench.scheduler, "_make", lambda kind, settings: open("/nowhere/at/all"))  # noqa: SIM115
    bench.receive(Create(run=A, kind="points", settings=PointsSettings()))
    [notice] = bench.notices
    assert notice.code == "internal_error"
    assert f"failure {notice.values['number']}" in caplog.text
    assert notice.values["number"] in notice.message and "/nowhere" not in notice.message
