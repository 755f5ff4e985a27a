"""MNIST by softmax in Theano's style: shared values, and functions that update them.

python -m examples.mnist_theano_style
"""

from __future__ import annotations

import numpy as np

from engine.feed import batches
from engine.losses import softmax_cross_entropy
from engine.ops import argmax, cast, equal, mean
from engine.theano import function, grad, ivector, matrix, shared
from examples import mnist

STEPS = 1000


def main() -> float:
    """Train, and give the share of the test digits that are read rightly."""
    learn, test = mnist.load()

    x, labels = matrix("x"), ivector("labels")
    weights = shared(np.zeros((784, 10)), "weights")
    bias = shared(np.zeros(10), "bias")
    logits = x @ weights + bias
    loss = softmax_cross_entropy(logits, labels)
    accuracy = mean(cast(equal(argmax(logits, axis=-1), labels), dtype="float32"))

    slopes = grad(loss, [weights, bias])
    updates = [(value, value - 0.5 * slope) for value, slope in zip([weights, bias], slopes, strict=True)]
    train = function([x, labels], updates=updates)
    judge = function([x, labels], accuracy)

    drawn = batches([learn.images, learn.labels], 100)
    for _ in range(STEPS):
        train(*next(drawn))
    return float(judge(test.images, test.labels))


if __name__ == "__main__":
    print(f"{main():.2%} of the test digits are read rightly")
