"""The main function of a worker process: hands the pipe's messages to the scheduler and lets it train."""

from __future__ import annotations

import importlib
import logging
import signal
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from webapp.contract.settings import Settings
from webapp.logs import log_to_stderr
from webapp.training.experiment import Experiment
from webapp.workers.loader import Loader
from webapp.workers.messages import LoadMachine, MachineLoaded
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
    log_to_stderr(options.log_level, "%(asctime)s %(processName)s %(levelname)s %(message)s")

    def make(kind: str, settings: Settings) -> Experiment:
        experiment: Experiment = _experiment_class(options.experiments[kind])(
            settings, device=options.device, data_dir=options.data_dir
        )
        return experiment

    scheduler, loader = Scheduler(make, pipe.send, fps=options.fps), Loader()
    try:
        while True:
            ready = wait([pipe, loader.news], scheduler.idle_time())
            if pipe in ready:
                message = pipe.recv()
                if isinstance(message, LoadMachine):
                    loader.start(message.folder)
                else:
                    scheduler.receive(message)
            elif loader.news in ready:
                machine, problem = loader.result()
                if machine is not None:
                    scheduler.use_machine(machine)
                pipe.send(MachineLoaded(problem))
            else:
                scheduler.turn()
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # the web process is gone, and with it everyone who watched


def _experiment_class(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)
