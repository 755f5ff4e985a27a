"""scikit-learn's MLPClassifier; partial_fit takes all batches at a time, in order."""

from __future__ import annotations

import numpy as np
from sklearn.neural_network import MLPClassifier

from benchmarks.workloads import BATCHES, Dense, Unsupported, Workload

NAME = "scikit-learn"


class Runner:
    """No penalty, no momentum, no shuffling: what all do."""

    name = NAME

    def __init__(self, work: Workload, device: str = "cpu:0") -> None:
        dense = [layer for layer in work.layers if isinstance(layer, Dense)]
        if len(dense) < len(work.layers):
            raise Unsupported("MLPClassifier has dense layers only")
        if work.l2:
            raise Unsupported("MLPClassifier divides the penalty by the batch's size")
        if not work.classes:
            raise Unsupported("MLPRegressor has no tanh at its output")
        hidden = dense[:-1]
        self._net = MLPClassifier(
            tuple(layer.units for layer in hidden),
            hidden[0].activation if hidden else "identity",
            solver=work.optimizer,
            alpha=0,
            batch_size=work.batch,
            learning_rate_init=work.rate,
            shuffle=False,
            momentum=0,
            nesterovs_momentum=False,
        )
        xs, ys = work.data()
        self._batch, self._at = work.batch, 0
        self._x, self._y = xs.reshape(BATCHES * work.batch, -1), ys.reshape(-1)
        self._net.partial_fit(self._x[: work.batch], self._y[: work.batch], classes=np.arange(dense[-1].units))
        del self._net._optimizer  # it knows the step that made the weights, which are replaced now
        self._net.coefs_, self._net.intercepts_ = map(list, zip(*work.first_weights(), strict=True))

    def run(self, steps: int) -> None:
        while steps:
            now = min(steps, BATCHES - self._at)
            rows = slice(self._at * self._batch, (self._at + now) * self._batch)
            self._net.partial_fit(self._x[rows], self._y[rows])
            self._at = (self._at + now) % BATCHES
            steps -= now

    def loss(self) -> float:
        chances = self._net.predict_proba(self._x)
        return float(-np.log(chances[np.arange(len(self._y)), self._y]).mean())
