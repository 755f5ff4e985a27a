"""The main function of a worker process: hands the pipe's messages to the scheduler and lets it train."""

from __future__ import annotations

import importlib
import logging
import signal
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from webapp.experiments.base import Experiment
from webapp.protocol import Settings
from webapp.workers.scheduler import Scheduler

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Options:
    """What every worker is told.  ``experiments``: kind of run to "module:Class"."""

    experiments: dict[str, str]
    device: str
    data_dir: Path
    fps: float
    log_level: int = logging.WARNING


def main(pipe: Connection[Any, Any], options: Options) -> None:
    """Serve until the web process closes the pipe or ends this process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the web process, which then ends this one
    logging.basicConfig(level=options.log_level, format="%(asctime)s %(processName)s %(levelname)s %(message)s")

    def make(kind: str, settings: Settings) -> Experiment:
        experiment: Experiment = _experiment_class(options.experiments[kind])(
            settings, device=options.device, data_dir=options.data_dir
        )
        return experiment

    scheduler = Scheduler(make, pipe.send, fps=options.fps)
    try:
        while True:
            if pipe.poll(scheduler.idle_time()):
                scheduler.receive(pipe.recv())
            else:
                scheduler.turn()
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # the web process is gone, and with it everyone who watched


def _experiment_class(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)
