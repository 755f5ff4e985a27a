"""One living worker process as the web process sees it: its pipe, the two threads that serve it, its signs of life."""

from __future__ import annotations

import logging
import multiprocessing
import threading
import time
from collections.abc import Callable
from pathlib import Path

from webapp.threads import forever
from webapp.workers import worker
from webapp.workers.children import child_environment
from webapp.workers.messages import FromWorker, LoadMachine, Sign
from webapp.workers.outbox import Outbox

log = logging.getLogger(__name__)

_BIRTH = 60.0  # seconds that a process may take to start, on a slow machine that has much to do
_WATCHED_FROM = 5.0  # seconds at one thing that are worth a line in the log


class Handle:
    """A worker.  When its process or one of its threads ends, it is ``gone`` and ``ended`` is called."""

    def __init__(self, name: str, outbox: Outbox, options: worker.Options) -> None:
        context = multiprocessing.get_context("spawn")
        self.outbox = outbox
        self.runs: dict[str, None] = {}  # in the order they came
        self.loading = False  # the native machine: it was told to, and hasn't answered yet
        self.cores = 1  # that it was told it may use
        self.awake = False  # it has been heard
        self.gone = threading.Event()
        self.started = time.monotonic()
        self.doing = Sign()
        self._heard = self.started + _BIRTH
        self._pipe, far = context.Pipe(duplex=True)
        self.process = context.Process(target=worker.main, args=(far, options), name=name, daemon=True)
        with child_environment():
            self.process.start()
        far.close()  # or the end of the process would never be seen as the end of the pipe

    def load(self, folder: Path) -> None:
        """Have it load the native machine."""
        self.loading = True
        self.outbox.put(LoadMachine(folder), force=True)

    def silent_for(self) -> float:
        """Seconds since its last sign of life; less than none while it is being born."""
        return time.monotonic() - self._heard

    def forgive(self) -> None:
        """Count its silence from now on: nobody listened."""
        self._heard = max(self._heard, time.monotonic())

    def serve(self, receive: Callable[[FromWorker], None], ended: Callable[[], None]) -> None:
        """Start the threads.  Whatever kills one of them ends the process: others can't go on without it."""
        forever("to-worker", self._write, lambda _: self.process.kill())
        forever("from-worker", lambda: self._read(receive, ended), lambda _: self._end(ended))

    def _write(self) -> None:
        while (message := self.outbox.get()) is not None:
            try:
                self._pipe.send(message)
            except OSError:
                return  # the worker is gone; the reader sees to it

    def _read(self, receive: Callable[[FromWorker], None], ended: Callable[[], None]) -> None:
        while True:
            try:
                message: FromWorker = self._pipe.recv()
            except (EOFError, OSError):
                break
            self._heard, self.awake = time.monotonic(), True
            if isinstance(message, Sign):
                self._note(message)
                continue
            try:
                receive(message)
            except Exception:  # a bug here must not cost the worker its reader
                log.exception("a worker's message was lost: %r", message)
        self._end(ended)

    def _note(self, sign: Sign) -> None:
        if sign.seconds >= _WATCHED_FROM > self.doing.seconds:
            log.warning("the process %s has been at %s for %.0f s", self.process.pid, sign.doing, sign.seconds)
        self.doing = sign

    def _end(self, ended: Callable[[], None]) -> None:
        self.outbox.close()
        self.process.kill()  # whatever it still does, nobody hears of it
        self.process.join()
        self._pipe.close()
        self.gone.set()
        ended()

    def stop(self, timeout: float) -> None:
        """End the worker; kill it if that takes longer than ``timeout`` seconds."""
        self.outbox.close()
        self.process.terminate()
        self.process.join(timeout)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()
