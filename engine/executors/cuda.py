"""The GPU's executor: element-wise operations fused into kernels, and the whole step replayed as one CUDA graph.

The first step of a program runs call by call, which compiles and loads what it needs; the second is
captured, and from then on a step is one launch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from engine.devices import Device
from engine.errors import EngineError
from engine.executors.base import Memory
from engine.executors.binding import BoundPlan
from engine.executors.cuda_source import OPTIONS, Source, source
from engine.executors.fusion import Element, Kernel, Step, fuse, parts
from engine.graph import Tensor
from engine.op import Call
from engine.passes import Node
from engine.plan import Plan, Storage

THREADS = 256  # of a block
BLOCKS = 2048  # at most: they fill any GPU, and each thread then takes several elements


class CudaProgram(BoundPlan):
    """A program that runs fused kernels and, from the second step on, one CUDA graph.

    ``sources`` are the kernels' sources, ``launches`` the calls of a step.  ``calls`` and ``owners``
    stay those of CuPy, operation by operation (the trace times these).
    """

    def __init__(self, plan: Plan, memory: Memory, poison: bool = False) -> None:
        super().__init__(plan, memory)
        for node in plan.nodes:
            calls = self.calls_of(node)
            self.calls += calls
            self.owners += [node] * len(calls)
        self.sources: list[Source] = []
        self.launches: list[Call] = []
        self.uncaptured = self._obstacle()
        self._warm = False  # whether a step has run call by call
        self._pool: Any = None  # what captured calls allocate from: the graph goes on using it
        self._graph: Any = None
        for step in fuse(self._parts(poison), plan):
            self.launches += self._kernel(step) if isinstance(step, Kernel) else step.calls
        if not self.launches:
            self.uncaptured = "there is nothing to compute"

    @property
    def captured(self) -> bool:
        """Whether a step is one launch of a CUDA graph by now; if it can't be, ``uncaptured`` says why."""
        return self._graph is not None

    def run(self, steps: int = 1, streams: Mapping[Tensor, Any] | None = None) -> None:
        """See :meth:`engine.executors.base.Program.run`."""
        feeding = self.feeding(steps, streams)
        for step in range(steps):
            for feed, stream in feeding:
                feed[...] = stream[step]
            if self._warm and self._graph is None and self.uncaptured is None:
                self._capture()
            if self._graph is not None:
                self._graph.launch()  # into the current stream: after what feeds it, before what fetches
            else:
                self._run_calls()

    def retire(self, reason: str) -> None:
        """See :meth:`engine.executors.base.Program.retire`; the graph's memory is given back."""
        super().retire(reason)
        self.launches, self._graph, self._pool = [], None, None

    def _run_calls(self) -> None:
        call: Call | None = None
        with np.errstate(all="ignore"):  # for what runs on the CPU
            try:
                for call in self.launches:
                    call()
            except EngineError as error:
                raise self.explained(error, call) from None
        self._warm = True

    def _obstacle(self) -> str | None:
        """Why the step can't be one CUDA graph, as far as the plan tells."""
        away = next((node for node in self.plan.nodes if node.device), None)
        if away is None:
            return None
        name, line = away.tensor.name, away.tensor.source
        return f"a graph stays on one device, and {away.op.name} ({name}, {line}) is for {away.device}"

    def _capture(self) -> None:
        """Record the step as a graph; nothing is computed.  Temporary arrays come from a pool of the program's own."""
        cuda = self.device.xp.cuda
        self._pool, stream = cuda.MemoryPool(), cuda.Stream(non_blocking=True)
        try:
            with cuda.using_allocator(self._pool.malloc), stream:
                stream.begin_capture()
                try:
                    for call in self.launches:
                        call()
                except BaseException:
                    with suppress(RuntimeError):  # it has to end, and tells less than the error that broke it
                        stream.end_capture()
                    raise
                self._graph = stream.end_capture()
        except (RuntimeError, MemoryError) as error:  # CuPy's errors of CUDA and its libraries are RuntimeErrors
            self.uncaptured, self._pool = f"CUDA can't capture this step: {error}", None

    def _parts(self, poison: bool) -> list[Element | Step]:
        """What the step does, in the plan's order."""
        calls: dict[Node, list[Call]] = {}
        for node, call in zip(self.owners, self.calls, strict=True):
            calls.setdefault(node, []).append(call)
        found: list[Element | Step] = []
        for at, node in enumerate(self.plan.nodes):
            arrays = [self.arrays[each] for each in (*node.inputs, node)]
            found += parts(self.device, node, arrays, calls.get(node, ()))
            if poison:
                freed = self.plan.freed.get(at, ())
                fills = zip(freed, self.poisons(at), strict=True)
                found += [Step([fill], (), (self._bytes(each),)) for each, fill in fills]
        return found

    def _bytes(self, storage: Storage) -> tuple[int, int]:
        """The first byte of ``storage`` and the one after its last."""
        start = self.devices[storage.device].address(self._arenas[storage.device]) + storage.offset
        return start, start + storage.nbytes

    def _kernel(self, kernel: Kernel) -> Sequence[Call]:
        """The call that launches ``kernel``; none if nobody needs what it computes."""
        if not kernel.stored:
            return ()
        made = source(kernel)
        self.sources.append(made)
        compiled = self.device.xp.RawKernel(made.code, made.name, OPTIONS)  # CuPy keeps what it compiled, also on disk
        blocks = min(-(-kernel.size // THREADS), BLOCKS)
        return (partial(compiled, (blocks,), (THREADS,), made.arguments),)


@dataclass(frozen=True)
class Cuda:
    """See :class:`engine.executors.base.Executor`."""

    device: Device
    on_gpu = True
    known = ()

    @property
    def label(self) -> str:
        """For people."""
        return self.device.label

    def compile(self, plan: Plan, memory: Memory, poison: bool = False) -> CudaProgram:
        """See :meth:`engine.executors.base.Executor.compile`."""
        return CudaProgram(plan, memory, poison)
