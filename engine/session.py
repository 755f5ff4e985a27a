"""A session holds the variables of a graph on a device and runs parts of the graph."""

from __future__ import annotations

import hashlib
import warnings
import weakref
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, TypeVar, cast, overload

import numpy as np
from numpy.random.bit_generator import ISeedSequence

from engine.asked import Feeds, State, check_state, checked, fed_spec, leaves, like, no_tensor, pairs
from engine.devices import Device, find_device
from engine.errors import (
    DeviceError,
    EngineError,
    GraphGrowsWarning,
    Named,
    Settings,
    ShapeError,
    Source,
    misfit,
    placed,
    strict,
    user_source,
)
from engine.executors import Executor, Program, Turn, reference
from engine.graph import VARIABLE, Graph, Tensor
from engine.plan import make_plan
from engine.tensor import HereOnly, shown
from engine.values import drawn, sizes

PROGRAMS = 64  # plans kept: (fetches, fed shapes) that were used last
GROWTHS = 30  # runs before which one line may add to the graph until it is taken for a loop


Method = TypeVar("Method", bound=Callable[..., Any])


def _in_turn(method: Method) -> Method:
    """Have a session's method raise EngineError while another thread is in one, or runs a program of the session."""

    @wraps(method)
    def alone(self: Session, *given: Any, **named: Any) -> Any:
        try:
            with self._memory.turn:
                return method(self, *given, **named)
        except (TypeError, EngineError) as error:
            raise misfit(method, (self, *given), named) or placed(error) from None

    return cast(Method, alone)


