"""A stand-in for CuPy where there is no GPU."""

from __future__ import annotations

import types

import numpy as np


class FakeArray(np.ndarray):
    """An array of the GPU, as far as one can tell."""

    @property
    def data(self):
        return types.SimpleNamespace(ptr=self.ctypes.data)

    def get(self, out: np.ndarray) -> None:
        assert not isinstance(out, FakeArray)
        np.copyto(out, self)

    def set(self, array: np.ndarray) -> None:
        assert not isinstance(array, FakeArray)
        np.copyto(self, array)


class FakeCuPy(types.ModuleType):
    """What the engine uses of CuPy, computed by NumPy.  Counts what goes in and out."""

    def __init__(self) -> None:
        super().__init__("cupy")
        self.sent: list[int] = []
        self.fetched: list[int] = []
        self.waited = 0
        self.used: list[int] = []
        stream = types.SimpleNamespace(synchronize=self._wait)
        self.cuda = types.SimpleNamespace(
            runtime=types.SimpleNamespace(getDeviceCount=lambda: 2),
            Device=lambda index: types.SimpleNamespace(use=lambda: self.used.append(index)),
            get_current_stream=lambda: stream,
        )

    def _wait(self) -> None:
        self.waited += 1

    def empty(self, shape, dtype) -> FakeArray:
        return np.empty(shape, dtype).view(FakeArray)

    def zeros(self, shape, dtype) -> FakeArray:
        return np.zeros(shape, dtype).view(FakeArray)

    def asarray(self, array, dtype=None) -> FakeArray:
        if isinstance(array, FakeArray):
            return array
        self.sent.append(np.asarray(array).nbytes)
        return np.array(array, dtype).view(FakeArray)

    def asnumpy(self, array) -> np.ndarray:
        assert isinstance(array, FakeArray)
        self.fetched.append(array.nbytes)
        return np.array(array)

    def __getattr__(self, name: str):
        return getattr(np, name)
