"""Losses: one number that says how wrong a batch was."""

from __future__ import annotations

from typing import Any

from engine.errors import EngineError, ShapeError, doors
from engine.graph import Tensor, need_tensors, whole
from engine.ops import abs_, cross_entropy, log_softmax, mean, minimum, relu, square, sum_
from engine.spec import Spec


@whole
def mean_squared_error(output: Tensor, target: Any) -> Tensor:
    """Mean of (output - target)^2 over all elements.  Both of one shape; gives a single number.

    Raises ShapeError if the shapes differ: (8, 1) and (8,) would broadcast to (8, 8).
    """
    return mean(square(_difference(output, target)))


@whole
def half_squared_error(output: Tensor, target: Any) -> Tensor:
    """Mean over the batch of the sum of (output - target)^2 / 2: the loss that TensorFlow Playground shows.

    Raises ShapeError if the shapes differ.
    """
    return mean(0.5 * sum_(square(_difference(output, target)), axis=-1))


@whole
def softmax_cross_entropy(logits: Tensor, labels: Any, smoothing: float = 0.0) -> Tensor:
    """Mean over the batch of -log softmax(logits)[label].

    ``logits`` (batch, classes); ``labels`` (batch,) whole numbers or (batch, classes) probabilities.
    ``smoothing`` takes that share from the labels and gives it to all classes alike, so that no
    answer has to be certain (Szegedy et al. 2016).  Raises EngineError unless it lies in [0, 1].
    """
    need_tensors("the loss", logits)
    if not isinstance(smoothing, (int, float)) or not 0 <= smoothing <= 1:
        raise EngineError(f"smoothing must lie between 0 and 1, got {smoothing!r:.60} ({logits.graph.place()})")
    found = cross_entropy(logits, labels)
    if smoothing:  # what cross_entropy would give if every class were as likely: no labels are written out
        found = found * (1 - smoothing) - mean(log_softmax(logits), axis=-1) * smoothing
    return mean(found)


@whole
def huber(output: Tensor, target: Any, delta: float = 1.0) -> Tensor:
    """Mean of d^2 / 2 where d = output - target is at most ``delta``, beyond it of delta * (|d| - delta / 2).

    A single outlier pulls no harder than ``delta`` (Huber 1964).  Raises ShapeError if the shapes differ.
    """
    if isinstance(delta, (int, float)) and not delta > 0:
        raise EngineError(f"huber: delta must be above 0, got {delta} ({output.graph.place()})")
    distance = abs_(_difference(output, target))
    near = minimum(distance, delta)
    return mean(near * (distance - 0.5 * near))


@whole
def hinge(output: Tensor, target: Any) -> Tensor:
    """Mean of max(0, 1 - target * output), for targets -1 and 1: 0 for answers that are right by a margin of 1.

    Raises ShapeError if the shapes differ.
    """
    output, target = _alike(output, target)
    return mean(relu(1 - target * output))


@whole
def l1(weights: Tensor) -> Tensor:
    """Sum of |w|: its slope is sign(w), which pulls small weights to exactly 0."""
    return sum_(abs_(weights))


@whole
def l2(weights: Tensor) -> Tensor:
    """Sum of w^2 / 2: its slope is w, which keeps weights small."""
    return 0.5 * sum_(square(weights))


def _difference(output: Tensor, target: Any) -> Tensor:
    output, target = _alike(output, target)
    return output - target


def _alike(output: Tensor, target: Any) -> tuple[Tensor, Tensor]:
    """Both, an array as a constant.  Raises ShapeError unless they have one shape."""
    need_tensors("the loss", output)
    if not isinstance(target, Tensor):
        target = output.graph.constant(target, output.dtype)
    if not Spec(output.shape).fits(Spec(target.shape)):
        raise ShapeError(
            f"output {output.name} {output.spec} and target {target.name} {target.spec} must have one shape "
            f"({output.graph.place()})"
        )
    return output, target


__getattr__, __dir__ = doors("losses")
