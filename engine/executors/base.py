"""What an executor is: it turns plans into programs.  A session works with any, and knows none by name.

The array module is the device's, so the same kernels run on NumPy and on CuPy.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from operator import call, length_hint
from typing import Any, NoReturn, Protocol

import numpy as np

from engine.asked import checked
from engine.devices import Device, find_device
from engine.errors import EngineError, FeedError, Named, ShapeError, user_source
from engine.executors.guards import Turn, Uninterrupted, WrongRow, is_compiled, refuse_wrong
from engine.executors.subnormal import Flushed
from engine.fuse import Region, Taker
from engine.graph import CONSTANT, PLACEHOLDER, VARIABLE, Tensor
from engine.op import Call
from engine.ops.state import assign, flat, group
from engine.passes import Node
from engine.plan import ALIGN, Lookup, Plan
from engine.tensor import HereOnly, shown

# Bytes of a huge page, which is there as soon as some of 4096 bytes are; and of arrays for which NumPy asks for them.
HUGE, NUMPY_ASKS = 1 << 21, 1 << 22


class Memory(Protocol):
    """What a program needs of its session.  ``threads``: how many its programs may use, as far as they can."""

    device: Device
    threads: int
    turn: Turn

    def window(self, variables: Sequence[Tensor]) -> Any:
        """The memory of variables that lie side by side, as one vector."""
        ...

    def sent(self, tensor: Tensor) -> Any:
        """A constant's value on the device."""
        ...


class Fed(dict[Tensor, Any]):
    """What is fed, and where it is put: ``fed[x] = value`` writes there, as ``fed[x][...] = value`` does.

    Raises FeedError, DtypeError or ShapeError for a value that doesn't fit; what was there stays.
    """

    def __init__(self, places: Mapping[Tensor, Any], device: Device) -> None:
        super().__init__(places)
        self._device = device

    def __setitem__(self, tensor: Tensor, value: Any) -> None:
        place = self[tensor]
        if value is place:  # fed[x] += 1 has been done in place
            return
        array = checked(tensor, value)
        if array.shape != place.shape:
            raise ShapeError(
                f"{tensor.name} {tensor.spec} ({tensor.source}) has the shape {place.shape} in this program, "
                f"and was fed {array.shape} ({user_source()})"
            )
        place[...] = self._device.send(array)

    def update(self, *given: Any, **_: Any) -> None:  # a dict's own would go past the above
        """``fed.update({x: value})`` writes each value."""
        for tensor, value in dict(*given).items():
            self[tensor] = value

    def __missing__(self, tensor: Any) -> NoReturn:
        known = ", ".join(each.name for each in self) or "nothing"
        raise FeedError(f"{shown(tensor)} isn't fed in this program, which is fed {known} ({user_source()})")


