"""Layerlab's own engine on a GPU, with CuPy."""

from __future__ import annotations

from benchmarks.peers import layerlab

NAME = "Layerlab CuPy"


class Runner(layerlab.Runner):
    """As on the CPU; the batches lie on the GPU."""

    name = NAME
