"""The reference executor: every kernel bound to its arrays once, then a flat list of calls.

The array module is the device's, so the same file runs on NumPy and on CuPy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np

from engine.device import Device
from engine.device import device as find_device
from engine.errors import EngineError, FeedError
from engine.graph import CONSTANT, PLACEHOLDER, VARIABLE, Tensor
from engine.op import Call
from engine.ops.state import assign, flat, group
from engine.passes import Node
from engine.plan import ALIGN, Plan


class Memory(Protocol):
    """What a program needs of its session."""

    device: Device

    def window(self, variables: Sequence[Tensor]) -> Any:
        """The memory of variables that lie side by side, as one vector."""
        ...

    def sent(self, tensor: Tensor) -> Any:
        """A constant's value on the device."""
        ...


class Program:
    """A plan bound to memory: fill :attr:`feeds`, :meth:`run`, read :attr:`results` or :meth:`fetch`.

    ``results`` are windows on the program's own memory (None for a group): the next run changes them.
    ``poison`` fills memory with NaN as soon as the plan says that nobody needs it, so that a wrong
    lifetime shows up as NaN.
    """

    def __init__(self, plan: Plan, memory: Memory, poison: bool = False) -> None:
        self.plan = plan
        self.device = memory.device
        self.retired = False
        self.calls: list[Call] = []
        self.owners: list[Node] = []  # the node each call belongs to
        self.devices = {name: find_device(name) if name else memory.device for name in plan.arenas}
        self._arenas = {name: _aligned(self.devices[name], nbytes) for name, nbytes in plan.arenas.items()}
        self._arrays: dict[Node, Any] = {}
        for node in plan.nodes:
            self._arrays[node] = self._array(node, memory)
        self._bind(poison)
        self.feeds: Mapping[Tensor, Any] = {tensor: self._arrays[node] for tensor, node in plan.feeds.items()}
        self.results = [None if node.op is group else self._arrays[node] for node in plan.fetches]

    def run(self, steps: int = 1, streams: Mapping[Tensor, Any] | None = None) -> None:
        """Run the plan ``steps`` times.  Overflow gives inf and NaN, as hardware does, without warnings.

        ``streams`` maps fed tensors to arrays with one more axis in front, (steps, ...): each step takes
        its own part.  Raises EngineError, with the operation's name and line, for a row number that
        isn't there.
        """
        calls, feeding = self.calls, self._feeding(steps, streams or {})
        call: Call | None = None
        with np.errstate(all="ignore"):
            try:
                for step in range(steps):
                    for feed, stream in feeding:
                        feed[...] = stream[step]
                    for call in calls:
                        call()
            except EngineError as error:
                raise self._explained(error, call) from None

    def _feeding(self, steps: int, streams: Mapping[Tensor, Any]) -> list[tuple[Any, Any]]:
        """(feed, stream) pairs.  Raises FeedError for a stream that doesn't fit."""
        pairs = [(self.feeds.get(tensor), stream) for tensor, stream in streams.items()]
        for (feed, stream), tensor in zip(pairs, streams, strict=True):
            if feed is None:
                raise FeedError(f"{tensor.name} ({tensor.source}) isn't fed in this program")
            if stream.dtype != feed.dtype or stream.shape[1:] != feed.shape or len(stream) < steps:
                wanted = f"{feed.dtype}{(steps, *feed.shape)}"
                raise FeedError(f"the stream of {tensor.name} must be {wanted}, got {stream.dtype}{stream.shape}")
        return pairs

    def fetch(self) -> list[np.ndarray | None]:
        """NumPy copies of the results."""
        return [None if array is None else self.device.fetch(array) for array in self.results]

    def retire(self, reason: str) -> None:
        """Running this program from now on raises EngineError: its memory isn't the session's any more."""
        self.calls, self.owners, self.retired = [partial(_refuse, reason)], [], True

    def _explained(self, error: EngineError, call: Call | None) -> EngineError:
        owner = next((node for each, node in zip(self.calls, self.owners, strict=False) if each is call), None)
        if owner is None:
            return error
        return type(error)(f"{owner.op.name}: {error} ({owner.tensor.name}, {owner.tensor.source})")

    def _array(self, node: Node, memory: Memory) -> Any:
        """The array that holds ``node``'s value."""
        op = node.op
        if op is CONSTANT:
            value = node.attrs["value"]
            folded = node.tensor.attrs.get("value") is not value
            found = self.devices[node.device].send(value) if folded or node.device else memory.sent(node.tensor)
        elif op is PLACEHOLDER:
            found = self.device.empty(node.spec.concrete, node.spec.dtype)
        elif op is VARIABLE:
            found = memory.window([node.tensor]).reshape(node.spec.concrete)
        elif op is flat:
            found = memory.window([each.tensor for each in node.inputs])
        elif op is assign:
            found = self._arrays[node.inputs[0]]
        elif op.view is not None:
            found = op.view(self._arrays[node.inputs[0]], **node.attrs)
        else:
            found = None if op is group else self._result(node)
        return found

    def _result(self, node: Node) -> Any:
        place, spec = self.plan.places[node], node.spec
        if place.variable is not None:
            return self._arrays[place.variable].reshape(spec.concrete)
        assert place.storage is not None
        start = place.storage.offset + place.offset
        return self._arenas[place.storage.device][start : start + spec.nbytes].view(spec.dtype).reshape(spec.concrete)

    def _bind(self, poison: bool) -> None:
        """Fill :attr:`calls`."""
        for at, node in enumerate(self.plan.nodes):
            calls = [*self._calls(node), *(self._poisons(at) if poison else ())]
            self.calls += calls
            self.owners += [node] * len(calls)

    def _is_computed(self, node: Node) -> bool:
        """Whether something has to be done for ``node`` when the program runs."""
        if node.op is assign:
            place = self.plan.places.get(node.inputs[1])
            return place is None or place.variable is None  # else the value was computed right there
        return node.op.kernel is not None and node.op is not group

    def _calls(self, node: Node) -> Sequence[Call]:
        """The calls that fill ``node``'s array."""
        if not self._is_computed(node):
            return ()
        op, arrays = node.op, [self._arrays[each] for each in node.inputs]
        assert op.kernel is not None
        return op.kernel(self.devices[node.device].xp, self._arrays[node], *arrays, **node.attrs)

    def _poisons(self, step: int) -> list[Call]:
        """Calls that fill what nobody reads after ``step``: all bits set is NaN in every float type."""
        freed = self.plan.freed.get(step, ())
        windows = [self._arenas[each.device][each.offset : each.offset + each.nbytes] for each in freed]
        return [partial(window.fill, 0xFF) for window in windows]


def _aligned(device: Device, nbytes: int) -> Any:
    """``nbytes`` of memory that begin at a multiple of ALIGN."""
    raw = device.empty((nbytes + ALIGN,), "uint8")
    return raw[(start := -device.address(raw) % ALIGN) : start + nbytes]


def _refuse(reason: str) -> None:
    raise EngineError(reason)
