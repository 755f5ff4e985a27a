"""Setting up: what `make run` installs, and what it says where it can't."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import prepare
import pytest


class Pip:
    """Notes what would be installed; fails where a package's name begins with one of ``missing``."""

    def __init__(self, *missing: str) -> None:
        self.missing = missing
        self.asked: list[list[str]] = []

    def run(self, command: list[Any], **_: Any) -> subprocess.CompletedProcess[str]:
        packages = [str(each) for each in command[command.index("constraints.txt") + 1 :]]
        self.asked.append(packages)
        return subprocess.CompletedProcess(command, int(any(each.startswith(self.missing) for each in packages)))


@pytest.fixture
def pip(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Pip:
    made = Pip(*request.param)
    monkeypatch.setattr(prepare, "VENV", tmp_path)
    monkeypatch.setattr(prepare, "_make_venv", lambda: None)
    monkeypatch.setattr(prepare, "_fingerprint", lambda: "as declared")
    monkeypatch.setattr(subprocess, "run", made.run)
    return made


@pytest.mark.parametrize("pip", [("nothing",)], indirect=True)
def test_running_installs_the_native_executor_too_and_only_once(pip: Pip, capsys: pytest.CaptureFixture[str]) -> None:
    prepare.python_packages("run")
    prepare.python_packages("run")
    assert len(pip.asked) == 2
    assert any(each.startswith("numba") for each in pip.asked[1])
    assert "NumPy" not in capsys.readouterr().out


@pytest.mark.parametrize("pip", [("numba",)], indirect=True)
def test_where_numba_is_not_to_be_had_one_line_says_so(pip: Pip, capsys: pytest.CaptureFixture[str]) -> None:
    prepare.python_packages("run")
    told = [line for line in capsys.readouterr().out.splitlines() if "training will run on NumPy" in line]
    assert len(told) == 1
    prepare.python_packages("run")
    assert len(pip.asked) == 2, "it asked again"


@pytest.mark.parametrize("pip", [("flask",)], indirect=True)
def test_what_is_needed_is_insisted_on(pip: Pip) -> None:
    with pytest.raises(prepare.SetupError):
        prepare.python_packages("run")
