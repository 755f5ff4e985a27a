"""The native machine on processors with shorter vectors than this one's."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from engine import native
from engine.native.lanes import W
from tests.running import MACHINE

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(native.problem() is not None, reason=str(native.problem()))
@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="pretends to be an older x86-64 processor")
@pytest.mark.timeout(400)  # it compiles a machine
@pytest.mark.parametrize(("name", "lanes"), [("haswell", 8), ("nehalem", 4), ("neon", 4)])
def test_shorter_vectors_give_the_same_results(name: str, lanes: int) -> None:
    if lanes == W and name != "neon":
        pytest.skip("this processor's own vectors are as long")
    command = [sys.executable, str(Path(__file__).with_name("other_processor.py")), name, str(MACHINE)]
    tried = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=None, check=False)
    assert tried.stdout.strip() == f"{name}: vectors of {lanes}", tried.stderr
