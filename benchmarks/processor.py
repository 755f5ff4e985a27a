"""What measures: the processor's name, its kind, what it can do, its caches."""

from __future__ import annotations

import platform
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
FEATURES = {  # that count for the engine and its peers, by LLVM's names
    "sse4.2": "SSE4.2", "avx2": "AVX2", "fma": "FMA", "avx512f": "AVX-512", "avx512bf16": "AVX-512 BF16",
    "avx512fp16": "AVX-512 FP16", "amx-tile": "AMX", "neon": "NEON", "sve": "SVE",
}  # fmt: skip


def kind() -> str:
    """The kind of processor as LLVM names it, e.g. "znver4"; without llvmlite a name made of the brand.

    The results of one kind are kept in one file.
    """
    try:
        import llvmlite.binding as llvm
    except ModuleNotFoundError:
        return re.sub(r"[^a-z0-9]+", "-", brand().lower()).strip("-")
    return str(llvm.get_host_cpu_name())


def brand() -> str:
    """What its maker calls it, e.g. "AMD EPYC 9554"."""
    if CPUINFO.exists():
        names = re.search(r"^model name\s*:\s*(.+)$", CPUINFO.read_text(encoding="utf-8"), re.MULTILINE)
        if names:
            return re.sub(r"\(R\)|\(TM\)", "", names[1]).strip()
    if platform.system() == "Darwin":
        asked = subprocess.run(["sysctl", "-n", "machdep.cpu.brand_string"], capture_output=True, text=True)
        return asked.stdout.strip() or platform.machine()
    return platform.processor() or platform.machine()


def features() -> list[str]:
    """Those of :data:`FEATURES` that it has; none are known without llvmlite."""
    try:
        import llvmlite.binding as llvm
    except ModuleNotFoundError:
        return []
    has: Mapping[str, bool] = llvm.get_host_cpu_features()
    return [name for feature, name in FEATURES.items() if has.get(feature)]


def caches() -> list[str]:
    """E.g. ["L1 48K", "L2 2048K"]: those for data, where the system tells (Linux)."""
    found = []
    for each in sorted(CACHES.glob("index*")):
        level, sort, size = ((each / name).read_text(encoding="ascii").strip() for name in ("level", "type", "size"))
        if sort != "Instruction":
            found.append(f"L{level} {size}")
    return found


def about() -> str:
    """All of it in a line."""
    return "; ".join([f"{brand()} ({kind()})", *(", ".join(each) for each in (features(), caches()) if each)])
