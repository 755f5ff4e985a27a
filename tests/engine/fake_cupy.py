"""A stand-in for CuPy where there is no GPU."""

from __future__ import annotations

import types
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np

from tests.engine.fake_kernels import RawKernel

VIEWS = {np.broadcast_to, np.empty_like, np.shape}  # compute nothing
COMPUTES = {np.where, np.copyto, np.dot, np.argmax, np.concatenate, np.take}


class Capture:
    """Work that is recorded while a stream captures.

    It is computed as well, as that shows the shapes of what comes out, but nothing of it stays.
    """

    def __init__(self, memory: list[weakref.ref[np.ndarray]]) -> None:
        self.actions: list[Callable[[], object]] = []
        self.pools: set[weakref.ref[FakePool]] = set()
        self.wrong = ""
        self._before = [(array, np.array(array)) for each in memory if (array := each()) is not None]

    def undo(self) -> None:
        for array, value in self._before:
            array.view(np.ndarray)[...] = value


class Now:
    """What all arrays of the stand-in share."""

    capture: Capture | None = None
    allocate: Callable[[int], FakePool] | None = None


def only_outside(what: str) -> None:
    """What CUDA doesn't let a stream capture."""
    if Now.capture is not None:
        Now.capture.wrong = f"cudaErrorStreamCaptureUnsupported: {what}"
        raise RuntimeError(Now.capture.wrong)


def perform(action: Callable[[], Any]) -> Any:
    """Do it now; while a stream captures, note it down too.  What it gives is an array of the GPU."""
    result = action()
    capture = Now.capture
    if not isinstance(result, (np.ndarray, np.generic)):
        if capture is not None:
            capture.actions.append(action)
        return result
    kept = np.array(result)
    if capture is not None:
        assert Now.allocate is not None, "a graph's temporary arrays must come from a pool of its own"
        capture.pools.add(weakref.ref(Now.allocate(kept.nbytes)))
        capture.actions.append(lambda: np.copyto(kept, action()))
    return kept.view(FakeArray)


def plain(value: Any) -> Any:
    """NumPy's view of an array of the GPU.  Arrays of NumPy itself are refused, as CuPy does."""
    if isinstance(value, (tuple, list)):
        return type(value)(plain(each) for each in value)
    if isinstance(value, FakeArray):
        return value.view(np.ndarray)
    if isinstance(value, np.ndarray):
        raise TypeError("Unsupported type <class 'numpy.ndarray'>")
    return value


class FakeArray(np.ndarray):
    """An array of the GPU, as far as one can tell."""

    @property
    def data(self):
        return types.SimpleNamespace(ptr=self.ctypes.data)

    def get(self, out: np.ndarray) -> None:
        only_outside("a copy to the host")
        assert not isinstance(out, FakeArray)
        np.copyto(out, self.view(np.ndarray))

    def set(self, array: np.ndarray) -> None:
        only_outside("a copy from the host")
        assert not isinstance(array, FakeArray)
        np.copyto(self.view(np.ndarray), array)

    def __array_ufunc__(self, ufunc, method, *inputs, out=(), **options):
        given, into = plain(inputs), plain(out)
        if not into:
            return perform(lambda: getattr(ufunc, method)(*given, **options))
        perform(lambda: getattr(ufunc, method)(*given, out=into, **options) is None)
        return out[0]

    def __array_function__(self, func, types, args, kwargs):
        if func in VIEWS:
            return super().__array_function__(func, types, args, kwargs)
        assert func in COMPUTES, f"the stand-in for CuPy doesn't know {func.__name__}"
        given, named = plain(args), {name: plain(each) for name, each in kwargs.items()}
        return perform(lambda: func(*given, **named))

    def __setitem__(self, index, value):
        if isinstance(value, np.ndarray) and not isinstance(value, FakeArray):
            only_outside("a copy from the host")
            value = value.view(FakeArray)
        own, index, value = plain(self), plain(index), plain(value)
        perform(lambda: own.__setitem__(index, value))

    def __getitem__(self, index):
        if any(isinstance(each, np.ndarray) for each in (index if isinstance(index, tuple) else (index,))):
            own, index = plain(self), plain(index)
            return perform(lambda: own[index])
        found = super().__getitem__(index)
        return found if isinstance(found, FakeArray) else np.asarray(found).view(FakeArray)


def _method(name: str, outs: int) -> Callable[..., Any]:
    """NumPy's method ``name``, performed; its argument number ``outs``, if there is one, is where the result goes."""

    def method(self: FakeArray, *args: Any) -> Any:
        given, own = plain(args), plain(self)
        if len(args) <= outs:
            return perform(lambda: getattr(own, name)(*given))
        perform(lambda: getattr(own, name)(*given) is None)
        return args[outs]

    return method


