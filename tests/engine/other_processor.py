"""Run by test_other_processors.py: the machine compiled for a lesser processor, against NumPy.

``python other_processor.py haswell FOLDER`` takes away what that processor doesn't have before anybody looks.
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


def main(name: str, folder: Path) -> None:
    pretend(name)
    from engine import native
    from engine.native.lanes import W
    from engine.op import REGISTRY
    from tests.engine import test_native, test_native_graphs

    executor = native.load(folder)
    for op in sorted(REGISTRY):
        test_native.test_every_op_agrees(executor, op)
    for network in test_native_graphs.NETWORKS:
        test_native_graphs.test_networks_train_alike(executor, network)
    print(f"{name}: vectors of {W}")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
