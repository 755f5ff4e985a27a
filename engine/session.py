"""A session holds the variables of a graph on a device and runs parts of the graph."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, overload

import numpy as np

from engine.device import device as find_device
from engine.errors import DtypeError, EngineError, FeedError, ShapeError
from engine.executors.numpy import Program
from engine.graph import PLACEHOLDER, VARIABLE, Graph, Tensor
from engine.passes import Node
from engine.plan import make_plan
from engine.spec import Spec

PROGRAMS = 64  # plans kept: (fetches, fed shapes) that were used last


class Session:
    """Runs ``graph`` on ``device``; the first weights follow from ``seed`` and each variable's name.

    All variables of a dtype lie side by side in one array, in order of creation, so a checkpoint,
    a reset or a step back in time is one copy (:meth:`state`, :meth:`load_state`).
    """

    def __init__(
        self, graph: Graph, seed: int = 0, device: str = "cpu:0", *, reuse: bool = True, poison: bool = False
    ) -> None:
        self.graph = graph
        self.seed = seed
        self.device = find_device(device)
        self._reuse, self._poison = reuse, poison
        self._arenas: dict[str, Any] = {}
        self._ready = 0  # variables that have their first value
        self._programs: OrderedDict[object, Program] = OrderedDict()

    @overload
    def run(self, fetches: Tensor, feeds: Mapping[Tensor, Any] | None = None) -> Any: ...
    @overload
    def run(self, fetches: Sequence[Tensor], feeds: Mapping[Tensor, Any] | None = None) -> list[Any]: ...

    def run(self, fetches: Tensor | Sequence[Tensor], feeds: Mapping[Tensor, Any] | None = None) -> Any:
        """The values of ``fetches`` (one tensor, or a list of them) as NumPy arrays.

        ``feeds`` maps placeholders (any tensor, in fact) to values.  A :func:`group` gives None.
        Raises FeedError for what is missing or doesn't fit.
        """
        single = isinstance(fetches, Tensor)
        wanted = [fetches] if isinstance(fetches, Tensor) else list(fetches)
        values = {tensor: _checked(tensor, value) for tensor, value in (feeds or {}).items()}
        program = self.bind(wanted, {tensor: value.shape for tensor, value in values.items()})
        for tensor, value in values.items():
            if tensor in program.feeds:
                program.feeds[tensor][...] = self.device.send(value)
        program.run()
        results = program.fetch()
        return results[0] if single else results

    def peek(self, tensor: Tensor, feeds: Mapping[Tensor, Any] | None = None) -> Any:
        """The value of any tensor inside the graph; the same as :meth:`run` of that one."""
        return self.run(tensor, feeds)

    def bind(self, fetches: Tensor | Sequence[Tensor], shapes: Mapping[Tensor, tuple[int, ...]]) -> Program:
        """The program that computes ``fetches`` when tensors of these shapes are fed, for hot loops.

        It is kept and found again; fill ``program.feeds[tensor][...]``, then ``program.run()``.
        """
        self._grow()
        wanted = (fetches,) if isinstance(fetches, Tensor) else tuple(fetches)
        key = (wanted, tuple(shapes.items()))
        program = self._programs.get(key)
        if program is None:
            for tensor in wanted:
                self._own(tensor)
            fed = {tensor: Spec(tuple(shape), tensor.dtype) for tensor, shape in shapes.items()}
            plan = make_plan(wanted, fed, self._reuse)
            program = Program(plan, self.device, self._window, self._vector, self._poison)
            self._programs[key] = program
            if len(self._programs) > PROGRAMS:
                self._programs.popitem(last=False)
        else:
            self._programs.move_to_end(key)
        return program

    def get(self, variable: Tensor) -> np.ndarray:
        """A copy of a variable's value."""
        self._grow()
        return self.device.fetch(self._window(self._own(variable)))

    def set(self, variable: Tensor, value: Any) -> None:
        """Put a value of the variable's shape into it.  Raises FeedError if it doesn't fit."""
        self._grow()
        self._window(self._own(variable))[...] = self.device.send(_checked(variable, value))

    def reset(self) -> None:
        """Every variable back to its first value: the same seed gives the same weights."""
        self._ready = 0
        self._grow()

    def state(self) -> dict[str, np.ndarray]:
        """All variables (weights and the optimiser's): one flat copy a dtype."""
        self._grow()
        return {dtype: self.device.fetch(arena) for dtype, arena in self._arenas.items()}

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Go back to a :meth:`state` of a session of the same graph.  Raises EngineError if the sizes differ."""
        self._grow()
        sizes = {dtype: array.shape for dtype, array in state.items()}
        if sizes != {dtype: arena.shape for dtype, arena in self._arenas.items()}:
            raise EngineError(f"the state holds {sizes}, this graph's variables need {self.graph.sizes}")
        for dtype, array in state.items():
            self._arenas[dtype][...] = self.device.send(array)

    def _own(self, tensor: Tensor) -> Tensor:
        if tensor.graph is not self.graph:
            raise EngineError(f"{tensor.name} ({tensor.source}) belongs to another graph than this session's")
        return tensor

    def _grow(self) -> None:
        """Memory and first values for variables that were added since the last call."""
        variables = self.graph.variables
        if self._ready == len(variables):
            return
        for dtype, size in self.graph.sizes.items():
            old = self._arenas.get(dtype)
            if old is None or old.size != size:
                self._arenas[dtype] = self.device.xp.zeros(size, dtype)
                self._programs.clear()  # they point into the old memory
                if old is not None:
                    self._arenas[dtype][: old.size] = old
        for variable in variables[self._ready :]:
            self._window(variable)[...] = self.device.send(self._first_value(variable))
        self._ready = len(variables)

    def _first_value(self, variable: Tensor) -> np.ndarray:
        initial, spec = variable.attrs["initial"], variable.spec
        if callable(initial):
            initial = initial(name_rng(self.seed, variable.name), spec.concrete)
        return np.broadcast_to(np.asarray(initial, spec.dtype), spec.concrete)

    def _window(self, variable: Tensor) -> Any:
        if variable.op is not VARIABLE:
            raise EngineError(f"{variable.name} is the result of {variable.op.name}, not a variable; peek() reads it")
        start = self.graph.offsets[variable]
        return self._arenas[variable.dtype][start : start + variable.spec.size].reshape(variable.spec.concrete)

    def _vector(self, node: Node) -> Any:
        parts = [each.tensor for each in node.inputs]
        start = position = self.graph.offsets[parts[0]]
        for part in parts:
            if self.graph.offsets[part] != position:
                raise EngineError(f"flat(): {part.name} doesn't lie right behind the variable before it")
            position += part.spec.size
        return self._arenas[node.spec.dtype][start:position]


def name_rng(seed: int, name: str) -> np.random.Generator:
    """The random numbers that belong to (seed, name), whatever else was drawn before."""
    digest = hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))


def _checked(tensor: Tensor, value: Any) -> np.ndarray:
    """``value`` as an array that fits ``tensor``.  Numbers and lists are converted, arrays must have the dtype."""
    if isinstance(value, Tensor):
        raise FeedError(f"{tensor.name} was fed the tensor {value.name}; feed a value: session.run({value.name})")
    try:
        array = np.asarray(value, None if isinstance(value, (np.ndarray, np.generic)) else tensor.dtype)
    except (ValueError, TypeError, OverflowError) as error:
        raise FeedError(f"{tensor.name} {tensor.spec} was fed something that isn't numbers: {error}") from None
    if array.dtype.name != tensor.dtype:
        hint = f"write value.astype(np.{tensor.dtype})"
        raise DtypeError(f"{tensor.name} {tensor.spec} ({tensor.source}) was fed {array.dtype.name}; {hint}")
    if not tensor.spec.fits(Spec(array.shape, array.dtype.name)):
        kind = "placeholder" if tensor.op is PLACEHOLDER else tensor.op.name
        raise ShapeError(f"{kind} {tensor.name} {tensor.spec} ({tensor.source}) was fed shape {array.shape}")
    return array
