"""The main function of a worker process: a thread takes what comes, one trains, one gives signs of life."""

from __future__ import annotations

import contextlib
import importlib
import logging
import signal
import sys
import threading
import time
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from webapp.contract.settings import Settings
from webapp.logs import log_to_stderr
from webapp.threads import forever
from webapp.training.experiment import Experiment
from webapp.workers.inbox import Closed, Inbox
from webapp.workers.loader import Loaded, start_loading
from webapp.workers.messages import (
    Cores,
    Create,
    FromWorker,
    LoadMachine,
    MachineLoaded,
    MachineNews,
    Order,
    Sign,
    Taken,
    ToWorker,
)
from webapp.workers.scheduler import Scheduler

_SWITCH = 0.001  # seconds until a thread that trains lets the one go on that takes commands


@dataclass(frozen=True)
class Options:
    """What every worker is told.

    ``experiments``: kind of run to "module:Class"; ``sign_every``: seconds between two signs of life;
    ``max_waiting``: commands that wait for one run.
    """

    experiments: dict[str, str]
    device: str
    data_dir: Path
    fps: float
    sign_every: float = 1.0
    max_waiting: int = 64
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

    sys.setswitchinterval(_SWITCH)
    _limit_cores(1)  # until it is told that others are free
    line = Line(pipe)
    scheduler = Scheduler(make, line.send, fps=options.fps)
    inbox = Inbox(options.max_waiting, scheduler.undone)
    forever("worker-reader", partial(_read, line, inbox), lambda _: inbox.close())
    forever("worker-signs", partial(_give_signs, line, scheduler, options.sign_every))
    with contextlib.suppress(Closed, BrokenPipeError, ConnectionResetError):  # the web process is gone
        while True:
            for message in inbox.take(scheduler.idle_time()):
                _receive(message, scheduler, inbox, line)
            scheduler.turn()


class Line:
    """The pipe to the web process; several threads send."""

    def __init__(self, pipe: Connection[Any, Any]) -> None:
        self._pipe = pipe
        self._lock = threading.Lock()

    def send(self, message: FromWorker) -> None:
        with self._lock:
            self._pipe.send(message)

    def receive(self) -> ToWorker:
        message: ToWorker = self._pipe.recv()
        return message


def _read(line: Line, inbox: Inbox) -> None:
    """Take what comes, also while a run trains; say of each command that it was taken."""
    with contextlib.suppress(EOFError, OSError):
        while True:
            message = line.receive()
            taken = inbox.put(message)
            if isinstance(message, (Create, Order)):
                line.send(Taken(message.run, message.order, taken))
    inbox.close()


def _give_signs(line: Line, scheduler: Scheduler, every: float) -> None:
    with contextlib.suppress(OSError):
        while True:
            doing, since = scheduler.doing or ("", time.monotonic())
            line.send(Sign(doing, time.monotonic() - since, scheduler.training))
            time.sleep(every)


def _receive(message: ToWorker | Loaded, scheduler: Scheduler, inbox: Inbox, line: Line) -> None:
    if isinstance(message, LoadMachine):
        start_loading(message.folder, inbox.put)
    elif isinstance(message, MachineNews):
        scheduler.hear(message)
    elif isinstance(message, Cores):
        _limit_cores(message.count)
    elif isinstance(message, Loaded):
        if message.machine is not None:
            scheduler.use_machine(message.machine)
        else:
            scheduler.hear(MachineNews("failed", message.problem or ""))
        line.send(MachineLoaded(message.problem))
    else:
        scheduler.receive(message)


def _limit_cores(count: int) -> None:
    importlib.import_module("engine.native.crew").Crew.most = count


def _experiment_class(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)
