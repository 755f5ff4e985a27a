"""Write engine/native/expressions.txt: the element-wise expressions that training steps hold.

Networks with every activation, loss, optimiser and layer are lowered as a session would do it, and
what could be computed in one go is collected.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import engine as en
from engine.fuse import Region
from engine.native.expressions import CHAIN_FROM, LARGEST, accepts, joined, pieces, single
from engine.plan import make_plan
from engine.spec import Spec

FILE = Path(__file__).resolve().parent.parent / "engine" / "native" / "expressions.txt"
BATCH = 6
Loss = Callable[[en.Tensor, en.Tensor], en.Tensor]


LONGEST = 900  # letters of an expression that is worth having


@dataclass(frozen=True)
class Everything:
    """Takes whatever is one expression, known or not; several together from a number of elements on."""

    joins_from: int = CHAIN_FROM
    largest = LARGEST

    def __contains__(self, text: object) -> bool:
        return len(str(text)) <= LONGEST

    def accepts(self, region: Region) -> bool:
        return accepts(region, self)


def expressions_of(fetch: en.Tensor, fed: dict[en.Tensor, tuple[int, ...]]) -> set[str]:
    """What a run of ``fetch`` could compute in one go, in a small network and in a large one."""
    found = set[str]()
    for taker in (Everything(), Everything(joins_from=1)):
        plan = make_plan([fetch], {each: Spec(shape, each.dtype) for each, shape in fed.items()}, taker=taker)
        for step in plan.steps:
            made = (pieces(step, taker) if step.work else None) or []
            found |= {piece.text for piece in made}
            if len(made) > 1 and step.last.spec.size > 1:
                found.add(joined(made))
    return found - {""}


def network(
    middle: Callable[[en.Tensor], en.Tensor],
    optimizer: Callable[[en.Tensor], Any] = en.optim.SGD,
    loss: Loss | None = None,
    shape: tuple[int, ...] = (5,),
    penalty: Callable[[en.Tensor], en.Tensor] | None = None,
) -> set[str]:
    """Of a training step and of an evaluation.  Without ``loss``: cross-entropy of classes."""
    with en.Graph() as graph:
        pixels = en.placeholder((None, *shape), "uint8", name="pixels")
        x = en.ops.cast(pixels, dtype="float32") * (1 / 255)
        rate = en.placeholder((), name="rate")
        logits = en.layers.Dense(3, "linear", "output")(middle(x))
        target = en.placeholder((None,), "int32") if loss is None else en.placeholder((None, 3))
        found = en.losses.softmax_cross_entropy(logits, target) if loss is None else loss(logits, target)
        if penalty is not None:
            weights = [each for each in graph.variables if each.ndim > 1]
            for each in weights:
                found = found + rate * penalty(each)
        train = optimizer(rate).minimize(found)
    fed: dict[en.Tensor, tuple[int, ...]] = {pixels: (BATCH, *shape), rate: ()}
    fed[target] = (BATCH,) if loss is None else (BATCH, 3)
    return expressions_of(train, fed) | expressions_of(found, fed)


def dense(activation: str) -> Callable[[en.Tensor], en.Tensor]:
    hidden: list[Any] = [en.layers.Dense(4, activation, f"hidden{at}") for at in range(2)]
    return en.layers.Sequential(hidden)


def images(activation: str) -> Callable[[en.Tensor], en.Tensor]:
    convolution = en.layers.Conv2D(4, (3, 3), activation)
    parts: list[Any] = [convolution, en.layers.MaxPool(), en.layers.Flatten(), en.layers.Dropout(0.5)]
    return en.layers.Sequential(parts)


def normed(x: en.Tensor) -> en.Tensor:
    hidden = en.layers.Dense(4, "linear", "hidden")(x)
    return en.ops.relu(en.layers.BatchNorm()(hidden))


def half_squared(output: en.Tensor, target: en.Tensor) -> en.Tensor:
    return en.losses.half_squared_error(en.ops.tanh(output), target)


def smoothed(output: en.Tensor, target: en.Tensor) -> en.Tensor:
    return en.losses.softmax_cross_entropy(output, target, 0.1)


def collected() -> list[str]:
    """All that is worth having, sorted."""
    found: set[str] = set()
    losses: list[Loss] = [half_squared, smoothed, en.losses.mean_squared_error, en.losses.huber, en.losses.hinge]
    for activation in en.layers.ACTIVATIONS:
        found |= network(dense(activation))
        found |= network(dense(activation), loss=half_squared)
        found |= network(images(activation), shape=(6, 6, 1))
    for loss in losses:
        found |= network(dense("relu"), loss=loss)
    for penalty in (en.losses.l1, en.losses.l2):
        found |= network(dense("relu"), penalty=penalty)
    for kind in en.optim.OPTIMIZERS.values():
        for more in ({}, {"clip_value": 1.0}, {"clip_norm": 1.0}, {"weight_decay": 0.01}):
            found |= network(dense("relu"), lambda rate, kind=kind, more=more: kind(rate, **more))  # type: ignore[misc]
    for layer in (en.layers.LSTM(4), en.layers.GRU(4), en.layers.LSTM(4, sequence=True)):
        flat: list[Any] = [layer, en.layers.Flatten()] if layer.sequence else [layer]
        found |= network(en.layers.Sequential(flat), shape=(3, 5))
    found |= network(normed)
    return sorted(found)


def text() -> str:
    """What the file should hold."""
    return "".join(f"{each}\n" for each in collected() if each not in single())


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
