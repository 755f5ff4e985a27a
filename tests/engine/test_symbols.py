"""Which names compiled code takes from elsewhere, whatever the system that it is compiled for."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

from engine.errors import EngineError
from engine.native import machine, problem
from engine.native.symbols import needed, refuse_unknown

pytestmark = pytest.mark.skipif(problem() is not None, reason=str(problem()))

SYSTEMS = ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu", "x86_64-pc-windows-msvc", "arm64-apple-macosx11"]
CALLS = """
declare float @__svml_cosf8_of_a_long_name(float)
declare float @strange(float)
declare float @llvm.log.f32(float)
define internal float @inside(float %x) noinline {
  %found = fmul float %x, %x
  ret float %found
}
define float @there(float %x) {
  %a = call float @__svml_cosf8_of_a_long_name(float %x)
  %b = call float @strange(float %a)
  %c = call float @llvm.log.f32(float %b)
  %d = call float @inside(float %c)
  ret float %d
}
"""


@pytest.fixture(scope="module")
def llvm() -> Any:
    found = importlib.import_module("llvmlite.binding")
    found.initialize_all_targets()
    found.initialize_all_asmprinters()
    return found


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_name_is_needed_if_it_is_called_and_not_defined(llvm: Any, system: str) -> None:
    target = llvm.Target.from_triple(system).create_target_machine()
    code = target.emit_object(llvm.parse_assembly(f'target triple = "{system}"\n{CALLS}'))
    found = {name.removeprefix("_") if "apple" in system else name for name in needed(code)}
    assert found - {"_fltused"} == {"__svml_cosf8_of_a_long_name", "strange", "logf"}
    with pytest.raises(EngineError, match=r"calls of _+svml_cosf8_of_a_long_name, _?strange, which only this process"):
        refuse_unknown(code)


def test_the_machine_needs_the_c_library_s_functions_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    frontend, vectors = (importlib.import_module(f"engine.native.{each}") for each in ("frontend", "vectors"))
    strange = vectors.emitted(vectors.parsed(CALLS))
    monkeypatch.setattr(frontend, "code", lambda: strange)
    monkeypatch.setattr(vectors, "compiled", lambda *_: strange)
    for make in (machine._kernel_code, lambda: machine._vector_code({})):
        with pytest.raises(EngineError, match="icc_rt"):
            make()
