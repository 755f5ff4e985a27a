"""A real server for tests: Layerlab as a person starts it."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

ROOT = Path(__file__).resolve().parent.parent
MACHINE = ROOT / ".tools" / "machine"  # the native machine, compiled once for all tests


def free_port() -> int:
    """A port of this machine that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], Any], what: str, seconds: float = 10.0) -> Any:
    """What ``condition`` gives once it is true; fails after ``seconds``, saying what was waited for."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.02)
    pytest.fail(f"waited {seconds:g} s in vain for {what}")


class Server:
    """``python -m webapp`` in a process of its own, with a data folder of its own."""

    def __init__(
        self,
        data_dir: Path,
        *options: str,
        code: Path = ROOT,
        machine: Path | None = MACHINE,
        handles: int | None = None,
    ) -> None:
        """Start the server of the folder ``code``, which holds the packages engine and webapp.

        It finds its native machine in the folder ``machine``; if None, it has to compile one of its own.
        The system allows it ``handles`` open files (as many as us, if None).
        """
        if machine is not None and not (data_dir / "machine").exists():
            machine.mkdir(parents=True, exist_ok=True)
            data_dir.mkdir(parents=True, exist_ok=True)
            (data_dir / "machine").symlink_to(machine, target_is_directory=True)
        self.output: list[str] = []
        command = [sys.executable, "-m", "webapp", "--no-browser", "--port", str(free_port())]
        command += ["--data-dir", str(data_dir), *options]
        if handles is not None:
            command = ["sh", "-c", f'ulimit -n {handles}; exec "$@"', "sh", *command]
        self.process = subprocess.Popen(
            command,
            cwd=code,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.url = wait_until(self._address, "the server's address", 30.0)

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.output.extend(line.rstrip() for line in self.process.stdout)

    def _address(self) -> str | None:
        if self.process.poll() is not None:
            self._reader.join(5)
            pytest.fail("the server ended before it served:\n" + "\n".join(self.output))
        found = re.search(r"http://[\w.:\[\]]+", "\n".join(self.output))
        return found.group(0) if found else None

    def workers(self) -> list[psutil.Process]:
        """The processes that train."""
        family = psutil.Process(self.process.pid).children(recursive=True)
        return [child for child in family if "spawn_main" in " ".join(child.cmdline())]

    def compilers(self) -> list[psutil.Process]:
        """The process that compiles the native machine, while it does."""
        family = psutil.Process(self.process.pid).children(recursive=True)
        return [child for child in family if "webapp.workers.compiler" in child.cmdline()]

    def stop(self) -> None:
        """End the server as Ctrl-C does; nothing of it may stay behind."""
        family = psutil.Process(self.process.pid).children(recursive=True) if self.process.poll() is None else []
        self.process.terminate()
        self.process.wait(15)
        _, alive = psutil.wait_procs(family, timeout=10)
        for child in alive:
            child.kill()
        assert not alive, f"processes outlived their server: {alive}"
