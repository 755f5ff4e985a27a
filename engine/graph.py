"""The graph: symbolic tensors that flow from operation to operation.

Nothing here computes.  ``with Graph() as graph:`` collects what is built inside; a Session runs parts of it.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import numpy as np

from engine.errors import DeviceError, EngineError, Named, Settings, ShapeError, misfit, placed, strict, user_source
from engine.op import Op, op
from engine.spec import Shape, Spec, dtype_name
from engine.tensor import HereOnly, shown
from engine.tensor import Tensor as Tensor  # noqa: PLC0414 - whoever builds finds it here
from engine.values import as_array, sizes

_current: ContextVar[Graph | None] = ContextVar("graph", default=None)


def _source_spec(*, spec: Spec, **_: Any) -> Spec:
    return spec


CONSTANT = op("constant", "A value that never changes.", spec=_source_spec)
PLACEHOLDER = op("placeholder", "A value that is fed at each run.", spec=_source_spec, pure=False)
VARIABLE = op("variable", "A value that is kept between runs and changed by assign.", spec=_source_spec, pure=False)


class Graph(HereOnly, Named, metaclass=Settings):
    """All tensors built under ``with graph:``, in the order they were made."""

    def __init__(self) -> None:
        self.tensors: list[Tensor] = []
        self.variables: list[Tensor] = []
        self.offsets: dict[Tensor, int] = {}  # each variable's place in the arena of its dtype, in elements
        self.sizes: dict[str, int] = {}  # elements of each dtype's arena
        self.notes: dict[str, str] = {}  # the settings behind a part of the graph (an optimiser's), by name
        self.session: Any = None  # the one that all functions of engine.theano run in
        self.device: str | None = None  # see device()
        self.revision = 0  # raised when variables are taken back: a session looks whether it had some of them
        self._names: dict[str, int] = {}
        self._scope = ""
        self._tokens: list[Any] = []
        self._whole = 0  # how many calls of whole() are open
        self._renamed: list[tuple[str, int | None]] = []  # what _names held before, since the outermost of them began

    def __enter__(self) -> Graph:
        self._tokens.append(_current.set(self))
        return self

    def __exit__(self, *_: object) -> None:
        _current.reset(self._tokens.pop())

    @contextmanager
    def scope(self, name: str) -> Iterator[None]:
        """Names of tensors made inside begin with ``name/``."""
        if not isinstance(name, str):
            raise EngineError(f"a name is a text, got {shown(name)} ({user_source()})")
        outer, self._scope = self._scope, f"{self._scope}{name}/"
        try:
            yield
        finally:
            self._scope = outer

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Build all that is built inside or, if it raises, nothing: no tensors, no variables, no names are left."""
        if not self._whole:
            self._renamed.clear()
        before = len(self.tensors), len(self._renamed)
        self._whole += 1
        try:
            yield
        except BaseException as error:
            self._undo(*before)
            raise placed(error, self.place())  # noqa: B904 - the same one
        finally:
            self._whole -= 1

    def _undo(self, tensors: int, renamed: int) -> None:
        """Go back to so many tensors."""
        lost = Graph()  # whoever has kept one of them is told so
        for each in self.tensors[tensors:]:
            self.notes.pop(each.name, None)
            if self.offsets.pop(each, None) is not None:
                self.variables.pop()
                self.revision += 1
                self.sizes[each.dtype] -= each.spec.size
                if not any(other.dtype == each.dtype for other in self.variables):
                    del self.sizes[each.dtype]
            each.graph = lost
        del self.tensors[tensors:]
        while len(self._renamed) > renamed:
            name, count = self._renamed.pop()
            if count is None:
                del self._names[name]
            else:
                self._names[name] = count

    def apply(self, op: Op, inputs: Sequence[Any], attrs: Mapping[str, Any], name: str | None) -> Tensor:
        """Add one node.  What doesn't fit is refused here, with the user's line."""
        if not self._whole:
            self._renamed.clear()
        before = len(self.tensors), len(self._renamed)
        try:
            tensors, attrs = op.told(inputs, attrs)
            tensors = self._as_tensors(tensors, lists=op.name == "assign" or (op.code != "" and op.name != "where"))
            if op.check is not None:
                op.check(tensors)
            spec = op.spec(*[each.spec for each in tensors], **attrs)
            return self._add(op, tensors, attrs, spec, name)
        except EngineError as error:
            self._undo(*before)
            given = ", ".join([shown(each) for each in inputs])
            raise type(error)(f"{op.name}({given}): {error} ({self.place()})") from None

    def _add(
        self, op: Op, inputs: tuple[Tensor, ...], attrs: Mapping[str, Any], spec: Spec, name: str | None
    ) -> Tensor:
        if name is not None and not isinstance(name, str):
            raise EngineError(f"a name is a text, got {shown(name)}")
        made = Tensor(self, op, inputs, attrs, spec=spec, name=self._unique(name or op.name))
        self.tensors.append(made)
        return made

    def place(self) -> str:
        """Where the user is building now, for errors: the layer and the line."""
        layer = f'layer "{self._scope.rstrip("/")}", ' if self._scope else ""
        return f"{layer}{user_source()}"

    def _as_tensors(self, inputs: Sequence[Any], lists: bool) -> tuple[Tensor, ...]:
        """Numbers, and ``lists`` of them, take the type of the tensors they meet: of a float, if there is one."""
        found = []
        for each in inputs:
            tensor = each if isinstance(each, Tensor) else self.constant(each, _met(each, inputs, lists))
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
        spec = Spec(array.shape, dtype or array.dtype.name)
        return self._add(CONSTANT, (), {"spec": spec, "value": array}, spec, name)

    def placeholder(self, spec: Spec, name: str | None) -> Tensor:
        """See :func:`placeholder`."""
        return self._add(PLACEHOLDER, (), {"spec": spec}, spec, name)

    def _unique(self, name: str) -> str:
        """``name`` in the current scope, with a number behind it if there is such a name already."""
        names = self._names
        full = free = self._scope + name
        if free in names:
            self._renamed.append((full, names[full]))
            while free in names:
                free = f"{full}_{names[full]}"
                names[full] += 1
        self._renamed.append((free, None))
        names[free] = 1
        return free

    def variable(self, initial: Any, shape: tuple[int, ...], dtype: str, trainable: bool, name: str) -> Tensor:
        """See :func:`variable`."""
        full = f"{self._scope}{name}"
        taken = next((each for each in self.variables if each.name == full), None)
        if taken is not None:
            raise EngineError(
                f"there is a variable named {full!r} already, from {taken.source}; "
                "give each layer and each variable a name of its own, or begin anew with a new Graph()"
            )
        spec = Spec(shape, dtype)
        if not callable(initial):  # a copy: session.reset() comes back to it
            initial = np.array(as_array(initial, dtype))
            initial.flags.writeable = False
            if initial.shape not in ((), spec.shape):
                raise ShapeError(f"{initial.shape} doesn't fill {spec}")
        if full in self._names:  # what was named after its op doesn't keep a variable from its name
            self._renamed.append((full, self._names.pop(full)))
        made = self._add(VARIABLE, (), {"spec": spec, "initial": initial, "trainable": trainable}, spec, name)
        self.offsets[made] = self.sizes.get(dtype, 0)
        self.sizes[dtype] = self.offsets[made] + spec.size
        self.variables.append(made)
        return made


