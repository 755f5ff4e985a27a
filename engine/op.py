"""One record an operation.  Everything the engine knows of an op stands in its record.

Adding an op is writing one :func:`op` call in a file of ``engine/ops/``: shape rule, kernel,
gradient and samples.  The executor, ``gradients``, the documentation and the tests (one
parametrised test over :data:`REGISTRY`) follow from it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from engine.attributes import explained, spelled, unknown
from engine.errors import EngineError, Named, user_source
from engine.expression import Tree, kernel, operands, parse
from engine.foreign import call
from engine.spec import Spec

if TYPE_CHECKING:
    from engine.graph import Tensor

Call = Callable[[], object]


@dataclass(frozen=True)
class Draw:
    """How a test draws one input: floats in [low, high] away from kinks at 0, or integers below ``integers``."""

    shape: tuple[int, ...]
    low: float = -2.0
    high: float = 2.0
    integers: int = 0  # draw int32 in [0, integers) instead
    distribution: bool = False  # positive, sums to 1 along the last axis


@dataclass(frozen=True)
class Sample:
    """One test case of an op: its inputs and attributes."""

    inputs: tuple[Draw, ...]
    attrs: dict[str, Any] = field(default_factory=dict)


def sample(*inputs: tuple[int, ...] | Draw, **attrs: Any) -> Sample:
    """A :class:`Sample`; a plain shape stands for floats in [-2, 2]."""
    return Sample(tuple(each if isinstance(each, Draw) else Draw(each) for each in inputs), attrs)


ONE = (sample((3, 4)), sample(()))
PAIRS = (sample((3, 4), (3, 4)), sample((3, 4), (4,)), sample((2, 1), (3,)), sample((), (3, 4)))


@dataclass(frozen=True, eq=False)
class Op(Named):
    """An operation: a name to which rules are attached.  Called with tensors, it adds a node to their graph."""

    name: str
    doc: str
    spec: Callable[..., Spec]  # (*input specs, **attrs) -> result's spec; raises ShapeError, DtypeError
    kernel: Callable[..., Sequence[Call]] | None = None  # (xp, out, *arrays, **attrs) -> calls that fill out
    view: Callable[..., Any] | None = None  # instead of a kernel: (array, **attrs) -> window on the same memory
    gapless: Callable[..., bool] | None = None  # (spec, **attrs) -> whether a view of memory without gaps has none
    needs_gapless: bool = False  # whether the view can't be had of memory with gaps
    check: Callable[[Sequence[Tensor]], None] | None = None  # what the inputs must be; raises EngineError
    grad: Callable[..., Sequence[Tensor | None]] | None = None  # (y, g, *inputs, **attrs) -> one per input
    code: str = ""  # what one element is, if that depends on the inputs' same elements alone: "tanh({0})"
    slope_of: Op | None = None  # the op of the same number with which it shares most of its work
    reuse: tuple[int, ...] = ()  # inputs whose memory the result may overwrite
    identity: Callable[..., int | None] | None = None  # (specs, values, **attrs) -> the input that the result equals
    shape_only: tuple[int, ...] = ()  # inputs of which only the shape counts: kernels get it as like=
    # if it looks up rows: the input with their numbers, the one whose rows they are (-1: the result), along which axis
    lookup: tuple[int, int, int] | None = None
    flops: float = 0.0  # per element of the result
    samples: tuple[Sample, ...] = ()
    axis: int | None = None  # the one that it goes along, if it can't be told
    settings: Callable[..., Any] | None = None  # has the attributes that the shape rule passes on, as its parameters
    pure: bool = True  # same inputs, same result; may be folded and shared

    def __call__(self, *inputs: Any, name: str | None = None, **attrs: Any) -> Tensor:
        """Add this op to the graph of its inputs.  Numbers and arrays among them become constants.

        Attributes may be given by place too, behind the inputs; many inputs may be one list.
        """
        for each in inputs:
            if hasattr(each, "graph"):  # a Tensor; graph.py builds on this file and can't be imported here
                made: Tensor = each.graph.apply(self, inputs, attrs, name)
                return made
        if self.arity is None and inputs and isinstance(inputs[0], (list, tuple)) and inputs[0]:
            return self(*inputs[0], *inputs[1:], name=name, **attrs)
        raise EngineError(
            f"{self.name}: at least one input must be a tensor; {call(self.name, inputs)} ({user_source()})"
        )

    def told(self, given: Sequence[Any], attrs: Mapping[str, Any]) -> tuple[Sequence[Any], Mapping[str, Any]]:
        """What it was called with as inputs and attributes, these by name and spelled as its rules know them.

        Raises EngineError for too many or too few of either, and for attributes that it doesn't have.
        """
        if not attrs and len(given) == self.arity and not self.must:  # most often
            return given, attrs
        if len(given) != self.arity:
            given, attrs = self._by_name(given, attrs)
        if self.axis is not None:
            attrs = self._without_axis(given[0], attrs)
        for name in attrs:
            if name not in self.attributes:
                raise unknown(name, self.attributes, bool(self.code))
        if missing := [name for name in self.must if name not in attrs]:
            raise EngineError(f"needs {' and '.join(missing)}")
        return given, {name: spelled(name, value) for name, value in attrs.items()}

    def _by_name(self, given: Sequence[Any], attrs: Mapping[str, Any]) -> tuple[Sequence[Any], Mapping[str, Any]]:
        """Inputs and attributes, those too that are given by place."""
        count = len(given) if self.arity is None else self.arity
        while self.arity is None and self.attributes and count and isinstance(given[count - 1], int):
            count -= 1  # concat(a, b, 1): numbers have no axis to be joined along
        inputs, rest = given[:count], given[count:]
        if self.attributes[:1] in (("shape",), ("axes",)) and len(rest) > 1:  # reshape(x, 2, 3)
            rest = (rest,)
        names = self.attributes if self.axis is None else (*self.attributes, "axis")
        if len(inputs) < count or len(rest) > len(names):
            raise EngineError(f"takes {self.arity} input(s), got {len(given)}")
        by_place = dict(zip(names, rest, strict=False))
        if twice := by_place.keys() & attrs.keys():
            raise EngineError(f"{twice.pop()} is given twice")
        return inputs, by_place | dict(attrs)

    def _without_axis(self, x: Any, attrs: Mapping[str, Any]) -> Mapping[str, Any]:
        """``attrs`` without the one axis that there is.  Raises EngineError for another."""
        known = (self.axis, (self.axis or 0) + getattr(x, "ndim", 0) * (self.axis != 0))
        for name in ("axis", "dim"):
            if name in attrs and spelled("axis", attrs[name]) not in known:
                why = f"it goes along the {'last' if self.axis else 'first'} axis; transpose() brings another one there"
                raise EngineError(f"there is no {name} to be set: {why}")
        return {name: value for name, value in attrs.items() if name not in ("axis", "dim")}

    @cached_property
    def arity(self) -> int | None:
        """How many inputs there must be; None if any number will do, as its samples or its shape rule show."""
        counts = {len(each.inputs) for each in self.samples}
        if not counts and not self._takes_any:
            return len(inspect.signature(self.spec).parameters)
        return counts.pop() if len(counts) == 1 else None

    @property
    def _takes_any(self) -> bool:
        return any(each.kind is each.VAR_POSITIONAL for each in inspect.signature(self.spec).parameters.values())

    @cached_property
    def _parameters(self) -> list[inspect.Parameter]:
        """Those of its shape rule, and of what that passes on, that are attributes."""
        own = [each for each in inspect.signature(self.spec).parameters.values() if each.kind is not each.VAR_KEYWORD]
        own = [each for each in own if each.kind is each.KEYWORD_ONLY] if self._takes_any else own[self.arity :]
        return [*(inspect.signature(self.settings).parameters.values() if self.settings else ()), *own]

    @cached_property
    def attributes(self) -> tuple[str, ...]:
        """The names of its attributes."""
        return tuple([each.name for each in self._parameters])

    @cached_property
    def must(self) -> tuple[str, ...]:
        """Those that have to be given."""
        return tuple([each.name for each in self._parameters if each.default is each.empty])

    def signature(self) -> inspect.Signature:
        """How it is called: its inputs, its attributes, and a name for its result."""
        if self.arity is None:
            inputs = [inspect.Parameter("tensors", inspect.Parameter.VAR_POSITIONAL)]
        else:
            own = list(inspect.signature(self.spec).parameters)
            names = ["x"] if self.arity == 1 else ["a", "b", "c", "d"] if self._takes_any else own
            inputs = [inspect.Parameter(each, inspect.Parameter.POSITIONAL_ONLY) for each in names[: self.arity]]
        kind = inspect.Parameter.KEYWORD_ONLY
        attributes = [each.replace(kind=kind, annotation=each.empty) for each in self._parameters]
        return inspect.Signature([*inputs, *attributes, inspect.Parameter("name", kind, default=None)])

    @cached_property
    def tree(self) -> Tree:
        """Its code, parsed."""
        return parse(self.code)

    @cached_property
    def defaults(self) -> dict[str, Any]:
        """The attributes in its code, as its shape rule has them if nothing else is said."""
        names = [name for name in dict.fromkeys(operands(self.tree)) if not name.isdigit()] if self.code else []
        known = inspect.signature(self.spec).parameters if names else {}
        return {name: known[name].default for name in names}

    def __repr__(self) -> str:
        return f"<op {self.name}>"


def attributes(op: Op, attrs: Mapping[str, Any]) -> dict[str, float]:
    """The numbers that stand for {name} in the op's code: the node's ``attrs``, else the shape rule's default."""
    return {name: float(attrs.get(name, default)) for name, default in op.defaults.items()}


REGISTRY: dict[str, Op] = {}


def op(name: str, doc: str, **rules: Any) -> Op:
    """Write an op into the registry.

    What isn't said of one with ``code`` follows from that: its kernel, that it may overwrite each input, a
    floating-point operation per element, and samples of one or two inputs.

    Raises EngineError if the name is taken, ValueError for code that isn't made of what there is.
    """
    if name in REGISTRY:
        raise EngineError(f"there is an op named {name!r} already")
    if "samples" in rules:
        rules["samples"] = tuple(rules["samples"])
    found = Op(name, doc, **rules)
    if found.code:
        inputs = {int(each) for each in operands(found.tree) if each.isdigit()}
        follows: dict[str, Any] = {
            "reuse": tuple(sorted(inputs)),
            "flops": 1,
            "kernel": kernel(found.tree, found.defaults),
        }
        follows["samples"] = ONE if len(inputs) == 1 else PAIRS
        found = replace(found, **follows | rules)
    signature = found.signature()  # what help() and editors look for, as the object's own:
    object.__setattr__(found, "__signature__", signature)
    object.__setattr__(found, "__doc__", f"{name}{signature}: {doc}{explained(found.attributes)}")
    REGISTRY[name] = found
    return found