class Program(HereOnly, Named):
    """A plan bound to memory: fill :attr:`feeds` (zeros at first), :meth:`run`, read :attr:`results` or :meth:`fetch`.

    ``results`` are windows on the program's own memory (None for a group): the next run changes them.
    Feeding, fetching and what errors say is the same whoever computes; an executor's own says what it calls.
    """

    def __init__(self, plan: Plan, memory: Memory) -> None:
        self.plan = plan
        self.device = memory.device
        self.calls: list[Call] = []  # the smallest that can be timed
        self.parts = self.calls  # what a run makes
        self.owners: list[Region] = []  # the step each call belongs to
        self.devices = {name: find_device(name) if name else memory.device for name in plan.arenas}
        self._retired: str | None = None
        self._turn = memory.turn
        self._arenas = {name: _aligned(self.devices[name], nbytes) for name, nbytes in plan.arenas.items()}
        self.arrays: dict[Node, Any] = {}
        for node in (node for step in plan.steps for node in step.nodes if node in step.stored or not node.computed):
            self.arrays[node] = self._array(node, memory)
        self.feeds = Fed({tensor: self.arrays[node] for tensor, node in plan.feeds.items()}, memory.device)
        self.results = [None if node.op is group else self.arrays[node] for node in plan.fetches]
        self._changes = any(node.op is assign for node in plan.nodes)
        self._fed, self.early = self._lookups()
        self._exposed: bool | None = None  # whether Ctrl-C could be heard inside a step: see step()

    def _lookups(self) -> tuple[list[Lookup], dict[int, list[Lookup]]]:
        """Those whose numbers are fed, and those to be checked after a step, -1 being the begin.

        Raises EngineError for constants that are wrong.
        """
        fed: list[Lookup] = []
        early: dict[int, list[Lookup]] = {}
        for each in self.plan.lookups:
            if self.devices[each.node.device].is_gpu:
                continue  # it would have to be waited for; there a number is taken modulo the count
            if each.numbers.op is CONSTANT:
                refuse_wrong(each, self.arrays[each.numbers])
            elif each.numbers.op is PLACEHOLDER:
                fed.append(each)
            else:
                early.setdefault(each.after, []).append(each)
        return fed, early

    def fill(self, launches: Callable[[Region], Iterable[Call]], poison: bool) -> None:
        """Make a run of the ``launches`` of each step.

        ``poison``: and of filling what nobody reads after it; all bits set is NaN in every float type.
        """
        self._fill_checks(-1)
        for at, step in enumerate(self.plan.steps):
            calls = [*launches(step), *(self.poisons(at) if poison else ())]
            self.calls += calls
            self.owners += [step] * len(calls)
            self._fill_checks(at)

    def _fill_checks(self, at: int) -> None:
        """Before anything is assigned, what is looked up later is checked; else it is enough to do that then."""
        for each in self.early.get(at, ()) if self._changes else ():
            self.calls.append(partial(refuse_wrong, each, self.arrays[each.numbers]))
            self.owners.append(Region((each.node,), (each.node,)))

    def run(self, steps: int = 1, streams: Mapping[Tensor, Any] | None = None) -> None:
        """Run the plan ``steps`` times.  Overflow gives inf and NaN, as hardware does; subnormal numbers count as 0.

        ``streams`` maps fed tensors to arrays with one more axis in front, (steps, ...): each step takes
        its own part.  Raises FeedError for a stream that doesn't fit; EngineError, with the operation's
        name and line, for a row number that isn't there, and for a program that was retired or whose session
        is at work in another thread.
        """
        with self._turn:
            feeding = self.feeding(steps, streams)
            self._run(int(steps), streams or {}, feeding)

    @property
    def threads(self) -> int:
        """How many threads a run of some steps has at present."""
        return 1

    def check_fed(self, steps: int, streams: Mapping[Tensor, Any]) -> None:
        """Raises EngineError, before anything has changed, for a fed row number or label that isn't there."""
        for each in self._fed:
            fed, tensor = self.arrays[each.numbers], each.numbers.tensor
            refuse_wrong(each, streams[tensor][:steps] if tensor in streams else fed)

    def _run(self, steps: int, streams: Mapping[Tensor, Any], feeding: Sequence[tuple[Any, Any]]) -> None:
        self.check_fed(steps, streams)
        with np.errstate(all="ignore"), Flushed():
            for step in range(steps):
                for feed, stream in feeding:
                    feed[...] = stream[step]
                self.step()

    def step(self) -> None:
        """Run the plan once, on what the feeds hold.

        Python hears Ctrl-C between two of its own instructions, never inside of ``map``: so a step of the array
        module's calls is done whole.  Where some are Python's own functions, Ctrl-C has to wait.
        """
        if self._exposed is None:
            self._exposed = self._changes and not all(map(is_compiled, self.parts))
        left = iter(self.parts)
        try:
            if self._exposed:
                with Uninterrupted():
                    deque(map(call, left), 0)
            else:
                deque(map(call, left), 0)
        except EngineError as error:
            raise self._told(error, length_hint(left)) from None

    def _told(self, error: EngineError, left: int) -> EngineError:
        """The error of a call with so many ``left`` behind it, with the operation's name and line if it has none."""
        if self.parts is not self.calls or isinstance(error, WrongRow):
            return error
        step = self.owners[len(self.calls) - left - 1]
        where = f"({step.last.tensor.name}, {step.last.tensor.source})"
        return type(error)(f"{step.name}: {error} {where}")

    def fetch(self) -> list[np.ndarray | None]:
        """NumPy copies of the results."""
        return [None if array is None else self.device.fetch(array) for array in self.results]

    def retire(self, reason: str) -> None:
        """From now on, running it raises EngineError with this reason: its memory isn't the session's any more."""
        self.calls, self.parts, self.owners, self._retired = [], [], [], reason

    def singly(self) -> Sequence[tuple[Call, Region]]:
        """A run in the smallest calls that can be timed, in order, and the step that each belongs to."""
        return list(zip(self.calls, self.owners, strict=True))

    def feeding(self, steps: int, streams: Mapping[Tensor, Any] | None) -> list[tuple[Any, Any]]:
        """(feed, stream) pairs of a run.  Raises FeedError for a stream that doesn't fit, EngineError once retired."""
        if self._retired is not None:
            raise EngineError(f"{self._retired} ({user_source()})")
        if isinstance(steps, bool) or not isinstance(steps, (int, np.integer)) or steps < 0:
            raise EngineError(
                f"run(steps, streams): steps is a whole number, from 0 on, got {shown(steps)} ({user_source()})"
            )
        streams = streams or {}
        pairs = [(self.feeds[tensor], stream) for tensor, stream in streams.items()]
        for (feed, stream), tensor in zip(pairs, streams, strict=True):
            if not hasattr(stream, "dtype"):
                raise FeedError(f"the stream of {tensor.name} is an array, got {shown(stream)} ({user_source()})")
            if stream.dtype != feed.dtype or stream.shape[1:] != feed.shape or len(stream) < steps:
                wanted = f"{feed.dtype}{(steps, *feed.shape)}"
                found = f"{stream.dtype}{stream.shape}"
                raise FeedError(f"the stream of {tensor.name} must be {wanted}, got {found} ({user_source()})")
        return pairs

    def _array(self, node: Node, memory: Memory) -> Any:
        """The array that holds ``node``'s value."""
        op = node.op
        if op is CONSTANT:
            value = node.attrs["value"]
            folded = node.tensor.attrs.get("value") is not value
            found = self.devices[node.device].send(value) if folded or node.device else memory.sent(node.tensor)
        elif op is PLACEHOLDER:
            # Zeros, as it may not be filled: nobody reads what happened to lie there.
            found = self.device.xp.zeros(node.spec.concrete, node.spec.dtype)
        elif op is VARIABLE:
            found = memory.window([node.tensor]).reshape(node.spec.concrete)
        elif op is flat:
            found = memory.window([each.tensor for each in node.inputs])
        elif op is assign:
            found = self.arrays[node.inputs[0]]
        elif op.view is not None:
            found = op.view(self.arrays[node.inputs[0]], **node.attrs)
        else:
            found = None if op is group else self._result(node)
        return found

    def _result(self, node: Node) -> Any:
        spec = node.spec
        if node.into is not None:
            return self.arrays[node.into].reshape(spec.concrete)
        place = self.plan.places[node]
        start = place.storage.offset + place.offset
        return self._arenas[place.storage.device][start : start + spec.nbytes].view(spec.dtype).reshape(spec.concrete)

    def calls_of(self, step: Region) -> list[Call]:
        """The array module's calls that do ``step``; a result for which the plan has no place gets an array."""
        found: list[Call] = []
        for node in step.work:
            device, spec, kernel = self.devices[node.device], node.spec, node.op.kernel
            if node not in self.arrays:
                self.arrays[node] = device.empty(spec.concrete, spec.dtype)
            assert kernel is not None
            found += kernel(device.xp, self.arrays[node], *[self.arrays[each] for each in node.inputs], **node.attrs)
        return found

    def poisons(self, step: int) -> list[Call]:
        """Calls that fill what nobody reads after ``step``."""
        freed = self.plan.freed.get(step, ())
        windows = [self._arenas[each.device][each.offset : each.offset + each.nbytes] for each in freed]
        return [partial(window.fill, 0xFF) for window in windows]