Given = ParamSpec("Given")
Made = TypeVar("Made")


def whole(build: Callable[Given, Made]) -> Callable[Given, Made]:
    """``build``, a function that builds graph, as one that builds all of it or, if it is refused, nothing.

    Arguments that it doesn't take are an EngineError, with the user's line, and so is anything but a tensor where its
    annotation says ``Tensor``.
    """
    names = list(inspect.signature(build).parameters)
    tensors = [name for name in names if build.__annotations__.get(name) == "Tensor"]

    @wraps(build)
    def built(*given: Given.args, **settings: Given.kwargs) -> Made:
        found = dict(zip(names, given, strict=False)) | settings
        for name in tensors:
            need_tensors(f"{build.__name__}()", *([found[name]] if name in found else []))
        graph = _graph_of((*given, *settings.values())) or _current.get()
        try:
            with nullcontext() if graph is None else graph.whole():
                return build(*given, **settings)
        except (TypeError, EngineError) as error:
            raise misfit(build, given, settings) or placed(error) from None

    return built


def _graph_of(given: Iterable[Any]) -> Graph | None:
    """That of the first tensor."""
    for each in given:
        found = each.graph if isinstance(each, Tensor) else _graph_of(each) if isinstance(each, (list, tuple)) else None
        if found is not None:
            return found
    return None


