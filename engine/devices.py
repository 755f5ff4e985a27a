"""Where arrays live and who computes with them.  The only file that imports CuPy."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from engine.errors import DeviceError, user_source


@dataclass(frozen=True)
class Device:
    """A place for arrays: its name, its array module (NumPy or CuPy) and the ways in and out."""

    name: str
    xp: Any = field(repr=False, compare=False)

    @property
    def is_gpu(self) -> bool:
        return self.name.startswith("gpu")

    @property
    def label(self) -> str:
        """For people: "CPU · NumPy"."""
        return "GPU · CuPy" if self.is_gpu else "CPU · NumPy"

    def empty(self, shape: tuple[int, ...], dtype: str) -> Any:
        """An array that isn't filled yet."""
        return self.xp.empty(shape, dtype)

    def send(self, array: Any) -> Any:
        """``array`` (a NumPy array) on this device; not copied if it is there already."""
        return self.xp.asarray(array)

    def fetch(self, array: Any) -> np.ndarray:
        """A NumPy copy of an array of this device; waits until it is computed."""
        return self.xp.asnumpy(array) if self.is_gpu else np.array(array)

    def address(self, array: Any) -> int:
        """Where the array's first byte lies."""
        return int(array.data.ptr if self.is_gpu else array.ctypes.data)

    def synchronize(self) -> None:
        """Wait until the device has done all it was asked to."""
        if self.is_gpu:
            self.xp.cuda.get_current_stream().synchronize()


CPU = Device("cpu:0", np)

_PROBE = "import cupy; x = cupy.arange(4.0); assert float((x @ x).get()) == 14.0"


@functools.cache
def gpu_problem() -> str | None:
    """Why there is no usable GPU; None if there is one.

    Asked in a process of its own: a broken driver can end the process that touches it.
    """
    if importlib.util.find_spec("cupy") is None:
        return "CuPy isn't installed; `pip install layerlab[cuda12]` (or [cuda13]) adds it"
    try:
        tried = subprocess.run([sys.executable, "-c", _PROBE], capture_output=True, text=True, timeout=60, check=False)
    except subprocess.TimeoutExpired:
        return "CuPy is installed, but the GPU didn't answer within 60 s"
    if tried.returncode == 0:
        return None
    last = (tried.stderr.strip().splitlines() or [f"the probe ended with code {tried.returncode}"])[-1]
    return f"CuPy is installed, but no GPU can be used: {last}"


def find_device(name: str) -> Device:
    """The device ``cpu:0`` or ``gpu:N``.  Raises DeviceError if it isn't there."""
    if not isinstance(name, str):
        raise DeviceError(f"a device is given by its name, cpu:0 or gpu:0, got {name!r:.60} ({user_source()})")
    kind, _, index = name.partition(":")
    if name == CPU.name:
        return CPU
    if kind != "gpu" or not index.isdigit():
        raise DeviceError(f"device {name!r} isn't known; cpu:0 and gpu:0 are ({user_source()})")
    problem = gpu_problem()
    if problem:
        raise DeviceError(f"{name} can't be used: {problem}")
    cupy = importlib.import_module("cupy")
    count = cupy.cuda.runtime.getDeviceCount()
    if int(index) >= count:
        raise DeviceError(f"{name} doesn't exist: this machine has {count} GPU(s), gpu:0 to gpu:{count - 1}")
    cupy.cuda.Device(int(index)).use()
    return Device(name, cupy)


def choose(wish: str) -> str:
    """``auto``, ``cpu`` or ``gpu`` to a device's name.  Raises DeviceError for ``gpu`` where there is none."""
    if wish == "auto":
        return CPU.name if gpu_problem() else "gpu:0"
    return find_device({"cpu": "cpu:0", "gpu": "gpu:0"}.get(wish, wish)).name
