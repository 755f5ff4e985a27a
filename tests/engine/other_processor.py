"""Run by test_other_processors.py: the machine compiled for a lesser processor, against NumPy.

``python other_processor.py haswell FOLDER`` takes away what that processor doesn't have before anybody looks.
``neon``: nothing can run, but what an ARM processor would run is compiled.
"""

from __future__ import annotations

import sys
from pathlib import Path

import llvmlite.binding as llvm

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]  # as pytest has them

LACKS = {  # features that begin so
    "haswell": (
        "avx512",
        "avxvnni",
        "amx",
        "vaes",
        "vpclmul",
        "gfni",
        "sse4a",
        "clzero",
        "wbnoinvd",
        "rdpru",
        "mwaitx",
    ),
    "nehalem": ("avx", "amx", "fma", "f16c", "bmi", "vaes", "vpclmul", "gfni", "sse4a", "xsave", "lzcnt"),
}


def pretend(name: str) -> None:
    """From now on, LLVM (and so Numba) finds the processor ``name``."""
    real = llvm.get_host_cpu_features()
    held = type(real)()
    for feature, there in real.items():
        held[feature] = there and not feature.startswith(LACKS[name])
    llvm.get_host_cpu_name = lambda: name
    llvm.get_host_cpu_features = lambda: held


def compile_for_arm() -> None:
    """All vector code as an object file for a processor that isn't here; of it, the tiles as shipped: optimised."""
    features = type(llvm.get_host_cpu_features())()
    features["neon"] = True
    llvm.get_host_cpu_features = lambda: features
    llvm.get_default_triple = lambda: "aarch64-unknown-linux-gnu"
    from engine.native import lanes, machine
    from engine.native.symbols import refuse_unknown

    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    target = llvm.Target.from_triple(llvm.get_default_triple()).create_target_machine("cortex-a72", "+neon", opt=2)
    data = target.emit_object(llvm.parse_assembly(str(machine.vector_module(machine._names()))))
    assert data[:4] == b"\x7fELF"
    assert data[18] == 183  # of EM_AARCH64
    refuse_unknown(data)
    tiles = llvm.parse_assembly(str(machine.vector_module({each: each for each in machine.TILES})))
    builder = llvm.create_pass_builder(target, llvm.create_pipeline_tuning_options(speed_level=3))
    builder.getModulePassManager().run(tiles, builder)
    assert target.emit_assembly(tiles).count("\tfmla\t") > 1000  # they are vector code
    print(f"neon: vectors of {lanes.W}")


def main(name: str, folder: Path) -> None:
    pretend(name)
    from engine import native
    from engine.native.lanes import W
    from engine.op import REGISTRY
    from tests.engine import test_mathematics, test_native, test_native_graphs, test_vectors
    from tests.engine.precise import FUNCTIONS

    executor = native.load(folder)
    for function in FUNCTIONS:
        test_mathematics.test_functions_and_slopes_are_right_to_the_last_places((executor, "float32"), function)
    test_mathematics.test_powers_are_right_to_the_last_places((executor, "float32"))
    test_vectors.test_what_was_guarded_is_still_bounded()
    for op in sorted(REGISTRY):
        test_native.test_every_op_agrees(executor, op)
    for network in test_native_graphs.NETWORKS:
        test_native_graphs.test_networks_train_alike(executor, network)
    print(f"{name}: vectors of {W}")


if __name__ == "__main__":
    if sys.argv[1] == "neon":
        compile_for_arm()
    else:
        main(sys.argv[1], Path(sys.argv[2]))
