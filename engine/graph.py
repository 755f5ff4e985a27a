"""The graph: symbolic tensors that flow from operation to operation.

Nothing here computes.  ``with Graph() as graph:`` collects what is built inside; a
:class:`engine.session.Session` runs parts of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any

import numpy as np

from engine.errors import DtypeError, EngineError, Source, user_source
from engine.op import REGISTRY, Op, op
from engine.spec import Shape, Spec

_current: ContextVar[Graph | None] = ContextVar("graph", default=None)


def _source_spec(*, spec: Spec, **_: Any) -> Spec:
    return spec


CONSTANT = op("constant", "A value that never changes.", spec=_source_spec)
PLACEHOLDER = op("placeholder", "A value that is fed at each run.", spec=_source_spec, pure=False)
VARIABLE = op("variable", "A value that is kept between runs and changed by assign.", spec=_source_spec, pure=False)


class Tensor:
    """A value that will be there when the graph runs.  Immutable; the usual operators build on it."""

    __slots__ = ("__weakref__", "attrs", "graph", "id", "inputs", "name", "op", "source", "spec")
    __array_ufunc__ = None  # numpy_array + tensor asks the tensor, not NumPy

    def __init__(
        self, graph: Graph, op: Op, inputs: tuple[Tensor, ...], attrs: Mapping[str, Any], spec: Spec, name: str
    ) -> None:
        self.graph = graph
        self.id = len(graph.tensors)  # creation order is a topological order
        self.op = op
        self.inputs = inputs
        self.attrs = MappingProxyType(dict(attrs))
        self.spec = spec
        self.name = name
        self.source: Source = user_source()

    shape = property(lambda self: self.spec.shape)
    dtype = property(lambda self: self.spec.dtype)
    ndim = property(lambda self: self.spec.ndim)

    def __repr__(self) -> str:
        return f"<{self.name}: {self.op.name} {self.spec}>"

    def __bool__(self) -> bool:
        raise EngineError(
            f"{self.name} has no value yet, so `if` and `while` can't ask for it; use where(), or session.run()"
        )

    def __iter__(self) -> Iterator[Tensor]:
        raise EngineError(f"{self.name} is symbolic and can't be looped over; slice it, or loop over a known size")

    def _apply(self, name: str, *inputs: Any, **attrs: Any) -> Tensor:
        return self.graph.apply(REGISTRY[name], inputs, attrs, None)

    def __add__(self, other: Any) -> Tensor:
        return self._apply("add", self, other)

    def __radd__(self, other: Any) -> Tensor:
        return self._apply("add", other, self)

    def __sub__(self, other: Any) -> Tensor:
        return self._apply("sub", self, other)

    def __rsub__(self, other: Any) -> Tensor:
        return self._apply("sub", other, self)

    def __mul__(self, other: Any) -> Tensor:
        return self._apply("mul", self, other)

    def __rmul__(self, other: Any) -> Tensor:
        return self._apply("mul", other, self)

    def __truediv__(self, other: Any) -> Tensor:
        return self._apply("div", self, other)

    def __rtruediv__(self, other: Any) -> Tensor:
        return self._apply("div", other, self)

    def __matmul__(self, other: Any) -> Tensor:
        return self._apply("matmul", self, other)

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
        """Add one node.  Shapes are checked here, at the user's line."""
        tensors = self._as_tensors(op, inputs)
        try:
            spec = op.spec(*(each.spec for each in tensors), **attrs)
        except EngineError as error:
            shown = ", ".join(f"{each.name} {each.spec}" for each in tensors)
            where = self._scope.rstrip("/")
            place = f'layer "{where}", {user_source()}' if where else str(user_source())
            raise type(error)(f"{op.name}({shown}): {error} ({place})") from None
        made = Tensor(self, op, tensors, attrs, spec, self._unique(name or op.name))
        self.tensors.append(made)
        return made

    def _as_tensors(self, op: Op, inputs: Sequence[Any]) -> tuple[Tensor, ...]:
        like = next((each.dtype for each in inputs if isinstance(each, Tensor)), None)
        found = []
        for each in inputs:
            if not isinstance(each, Tensor):
                number = isinstance(each, (int, float)) and not isinstance(each, bool)
                each = self._constant(each, like if number else None)
            if each.graph is not self:
                raise EngineError(
                    f"{op.name}: {each.name} ({each.source}) belongs to another graph; build it under the same `with graph:`"
                )
            found.append(each)
        return tuple(found)

    def _constant(self, value: Any, dtype: str | None = None, name: str | None = None) -> Tensor:
        array = np.asarray(value)
        if dtype is None:
            dtype = {"f": "float32", "i": "int32"}.get(array.dtype.kind, array.dtype.name)
            if isinstance(value, (np.ndarray, np.generic)):
                dtype = array.dtype.name
        if dtype.startswith("int") and array.dtype.kind == "f":
            raise DtypeError(f"the number {value} isn't whole, and it meets a tensor of {dtype}; use cast()")
        array = np.asarray(array, dtype)
        if array.flags.writeable and array.base is None and array is not value:
            array.flags.writeable = False
        return self.apply(CONSTANT, (), {"spec": Spec(array.shape, array.dtype.name), "value": array}, name)

    def _unique(self, name: str) -> str:
        full = self._scope + name
        count = self._names.get(full, 0)
        self._names[full] = count + 1
        return full if count == 0 else f"{full}_{count}"

    def add_variable(self, initial: Any, shape: tuple[int, ...], dtype: str, trainable: bool, name: str) -> Tensor:
        """See :func:`variable`."""
        if not all(isinstance(size, (int, np.integer)) and size >= 0 for size in shape):
            raise EngineError(f"variable {self._scope}{name}: sizes must be whole numbers, got {shape}")
        if self._scope + name in self._names:
            raise EngineError(f"there is a variable or tensor named {self._scope + name!r} already")
        attrs = {"spec": Spec(tuple(map(int, shape)), dtype), "initial": initial, "trainable": trainable}
        made = self.apply(VARIABLE, (), attrs, name)
        self.offsets[made] = self.sizes.get(dtype, 0)
        self.sizes[dtype] = self.offsets[made] + math.prod(shape)
        self.variables.append(made)
        return made


