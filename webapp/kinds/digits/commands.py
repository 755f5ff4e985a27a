"""What only the digits page says."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from webapp.contract.commands import Command, RunWish


class Drawing(RunWish, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="draw"):
    """A drawn digit: 28x28 grey values (0 paper, 255 ink), row by row, in base64; empty to clear."""

    pixels: Annotated[bytes, Meta(max_length=784)]

    def __post_init__(self) -> None:
        if len(self.pixels) not in (0, 784):
            raise ValueError("784 pixels (28x28) or none are expected")


draw = Command(
    struct=Drawing,
    role="student",
    cost="look",
    merge="newest",
    moves=True,
    handle=lambda experiment, wish: experiment.draw(wish),
)
