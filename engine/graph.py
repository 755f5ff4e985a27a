"""The graph: symbolic tensors that flow from operation to operation.

Nothing here computes.  ``with Graph() as graph:`` collects what is built inside; a
:class:`engine.session.Session` runs parts of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any

import numpy as np

from engine.errors import DeviceError, DtypeError, EngineError, ShapeError, Source, user_source
from engine.op import REGISTRY, Op, op
from engine.spec import Shape, Spec

_current: ContextVar[Graph | None] = ContextVar("graph", default=None)


def _source_spec(*, spec: Spec, **_: Any) -> Spec:
    return spec


CONSTANT = op("constant", "A value that never changes.", spec=_source_spec)
PLACEHOLDER = op("placeholder", "A value that is fed at each run.", spec=_source_spec, pure=False)
VARIABLE = op("variable", "A value that is kept between runs and changed by assign.", spec=_source_spec, pure=False)


Operator = Callable[["Tensor", Any], "Tensor"]


def _operator(name: str) -> tuple[Operator, Operator]:
    """The methods for ``tensor sign other`` and ``other sign tensor``."""
    return lambda self, other: self._apply(name, self, other), lambda self, other: self._apply(name, other, self)


class Tensor:
    """A value that will be there when the graph runs.  Immutable; the usual operators build on it."""

    __slots__ = ("__weakref__", "attrs", "device", "graph", "id", "inputs", "name", "op", "source", "spec")
    __array_ufunc__ = None  # numpy_array + tensor asks the tensor, not NumPy

    def __init__(
        self, graph: Graph, op: Op, inputs: tuple[Tensor, ...], attrs: Mapping[str, Any], *, spec: Spec, name: str
    ) -> None:
        self.graph = graph
        self.id = len(graph.tensors)  # creation order is a topological order
        self.op = op
        self.inputs = inputs
        self.attrs = MappingProxyType(dict(attrs))
        self.spec = spec
        self.name = name
        self.device = graph.device  # where it is computed; None: on the session's device
        self.source: Source = user_source()

    shape = property(lambda self: self.spec.shape)
    dtype = property(lambda self: self.spec.dtype)
    ndim = property(lambda self: self.spec.ndim)

    def __repr__(self) -> str:
        return f"<{self.name}: {self.op.name} {self.spec}>"

    def __bool__(self) -> bool:
        raise self._refused("has no value yet, so `if` and `while` can't ask for it; use where(), or session.run()")

    def __iter__(self) -> Iterator[Tensor]:
        raise self._refused("is symbolic and can't be looped over; slice it, or loop over a known size")

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        raise self._refused(
            "has no value yet, so NumPy can't compute with it; use the operations of engine.ops, or session.run()"
        )

    def _refused(self, why: str) -> EngineError:
        return EngineError(f"{self.name} {self.spec} {why} ({user_source()})")

    def _apply(self, name: str, *inputs: Any, **attrs: Any) -> Tensor:
        return self.graph.apply(REGISTRY[name], inputs, attrs, None)

    __add__, __radd__ = _operator("add")
    __sub__, __rsub__ = _operator("sub")
    __mul__, __rmul__ = _operator("mul")
    __truediv__, __rtruediv__ = _operator("div")
    __matmul__, __rmatmul__ = _operator("matmul")

    def __neg__(self) -> Tensor:
        return self._apply("neg", self)

    def __getitem__(self, index: Any) -> Tensor:
        if isinstance(index, Tensor):
            return self._apply("gather", self, index)
        return self._apply("slice", self, index=index if isinstance(index, tuple) else (index,))


class Graph:
    """All tensors built under ``with graph:``, in the order they were made."""

    def __init__(self) -> None:
        self.tensors: list[Tensor] = []
        self.variables: list[Tensor] = []
        self.offsets: dict[Tensor, int] = {}  # each variable's place in the arena of its dtype, in elements
        self.sizes: dict[str, int] = {}  # elements of each dtype's arena
        self.notes: dict[str, str] = {}  # the settings behind a part of the graph (an optimiser's), by name
        self.session: Any = None  # the one that all functions of engine.theano run in
        self.device: str | None = None  # see device()
        self._names: dict[str, int] = {}
        self._scope = ""
        self._tokens: list[Any] = []

    def __enter__(self) -> Graph:
        self._tokens.append(_current.set(self))
        return self

    def __exit__(self, *_: object) -> None:
        _current.reset(self._tokens.pop())

    @contextmanager
    def scope(self, name: str) -> Iterator[None]:
        """Names of tensors made inside begin with ``name/``."""
        outer, self._scope = self._scope, f"{self._scope}{name}/"
        try:
            yield
        finally:
            self._scope = outer

    def apply(self, op: Op, inputs: Sequence[Any], attrs: Mapping[str, Any], name: str | None) -> Tensor:
        """Add one node.  What doesn't fit is refused here, with the user's line."""
        try:
            if op.arity not in (None, len(inputs)):
                raise EngineError(f"takes {op.arity} input(s), got {len(inputs)}")
            tensors = self._as_tensors(inputs)
            if op.check is not None:
                op.check(tensors)
            spec = op.spec(*(each.spec for each in tensors), **attrs)
        except EngineError as error:
            shown = ", ".join(_shown(each) for each in inputs)
            raise type(error)(f"{op.name}({shown}): {error} ({self.place()})") from None
        made = Tensor(self, op, tensors, attrs, spec=spec, name=self._unique(name or op.name))
        self.tensors.append(made)
        return made

    def place(self) -> str:
        """Where the user is building now, for errors: the layer and the line."""
        layer = f'layer "{self._scope.rstrip("/")}", ' if self._scope else ""
        return f"{layer}{user_source()}"

    def _as_tensors(self, inputs: Sequence[Any]) -> tuple[Tensor, ...]:
        """Numbers take the type of the tensors they meet: of a float among them, if there is one."""
        found = []
        for each in inputs:
            tensor = each if isinstance(each, Tensor) else self.constant(each, _met(each, inputs))
            if tensor.graph is not self:
                raise EngineError(
                    f"{tensor.name} ({tensor.source}) belongs to another graph; build it under the same `with graph:`"
                )
            found.append(tensor)
        return tuple(found)

    def constant(self, value: Any, dtype: str | None = None, name: str | None = None) -> Tensor:
        """See :func:`constant`."""
        array = as_array(value, dtype)
        if array is not value and array.base is None:
            array.flags.writeable = False
        return self.apply(CONSTANT, (), {"spec": Spec(array.shape, array.dtype.name), "value": array}, name)

    def _unique(self, name: str) -> str:
        """``name`` in the current scope, with a number behind it if there is such a name already."""
        full = free = self._scope + name
        while free in self._names:
            free = f"{full}_{self._names[full]}"
            self._names[full] += 1
        self._names[free] = 1
        return free

    def variable(self, initial: Any, shape: tuple[int, ...], dtype: str, trainable: bool, name: str) -> Tensor:
        """See :func:`variable`."""
        full = self._scope + name
        taken = next((each for each in self.variables if each.name == full), None)
        if taken is not None:
            raise EngineError(f"there is a variable named {full!r} already, from {taken.source}")
        spec = Spec(_sizes(shape), dtype)
        if not callable(initial):  # a copy: session.reset() comes back to it
            initial = np.array(as_array(initial, dtype))
            initial.flags.writeable = False
            if initial.shape not in ((), spec.shape):
                raise ShapeError(f"{initial.shape} doesn't fill {spec}")
        self._names.pop(full, None)  # what was named after its op doesn't keep a variable from its name
        made = self.apply(VARIABLE, (), {"spec": spec, "initial": initial, "trainable": trainable}, name)
        self.offsets[made] = self.sizes.get(dtype, 0)
        self.sizes[dtype] = self.offsets[made] + spec.size
        self.variables.append(made)
        return made


def _shown(value: Any) -> str:
    """An input as errors show it."""
    if isinstance(value, Tensor):
        return f"{value.name} {value.spec}"
    return f"array {value.dtype.name}{value.shape}" if isinstance(value, np.ndarray) else repr(value)[:40]


def _met(value: Any, inputs: Sequence[Any]) -> str | None:
    """The type that the number ``value`` takes among ``inputs``; None if it isn't a number or meets no tensor."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
        return None
    met = [each.dtype for each in inputs if isinstance(each, Tensor)]
    return min(met, key=lambda dtype: (not dtype.startswith("float"), dtype == "bool"), default=None)


