"""The native executor: plans as tables of instructions for a machine that is compiled once (needs Numba).

>>> from engine import native
>>> executor = native.load(folder)  # doctest: +SKIP
>>> session = en.Session(graph, executor=executor)  # doctest: +SKIP
"""

from __future__ import annotations

from pathlib import Path

from engine.errors import strict
from engine.native import machine
from engine.native.executor import Native, NativeProgram
from engine.native.machine import kept, problem

__all__ = ["Native", "NativeProgram", "kept", "load", "problem"]


@strict
def load(folder: Path | str, anew: bool = False) -> Native:
    """The executor, its machine from the cache in ``folder`` if it is there (half a second), else compiled now.

    What is damaged there is compiled anew; with ``anew``, everything.  Raises ImportError without Numba
    (:func:`problem` says so).
    """
    return Native(machine.load(folder, anew))
