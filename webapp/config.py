"""Every choice of a server in one frozen record."""

from __future__ import annotations

import contextlib
import importlib
import os
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import platformdirs

DeviceChoice = Literal["auto", "cpu", "gpu"]
ExecutorChoice = Literal["auto", "numpy", "native"]

_HERE = Path(__file__).resolve().parent
_WILDCARDS = {"0.0.0.0", "::"}
_MOST_WORKERS = 256


class ConfigError(ValueError):
    """A choice that can't be had on this machine; the message is one line for the person who made it."""


def _default_data_dir() -> Path:
    return Path(platformdirs.user_cache_dir("layerlab", appauthor=False))


@dataclass(frozen=True)
class Config:
    """What a server is told when it starts; times in seconds, sizes in bytes."""

    host: str = "127.0.0.1"
    port: int = 8765
    workers: int = field(default_factory=lambda: min(os.cpu_count() or 1, _MOST_WORKERS))
    device: DeviceChoice = "auto"
    executor: ExecutorChoice = "auto"  # on the CPU
    fps: float = 30.0
    data_dir: Path = field(default_factory=_default_data_dir)
    machine_dir: Path | None = None  # where the native machine is kept; None: in data_dir
    secret: bytes | None = None  # signs the cookie; None: kept in data_dir
    extra_hosts: tuple[str, ...] = ()  # further names ("lab.school.example:8765") that may stand in a Host header

    max_message: int = 64 * 1024  # the longest message a page may send
    max_outgoing: int = 1024 * 1024  # unread bytes at which a client that doesn't read is dropped
    max_connections: int = 1200  # of every kind; fewer where the system allows fewer file handles
    max_clients: int = 500  # those of them that are WebSockets
    max_runs: int = 400
    max_runs_per_person: int = 12
    max_queue: int = 512  # commands that wait for one worker
    max_queue_per_run: int = 64
    max_in_flight: int = 32  # of a person's commands, weighed by their cost
    answer_timeout: float = 3.0  # for a worker to take a command; the page itself waits for 5 s
    hang_after: float = 10.0  # a worker that gives no sign of life for so long is replaced
    head_timeout: float = 10.0  # in all, for a request to arrive
    join_timeout: float = 10.0  # a socket that never says who it is, is closed
    ping_interval: float = 10.0
    ping_timeout: float = 5.0

    rest_unwatched_after: float = 30.0  # a run that stands still gives its memory back; its state is kept
    pause_unwatched_after: float = 60.0
    forget_unwatched_after: float = 3600.0
    max_deaths: int = 3  # a run whose worker dies so often within deaths_window is paused
    deaths_window: float = 60.0

    def __post_init__(self) -> None:
        """Raises ConfigError for a number out of bounds or a host without a name."""
        if not self.host.strip():
            raise ConfigError(
                f"--host {self.host!r}: give an address, 127.0.0.1 for this computer, 0.0.0.0 for a class."
            )
        if not 0 <= self.port <= 65535:
            raise ConfigError(f"--port {self.port}: a port is a number from 0 to 65535.")
        if not 1 <= self.workers <= _MOST_WORKERS:
            raise ConfigError(f"--workers {self.workers}: 1 to {_MOST_WORKERS} processes can train.")
        if not 1 <= self.fps <= 120:
            raise ConfigError(f"--fps {self.fps:g}: 1 to 120 pictures a second can be sent.")

    @property
    def hosts(self) -> frozenset[str]:
        """The exact values that a Host header may have."""
        if self.host in _WILDCARDS:
            names = {"127.0.0.1", "localhost", "[::1]", *_names_of_this_machine()}
        elif self.host in {"127.0.0.1", "localhost", "::1"}:
            names = {"127.0.0.1", "localhost", "[::1]"}
        else:
            names = {_bracketed(self.host)}
        hosts = {f"{name}:{self.port}".lower() for name in names}
        if self.port == 80:
            hosts |= {name.lower() for name in names}
        return frozenset(hosts | {name.lower() for name in self.extra_hosts})

    @property
    def machine_folder(self) -> Path:
        """Where the native machine is compiled to and loaded from."""
        return self.machine_dir or self.data_dir / "machine"

    @property
    def address(self) -> str:
        """Where a browser on this machine finds the page."""
        host = "127.0.0.1" if self.host == "0.0.0.0" else "::1" if self.host == "::" else self.host
        return f"http://{_bracketed(host)}:{self.port}"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _names_of_this_machine() -> set[str]:
    """Host name and addresses under which a class finds a server that listens everywhere."""
    name = socket.gethostname()
    names = {name, f"{name}.local"}
    with contextlib.suppress(OSError):  # a machine whose own name has no address is found by the address below
        names |= {_bracketed(str(info[4][0])) for info in socket.getaddrinfo(name, None)}
    probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with probe, contextlib.suppress(OSError):  # no network at all: only this machine can be the class
        probe.connect(("192.0.2.1", 9))  # sends nothing; the system picks the outgoing address
        names.add(probe.getsockname()[0])
    return names


def asset_folder(name: str) -> Path:
    """The folder ``static`` or ``templates``: inside the package in a wheel, beside it in a checkout."""
    inside, beside = _HERE / name, _HERE.parent / name
    return inside if inside.is_dir() else beside


def resolve_device(choice: DeviceChoice, executor: ExecutorChoice = "auto") -> str:
    """The engine's name of the device to train on.  Raises ConfigError where there is no GPU to be had.

    Who insists on the native executor, which is the CPU's, gets the CPU.
    """
    if executor == "native":
        if choice == "gpu":
            raise ConfigError("--executor native: that is for the CPU, so --device gpu doesn't go with it.")
        _insist_on_native()
    if choice == "cpu" or executor == "native":
        return "cpu:0"
    problem = importlib.import_module("engine.devices").gpu_problem()  # starts a process to see, so only if asked
    if problem is None:
        return "gpu:0"
    if choice == "gpu":
        raise ConfigError(f"--device gpu: {problem}. Use --device cpu, or auto to take what is there.")
    return "cpu:0"


def _insist_on_native() -> None:
    problem = importlib.import_module("engine.native").problem()
    if problem is not None:
        raise ConfigError(f"--executor native: {problem}. Use --executor numpy, or auto to take what is there.")