for _name, _outs in {"dot": 1, "take": 2, "fill": 9, "argmax": 9}.items():  # those that don't come by as ufuncs
    setattr(FakeArray, _name, _method(_name, _outs))


class FakeKernel(RawKernel):
    """Launched, or noted down."""

    def __call__(self, grid: tuple[int, ...], block: tuple[int, ...], args: tuple[Any, ...]) -> None:
        perform(lambda: self.launch(grid, block, args))


class FakePool:
    """A memory pool that knows how much it gave, and says that it gave it."""

    def __init__(self) -> None:
        self.given = 0

    def malloc(self, size: int) -> FakePool:
        self.given += size
        return self


class FakeGraph:
    """Recorded work that can be done again and again."""

    def __init__(self, capture: Capture, launched: list[FakeGraph]) -> None:
        self.actions, self._pools, self._launched = capture.actions, capture.pools, launched

    def launch(self) -> None:
        assert all(pool() is not None for pool in self._pools), "the graph's temporary arrays are somebody else's now"
        self._launched.append(self)
        with np.errstate(all="ignore"):
            for action in self.actions:
                action()


class FakeStream:
    """A stream; only one that isn't the default can capture."""

    def __init__(self, module: FakeCuPy, non_blocking: bool = False) -> None:
        self._module, self._non_blocking = module, non_blocking

    def __enter__(self) -> FakeStream:
        self._module.streams.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._module.streams.pop() is self

    def synchronize(self) -> None:
        only_outside("waiting for it")
        self._module.waited += 1

    def begin_capture(self) -> None:
        assert self._non_blocking, "work on the default stream would break the capture"
        assert self._module.streams[-1] is self, "what is done now goes to another stream"
        Now.capture = Capture(self._module.memory)

    def end_capture(self) -> FakeGraph:
        capture, Now.capture = Now.capture, None
        assert capture is not None
        capture.undo()
        if capture.wrong:
            raise RuntimeError("cudaErrorStreamCaptureInvalidated")
        return FakeGraph(capture, self._module.launched)


@contextmanager
def using_allocator(allocate: Callable[[int], FakePool]) -> Iterator[None]:
    before, Now.allocate = Now.allocate, allocate
    try:
        yield
    finally:
        Now.allocate = before


class FakeCuPy(types.ModuleType):
    """What the engine uses of CuPy, computed by NumPy.  Counts what goes in and out, and graphs' launches."""

    RawKernel = FakeKernel

    def __init__(self) -> None:
        super().__init__("cupy")
        self.sent: list[int] = []
        self.fetched: list[int] = []
        self.waited = 0
        self.used: list[int] = []
        self.memory: list[weakref.ref[np.ndarray]] = []
        self.launched: list[FakeGraph] = []
        self.streams = [FakeStream(self)]  # the current one is the last
        windows = partial(np.lib.stride_tricks.as_strided, subok=True)
        self.lib = types.SimpleNamespace(stride_tricks=types.SimpleNamespace(as_strided=windows))
        self.cuda = types.SimpleNamespace(
            runtime=types.SimpleNamespace(getDeviceCount=lambda: 2),
            Device=lambda index: types.SimpleNamespace(use=lambda: self.used.append(index)),
            get_current_stream=lambda: self.streams[-1],
            Stream=lambda non_blocking=False: FakeStream(self, non_blocking),
            MemoryPool=FakePool,
            using_allocator=using_allocator,
        )

    def _own(self, array: np.ndarray) -> FakeArray:
        found = array.view(FakeArray)
        self.memory.append(weakref.ref(found))
        return found

    def empty(self, shape, dtype) -> FakeArray:
        return self._own(np.empty(shape, dtype))

    def zeros(self, shape, dtype) -> FakeArray:
        return self._own(np.zeros(shape, dtype))

    def ones(self, shape, dtype) -> FakeArray:
        return self._own(np.ones(shape, dtype))

    def arange(self, *numbers, dtype=None) -> FakeArray:
        return self._own(np.arange(*numbers, dtype=dtype))

    def asarray(self, array, dtype=None) -> FakeArray:
        if isinstance(array, FakeArray):
            return array
        only_outside("a copy from the host")
        self.sent.append(np.asarray(array).nbytes)
        return self._own(np.array(array, dtype))

    def asnumpy(self, array) -> np.ndarray:
        only_outside("a copy to the host")
        assert isinstance(array, FakeArray)
        self.fetched.append(array.nbytes)
        return np.array(array)

    def __getattr__(self, name: str):
        return getattr(np, name)
