"""What the web process's children are born with."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from multiprocessing import resource_tracker

# One thread of linear algebra a worker: there is a worker for each core already.
_ENVIRONMENT = dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"), "1")
_environment_lock = threading.Lock()


@contextlib.contextmanager
def child_environment() -> Iterator[None]:
    """What children inherit that are started inside; this process is as before afterwards.

    Ctrl-C reaches all processes of a terminal: a child that is still importing would show a
    traceback, so it is born with that signal blocked.
    """
    masks = hasattr(signal, "pthread_sigmask")
    if masks:
        resource_tracker.ensure_running()  # it unblocks the signal when it starts, so it must have started before
    with _environment_lock:
        before = {name: os.environ.get(name) for name in _ENVIRONMENT}
        os.environ.update(_ENVIRONMENT)
        old_mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if masks else None
        try:
            yield
        finally:
            if old_mask is not None:
                signal.pthread_sigmask(signal.SIG_SETMASK, old_mask)
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value