def need_tensors(what: str, *given: Any) -> None:
    """Raises EngineError unless all are tensors, of one graph."""
    for each in given:
        if not isinstance(each, Tensor):
            raise EngineError(
                f"{what} wants a tensor, got {shown(each)}; constant() makes one of a value ({user_source()})"
            )
        if each.graph is not given[0].graph:
            raise EngineError(
                f"{what}: {each.name} ({each.source}) belongs to another graph than {given[0].name}"
                f" ({given[0].source}); build both under the same `with graph:` ({user_source()})"
            )


def _met(value: Any, inputs: Sequence[Any], lists: bool) -> str | None:
    """The type that the number ``value`` takes among ``inputs``; None if it isn't a number or meets no tensor."""
    if lists and isinstance(value, (list, tuple)):
        found = {_met(each, inputs, lists) for each in value}
        return found.pop() if len(found) == 1 else None
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
        return None
    met = [each.dtype for each in inputs if isinstance(each, Tensor)]
    return min(met, key=lambda dtype: (not dtype.startswith("float"), dtype == "bool"), default=None)


def _refusal(error: EngineError, what: str, graph: Graph) -> EngineError:
    """``error`` with what was to be made, and where."""
    return type(error)(f"{what}: {error} ({graph.place()})")


def current_graph(default: Graph | None = None) -> Graph:
    """The graph of the innermost ``with graph:``, or else ``default``.  Raises EngineError if there is neither."""
    graph = _current.get() or default
    if graph is None:
        raise EngineError(f"there is no graph to build in; write `with Graph() as graph:` around it ({user_source()})")
    return graph


@whole
def constant(value: Any, dtype: str | None = None, name: str | None = None) -> Tensor:
    """A tensor that always holds ``value``: a number, nested lists, or an array.

    An array of the right dtype isn't copied: don't change it later.  Python's numbers become float32
    and int32 unless ``dtype`` says otherwise.  Raises DtypeError, ShapeError.
    """
    graph = current_graph()
    try:
        return graph.constant(value, None if dtype is None else dtype_name(dtype), name)
    except EngineError as error:
        raise _refusal(error, "constant", graph) from None


@whole
def placeholder(shape: Shape | int, dtype: str = "float32", name: str | None = None) -> Tensor:
    """A tensor that is fed at each run.  None in ``shape`` is a size that may differ from run to run.

    Raises ShapeError, DtypeError for what can't be a size or a dtype.
    """
    graph = current_graph()
    try:
        return graph.placeholder(Spec(sizes(shape, unknown=True), dtype_name(dtype)), name)
    except EngineError as error:
        raise _refusal(error, f"placeholder {name or 'without a name'}", graph) from None


@whole
def variable(
    initial: Any,
    shape: tuple[int, ...] | int | None = None,
    *,
    dtype: str = "float32",
    trainable: bool = True,
    name: str,
) -> Tensor:
    """A tensor that keeps its value between runs.

    ``initial`` is a number, an array (of which float32 is made unless ``dtype`` says otherwise), or an initialiser
    of :mod:`engine.init`, drawn from (the session's seed, this name): the same seed gives the same first weights.
    Raises EngineError if the name is taken, ShapeError and DtypeError if ``initial`` doesn't fit.
    """
    graph = current_graph()
    try:
        if isinstance(initial, type):
            raise EngineError(f"{initial.__name__} is a class; an initialiser is made of it: {initial.__name__}()")
        if shape is None:
            if callable(initial):
                raise ShapeError("an initialiser needs shape=")
            shape = as_array(initial, dtype_name(dtype)).shape
        return graph.variable(initial, sizes(shape), dtype_name(dtype), trainable, name)
    except EngineError as error:
        raise _refusal(error, f"variable {name}", graph) from None


@strict
def name_scope(name: str) -> AbstractContextManager[None]:
    """Names of tensors made inside begin with ``name/``."""
    return current_graph().scope(name)


@strict
@contextmanager
def device(name: str | None) -> Iterator[None]:
    """Operations made inside run on ``name`` (cpu:0, gpu:0; None: the session's device), and so do their gradients.

    Variables and feeds stay with the session; a plan copies where devices meet.  Raises DeviceError.
    """
    graph = current_graph()
    if name is not None and not (isinstance(name, str) and re.fullmatch(r"cpu:0|gpu:\d+", name)):
        raise DeviceError(f"device {name!r} isn't known; cpu:0 and gpu:0 are ({graph.place()})")
    outer, graph.device = graph.device, name
    try:
        yield
    finally:
        graph.device = outer