class Session(HereOnly, Named, metaclass=Settings):
    """Runs ``graph`` on ``device``; the first weights follow from ``seed`` and each variable's name.

    All variables of a dtype lie side by side in one array, in order of creation, so a checkpoint,
    a reset or a step back in time is one copy (:meth:`state`, :meth:`load_state`).  A session and
    its programs belong to one thread at a time; several sessions may run the same graph.
    ``executor`` makes its programs; the device's reference executor does if there is none.  ``threads``: how many
    it may use for one network; the native executor can use more than one, and gives the same bits with any number.
    Raises DeviceError if the device isn't there, or isn't one that the executor computes on.
    """

    def __init__(
        self,
        graph: Graph,
        seed: int = 0,
        device: str = "cpu:0",
        *,
        executor: Executor | None = None,
        threads: int = 1,
        reuse: bool = True,
        poison: bool = False,
    ) -> None:
        if not isinstance(graph, Graph):
            raise EngineError(f"a session runs a graph, Session(graph), got {shown(graph)} ({user_source()})")
        if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
            raise EngineError(
                f"the seed of the first weights is a whole number, got {seed!r:.60}; "
                f'a device is given by its name: Session(graph, device="gpu:0") ({user_source()})'
            )
        self.graph = graph
        self.seed = seed
        self.device = find_device(device)
        self._reuse, self._poison = reuse, poison
        self.executor = self._fitting(executor or reference(self.device))
        self._memory = _Memory(graph, self.device)
        self.threads = threads
        self._ready: list[Tensor] = []  # variables that have their first value
        self._revision = graph.revision
        self._programs: OrderedDict[object, Program] = OrderedDict()
        self._alive: weakref.WeakSet[Program] = weakref.WeakSet()  # those too that are only in users' hands
        self._seen = len(graph.tensors)
        self._growths: Counter[Source] = Counter()  # the lines that added to the graph between runs

    def __enter__(self) -> Session:
        """``with Session(graph) as session:`` reads well."""
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the memory of programs that it keeps for later; nothing has to be closed, and it can go on."""
        self._programs.clear()

    @overload
    def run(self, fetches: list[Tensor], feeds: Feeds = None, *, feed_dict: Feeds = None) -> list[Any]: ...
    @overload
    def run(self, fetches: Any, feeds: Feeds = None, *, feed_dict: Feeds = None) -> Any: ...

    @_in_turn
    def run(self, fetches: Any, feeds: Feeds = None, *, feed_dict: Feeds = None) -> Any:
        """The values of ``fetches`` as NumPy arrays: of one tensor, or of all in lists, tuples and dicts, as they are.

        ``feeds`` (or ``feed_dict``, TensorFlow's word) maps placeholders (any tensor, in fact) to values.
        A :func:`group` gives None.  Raises FeedError, DtypeError or ShapeError for what is missing or doesn't fit.
        """
        values = {tensor: checked(tensor, value) for tensor, value in pairs(feeds, feed_dict)}
        wanted = (fetches,) if isinstance(fetches, Tensor) else tuple(leaves(fetches))
        program = self.bind(wanted, {tensor: value.shape for tensor, value in values.items()})
        for tensor, array in program.feeds.items():
            array[...] = self.device.send(values[tensor])
        program.run()
        results = program.fetch()
        return results[0] if isinstance(fetches, Tensor) else like(fetches, iter(results))

    @property
    def threads(self) -> int:
        """How many threads its programs may use; those that are bound too go by a change.  Raises EngineError."""
        return self._memory.threads

    @threads.setter
    def threads(self, count: int) -> None:
        if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or count < 1:
            raise EngineError(f"threads is a whole number from 1 on, got {count!r:.40} ({user_source()})")
        self._memory.threads = int(count)

    @strict
    def use(self, executor: Executor) -> None:
        """Make its programs with this executor from now on; those bound before stay as they are.

        Raises DeviceError if it doesn't compute on the session's device.
        """
        if executor is not self.executor:
            self.executor = self._fitting(executor)
            self._programs.clear()

    def _fitting(self, executor: Executor) -> Executor:
        if not hasattr(executor, "compile"):
            raise EngineError(f"an executor is what native.load() gives, got {shown(executor)} ({user_source()})")
        if executor.on_gpu != self.device.is_gpu:
            raise DeviceError(f"{executor.label} doesn't compute on {self.device.name}, this session's device")
        return executor

    @strict
    def peek(self, tensor: Tensor, feeds: Feeds = None) -> Any:
        """The value of any tensor inside the graph; the same as :meth:`run` of that one."""
        return self.run(tensor, feeds)

    @_in_turn
    def bind(self, fetches: Tensor | Sequence[Tensor], shapes: Mapping[Tensor, Sequence[int]]) -> Program:
        """The program that computes ``fetches`` when tensors of these shapes are fed, for hot loops.

        It is kept and found again; fill ``program.feeds[tensor][...]`` (those that it needs are in
        there), then ``program.run()``.  When the graph gets more variables it has to be bound anew.
        """
        self._grow()
        if len(self.graph.tensors) != self._seen:
            self._watch_growth()
        wanted = fetches if type(fetches) is tuple else tuple(leaves(fetches))
        if not isinstance(shapes, (dict, Mapping)):
            raise EngineError(
                f"shapes are those of the tensors fed, {{x: (100, 2)}}, got {shown(shapes)} ({user_source()})"
            )
        for tensor in (*wanted, *shapes):
            self._own(tensor)
        known = {tensor: sizes(shape) for tensor, shape in shapes.items()}
        key = (wanted, frozenset(known.items()))
        program = self._programs.get(key)
        if program is None:
            fed = {tensor: fed_spec(tensor, shape) for tensor, shape in known.items()}
            plan = make_plan(wanted, fed, self._reuse, home=self.device.name, taker=self.executor)
            program = self.executor.compile(plan, self._memory, self._poison)
            self._programs[key] = program
            self._alive.add(program)
            if len(self._programs) > PROGRAMS:
                self._programs.popitem(last=False)
        self._programs.move_to_end(key)
        return program

    def _watch_growth(self) -> None:
        """Warn, once, of a loop that builds anew what it runs."""
        lines = {tensor.source for tensor in self.graph.tensors[self._seen :]}
        self._seen = len(self.graph.tensors)
        if not lines:
            return
        self._growths.update(lines)
        line, times = max(((line, self._growths[line]) for line in lines), key=lambda each: each[1])
        if times == GROWTHS:
            warnings.warn_explicit(
                f"the graph grows from run to run: {line} has added to it before {times} runs, "
                f"and it has {self._seen} tensors now; build once, before the loop, and only run inside it",
                GraphGrowsWarning,
                line.file,
                line.line,
            )

    @_in_turn
    def get(self, variable: Tensor) -> np.ndarray:
        """A copy of a variable's value."""
        self._grow()
        return self.device.fetch(self._window(variable))

    @_in_turn
    def set(self, variable: Tensor, value: Any) -> None:
        """Put a value of the variable's shape into it.  Raises FeedError, DtypeError, ShapeError if it doesn't fit."""
        self._grow()
        window = self._window(variable)
        window[...] = self.device.send(checked(variable, value))

    @_in_turn
    def reset(self) -> None:
        """Every variable back to its first value: the same seed gives the same weights."""
        self._ready = []
        self._grow()

    @_in_turn
    def state(self) -> dict[str, np.ndarray]:
        """All variables (weights and the optimiser's): one flat copy a dtype, which knows whose numbers they are."""
        self._grow()
        return State({dtype: self.device.fetch(arena) for dtype, arena in self._memory.arenas.items()}, self.graph)

    @_in_turn
    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Go back to a :meth:`state` of a session of the same graph.

        Raises EngineError if names or shapes of the variables differ; of arrays in a dict of one's own, the sizes.
        """
        self._grow()
        check_state(state, self.graph)
        for dtype, array in state.items():
            self._memory.arenas[dtype][...] = self.device.send(array)

    def _own(self, tensor: Any) -> None:
        if not isinstance(tensor, Tensor):
            raise no_tensor("tensors of the graph are fetched and fed", tensor)
        if tensor.graph is not self.graph:
            raise EngineError(
                f"{tensor.name} {tensor.spec} ({tensor.source}) belongs to another graph than this session's "
                f"({user_source()})"
            )

    def _window(self, variable: Tensor) -> Any:
        self._own(variable)
        if variable.op is not VARIABLE:
            raise EngineError(
                f"{variable.name} is the result of {variable.op.name}, not a variable; peek() reads it "
                f"({user_source()})"
            )
        return self._memory.window([variable]).reshape(variable.spec.concrete)

    def _grow(self) -> None:
        """Memory and first values for variables that were added since the last call."""
        variables = self.graph.variables
        undone = self._revision != self.graph.revision and any(each.graph is not self.graph for each in self._ready)
        self._revision = self.graph.revision
        if undone:
            self._ready = [each for each in self._ready if each.graph is self.graph]
        elif len(self._ready) == len(variables):
            return
        if self._memory.grow() or undone:
            self._programs.clear()
            for program in self._alive:
                program.retire("the graph got more variables since this program was bound; bind() it again")
            self._alive.clear()
        for variable in variables[len(self._ready) :]:
            self._window(variable)[...] = self.device.send(_first_value(variable, self.seed))
        self._ready = list(variables)


class _Memory:
    """The arrays of a graph's variables and constants on a device."""

    def __init__(self, graph: Graph, device: Device) -> None:
        self.graph = graph
        self.device = device
        self.threads = 1
        self.turn = Turn()
        self.arenas: dict[str, Any] = {}
        self._sent: dict[Tensor, Any] = {}

    def grow(self) -> bool:
        """Make room for all of the graph's variables, and no others; whether memory that was there has moved."""
        moved = False
        for dtype in self.arenas.keys() - self.graph.sizes.keys():
            del self.arenas[dtype]
        for dtype, size in self.graph.sizes.items():
            old = self.arenas.get(dtype)
            if old is None or old.size != size:
                self.arenas[dtype] = self.device.xp.zeros(size, dtype)
                if old is not None:
                    self.arenas[dtype][: old.size] = old[:size]
                    moved = True
        return moved

    def window(self, variables: Sequence[Tensor]) -> Any:
        """The memory of variables that lie side by side, as one vector."""
        start = self.graph.offsets[variables[0]]
        return self.arenas[variables[0].dtype][start : start + sum(each.spec.size for each in variables)]

    def sent(self, tensor: Tensor) -> Any:
        """A constant's value on the device: sent once, however many programs read it."""
        if tensor not in self._sent:
            self._sent[tensor] = self.device.send(tensor.attrs["value"])
        return self._sent[tensor]


class _Key(ISeedSequence):
    """What Philox is keyed with.  Given as a number, it would come at thrice the price."""

    def __init__(self, key: bytes) -> None:
        self._key = np.frombuffer(key, "<u8")

    def generate_state(self, n_words: int, dtype: Any = None) -> np.ndarray:
        """All words of the key."""
        return self._key


def name_rng(seed: int, name: str) -> np.random.Generator:
    """The random numbers that belong to (seed, name), whatever else was drawn before."""
    key = hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(_Key(key)))  # type: ignore[arg-type]


def _first_value(variable: Tensor, seed: int) -> np.ndarray:
    initial, spec = variable.attrs["initial"], variable.spec
    if callable(initial):
        whose = f"{variable.name} {spec} ({variable.source}): its initialiser"
        initial = drawn(initial, name_rng(seed, variable.name), spec, whose)
        if initial.shape != spec.shape:
            raise ShapeError(f"{whose} gave shape {initial.shape}")
    return np.broadcast_to(initial, spec.concrete)
