"""The digits of the lessons: images as float32 rows of 784 numbers from 0 to 1, labels as int32."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

ARCHIVE = Path(__file__).parents[1] / "engine" / "datasets" / "mnist.npz"


class Part(NamedTuple):
    """Images (n, 784) and the digits they show (n,)."""

    images: np.ndarray
    labels: np.ndarray


def load() -> tuple[Part, Part]:
    """60,000 digits to learn from, and 10,000 to be tested on.  Raises OSError if the archive isn't there."""
    with np.load(ARCHIVE) as archive:
        return _part(archive, "train"), _part(archive, "test")


def _part(archive: np.lib.npyio.NpzFile, name: str) -> Part:
    images = archive[f"x_{name}"].reshape(-1, 784).astype(np.float32)
    images /= 255
    return Part(images, archive[f"y_{name}"].astype(np.int32))
