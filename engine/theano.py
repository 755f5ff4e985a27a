"""Theano's door to the same graph: shared values, functions with updates, gradients.

Neither ``with Graph():`` nor a session is needed: what is made here goes into the current graph, or
else into one that this module keeps, and each graph has one session that holds its shared values.

>>> w, x = shared(1.0, "w"), scalar("x")
>>> f = function([x], w * x, updates=[(w, w + 1.0)])
>>> float(f(3.0)), float(f(3.0)), float(get_value(w))
(3.0, 6.0, 3.0)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from engine.errors import EngineError, FeedError, doors, strict, user_source
from engine.grad import gradients
from engine.graph import PLACEHOLDER, Graph, Tensor, current_graph, need_tensors, placeholder, variable, whole
from engine.ops import assign, copy, group
from engine.passes import needed
from engine.session import Session
from engine.values import as_array

Pairs = Mapping[Tensor, Any] | Iterable[tuple[Tensor, Any]]

_graph = Graph()  # for all that isn't made under a `with graph:`


def _input(name: str | None = None, *, ndim: int, dtype: str = "float32") -> Tensor:
    with current_graph(_graph):
        return placeholder((None,) * ndim, dtype, name)


scalar, vector, matrix = (partial(_input, ndim=ndim) for ndim in (0, 1, 2))
iscalar, ivector, imatrix = (partial(_input, ndim=ndim, dtype="int32") for ndim in (0, 1, 2))


@whole
def shared(value: Any, name: str = "shared", dtype: str | None = None) -> Tensor:
    """A variable that all functions of its graph share.  Floats become float32 unless ``dtype`` says otherwise."""
    with current_graph(_graph) as graph:
        array = as_array(value, dtype)
        if dtype is None and array.dtype == np.float64:
            array = array.astype(np.float32)
        taken = sum(each.name.rstrip("_0123456789") == name for each in graph.variables)
        return variable(array, dtype=array.dtype.name, name=f"{name}_{taken}" if taken else name)


@strict
def get_value(tensor: Tensor) -> np.ndarray:
    """A copy of what a shared variable holds."""
    need_tensors("get_value()", tensor)
    return _session(tensor.graph).get(tensor)


@strict
def set_value(tensor: Tensor, value: Any) -> None:
    """Put a value of its shape into a shared variable."""
    need_tensors("set_value()", tensor)
    _session(tensor.graph).set(tensor, value)


@strict
def grad(cost: Tensor, wrt: Tensor | Sequence[Tensor]) -> Any:
    """d cost / d wrt: one tensor for one, a list for a list.  Raises GradientError as ``gradients`` does."""
    found = gradients(cost, wrt)
    return found[0] if isinstance(wrt, Tensor) else found


@whole
def function(
    inputs: Tensor | Sequence[Tensor],
    outputs: Tensor | Sequence[Tensor] | None = None,
    updates: Pairs = (),
    givens: Pairs = (),
) -> Function:
    """A Python function of ``inputs`` that gives ``outputs`` and changes shared variables.

    ``updates``: pairs of a shared variable and its new value; all read the values from before the call.
    ``givens``: pairs of a tensor and what is to stand in its place.
    Raises FeedError if an input isn't needed or one is missing, EngineError if there is nothing to
    compute or a variable has two updates.
    """
    wanted = [] if outputs is None else [outputs] if isinstance(outputs, Tensor) else list(outputs)
    changes = list(updates.items() if isinstance(updates, Mapping) else updates)
    targets = [target for target, _ in changes]
    inputs = [inputs] if isinstance(inputs, Tensor) else inputs
    need_tensors("function()", *inputs, *wanted, *targets)
    if not wanted and not changes:
        raise EngineError(f"a function needs outputs or updates ({user_source()})")
    if len(set(targets)) < len(targets):
        raise EngineError(f"a shared variable has two updates in one function ({user_source()})")
    with (wanted or targets)[0].graph as graph:
        new = [each if isinstance(each, Tensor) else graph.constant(each, target.dtype) for target, each in changes]
        values = [_as_before(each) for each in _replaced([*wanted, *new], dict(givens))]
        given, new = values[: len(wanted)], values[len(wanted) :]
        update = group(*(assign(target, each) for target, each in zip(targets, new, strict=True))) if changes else None
    _check_inputs(inputs, values)
    if isinstance(outputs, Tensor):
        return Function(tuple(inputs), given[0], update)
    return Function(tuple(inputs), None if outputs is None else tuple(given), update)


@dataclass(frozen=True)
class Function:
    """What :func:`function` makes: call it with a value for each input."""

    inputs: tuple[Tensor, ...]
    outputs: Tensor | tuple[Tensor, ...] | None
    update: Tensor | None

    @strict
    def __call__(self, *values: Any) -> Any:
        """The outputs: an array for one tensor, a list for a list, or None."""
        names = ", ".join(each.name for each in self.inputs) or "no inputs"
        if len(values) != len(self.inputs):
            raise FeedError(f"this function takes {names}; it got {len(values)} value(s)")
        outputs = (self.outputs,) if isinstance(self.outputs, Tensor) else self.outputs or ()
        fetches = [*outputs, *([] if self.update is None else [self.update])]
        found = _session(fetches[0].graph).run(fetches, dict(zip(self.inputs, values, strict=True)))
        if isinstance(self.outputs, Tensor):
            return found[0]
        return None if self.outputs is None else found[: len(self.outputs)]


def _session(graph: Graph) -> Session:
    """The session of all functions on ``graph``; the graph keeps it."""
    if graph.session is None:
        graph.session = Session(graph)
    return graph.session


def _as_before(tensor: Tensor) -> Tensor:
    """A shared variable's value from before the updates, in memory of its own."""
    return copy(tensor) if (tensor.op.kernel is None and tensor.inputs) or tensor in tensor.graph.offsets else tensor


def _replaced(wanted: Sequence[Tensor], givens: Mapping[Tensor, Any]) -> list[Tensor]:
    """``wanted``, built again with other tensors in the place of some."""
    made: dict[Tensor, Tensor] = {}
    for tensor in needed(wanted, {}):
        inputs = tuple(made[each] for each in tensor.inputs)
        if tensor in givens:
            found = givens[tensor]
            made[tensor] = found if isinstance(found, Tensor) else tensor.graph.constant(found, tensor.dtype)
        elif any(new is not old for new, old in zip(inputs, tensor.inputs, strict=True)):
            made[tensor] = tensor.graph.apply(tensor.op, inputs, tensor.attrs, tensor.op.name)
        else:
            made[tensor] = tensor
    return [made[each] for each in wanted]


def _check_inputs(inputs: Sequence[Tensor], values: Sequence[Tensor]) -> None:
    """Raises FeedError if the values don't need just these inputs."""
    found, fed = dict.fromkeys(needed(values, {each: each.spec for each in inputs})), set(inputs)
    for each in inputs:
        if each not in found:
            raise FeedError(f"input {each.name} ({each.source}) isn't needed by any output or update ({user_source()})")
    for each in found:
        if each.op is PLACEHOLDER and each not in fed:
            raise FeedError(f"placeholder {each.name} ({each.source}) is needed, but isn't an input ({user_source()})")


__getattr__, __dir__ = doors("theano")
