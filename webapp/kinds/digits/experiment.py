"""Digits: MNIST, from softmax regression (ten weight images) to deep networks.

The images stay uint8 and are read straight from mapped files; each batch's rows are gathered and
scaled inside the graph.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

import engine as en
from engine.datasets import mnist
from webapp.contract.errors import ProtocolError
from webapp.contract.kind import Part
from webapp.kinds.digits import kind
from webapp.kinds.digits.commands import Drawing
from webapp.kinds.digits.evaluation import Evaluation, Scores
from webapp.training.commands import Look
from webapp.training.model import Task
from webapp.training.training import Training

SIDE, CLASSES = 28, 10
PIXELS = tuple(f"pixel{at}" for at in range(SIDE * SIDE))
GALLERY = 40
REST = 2.0  # evaluating takes at most a third of the time: it rests twice as long as it took
PAUSE = 0.2  # seconds between two evaluations at least


class DigitsExperiment(Training):
    """60,000 images to train on, 10,000 unseen ones to be tested on; ten outputs, cross-entropy."""

    kind = kind
    live_settings = Training.live_settings | {"gallery"}
    data_settings = frozenset({"data"})

    def __init__(self, settings: Any, device: str = "cpu:0", data_dir: Path | None = None) -> None:
        if data_dir is None:
            raise ValueError("the digits need data_dir, a folder to unpack MNIST into")
        self._data_dir = data_dir
        self._image = 0
        self._gallery = np.zeros(0, np.int32)
        self._drawing: np.ndarray | None = None
        self._evaluation: Evaluation | None = None
        self.scores: Scores | None = None
        self._scored_step = -1
        self._next_evaluation = 0.0
        super().__init__(settings, device)
        self._choose_gallery()

    def load_data(self) -> None:
        self.digits = mnist.load(self._data_dir)
        self._labels = self.digits.train_labels.astype(np.int32)
        picks = np.random.default_rng(7).permutation(len(self.digits.test_labels))
        self._sample = np.sort(picks[:GALLERY]).astype(np.int32)
        self._image = int(self._sample[0])

    def task(self) -> Task:
        def feed(rows: en.Tensor) -> tuple[en.Tensor, en.Tensor]:
            images = en.constant(self.digits.train_images, name="images")
            self._pixels = en.ops.gather(images, rows)
            x = en.ops.cast(self._pixels, dtype="float32") * (1 / 255)
            return x, en.ops.gather(en.constant(self._labels, name="labels"), rows)

        def head(logits: en.Tensor, target: en.Tensor) -> tuple[en.Tensor, en.Tensor]:
            return en.ops.softmax(logits), en.losses.softmax_cross_entropy(logits, target)

        # softmax regression starts from zeros: what the images show then is learned, all of it
        return Task(PIXELS, CLASSES, feed, head, first_weights=en.init.zeros)

    def examples(self) -> int:
        return len(self._labels)

    # evaluating all test images, a slice at a time

    def background(self, deadline: float) -> bool:
        """Evaluate the weights of one moment on all test images, some hundred images a slice."""
        if self._evaluation is None:
            if self._scored_step == self.step or time.perf_counter() < self._next_evaluation:
                return False
            self._evaluation = Evaluation(
                self.model, self._pixels, self.digits, self.step, self.epoch, executor=self.machine
            )
        if self._evaluation.advance(deadline):
            self._finish(self._evaluation)
            self._evaluation = None
        return True

    def _finish(self, evaluation: Evaluation) -> None:
        self.scores = evaluation.scores()
        self._scored_step = evaluation.step
        self._next_evaluation = time.perf_counter() + max(PAUSE, REST * evaluation.seconds)
        self.record(self.scores.metrics, evaluation.epoch)
        if self.settings.gallery == "mistakes":
            self._choose_gallery()

    def changed(self) -> None:
        self._evaluation, self.scores, self._scored_step = None, None, -1
        self._next_evaluation = 0.0
        self.metrics = np.full_like(self.metrics, np.nan)

    def configure(self, settings: Any) -> None:
        gallery = settings.gallery != self.settings.gallery
        super().configure(settings)
        if gallery:
            self._choose_gallery()

    def _choose_gallery(self) -> None:
        """Which test images are shown: a fixed sample, or the mistakes, the surest first."""
        chosen = self._sample
        if self.settings.gallery == "mistakes":
            chosen = self.scores.mistakes[:GALLERY] if self.scores else np.zeros(0, np.int32)
        if not np.array_equal(chosen, self._gallery):
            self._gallery = chosen
            self._key_needed = True

    # commands and frames

    def draw(self, wish: Drawing) -> None:
        """Look at a drawing; without pixels, at the test image again."""
        drawn = np.frombuffer(wish.pixels, np.uint8)
        self._drawing = drawn if drawn.size else None

    def look(self, wish: Look) -> None:
        """Look at another test image.  Raises ProtocolError if there is no such one."""
        if wish.image is None:
            return
        count = len(self.digits.test_images)
        if wish.image >= count:
            raise ProtocolError(
                "no_such_image", f"there is no test image {wish.image}: they are numbered 0 to {count - 1}.",
                image=wish.image, last=count - 1,
            )  # fmt: skip
        self._image, self._drawing = wish.image, None

    def frame(self, key: bool) -> list[Part]:
        """What a page sees now."""
        subject = self._drawing if self._drawing is not None else self.digits.test_images[self._image]
        images = np.concatenate([subject[None], self.digits.test_images[self._gallery]])
        outputs = self.model.session.run([layer.output for layer in self.model.layers], {self._pixels: images})
        parts = [
            *super().frame(key),
            Part("subject", subject.reshape(SIDE, SIDE)),
            Part("activations", np.concatenate([values[0] for values in outputs])),
            Part("gallery_probs", outputs[-1][1:]),
        ]
        if self.scores is not None:
            parts.append(Part("confusion", self.scores.confusion))
        if key:
            parts += [
                Part("gallery_images", images[1:].reshape(-1, SIDE, SIDE)),
                Part("gallery_index", self._gallery),
                Part("labels", self.digits.test_labels[self._gallery]),
            ]
        return parts
