"""Compiles the engine's native machine once, in a process of its own, while the page runs on NumPy.

The process compiles into a folder, from which each worker then loads the machine in half a second, without
Numba; where it lies there already, the process only sees that it can be loaded.  It has a low priority, and
it ends with the server: the end of its standard input is the end of whoever started it.
"""

from __future__ import annotations

import importlib
import logging
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from webapp.config import ConfigError
from webapp.workers.children import child_environment

log = logging.getLogger(__name__)

_COMPILES = "compiling"  # what the process says when it isn't there yet
_NICE = 10  # the workers and the page go first
_ROOM = 1 << 20  # bytes that a compiled machine needs, and more
_CODE = Path(__file__).resolve().parents[2]  # the folder that holds webapp and engine


class Compiler:
    """A compiling process; another one, if what it made does harm."""

    def __init__(self, folder: Path, begun: Callable[[], object] = lambda: None) -> None:
        """``begun`` is called when there is something to compile: when the folder doesn't hold it already."""
        self.folder = folder
        self._begun = begun
        self._process: subprocess.Popen[str] | None = None
        self._stopping = threading.Event()

    def start(self, compiled: Callable[[str | None], object], anew: bool = False) -> None:
        """Start compiling, ``anew`` without what is there.

        Then ``compiled`` is called: with None if the machine can be loaded, else with the reason why not.
        """
        command = [sys.executable, "-m", "webapp.workers.compiler", str(self.folder), *(["--anew"] if anew else [])]
        with child_environment():
            self._process = subprocess.Popen(
                command,
                cwd=_CODE,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
                creationflags=getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0),
            )
        threading.Thread(target=self._wait, args=(self._process, compiled, anew), name="compiler", daemon=True).start()

    @property
    def pid(self) -> int | None:
        """The process, for tests and tools; None before it was started."""
        return None if self._process is None else self._process.pid

    def _wait(self, process: subprocess.Popen[str], compiled: Callable[[str | None], object], anew: bool) -> None:
        assert process.stderr is not None
        said = []
        for line in filter(None, map(str.strip, process.stderr)):
            if line == _COMPILES:
                self._begun()
            else:
                said.append(line)
        code = process.wait()
        if self._stopping.is_set():
            return
        if code not in (0, 1) and not anew:  # it didn't get to say why: what lies there may have ended it
            self.start(compiled, anew=True)
            return
        compiled(None if code == 0 else said[-1] if said else f"compiling ended with exit code {code}")

    def stop(self) -> None:
        """End the process if it still compiles."""
        self._stopping.set()
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def insist(folder: Path) -> None:
    """Compile, and wait until the machine can be loaded.  Raises ConfigError, with the reason, if it can't be."""
    answers: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    log.info("the native machine is compiled, if that hasn't been done yet: some twenty seconds")
    Compiler(folder).start(answers.put)
    problem = answers.get()
    if problem is not None:
        raise ConfigError(f"--executor native: {problem}. Use --executor numpy, or auto to take what is there.")


def main(folder: Path, anew: bool = False) -> str | None:
    """Compile into ``folder``.  Returns why there can be no machine here; None when it can be loaded."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if hasattr(os, "nice"):
        os.nice(_NICE)
    native = importlib.import_module("engine.native")
    problem: str | None = native.problem()
    if problem is None:
        if anew or not native.kept(folder):
            _need_room(folder)
            print(_COMPILES, file=sys.stderr, flush=True)
        native.load(folder, anew)
        if not native.kept(folder):  # this process has it, but each worker would have to compile it
            problem = f"the compiled machine can't be kept in {folder}"
    return problem


def _need_room(folder: Path) -> None:
    """Raises OSError where a machine can't be kept, before one is compiled."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(bytes(_ROOM))


def _end_with_parent() -> None:
    os.read(sys.stdin.fileno(), 1)  # not by the file object: its lock would be held when this process ends
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), anew="--anew" in sys.argv))
