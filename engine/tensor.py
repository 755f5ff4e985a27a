"""Tensors: values that will be there when the graph runs, with the operators and methods that build on them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from engine.errors import EngineError, NoSuchName, Source, user_source
from engine.foreign import elsewhere
from engine.op import REGISTRY, Op
from engine.spec import Spec

if TYPE_CHECKING:
    from engine.graph import Graph

METHODS: dict[str, Callable[..., Any]] = {}  # functions of a tensor that it has as methods too: engine.ops fills it
_NO_ATTRS: MappingProxyType[str, Any] = MappingProxyType({})
_SIGNS = {  # NumPy's functions behind Python's signs, and ours
    "add": "add", "subtract": "sub", "multiply": "mul", "divide": "div", "matmul": "matmul", "power": "pow",
    "greater": "greater", "greater_equal": "greater_equal",
}  # fmt: skip


class HereOnly:
    """What belongs to this process: a part of a graph, or what runs one."""

    __slots__ = ()

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise EngineError(
            f"a {type(self).__name__} can't be pickled or copied: it belongs to this process; engine.checkpoint keeps "
            f"the values of variables, and the lines that built it build it anew ({user_source()})"
        )


Operator = Callable[["Tensor", Any], "Tensor"]


def _operator(name: str) -> tuple[Operator, Operator]:
    """The methods for ``tensor sign other`` and ``other sign tensor``."""
    return lambda self, other: self._apply(name, self, other), lambda self, other: self._apply(name, other, self)


def _in_place(name: str, sign: str) -> Operator:
    """The method for ``tensor sign= other``: a new tensor, unless a variable was meant to change."""

    def method(self: Tensor, other: Any) -> Tensor:
        if self.op.name == "variable":
            raise self._refused(
                f"isn't changed by {sign}=, which gives a new tensor that goes by the same name; "
                f"ops.assign(w, w {sign} ...) changes it when it is run"
            )
        return self._apply(name, self, other)

    return method


def _no_sign(sign: str, instead: str) -> Callable[[Tensor, Any], NoReturn]:
    """The method for a sign that tensors don't know."""

    def method(self: Tensor, _: Any) -> NoReturn:
        raise self._refused(f"doesn't know {sign}; {instead}")

    return method


def _valueless(use: str) -> Callable[..., NoReturn]:
    """A method that would need the tensor's value."""

    def method(self: Tensor, *_: Any) -> NoReturn:
        raise self._refused(f"has no value yet, so {use}; session.run() gives one")

    return method


