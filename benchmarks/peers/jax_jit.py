"""JAX, one jitted step a call: how it is mostly used."""

from __future__ import annotations

import jax

from benchmarks.peers import jax_scan

NAME = "JAX jit"


class Runner(jax_scan.Runner):
    """Each step goes through the function for a single one."""

    name = NAME
    scans = False

    def run(self, steps: int) -> None:
        for _ in range(steps):
            self._state = self._single(self._state, self._data)
        jax.block_until_ready(self._state)
