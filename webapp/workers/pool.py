"""The worker processes as the web process sees them: who has which run, and what to do when one dies or hangs."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from webapp.locks import ordered
from webapp.threads import forever
from webapp.workers import worker
from webapp.workers.compiler import Compiler
from webapp.workers.handle import Handle
from webapp.workers.messages import Cores, Create, Drop, FromRun, FromWorker, MachineLoaded, MachineNews, Sign, ToWorker
from webapp.workers.outbox import Outbox

log = logging.getLogger(__name__)

_QUICK_DEATH = 5.0  # a worker that lives shorter is started again only after a pause
_PAUSE = 0.5
_MAX_LOAD_DEATHS = 2  # times that loading the native machine may end workers until nobody is told to any more


class Pool:
    """``size`` workers, each with many runs.  One that dies, or gives no sign of life for ``hang_after`` seconds, is
    replaced at once.

    They start on NumPy; the native machine is compiled into ``machine_dir`` meanwhile (never, if
    None), and then each of them loads it.
    """

    def __init__(
        self,
        size: int,
        options: worker.Options,
        *,
        max_queue: int,
        max_queue_per_run: int,
        machine_dir: Path | None = None,
        hang_after: float = 10.0,
    ) -> None:
        self._size = max(1, size)
        self._options = options
        self._limits = (max_queue, max_queue_per_run)
        self._hang_after = hang_after
        self._lock = ordered("pool")
        self._handles: list[Handle] = []
        self._by_run: dict[str, Handle] = {}
        self._orphans: list[str] = []  # runs whose worker is gone and whose new one isn't chosen yet
        self._receive: Callable[[FromRun], None]
        self._lost: Callable[[list[str]], None]
        self._stopping = threading.Event()
        self._news = threading.Event()  # a worker ended
        self._compiler = None if machine_dir is None else Compiler(machine_dir, self._compiling)
        self._machine_news = MachineNews()
        self._machine: Path | None = None  # where workers find the machine, once it is compiled
        self._cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self._load_deaths = 0
        self._load_failed = False

    def start(self, receive: Callable[[FromRun], None], lost: Callable[[list[str]], None]) -> None:
        """Start the workers.  ``receive`` gets their messages; ``lost`` the runs of one that died."""
        self._receive, self._lost = receive, lost
        self._handles = [self._start_worker(index) for index in range(self._size)]
        forever("workers-watch", self._watch)
        if self._compiler is not None:
            self._compiler.start(self._compiled)

    def _start_worker(self, index: int) -> Handle:
        handle = Handle(f"layerlab-worker-{index}", Outbox(*self._limits), self._options)
        if self._machine is not None:
            handle.load(self._machine)
        elif self._machine_news.machine:
            handle.outbox.put(self._machine_news, force=True)
        handle.serve(lambda message: self._hear(handle, message), self._news.set)
        return handle

    def _hear(self, handle: Handle, message: FromWorker) -> None:
        if isinstance(message, MachineLoaded):
            self._loaded(handle, message.problem)
        elif not isinstance(message, Sign):  # which the handle has noted
            self._receive(message)

    def stop(self) -> None:
        """End all workers."""
        self._stopping.set()
        self._news.set()
        with self._lock:
            handles = list(self._handles)
        if self._compiler is not None:
            self._compiler.stop()
        for handle in handles:
            handle.process.terminate()  # all at once, then wait for each
        for handle in handles:
            handle.stop(timeout=2.0)

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers, for tests and tools."""
        with self._lock:
            return [handle.process.pid or 0 for handle in self._handles]

    def pid_of(self, run: str) -> int | None:
        """The process that has ``run``."""
        with self._lock:
            handle = self._by_run.get(run)
            return None if handle is None else handle.process.pid

    def awake(self, run: str) -> bool:
        """Whether the worker that has ``run`` has been heard: it answers what it takes."""
        with self._lock:
            handle = self._by_run.get(run)
            return handle is not None and handle.awake

    def place(self, message: Create, force: bool = False) -> bool:
        """Give a run to the worker with the fewest, of those that gave a sign of life of late.

        False if there is none, or even that one has no room for the message.  With ``force`` any will do.
        """
        with self._lock:
            lively = [handle for handle in self._handles if handle.silent_for() < self._hang_after / 2]
            candidates = lively or (self._handles if force else [])
            if not candidates:
                return False
            handle = min(candidates, key=lambda handle: len(handle.runs))
            if not handle.outbox.put(message, force) and not force:
                return False
            handle.runs[message.run] = None
            self._by_run[message.run] = handle
            return True

    def post(self, run: str, message: ToWorker, force: bool = False) -> bool:
        """Queue ``message`` for the worker that has ``run``; False if its queue is full."""
        with self._lock:
            handle = self._by_run.get(run)
            return handle is not None and handle.outbox.put(message, force)

    def drop(self, message: Drop) -> None:
        """Take a run away from its worker."""
        with self._lock:
            handle = self._by_run.pop(message.run, None)
            if handle is not None:
                handle.runs.pop(message.run, None)
                handle.outbox.put(message, force=True)

    # ---- the native machine

    def _compiling(self) -> None:
        log.info("the native machine is being compiled")
        self._tell(MachineNews("compiling"))

    def _tell(self, news: MachineNews) -> None:
        """All workers, and those to come, have their pages know."""
        with self._lock:
            self._machine_news = news
            for handle in self._handles:
                handle.outbox.put(news, force=True)

    def _compiled(self, problem: str | None) -> None:
        """The machine can be loaded, if there is no ``problem``: every worker is told, and those to come will be."""
        assert self._compiler is not None
        if problem is not None:
            log.warning("training runs on NumPy, without the native machine: %s", problem)
            self._tell(MachineNews("failed", problem))
            return
        with self._lock:
            self._machine = self._compiler.folder
            for handle in self._handles:
                handle.load(self._machine)

    def _loaded(self, handle: Handle, problem: str | None) -> None:
        with self._lock:
            handle.loading = False
            if problem is not None and not self._load_failed:
                self._load_failed = True
                log.error("a worker could not load the native machine, its runs stay on NumPy: %s", problem)

    def _died_loading(self) -> None:
        assert self._compiler is not None
        if self._machine is None:  # another worker has died of the same
            return
        self._machine = None
        self._load_deaths += 1
        if self._load_deaths < _MAX_LOAD_DEATHS:
            log.error("a worker ended while it loaded the native machine, which is compiled anew")
            self._compiler.start(self._compiled, anew=True)
        else:
            log.error("workers end while they load the native machine: from now on all training runs on NumPy")
            self._tell(MachineNews("failed", "the processes that train end while they load it"))

    def _share_cores(self) -> None:
        """A worker that trains may use the cores that those leave which don't; each has one in any case.

        Every worker says with its signs of life whether it trains.
        """
        with self._lock:
            busy = [handle for handle in self._handles if handle.doing.training]
            for handle in self._handles:
                cores = max(1, self._cores // len(busy)) if handle in busy else 1
                if cores != handle.cores:
                    handle.cores = cores
                    handle.outbox.put(Cores(cores), force=True)

    # ---- when a worker dies or hangs

    def _watch(self) -> None:
        """Replace the workers that are gone, and end those that give no sign of life."""
        every = min(1.0, self._hang_after / 5)
        while not self._stopping.is_set():
            began = time.monotonic()
            for index, handle in enumerate(self._handles):
                if handle.gone.is_set():
                    self._replace(index, handle)
                elif handle.silent_for() > self._hang_after:
                    log.error("worker %d gave no sign of life for %.0f s and is ended", index, handle.silent_for())
                    handle.process.kill()  # its reader hears the end of it
            self._share_cores()
            while self._orphans:
                self._settle(self._orphans.pop())
            self._news.wait(every)
            self._news.clear()
            if time.monotonic() - began > every + self._hang_after / 2:  # we were stopped, or the machine slept
                for handle in self._handles:
                    handle.forgive()

    def _settle(self, orphan: str) -> None:
        """Have a run whose worker is gone placed anew; one that can't be is tried again, after the others."""
        try:
            self._lost([orphan])
        except Exception:  # it ends this thread, and another one takes its place
            self._orphans.insert(0, orphan)
            raise

    def _replace(self, index: int, dead: Handle) -> None:
        log.error("worker %d (process %s) ended with exit code %s", index, dead.process.pid, dead.process.exitcode)
        if time.monotonic() - dead.started < _QUICK_DEATH and self._stopping.wait(_PAUSE):
            return  # one that dies at birth must not keep the machine busy with births
        with self._lock:
            if self._stopping.is_set():
                return
            if dead.loading:
                self._died_loading()
                dead.loading = False
            self._handles[index] = self._start_worker(index)
            for run in dead.runs:
                self._by_run.pop(run, None)
            self._orphans += dead.runs
