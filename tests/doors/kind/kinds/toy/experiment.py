"""Fifty points of a wave, and a network that learns it."""

import numpy as np

import engine as en
from webapp.contract.kind import Part
from webapp.training.model import Task
from webapp.training.training import Training

from . import Ask, kind


class Toy(Training):
    """``x`` and ``y`` are float32 (50, 1)."""

    kind = kind
    data_settings = frozenset({"waves"})

    _asked = 0.5

    def load_data(self) -> None:
        self.x = np.linspace(-1, 1, 50, dtype=np.float32)[:, None]
        self.y = np.sin(np.pi * np.float32(self.settings.waves) * self.x)

    def task(self) -> Task:
        def feed(rows: en.Tensor) -> tuple[en.Tensor, en.Tensor]:
            return en.ops.gather(en.constant(self.x), rows), en.ops.gather(en.constant(self.y), rows)

        def head(output: en.Tensor, target: en.Tensor) -> tuple[en.Tensor, en.Tensor]:
            return output, en.losses.half_squared_error(output, target)

        return Task(("x",), 1, feed, head)

    def examples(self) -> int:
        return len(self.x)

    def ask(self, wish: Ask) -> None:
        self._asked = wish.x

    def frame(self, key: bool) -> list[Part]:
        model = self.model
        loss = float(model.session.run(model.loss, {model.x: self.x, model.target: self.y}))
        self.record([loss, loss, 1.0 - loss, 1.0 - loss])
        x = np.array([[self._asked]], np.float32)
        said = model.session.run(model.output, {model.x: x})
        return [*super().frame(key), Part("answer", np.concatenate([x, said], axis=1)[0])]
