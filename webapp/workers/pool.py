"""The worker processes as the web process sees them: who has which run, and what to do when one dies."""

from __future__ import annotations

import logging
import multiprocessing
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from webapp.workers import worker
from webapp.workers.children import child_environment
from webapp.workers.compiler import Compiler
from webapp.workers.messages import Create, Drop, FromWorker, LoadMachine, MachineLoaded, ToWorker

log = logging.getLogger(__name__)

_QUICK_DEATH = 5.0  # a worker that lives shorter is started again only after a pause
_MAX_LOAD_DEATHS = 2  # workers that may die of loading the native machine until nobody is told to any more


class Outbox:
    """Messages on their way to one worker, in order.  Commands are bounded, in all and for each run."""

    def __init__(self, limit: int, limit_per_run: int) -> None:
        self._limit = limit
        self._limit_per_run = limit_per_run
        self._waiting: deque[ToWorker] = deque()
        self._per_run: Counter[str] = Counter()
        self._changed = threading.Condition()
        self._open = True

    def put(self, message: ToWorker, force: bool) -> bool:
        """Queue ``message``; False if there is no room.  ``force`` is for what is bounded by its nature."""
        with self._changed:
            run = _run_of(message)
            full = len(self._waiting) >= self._limit or self._per_run[run] >= self._limit_per_run
            if full and not force:
                return False
            self._waiting.append(message)
            self._per_run[run] += 1
            self._changed.notify()
            return True

    def get(self) -> ToWorker | None:
        """The next message; waits for one.  None when closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or not self._open)
            if not self._open:
                return None
            message = self._waiting.popleft()
            run = _run_of(message)
            self._per_run[run] -= 1
            if not self._per_run[run]:
                del self._per_run[run]
            return message

    def close(self) -> None:
        with self._changed:
            self._open = False
            self._changed.notify_all()


def _run_of(message: ToWorker) -> str:
    return "" if isinstance(message, LoadMachine) else message.run


class Handle:
    """One living worker process, its pipe, and the two threads that serve it."""

    def __init__(self, name: str, outbox: Outbox, options: worker.Options) -> None:
        context = multiprocessing.get_context("spawn")
        self.outbox = outbox
        self.runs: dict[str, None] = {}  # in the order they came
        self.loading = False  # the native machine: it was told to, and hasn't answered yet
        self.started = time.monotonic()
        self._pipe, far = context.Pipe(duplex=True)
        self.process = context.Process(target=worker.main, args=(far, options), name=name, daemon=True)
        with child_environment():
            self.process.start()
        far.close()  # or the end of the process would never be seen as the end of the pipe

    def load(self, folder: Path) -> None:
        """Have it load the native machine."""
        self.loading = True
        self.outbox.put(LoadMachine(folder), force=True)

    def serve(self, receive: Callable[[FromWorker], None], died: Callable[[Handle], None]) -> None:
        threading.Thread(target=_write, args=(self.outbox, self._pipe), name="to-worker", daemon=True).start()
        threading.Thread(target=self._read, args=(receive, died), name="from-worker", daemon=True).start()

    def _read(self, receive: Callable[[FromWorker], None], died: Callable[[Handle], None]) -> None:
        while True:
            try:
                message: FromWorker = self._pipe.recv()
            except (EOFError, OSError):
                break
            try:
                receive(message)
            except Exception:  # a bug here must not cost the worker its reader
                log.exception("a worker's message was lost: %r", message)
        self.outbox.close()
        self.process.kill()  # its pipe is gone: whatever it still does, nobody hears of it
        self.process.join()
        self._pipe.close()
        died(self)

    def end(self, timeout: float) -> None:
        """Close the pipe, which ends the worker; kill it if that takes longer than ``timeout`` seconds."""
        self.outbox.close()
        self.process.terminate()
        self.process.join(timeout)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()


def _write(outbox: Outbox, pipe: Connection[Any, Any]) -> None:
    while (message := outbox.get()) is not None:
        try:
            pipe.send(message)
        except OSError:
            return  # the worker is gone; the reader sees to it


class Pool:
    """``size`` workers, each with many runs.  A worker that dies is replaced at once.

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
    ) -> None:
        self._size = max(1, size)
        self._options = options
        self._limits = (max_queue, max_queue_per_run)
        self._lock = threading.RLock()
        self._handles: list[Handle] = []
        self._by_run: dict[str, Handle] = {}
        self._receive: Callable[[FromWorker], None]
        self._lost: Callable[[list[str]], None]
        self._stopping = False
        self._compiler = None if machine_dir is None else Compiler(machine_dir)
        self._machine: Path | None = None  # where workers find the machine, once it is compiled
        self._load_deaths = 0
        self._load_failed = False

    def start(self, receive: Callable[[FromWorker], None], lost: Callable[[list[str]], None]) -> None:
        """Start the workers.  ``receive`` gets their messages; ``lost`` the runs of one that died."""
        self._receive, self._lost = receive, lost
        self._handles = [self._start_worker(index) for index in range(self._size)]
        if self._compiler is not None:
            self._compiler.start(self._compiled)

    def _start_worker(self, index: int) -> Handle:
        handle = Handle(f"layerlab-worker-{index}", Outbox(*self._limits), self._options)
        if self._machine is not None:
            handle.load(self._machine)
        handle.serve(lambda message: self._hear(handle, message), lambda dead: self._died(index, dead))
        return handle

    def _hear(self, handle: Handle, message: FromWorker) -> None:
        if isinstance(message, MachineLoaded):
            self._loaded(handle, message.problem)
        else:
            self._receive(message)

    def stop(self) -> None:
        with self._lock:
            self._stopping = True
            handles = list(self._handles)
        if self._compiler is not None:
            self._compiler.stop()
        for handle in handles:
            handle.process.terminate()  # all at once, then wait for each
        for handle in handles:
            handle.end(timeout=2.0)

    def _stops(self) -> bool:
        with self._lock:
            return self._stopping

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

    def place(self, message: Create, force: bool = False) -> bool:
        """Give a run to the worker with the fewest; False if even that one has no room for the message."""
        with self._lock:
            handle = min(self._handles, key=lambda handle: len(handle.runs))
            if not handle.outbox.put(message, force):
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

    def _compiled(self) -> None:
        """The machine can be loaded: every worker is told, and those to come will be."""
        assert self._compiler is not None
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
        self._load_deaths += 1
        if self._load_deaths == _MAX_LOAD_DEATHS:
            self._machine = None
            log.error("workers end while they load the native machine: from now on all training runs on NumPy")

    # ---- when a worker dies

    def _died(self, index: int, dead: Handle) -> None:
        """Replace a worker; called by its reading thread, which then ends."""
        if self._stops():
            return
        log.error("worker %d (process %s) ended with exit code %s", index, dead.process.pid, dead.process.exitcode)
        if time.monotonic() - dead.started < _QUICK_DEATH:
            time.sleep(0.5)  # one that dies at birth must not keep the machine busy with births
        with self._lock:
            if self._stops():  # meanwhile
                return
            if dead.loading:
                self._died_loading()
            self._handles[index] = self._start_worker(index)
            runs = list(dead.runs)
            for run in runs:
                self._by_run.pop(run, None)
        self._lost(runs)