def current_graph() -> Graph:
    """The graph of the innermost ``with graph:``.  Raises EngineError outside of one."""
    graph = _current.get()
    if graph is None:
        raise EngineError("there is no graph to build in; write `with Graph() as graph:` around it")
    return graph


def constant(value: Any, dtype: str | None = None, name: str | None = None) -> Tensor:
    """A tensor that always holds ``value`` (a number, nested lists or an array, which isn't copied)."""
    return current_graph()._constant(value, dtype, name)


def placeholder(shape: Shape, dtype: str = "float32", name: str | None = None) -> Tensor:
    """A tensor that is fed at each run.  None in ``shape`` is a size that may differ from run to run."""
    return current_graph().apply(PLACEHOLDER, (), {"spec": Spec(tuple(shape), dtype)}, name)


def variable(
    initial: Any, shape: tuple[int, ...] | None = None, *, dtype: str = "float32", trainable: bool = True, name: str
) -> Tensor:
    """A tensor that keeps its value between runs.

    ``initial`` is a number, an array, or an initialiser of :mod:`engine.init`, which is drawn from
    (the session's seed, this name), so that the same seed always gives the same first weights.
    Raises EngineError if the name is taken.
    """
    if shape is None:
        if callable(initial):
            raise EngineError(f"variable {name!r}: an initialiser needs shape=")
        shape = np.shape(initial)
    return current_graph().add_variable(initial, tuple(shape), dtype, trainable, name)


@contextmanager
def name_scope(name: str) -> Iterator[None]:
    """Names of tensors made inside begin with ``name/``."""
    with current_graph().scope(name):
        yield
