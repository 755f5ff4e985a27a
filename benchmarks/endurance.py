"""``python -m benchmarks.endurance load FOLDER | runs | shapes``: one number, found in this process alone.

``load``: seconds until the native machine is there, from a cache folder (or compiled into it if it is empty).
``runs``, ``shapes``: MB by which the resident memory grows in a million runs, or in runs of 10,000 batch sizes.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

import engine as en
from benchmarks.memory import kilobytes

RUNS, SHAPES, WARM = 1_000_000, 10_000, 2_000


def load(folder: str) -> float:
    """Seconds, those of importing Numba too."""
    began = time.perf_counter()
    from engine import native

    native.load(Path(folder))
    return time.perf_counter() - began


def runs() -> float:
    """MB that a million runs of one program leave."""
    session, train, x, y = _toy()
    feeds = {x: np.zeros((10, 2), "f"), y: np.zeros((10, 1), "f")}
    for _ in range(WARM):
        session.run(train, feeds)
    before = kilobytes("VmRSS")
    for _ in range(RUNS):
        session.run(train, feeds)
    return (kilobytes("VmRSS") - before) * 1024 / 1e6


def shapes() -> float:
    """MB that batches of 10,000 sizes leave, beyond those of the first 2,000."""
    session, train, x, y = _toy()
    before = 0
    for at, size in enumerate(np.random.default_rng(1).permutation(SHAPES) + 1):
        session.run(train, {x: np.zeros((size, 2), "f"), y: np.zeros((size, 1), "f")})
        if at == WARM:
            before = kilobytes("VmRSS")
    return (kilobytes("VmRSS") - before) * 1024 / 1e6


def _toy() -> tuple[en.Session, en.Tensor, en.Tensor, en.Tensor]:
    """2-4-2-1 on the native machine: a session, what is run, and what is fed."""
    from benchmarks.peers.layerlab_native import executor

    with en.Graph() as graph:
        x, y = en.placeholder((None, 2), name="x"), en.placeholder((None, 1), name="y")
        flow = x
        for at, units in enumerate((4, 2, 1)):
            flow = en.layers.Dense(units, "tanh", f"dense{at}")(flow)
        train = en.optim.SGD(0.03).minimize(en.losses.half_squared_error(flow, y))
    return en.Session(graph, executor=executor()), train, x, y


if __name__ == "__main__":
    what, *given = sys.argv[1:]
    print({"load": load, "runs": runs, "shapes": shapes}[what](*given))