def as_array(value: Any, dtype: str | None) -> np.ndarray:
    """``value`` as an array of ``dtype``; if that is None, Python's numbers become float32 and int32.

    Raises DtypeError if a number can't be kept as it is (2.5 or 300 in uint8), or for a GPU's array.
    """
    if hasattr(value, "__cuda_array_interface__"):
        raise DtypeError("this array lies on a GPU, and NumPy's are wanted here; value.get() gives one (of CuPy's)")
    try:
        array = np.asarray(value)
    except ValueError as error:  # rows of different lengths
        raise ShapeError(f"this isn't an array of numbers: {error}") from None
    if dtype is None:
        dtype = array.dtype.name
        if not isinstance(value, (np.ndarray, np.generic)):
            dtype = {"float64": "float32", "int64": "int32"}.get(dtype, dtype)
    Spec((), dtype)  # refuses types that aren't known
    if array.dtype.name == dtype:
        return array
    if array.dtype.kind not in "fiub":
        raise DtypeError(f"{str(value)[:40]!r} isn't a number")
    with np.errstate(all="ignore"):
        found = array.astype(dtype)
    if found.dtype.kind != "f" and not np.array_equal(found, array):
        raise DtypeError(f"{str(value)[:40]} can't be {dtype} without loss; use cast(), or another dtype")
    return found


