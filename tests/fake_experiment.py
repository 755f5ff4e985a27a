"""An experiment that learns nothing, for tests of everything around it: fast to start, and it fails on request.

Weight commands steer it: the ``value`` says what happens (the constants below).  Its METRICS
are ``(frames computed, process id, rate, steps)``.
"""

from __future__ import annotations

import math
import os
import pickle
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from webapp.contract.errors import ProtocolError
from webapp.contract.kind import Part
from webapp.contract.settings import Settings
from webapp.kinds.digits.commands import Drawing
from webapp.kinds.points.settings import PointsSettings
from webapp.layers.dense import Dense
from webapp.training.commands import Look, Weight
from webapp.training.experiment import Diverged

DIVERGE, FAIL_IN_TRAINING, FAIL_AT_ONCE, KILL_WORKER, FAIL_IN_FRAME, NO_SUCH_UNIT = (
    101.0,
    102.0,
    103.0,
    104.0,
    105.0,
    106.0,
)
LONG_STEP = 107.0
STEPS_PER_EPOCH = 10


class FakeExperiment:
    """Counts steps; one takes ``seconds_per_step`` of ``clock``."""

    def __init__(
        self,
        settings: Settings,
        device: str = "cpu:0",
        data_dir: Path | None = None,
        *,
        clock: Callable[[], float] = time.perf_counter,
        spend: Callable[[float], None] = time.sleep,
        seconds_per_step: float = 0.0005,
        frame_cost: float = 0.0,
        build_cost: float = 0.0,
        background_slices: int = 0,
    ) -> None:
        self.settings = settings
        self.executor = "Fake"
        self.step = 0
        self.value = 0.0
        self.frames = 0
        self.wants_key = False
        self.background_slices = background_slices
        self.calls: list[str] = []
        self._clock, self._spend = clock, spend
        self._seconds_per_step, self._frame_cost = seconds_per_step, frame_cost
        self._build_cost = build_cost

    @property
    def epoch(self) -> float:
        return self.step / STEPS_PER_EPOCH

    @property
    def steps_per_epoch(self) -> int:
        return STEPS_PER_EPOCH

    def steps_per_second(self) -> float:
        return {"batch": 10.0, "epoch": 100.0, "max": math.inf}[self.settings.speed]

    def use_machine(self, machine: Any) -> None:
        self.executor = "Fake, native"
        self.calls.append("use_machine")

    def configure(self, settings: Settings) -> None:
        self._spend(self._build_cost)
        self.settings = settings
        self.calls.append("configure")

    def reset(self) -> None:
        self._spend(self._build_cost)
        self.step, self.value = 0, 0.0
        self.calls.append("reset")

    def recover(self) -> None:
        self.value = 0.0
        self.calls.append("recover")

    def train(self, steps: int, deadline: float) -> int:
        if self.value == DIVERGE:
            raise Diverged(self.step + 1)
        if self.value == FAIL_IN_TRAINING:
            raise RuntimeError("asked to fail in training")
        if self.value == LONG_STEP:
            self._spend(2.5)
        done = 0
        while done < steps and (done == 0 or self._clock() < deadline):
            self._spend(self._seconds_per_step)
            done += 1
        self.step += done
        self.calls.append("train")
        return done

    def background(self, deadline: float) -> bool:
        if self.background_slices == 0:
            return False
        self.background_slices -= 1
        self._spend(max(0.0, deadline - self._clock()))
        self.calls.append("background")
        return True

    def edit(self, wish: Weight) -> None:
        self.calls.append("weight")
        if wish.value == NO_SUCH_UNIT:
            raise ProtocolError("no_such_unit", "weight: this network has no such unit.", layer=wish.layer)
        if wish.value == FAIL_AT_ONCE:
            raise RuntimeError("asked to fail")
        if wish.value == KILL_WORKER:
            os.kill(os.getpid(), signal.SIGKILL)
        self.value = wish.value

    def look(self, _: Look) -> None:
        self.calls.append("look")

    def draw(self, _: Drawing) -> None:
        self.calls.append("draw")

    def frame(self, key: bool) -> list[Part]:
        if self.value == FAIL_IN_FRAME:
            raise RuntimeError("asked to fail in a frame")
        self._spend(self._frame_cost)
        self.frames += 1
        self.wants_key = self.wants_key and not key
        hidden = self.settings.layers if isinstance(self.settings, PointsSettings) else ()
        layers = np.array([2, *(layer.units for layer in hidden if isinstance(layer, Dense)), 1], "<u2")
        metrics = np.array([self.frames, os.getpid(), self.settings.rate, self.step], "<f4")
        parts = [Part("layers", layers), Part("metrics", metrics)]
        if key:
            parts.append(Part("labels", np.zeros(4, "i1")))
        return parts

    def through(self, lens: str, key: bool) -> list[Part]:
        self.calls.append(f"through {lens}")
        return []

    def needs_key(self) -> bool:
        return self.wants_key

    def snapshot(self) -> bytes:
        self.calls.append("snapshot")
        return pickle.dumps((self.step, self.value if self.value < DIVERGE else 0.0))

    def rest(self) -> bytes:
        return self.snapshot()

    def restore(self, snapshot: bytes) -> None:
        state: Any = pickle.loads(snapshot)
        self.step, self.value = state
