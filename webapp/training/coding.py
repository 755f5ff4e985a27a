"""How real numbers travel as bytes."""

from __future__ import annotations

import numpy as np


def quantize(values: np.ndarray, scale: np.ndarray | float) -> np.ndarray:
    """-scale..scale as uint8 0..255 (127.5 is 0), clipped; what isn't a number becomes 0."""
    with np.errstate(all="ignore"):
        coded = np.clip(values / scale, -1.0, 1.0) * 127.5 + 128.0
        return np.clip(np.nan_to_num(coded, nan=128.0), 0, 255).astype(np.uint8)
