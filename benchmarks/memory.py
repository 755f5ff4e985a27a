"""``python -m benchmarks.memory MODULE WORKLOAD``: how much memory a step takes, in MB, in this process.

Linux with glibc only: it reads the resident memory, and its peak since a mark, from /proc.
"""

from __future__ import annotations

import ctypes
import importlib
import sys
from pathlib import Path

from benchmarks.workloads import WORKLOADS


def main(module_name: str, name: str) -> None:
    """Print the peak of a step over what was there before the network was built."""
    works = {work.name: work for work in WORKLOADS}
    module = importlib.import_module(module_name)
    module.Runner(works["W1"]).run(1)  # the engine is up
    works[name].data()
    ctypes.CDLL(None).malloc_trim(0)  # what was freed goes back to the system, or the network would get it for nothing
    before = kilobytes("VmRSS")
    runner = module.Runner(works[name])
    runner.run(works[name].chunk)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak counts from here
    runner.run(works[name].chunk)
    print((kilobytes("VmHWM") - before) * 1024 / 1e6)


def kilobytes(what: str) -> int:
    """A line of /proc/self/status."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith(f"{what}:")).split()[1])


if __name__ == "__main__":
    main(*sys.argv[1:])
