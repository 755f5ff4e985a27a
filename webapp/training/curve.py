"""The loss over time, in bounded memory: the longer a run, the coarser its older points."""

from __future__ import annotations

import numpy as np

ROWS = 1000  # the most rows that are kept
COLUMNS = 5  # epoch, training loss, unseen loss, training accuracy, unseen accuracy


class Curve:
    """Rows (epoch, four metrics) in order of epoch, at most :data:`ROWS`."""

    def __init__(self) -> None:
        self._rows: list[tuple[float, ...]] = []
        self.gap = 0.0  # the least distance in epochs between two rows: the present resolution

    def add(self, epoch: float, metrics: np.ndarray) -> None:
        """Add a row, unless one lies closer than the present resolution."""
        if self._rows and epoch < self._rows[-1][0] + max(self.gap, 1e-9):
            return
        self._rows.append((epoch, *map(float, metrics)))
        if len(self._rows) > ROWS:
            self._rows = self._rows[::2]
            self.gap = 2 * (self._rows[-1][0] - self._rows[0][0]) / ROWS

    def clear(self) -> None:
        """Forget everything."""
        self._rows, self.gap = [], 0.0

    @property
    def array(self) -> np.ndarray:
        """float32 (rows, 5)."""
        return np.array(self._rows, np.float32).reshape(-1, COLUMNS)

    def tail(self, rows: int) -> np.ndarray:
        """The last ``rows`` rows: what a page may have missed since its last frame."""
        return np.array(self._rows[-rows:], np.float32).reshape(-1, COLUMNS)

    def load(self, array: np.ndarray, gap: float = 0.0) -> None:
        """Go back to an :attr:`array` and its :attr:`gap`."""
        self._rows = [tuple(row) for row in np.asarray(array, np.float64).tolist()]
        self.gap = gap
