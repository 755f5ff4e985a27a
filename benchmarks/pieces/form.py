"""A way to do a piece, ready to run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Form:
    """``run(n)`` does the piece n times; ``results`` are what the last time gave, in the engine's layout."""

    run: Callable[[int], object]
    results: Callable[[], Sequence[np.ndarray]]
    note: str = ""  # to be told beside the numbers


def calls(call: Callable[[], object]) -> Callable[[int], None]:
    """``run`` of what is called once each time."""

    def run(times: int) -> None:
        for _ in range(times):
            call()

    return run