class Executor(Taker, Protocol):
    """A way to run plans; all give the same results within rounding.

    What it computes in one go it says to the planner: see :class:`engine.fuse.Taker`.
    """

    @property
    def label(self) -> str:
        """For people: "CPU · NumPy"."""
        ...

    @property
    def on_gpu(self) -> bool:
        """Whether it computes where a session on a GPU has its variables; else it is the CPU's."""
        ...

    def compile(self, plan: Plan, memory: Memory, poison: bool = False) -> Program:
        """The program of ``plan`` on the session's memory.

        ``poison``: fill memory with NaN as soon as the plan says that nobody needs it, so that a wrong
        lifetime shows up as NaN.
        """
        ...


def together(sizes: Sequence[int], strides: Sequence[Sequence[int]]) -> tuple[tuple[int, ...], list[tuple[int, ...]]]:
    """A shape and some arrays' strides with neighbouring axes taken together where all allow it."""
    shape: list[int] = []
    found: list[list[int]] = []  # of each axis, one an array
    for at, size in enumerate(sizes):
        if size == 1:
            continue
        steps = [each[at] for each in strides]
        if found and found[-1] == [size * step for step in steps]:
            shape[-1], found[-1] = shape[-1] * size, steps
        else:
            shape.append(size)
            found.append(steps)
    return tuple(shape), [tuple([each[at] for each in found]) for at in range(len(strides))]


def _aligned(device: Device, nbytes: int) -> Any:
    """``nbytes`` of memory that begin at a multiple of ALIGN; where NumPy asks for huge pages, whole ones of those."""
    whole = nbytes >= NUMPY_ASKS and not device.is_gpu
    align, size = (HUGE, nbytes + -nbytes % HUGE) if whole else (ALIGN, nbytes)
    raw = device.empty((size + align,), "uint8")
    return raw[(start := -device.address(raw) % align) : start + nbytes]
