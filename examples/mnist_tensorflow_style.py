"""MNIST by softmax, as TensorFlow's first tutorial told it: build a graph, then run parts of it in a session.

python -m examples.mnist_tensorflow_style
"""

from __future__ import annotations

import engine as en
from engine.feed import InputQueue, batches
from examples import mnist

STEPS = 1000


def main() -> float:
    """Train, and give the share of the test digits that are read rightly."""
    train, test = mnist.load()

    # The graph.  Nothing is computed yet.
    with en.Graph() as graph:
        x = en.placeholder((None, 784), name="x")
        labels = en.placeholder((None,), dtype="int32", name="labels")
        weights = en.variable(0.0, (784, 10), name="weights")
        bias = en.variable(0.0, (10,), name="bias")
        logits = x @ weights + bias
        loss = en.losses.softmax_cross_entropy(logits, labels)
        step = en.optim.SGD(0.5).minimize(loss)
        right = en.ops.equal(en.ops.argmax(logits, axis=-1), labels)
        accuracy = en.ops.mean(en.ops.cast(right, dtype="float32"))

    # The session.  It holds the variables; a queue makes the next batches beside the training.
    session = en.Session(graph)
    with InputQueue(batches([train.images, train.labels], 100)) as queue:
        for _ in range(STEPS):
            images, digits = next(queue)
            session.run(step, {x: images, labels: digits})
    return float(session.run(accuracy, {x: test.images, labels: test.labels}))


if __name__ == "__main__":
    print(f"{main():.2%} of the test digits are read rightly")