class Tensor(HereOnly):
    """A value that will be there when the graph runs.  Immutable; the usual operators build on it."""

    __slots__ = ("__weakref__", "attrs", "device", "graph", "id", "inputs", "name", "op", "source", "spec")

    def __init__(
        self, graph: Graph, op: Op, inputs: tuple[Tensor, ...], attrs: Mapping[str, Any], *, spec: Spec, name: str
    ) -> None:
        self.graph = graph
        self.id = len(graph.tensors)  # creation order is a topological order
        self.op = op
        self.inputs = inputs
        self.attrs = MappingProxyType(dict(attrs)) if attrs else _NO_ATTRS
        self.spec = spec
        self.name = name
        self.device = graph.device  # where it is computed; None: on the session's device
        self.source: Source = user_source(above=2)

    shape = property(lambda self: self.spec.shape, lambda self, _: self._fixed("x.reshape(shape) gives another shape"))
    dtype = property(lambda self: self.spec.dtype, lambda self, _: self._fixed("x.cast(dtype) gives another type"))
    ndim = property(lambda self: self.spec.ndim)
    T = property(lambda self: self._apply("transpose", self), doc="With its axes in reverse order.")

    def __repr__(self) -> str:
        return f"<{self.name}: {self.op.name} {self.spec}>"

    def __getattr__(self, name: str) -> Any:
        if name in METHODS:
            return partial(METHODS[name], self)
        raise NoSuchName(f"a tensor has no {name}{elsewhere(name)} ({user_source()})")

    def __dir__(self) -> Iterable[str]:
        return [*super().__dir__(), *METHODS]

    def _refused(self, why: str) -> EngineError:
        return EngineError(f"{self.name} {self.spec} {why} ({user_source()})")

    def _fixed(self, instead: str) -> NoReturn:
        raise self._refused(f"stays as it is; {instead}")

    def _apply(self, name: str, *inputs: Any, **attrs: Any) -> Tensor:
        return self.graph.apply(REGISTRY[name], inputs, attrs, None)

    def __bool__(self) -> bool:
        raise self._refused("has no value yet, so `if` and `while` can't ask for it; use where(), or session.run()")

    def __iter__(self) -> Iterator[Tensor]:
        raise self._refused("is symbolic and can't be looped over; slice it, or loop over a known size")

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        raise self._refused(
            "has no value yet, so NumPy can't compute with it; use the operations of engine.ops, or session.run()"
        )

    def __array_function__(self, function: Any, *_: Any) -> Any:
        return self._refuse_numpy(function)

    def __array_ufunc__(self, function: Any, method: str, *inputs: Any, **settings: Any) -> Any:
        """``array + tensor`` asks NumPy first."""
        if method == "__call__" and not settings:
            name = function.__name__
            if name in _SIGNS:
                return self._apply(_SIGNS[name], *inputs)
            if name in ("less", "less_equal"):
                return self._apply(name.replace("less", "greater"), *reversed(inputs))
        return self._refuse_numpy(function)

    def _refuse_numpy(self, function: Any) -> NoReturn:
        name = {"absolute": "abs"}.get(function.__name__, function.__name__)
        here = f"x.{name}() can" if name in METHODS else "the operations of engine.ops can"
        raise self._refused(f"has no value yet, so NumPy can't compute {function.__name__} of it; {here}")

    __int__ = __index__ = _valueless("it isn't a number that can be used here")
    __float__ = _valueless("Python's functions of numbers can't compute with it; those of engine.ops can")
    __round__ = _valueless("it isn't rounded; floor(x + 0.5) is the nearest whole number")
    __len__ = _valueless("it isn't counted; x.shape has its sizes")
    __contains__ = _valueless("`in` can't look into it")

    def __format__(self, how: str) -> str:
        if how:
            raise self._refused(f"has no value yet, so it can't be written as {how!r}; session.run() gives one")
        return repr(self)

    def __setitem__(self, *_: Any) -> None:
        raise self._refused("can't be changed in part like an array; ops.assign(w[0], value) changes a variable's")

    # Not answered by identity, which would be wrong without a word; dict and set find the same tensor without asking.
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        raise self._refused(
            "isn't compared by ==; equal(a, b) compares numbers, `a is b` asks if it is the same tensor"
        )

    def __ne__(self, other: object) -> bool:
        raise self._refused("isn't compared by !=; not_equal(a, b) compares numbers, `a is not b` asks for the tensors")

    __add__, __radd__ = _operator("add")
    __sub__, __rsub__ = _operator("sub")
    __mul__, __rmul__ = _operator("mul")
    __truediv__, __rtruediv__ = _operator("div")
    __matmul__, __rmatmul__ = _operator("matmul")
    __rpow__ = _operator("pow")[1]
    __gt__, __lt__ = _operator("greater")
    __ge__, __le__ = _operator("greater_equal")
    __iadd__, __isub__, __ipow__ = _in_place("add", "+"), _in_place("sub", "-"), _in_place("pow", "**")
    __imul__, __itruediv__, __imatmul__ = _in_place("mul", "*"), _in_place("div", "/"), _in_place("matmul", "@")
    __floordiv__ = __rfloordiv__ = _no_sign("//", "floor(a / b) is the whole part")
    __mod__ = __rmod__ = _no_sign("%", "a - b * floor(a / b) is what is left over")
    __xor__ = __rxor__ = _no_sign("^", "not_equal(a, b) tells where one of two bools is true, a ** b is a power")
    __divmod__ = __rdivmod__ = _no_sign("divmod", "floor(a / b) is the whole part")
    __lshift__ = __rlshift__ = __rshift__ = __rrshift__ = _no_sign("<< and >>", "multiply by a power of 2")

    def __and__(self, other: Any) -> Tensor:
        return METHODS["logical_and"](self, other)

    def __or__(self, other: Any) -> Tensor:
        return METHODS["logical_or"](self, other)

    __rand__, __ror__ = __and__, __or__

    def __invert__(self) -> Tensor:
        return METHODS["logical_not"](self)

    def __pos__(self) -> Tensor:
        return self

    def __neg__(self) -> Tensor:
        return self._apply("neg", self)

    def __pow__(self, other: Any) -> Tensor:
        if isinstance(other, (int, float)) and other == 2:  # what is meant most often is also had for less
            return self._apply("square", self)
        return self._apply("pow", self, other)

    def __abs__(self) -> Tensor:
        return self._apply("abs", self)

    def __getitem__(self, index: Any) -> Tensor:
        if isinstance(index, Tensor):
            return self._apply("gather", self, index)
        return self._apply("slice", self, index=index if isinstance(index, tuple) else (index,))


def shown(value: Any) -> str:
    """A tensor, or what was given for one, as errors show it."""
    if isinstance(value, Tensor):
        return f"{value.name} {value.spec}"
    return (
        f"array {value.dtype.name}{value.shape}"
        if isinstance(value, np.ndarray)
        else " ".join(repr(value).split())[:40]
    )
