"""What every kind's settings have in common, and how the page is told of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct

Seed = Annotated[int, Meta(ge=0, le=2**31 - 1)]

Activation = Literal["relu", "tanh", "sigmoid", "linear", "leaky_relu", "elu", "gelu", "softplus"]
Optimizer = Literal["sgd", "momentum", "adam"]
Regularization = Literal["none", "l1", "l2"]
Speed = Literal["batch", "epoch", "max"]

Rate = Annotated[float, Meta(ge=1e-5, le=10.0)]
RegularizationRate = Annotated[float, Meta(ge=0.0, le=10.0)]


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole state of a run that a person can choose; also what the URL carries."""

    activation: Activation = "tanh"
    optimizer: Optimizer = "adam"
    rate: Rate = 0.01
    regularization: Regularization = "none"
    regularization_rate: RegularizationRate = 0.001
    weight_seed: Seed = 1
    speed: Speed = "epoch"

    @classmethod
    def upgraded(cls, patch: dict[str, Any]) -> dict[str, Any]:
        """``patch``, which an older version may have written, in the names of now.  Nothing in it is checked yet."""
        return patch

    def check(self, limits: Mapping[str, int]) -> None:
        """Raise ProtocolError for what the kind's ``limits`` don't allow."""

    @classmethod
    def describe(cls, limits: Mapping[str, int]) -> dict[str, Any]:
        """The fields for the browser: of each its type, choices, bounds (no wider than ``limits``) and default."""
        return describe_fields(cls)


def describe_fields(wanted: type[Struct]) -> dict[str, Any]:
    """The fields of ``wanted`` for the browser: of each its type, choices, bounds and default.

    Raises TypeError, which names the field, for one that the page can't be told.
    """
    info = msgspec.inspect.type_info(wanted)
    assert isinstance(info, msgspec.inspect.StructType)
    hints = get_type_hints(wanted)
    found = {}
    for field in info.fields:
        try:
            found[field.name] = _describe_field(field.type, field.default, hints[field.name])
        except TypeError as error:
            raise TypeError(f"{wanted.__name__}.{field.name}: {error}") from None
    return found


def _describe_field(kind: Any, default: Any, hint: Any) -> dict[str, Any]:
    inspect = msgspec.inspect
    found: dict[str, Any] = {"default": _default(default)}
    if isinstance(kind, inspect.LiteralType):
        found |= {"type": "choice", "choices": list(_choices(hint))}
    elif isinstance(kind, (inspect.IntType, inspect.FloatType)):
        name = "int" if isinstance(kind, inspect.IntType) else "float"
        if kind.ge is None or kind.le is None:
            raise TypeError(f"a number needs both bounds: Annotated[{name}, Meta(ge=..., le=...)]")
        found |= {"type": name, "min": kind.ge, "max": kind.le}
    elif isinstance(kind, (inspect.StructType, inspect.UnionType)):
        found |= {"type": "record"}  # whoever has such fields says more of them
    elif isinstance(kind, inspect.VarTupleType):
        item = _describe_field(kind.item_type, None, hint)
        found |= {"type": "list", "item": item, "min_length": kind.min_length or 0, "max_length": kind.max_length}
    else:  # a new kind of field needs a line above: the page can't draw what it can't name
        raise TypeError(f"settings field of type {kind} has no description for the page")
    return found


def _default(value: Any) -> Any:
    if value is msgspec.NODEFAULT:
        raise TypeError("it needs a default that can't be changed, a tuple and no list")
    return msgspec.to_builtins(value)


def _choices(hint: Any) -> tuple[Any, ...]:
    """The values of the Literal in ``hint`` in the order they were written, which msgspec doesn't keep."""
    if get_origin(hint) is Literal:
        return get_args(hint)
    return next((found for part in get_args(hint) if (found := _choices(part))), ())
