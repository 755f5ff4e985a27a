"""The GPU's executor: element-wise operations fused into kernels, and the whole step replayed as one CUDA graph.

The first step of a program runs call by call, which compiles and loads what it needs; the second is
captured, and from then on a step is one launch.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from engine.devices import Device
from engine.executors.base import Memory, Program
from engine.executors.cuda_source import OPTIONS, Source, source
from engine.fuse import Region
from engine.op import Call
from engine.ops.matrix import affine, matmul
from engine.plan import Plan

THREADS = 256  # of a block
BLOCKS = 2048  # at most: they fill any GPU, and each thread then takes several elements


class CudaProgram(Program):
    """A program that runs fused kernels and, from the second step on, one CUDA graph.

    ``sources`` are the kernels' sources, ``calls`` the launches of a step.
    """

    def __init__(self, plan: Plan, memory: Memory, poison: bool) -> None:
        super().__init__(plan, memory)
        self.sources: list[Source] = []
        self.uncaptured = self._obstacle()
        self._warm = False  # whether a step has run call by call
        self._pool: Any = None  # what captured calls allocate from: the graph goes on using it
        self._graph: Any = None
        self.fill(self._launches, poison)
        if not self.calls:
            self.uncaptured = "there is nothing to compute"

    @property
    def captured(self) -> bool:
        """Whether a step is one launch of a CUDA graph by now; if it can't be, ``uncaptured`` says why."""
        return self._graph is not None

    def singly(self) -> Sequence[tuple[Call, Region]]:
        """The step as CuPy does it, operation by operation."""
        steps = [Region((node,), (node,)) for node in self.plan.nodes]
        return [(call, step) for step in steps for call in self.calls_of(step)]

    def step(self) -> None:
        """See :meth:`engine.executors.base.Program.step`."""
        if self._warm and self._graph is None and self.uncaptured is None:
            self._capture()
        if self._graph is not None:
            self._graph.launch()  # into the current stream: after what feeds it, before what fetches
        else:
            super().step()
            self._warm = True

    def retire(self, reason: str) -> None:
        """See :meth:`engine.executors.base.Program.retire`; the graph's memory is given back."""
        super().retire(reason)
        self._graph = self._pool = None

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
                    for call in self.calls:
                        call()
                except BaseException:
                    with suppress(RuntimeError):  # it has to end, and tells less than the error that broke it
                        stream.end_capture()
                    raise
                self._graph = stream.end_capture()
        except (RuntimeError, MemoryError) as error:  # CuPy's errors of CUDA and its libraries are RuntimeErrors
            self.uncaptured, self._pool = f"CUDA can't capture this step: {error}", None

    def _launches(self, step: Region) -> Sequence[Call]:
        """A kernel, after the product that it goes on from if there is one; else the array module's calls."""
        if not step.work or not _is_kernel(step):
            return self.calls_of(step)
        before, product = self._product(step)
        made = source(self.device, step, self.arrays, product)
        self.sources.append(made)
        compiled = self.device.xp.RawKernel(made.code, made.name, OPTIONS)  # CuPy keeps what it compiled, also on disk
        blocks = min(-(-step.last.spec.size // THREADS), BLOCKS)
        return (*before, partial(compiled, (blocks,), (THREADS,), made.arguments))

    def _product(self, step: Region) -> tuple[Sequence[Call], Any]:
        """The calls of the product that ``step`` begins with, and its array, which is a result's if one fits."""
        if step.product is None:
            return (), None
        x, weights, _ = (self.arrays[each] for each in step.product.inputs)
        spec = step.product.spec
        place = next((node for node in step.stored if node.spec == spec), None)
        array = self.device.empty(spec.concrete, spec.dtype) if place is None else self.arrays[place]
        assert matmul.kernel is not None
        return matmul.kernel(self.device.xp, array, x, weights), array


def _is_kernel(step: Region) -> bool:
    """Whether a kernel does it: element-wise on the GPU itself, be it after a layer's product."""
    first_fits = step.product is None or (step.product.op is affine and step.product.spec.size > 0)
    return first_fits and not step.last.device and step.element_wise


@dataclass(frozen=True)
class Cuda:
    """See :class:`engine.executors.base.Executor`."""

    device: Device
    on_gpu = True
    largest = 32  # operations of a kernel: more would run out of registers
    joins_from = 1

    @property
    def label(self) -> str:
        """For people."""
        return self.device.label

    def accepts(self, region: Region) -> bool:
        """See :meth:`engine.fuse.Taker.accepts`."""
        return _is_kernel(region)

    def compile(self, plan: Plan, memory: Memory, poison: bool = False) -> CudaProgram:
        """See :meth:`engine.executors.base.Executor.compile`."""
        return CudaProgram(plan, memory, poison)
