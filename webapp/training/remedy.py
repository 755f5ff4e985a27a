"""What let a run diverge, and the settings with which it trains on.

Needs the settings alone, so that the worker, which tells the pages, and the web process, which
keeps the settings, come to the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

import msgspec

from webapp.contract.settings import Rate, Settings

LEAST_RATE: float = get_args(Rate)[1].ge
# A step of gradient descent multiplies each weight by 1 - rate * strength of L2: beyond -1 it grows for ever.
OVERSHOOT = 2.0
GENTLE = 0.1  # rate * strength that is offered instead


@dataclass(frozen=True)
class Remedy:
    """``cause``, "rate" or "regularization", and the ``settings`` that help."""

    cause: str
    settings: Settings

    @property
    def values(self) -> dict[str, Any]:
        """For the page's sentence: the cause, and the strength of the regularisation that would hold."""
        return {"cause": self.cause, "regularization_rate": self.settings.regularization_rate}


def remedy(settings: Settings) -> Remedy:
    """A weaker regularisation if it alone drives the weights apart, else a tenth of the rate, down to the least."""
    if settings.regularization == "l2" and settings.rate * settings.regularization_rate > OVERSHOOT:
        strength = float(f"{GENTLE / settings.rate:.1g}")
        return Remedy("regularization", msgspec.structs.replace(settings, regularization_rate=strength))
    tenth = float(f"{settings.rate / 10:.6g}")  # 0.07, not 0.06999999999999999
    return Remedy("rate", msgspec.structs.replace(settings, rate=max(LEAST_RATE, tenth)))