def _sizes(shape: Iterable[Any], unknown: bool = False) -> tuple[Any, ...]:
    """``shape`` as a tuple of whole numbers (and None, if sizes may be ``unknown``).  Raises ShapeError."""
    sizes = tuple(shape)
    for size in sizes:
        if not (isinstance(size, (int, np.integer)) and size >= 0) and not (unknown and size is None):
            raise ShapeError(f"sizes must be whole numbers{', or None' if unknown else ''}, got {sizes}")
    return tuple(size if size is None else int(size) for size in sizes)


def _refusal(error: EngineError, what: str, graph: Graph) -> EngineError:
    """``error`` with what was to be made, and where."""
    return type(error)(f"{what}: {error} ({graph.place()})")


def current_graph(default: Graph | None = None) -> Graph:
    """The graph of the innermost ``with graph:``, or else ``default``.  Raises EngineError if there is neither."""
    graph = _current.get() or default
    if graph is None:
        raise EngineError(f"there is no graph to build in; write `with Graph() as graph:` around it ({user_source()})")
    return graph


def constant(value: Any, dtype: str | None = None, name: str | None = None) -> Tensor:
    """A tensor that always holds ``value``: a number, nested lists, or an array.

    An array of the right dtype isn't copied: don't change it later.  Python's numbers become float32
    and int32 unless ``dtype`` says otherwise.  Raises DtypeError, ShapeError.
    """
    graph = current_graph()
    try:
        return graph.constant(value, dtype, name)
    except EngineError as error:
        raise _refusal(error, "constant", graph) from None


def placeholder(shape: Shape, dtype: str = "float32", name: str | None = None) -> Tensor:
    """A tensor that is fed at each run.  None in ``shape`` is a size that may differ from run to run.

    Raises ShapeError, DtypeError for what can't be a size or a dtype.
    """
    graph = current_graph()
    try:
        spec = Spec(_sizes(shape, unknown=True), dtype)
    except EngineError as error:
        raise _refusal(error, f"placeholder {name or 'without a name'}", graph) from None
    return graph.apply(PLACEHOLDER, (), {"spec": spec}, name)


def variable(
    initial: Any, shape: tuple[int, ...] | None = None, *, dtype: str = "float32", trainable: bool = True, name: str
) -> Tensor:
    """A tensor that keeps its value between runs.

    ``initial`` is a number, an array, or an initialiser of :mod:`engine.init`, which is drawn from
    (the session's seed, this name), so that the same seed always gives the same first weights.
    Raises EngineError if the name is taken, ShapeError and DtypeError if ``initial`` doesn't fit.
    """
    graph = current_graph()
    try:
        if shape is None:
            if callable(initial):
                raise ShapeError("an initialiser needs shape=")
            shape = as_array(initial, dtype).shape
        return graph.variable(initial, shape, dtype, trainable, name)
    except EngineError as error:
        raise _refusal(error, f"variable {name}", graph) from None


def name_scope(name: str) -> AbstractContextManager[None]:
    """Names of tensors made inside begin with ``name/``."""
    return current_graph().scope(name)


@contextmanager
def device(name: str | None) -> Iterator[None]:
    """Operations made inside run on ``name`` (cpu:0, gpu:0; None: the session's device), and so do their gradients.

    Variables and feeds stay with the session; a plan copies where devices meet.  Raises DeviceError.
    """
    graph = current_graph()
    if name is not None and not re.fullmatch(r"cpu:0|gpu:\d+", name):
        raise DeviceError(f"device {name!r} isn't known; cpu:0 and gpu:0 are ({graph.place()})")
    outer, graph.device = graph.device, name
    try:
        yield
    finally:
        graph.device = outer
