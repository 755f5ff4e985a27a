"""The reference executor: every kernel bound to its arrays once, then a flat list of calls.

The array module is the device's, so the same file runs on NumPy and on CuPy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from engine.device import Device
from engine.graph import CONSTANT, PLACEHOLDER, VARIABLE, Tensor
from engine.op import Call
from engine.ops.state import assign, flat, group
from engine.passes import Node
from engine.plan import Plan, Storage


class Program:
    """A plan bound to memory: fill :attr:`feeds`, :meth:`run`, read :attr:`results`.

    ``memory`` gives the array of a variable; ``poison`` fills memory with NaN as soon as the plan
    says that nobody needs it, so that a wrong lifetime shows up as NaN.
    """

    def __init__(
        self,
        plan: Plan,
        device: Device,
        memory: Callable[[Tensor], Any],
        vector: Callable[[Node], Any],
        poison: bool = False,
    ) -> None:
        self.plan = plan
        self.device = device
        self._memory, self._vector = memory, vector
        self._arena = device.empty((plan.arena_bytes,), "uint8")
        self._arrays: dict[Node, Any] = {}
        self.calls: list[Call] = []
        self.owners: list[Node] = []  # the node each call belongs to
        for at, node in enumerate(plan.nodes):
            for call in self._bind(node):
                self.calls.append(call)
                self.owners.append(node)
            if poison:
                self._poison(node, plan.freed.get(at, ()))
        self.feeds: Mapping[Tensor, Any] = {tensor: self._arrays[node] for tensor, node in plan.feeds.items()}
        self.results = [None if node.op is group else self._arrays[node] for node in plan.fetches]

    def run(self, steps: int = 1) -> None:
        """Run the plan ``steps`` times.  Overflow gives inf and NaN, as hardware does, without warnings."""
        calls = self.calls
        with np.errstate(all="ignore"):
            for _ in range(steps):
                for call in calls:
                    call()

    def fetch(self) -> list[np.ndarray | None]:
        """NumPy copies of the results."""
        return [None if array is None else self.device.fetch(array) for array in self.results]

    def _bind(self, node: Node) -> list[Call]:
        """Give ``node`` its array; the calls that fill it."""
        op, xp = node.op, self.device.xp
        arrays = [self._arrays[each] for each in node.inputs] if op is not flat else []
        if op is CONSTANT:
            self._arrays[node] = self.device.send(node.attrs["value"])
        elif op is PLACEHOLDER:
            self._arrays[node] = self.device.empty(node.spec.concrete, node.spec.dtype)
        elif op is VARIABLE:
            self._arrays[node] = self._memory(node.tensor)
        elif op is flat:
            self._arrays[node] = self._vector(node)
        elif op.view is not None:
            return self._bind_view(node, arrays[0])
        elif op is assign:
            self._arrays[node] = arrays[0]
            if self.plan.places.get(node.inputs[1]) is None or self.plan.places[node.inputs[1]].variable is None:
                return list(op.kernel(xp, *arrays[:1], *arrays, **node.attrs)) if op.kernel else []
        elif op is not group:
            self._arrays[node] = out = self._result(node)
            assert op.kernel is not None, f"{op.name} has no kernel"
            return list(op.kernel(xp, out, *arrays, **node.attrs))
        return []

    def _bind_view(self, node: Node, source: Any) -> list[Call]:
        assert node.op.view is not None
        window = node.op.view(source, **node.attrs)
        self._arrays[node] = window
        if self.device.xp.may_share_memory(window, source) or window.size == 0:
            return []
        # a window that plain strides can't express (reshape of a transpose): a copy at each run
        flat_window = window.reshape(source.shape)
        return [lambda: self.device.xp.copyto(flat_window, source)]

    def _result(self, node: Node) -> Any:
        place = self.plan.places[node]
        if place.variable is not None:
            return self._arrays[place.variable].reshape(node.spec.concrete)
        assert place.storage is not None
        return self._window(place.storage, place.offset, node.spec.nbytes, node.spec.dtype, node.spec.concrete)

    def _window(self, storage: Storage, offset: int, nbytes: int, dtype: str, shape: tuple[int, ...]) -> Any:
        start = storage.offset + offset
        return self._arena[start : start + nbytes].view(dtype).reshape(shape)

    def _poison(self, node: Node, freed: Any) -> None:
        for storage in freed:
            window = self._arena[storage.offset : storage.offset + storage.nbytes]
            self.calls.append(lambda window=window: window.fill(0xFF))  # all bits set is NaN in every float type
            self.owners.append(node)
