"""Losses: one number that says how wrong a batch was."""

from __future__ import annotations

from engine.errors import ShapeError
from engine.graph import Tensor
from engine.ops import abs_, cross_entropy, mean, square, sum_


def mean_squared_error(output: Tensor, target: Tensor) -> Tensor:
    """Mean of (output - target)^2 over all elements.  Both of one shape; gives a single number.

    Raises ShapeError if the shapes differ: (8, 1) and (8,) would broadcast to (8, 8).
    """
    return mean(square(_difference(output, target)))


def half_squared_error(output: Tensor, target: Tensor) -> Tensor:
    """Mean over the batch of the sum of (output - target)^2 / 2: the loss that TensorFlow Playground shows.

    Raises ShapeError if the shapes differ.
    """
    return mean(0.5 * sum_(square(_difference(output, target)), axis=-1))


def softmax_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean over the batch of -log softmax(logits)[label].

    ``logits`` (batch, classes); ``labels`` (batch,) whole numbers or (batch, classes) probabilities.
    """
    return mean(cross_entropy(logits, labels))


def l1(weights: Tensor) -> Tensor:
    """Sum of |w|: its slope is sign(w), which pulls small weights to exactly 0."""
    return sum_(abs_(weights))


def l2(weights: Tensor) -> Tensor:
    """Sum of w^2 / 2: its slope is w, which keeps weights small."""
    return 0.5 * sum_(square(weights))


def _difference(output: Tensor, target: Tensor) -> Tensor:
    if output.ndim != target.ndim or any(
        None not in (a, b) and a != b for a, b in zip(output.shape, target.shape, strict=True)
    ):
        raise ShapeError(
            f"output {output.name} {output.spec} and target {target.name} {target.spec} must have one shape "
            f"({output.graph.place()})"
        )
    return output - target
