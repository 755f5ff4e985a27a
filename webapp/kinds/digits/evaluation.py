"""How good the weights of one moment are on all test images, found in small slices of time."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

import engine as en
from engine.datasets.mnist import Digits
from engine.executors import Executor
from webapp.training.model import Model

CHUNK = 500  # images at a time
TRAINING_SAMPLE = 2_000  # training images that the training loss is measured on
CLASSES = 10


@dataclass(frozen=True)
class Scores:
    """What came out: ``metrics`` as in a frame, ``confusion`` (true, predicted), ``mistakes`` (surest first)."""

    metrics: np.ndarray
    confusion: np.ndarray
    mistakes: np.ndarray


class Evaluation:
    """Runs a copy of ``model``'s weights over the test images and a sample of the training images."""

    def __init__(
        self, model: Model, pixels: en.Tensor, digits: Digits, step: int, epoch: float, *, executor: Executor | None
    ) -> None:
        self.step, self.epoch = step, epoch
        self.seconds = 0.0
        self._model, self._pixels = model, pixels
        self._session = en.Session(model.session.graph, device=model.session.device.name, executor=executor)
        self._session.load_state(model.session.state())
        sample = np.linspace(0, len(digits.train_labels) - 1, TRAINING_SAMPLE).astype(np.int64)
        self._images = [digits.test_images, digits.train_images[sample]]
        self._labels = [digits.test_labels, digits.train_labels[sample]]
        self._probabilities = [np.empty((len(labels), CLASSES), np.float32) for labels in self._labels]
        self._work = [
            (which, start) for which, labels in enumerate(self._labels) for start in range(0, len(labels), CHUNK)
        ]

    def advance(self, deadline: float) -> bool:
        """Work until ``time.perf_counter()`` passes ``deadline``; True when all is done."""
        began = time.perf_counter()
        while self._work:
            which, start = self._work.pop()
            images = np.asarray(self._images[which][start : start + CHUNK])
            found = self._session.run(self._model.output, {self._pixels: images})
            self._probabilities[which][start : start + CHUNK] = found
            if time.perf_counter() >= deadline:
                break
        self.seconds += time.perf_counter() - began
        return not self._work

    def scores(self) -> Scores:
        """The result; call it when :meth:`advance` gave True."""
        losses, rights = zip(*map(_loss_and_right, self._probabilities, self._labels), strict=True)
        unseen, truth = self._probabilities[0], self._labels[0]
        predicted = unseen.argmax(axis=1)
        confusion = np.zeros((CLASSES, CLASSES), np.int32)
        np.add.at(confusion, (truth, predicted), 1)
        wrong = np.flatnonzero(predicted != truth)
        surest = np.argsort(-unseen[wrong].max(axis=1), kind="stable")
        metrics = np.array([losses[1], losses[0], rights[1], rights[0]], np.float32)
        return Scores(metrics, confusion, wrong[surest].astype(np.int32))


def _loss_and_right(probabilities: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Mean cross-entropy and share of right answers."""
    of_truth = probabilities[np.arange(len(labels)), labels]
    loss = -np.log(np.maximum(of_truth, np.finfo(np.float32).tiny)).mean() if np.isfinite(of_truth).all() else np.nan
    return float(loss), float((probabilities.argmax(axis=1) == labels).mean())
