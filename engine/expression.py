"""What an element-wise operation does to one element: its record's ``code``, parsed once into a small tree.

``select({0} > 0, {0}, {slope} * {0})`` is arithmetic, comparisons and the functions of :data:`FUNCTIONS`, of inputs
(by place) and attributes (by name).  NumPy's kernels, the native machine's vectors and CUDA's sources are all made
from the tree: :func:`kernel`, :func:`evaluate` and :func:`written`.  Functions that only some of them have are
:data:`DEFINED` by others.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np

SIGNS = {  # of two operands: how tightly it binds, what Python does, and the array module's function
    "==": (1, operator.eq, "equal"), "!=": (1, operator.ne, "not_equal"), ">": (1, operator.gt, "greater"),
    ">=": (1, operator.ge, "greater_equal"), "<": (1, operator.lt, "less"), "<=": (1, operator.le, "less_equal"),
    "+": (2, operator.add, "add"), "-": (2, operator.sub, "subtract"),
    "*": (3, operator.mul, "multiply"), "/": (3, operator.truediv, "divide"),
}  # fmt: skip
NEGATIVE = "negative"  # the sign before one operand
FUNCTIONS = {  # and the array module's names for them
    "tanh": "tanh", "exp": "exp", "log": "log", "expm1": "expm1", "log1p": "log1p", "sqrt": "sqrt", "floor": "floor",
    "fabs": "absolute", "sin": "sin", "cos": "cos", "pow": "power", "max": "maximum", "min": "minimum",
    "select": "where", NEGATIVE: "negative",
}  # fmt: skip
# gelu is x times the sigmoid of 2 sqrt(2 / pi) (x + 0.044715 x^3); each number here with its digits beyond double's
_A, _B = "(1.5957691216057308 + -9.96930880911092e-17)", "(0.07135481627260025 + -6.175149918155315e-19)"
_ANGLE = f"{{0}} * ({_A} + {_B} * ({{0}} * {{0}}))"
_TURN = f"{{0}} * ({_A} + 3 * {_B} * ({{0}} * {{0}}))"
DEFINED = {  # functions that array modules and C++ don't have; the native machine has its own, which are as exact
    "sigmoid": "1 / (1 + exp(-{0}))",
    "sigmoid_slope": "0.25 * tanh_slope(0.5 * {0})",
    "tanh_slope": "4 * exp(-2 * fabs({0})) / ((1 + exp(-2 * fabs({0}))) * (1 + exp(-2 * fabs({0}))))",
    "gelu": f"select({{0}} < -30, 0, {{0}} * sigmoid({_ANGLE}))",
    "gelu_slope": f"select({{0}} < -30, 0, select({{0}} > 30, 1, "
    f"sigmoid({_ANGLE}) * (1 + {_TURN} * sigmoid(-({_ANGLE})))))",
}
PLACES = "0123456789"  # names of inputs
PARSED: dict[type[ast.AST], str] = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Gt: ">", ast.GtE: ">=", ast.Lt: "<", ast.LtE: "<=",
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/",
}  # fmt: skip


@dataclass(frozen=True)
class Operand:
    """An input, by its place ("0"), or an attribute, by its name ("slope")."""

    name: str


@dataclass(frozen=True)
class Number:
    """A number that is the same for all elements."""

    value: float


@dataclass(frozen=True)
class Apply:
    """A sign or function of :data:`SIGNS`, :data:`FUNCTIONS` and :data:`DEFINED`, and what it is of."""

    name: str
    of: tuple[Tree, ...]


Tree = Operand | Number | Apply


@cache
def parse(code: str) -> Tree:
    """The tree of ``code``, whose operands are ``{name}`` or plain names.

    Raises ValueError for what no tree can hold.
    """
    try:
        return _tree(ast.parse(re.sub(r"\{(\w+)\}", r"_\1", code), mode="eval").body)
    except (SyntaxError, KeyError):
        known = ", ".join([*SIGNS, *FUNCTIONS, *DEFINED])
        raise ValueError(f"{code!r} isn't made of {known}, inputs and numbers") from None


def _tree(node: ast.expr) -> Tree:
    match node:
        case ast.Name(id=name):
            return Operand(name.removeprefix("_"))
        case ast.Constant(value=int() | float() as value):
            return Number(value)
        case ast.BinOp(left=left, op=sign, right=right) | ast.Compare(left=left, ops=[sign], comparators=[right]):
            return Apply(PARSED[type(sign)], (_tree(left), _tree(right)))
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return Number(-value)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return Apply(NEGATIVE, (_tree(operand),))
        case ast.Call(func=ast.Name(id=name), args=args) if name in FUNCTIONS or name in DEFINED:
            return Apply(name, tuple(map(_tree, args)))
    raise KeyError(node)


def expanded(tree: Tree) -> Tree:
    """Without functions of :data:`DEFINED`: each is written out."""
    if not isinstance(tree, Apply):
        return tree
    given = tuple(map(expanded, tree.of))
    if tree.name not in DEFINED:
        return Apply(tree.name, given)
    return _filled(expanded(parse(DEFINED[tree.name])), given)


def _filled(tree: Tree, given: Sequence[Tree]) -> Tree:
    """With the ``given`` in place of its operands."""
    if isinstance(tree, Operand):
        return given[int(tree.name)]
    return Apply(tree.name, tuple(_filled(each, given) for each in tree.of)) if isinstance(tree, Apply) else tree


def operands(tree: Tree) -> Iterator[str]:
    """The names of all operands, as often as they are read, in the order in which they are."""
    if isinstance(tree, Operand):
        yield tree.name
    for each in tree.of if isinstance(tree, Apply) else ():
        yield from operands(each)


def evaluate(tree: Tree, values: Mapping[str, Any], functions: Mapping[str, Any]) -> Any:
    """What comes out, of anything that has Python's operators."""
    if isinstance(tree, Operand):
        return values[tree.name]
    if isinstance(tree, Number):
        return tree.value
    given = [evaluate(each, values, functions) for each in tree.of]
    if tree.name == NEGATIVE:
        return -given[0]
    return SIGNS[tree.name][1](*given) if tree.name in SIGNS else functions[tree.name](*given)


def written(
    tree: Tree,
    names: Mapping[str, str],
    number: Callable[[float], str] = repr,
    functions: Mapping[str, str] | None = None,
) -> str:
    """As text with only the parentheses that it needs; ``names`` (of the operands) are put in as they are.

    ``functions``: those that have another name there.
    """
    return _written(tree, names, number, functions or {})[0]


def _written(
    tree: Tree, names: Mapping[str, str], number: Callable[[float], str], functions: Mapping[str, str]
) -> tuple[str, int]:
    """The text, and how tightly what is outermost in it binds."""
    if isinstance(tree, Operand):
        return names[tree.name], 5
    if isinstance(tree, Number):
        return number(tree.value), 5 if tree.value >= 0 else 4
    parts = [_written(each, names, number, functions) for each in tree.of]
    if tree.name in SIGNS:
        binds = SIGNS[tree.name][0]
        (left, first), (right, second) = parts
        left = f"({left})" if first < binds or first == 1 else left  # Python takes a > b > c for something else
        right = f"({right})" if second <= binds else right
        return f"{left} {tree.name} {right}", binds
    if tree.name == NEGATIVE:
        text, own = parts[0]
        return f"-{text}" if own > 4 else f"-({text})", 4  # "--" counts down in C
    return f"{functions.get(tree.name, tree.name)}({', '.join(text for text, _ in parts)})", 5


def kernel(tree: Tree, attributes: Mapping[str, float]) -> Callable[..., Sequence[Callable[[], object]]]:
    """The kernel of an op: a call of the array module for each sign and function in it.

    ``attributes``: what those in the tree are if nothing else is said.
    """

    tree = expanded(tree)
    reads = len(list(operands(tree)))

    def made(xp: Any, out: Any, *arrays: Any, **attrs: Any) -> Sequence[Callable[[], object]]:
        numbers = {name: attrs.get(name, default) for name, default in attributes.items()}
        return _Calls(xp, out, arrays, numbers, reads).of(tree)

    return made


class _Calls:
    """Calls that compute a tree into ``out``: in place where they may, else in memory of their own.

    ``out`` may be the memory of an input, so nothing is put there as long as an input is still to be read.
    """

    def __init__(self, xp: Any, out: Any, arrays: Sequence[Any], attrs: Mapping[str, float], reads: int) -> None:
        self._xp, self._out, self._to_read = xp, out, reads
        self._like = arrays[-1].dtype
        self._values = dict(zip(PLACES, arrays, strict=False))
        for name, value in attrs.items():
            self._values[name] = self._number(value)
        self._own: list[Any] = []  # memory that holds what is between
        self._calls: list[Callable[[], object]] = []

    def of(self, tree: Tree) -> Sequence[Callable[[], object]]:
        found = self._put(tree, last=True)
        if not isinstance(tree, Apply):  # nothing is computed, so it lies where it was
            self._calls.append(partial(self._xp.copyto, self._out, found))
        return self._calls

    def _number(self, value: float) -> Any:
        """As an array without axes it is read faster than as a Python number."""
        return self._xp.asarray(value, self._like)

    def _put(self, tree: Tree, last: bool = False) -> Any:
        """The array that holds ``tree``'s value after the calls."""
        if isinstance(tree, Operand):
            return self._values[tree.name]
        if isinstance(tree, Number):
            return self._number(tree.value)
        given = [self._put(each) for each in tree.of]
        function = getattr(self._xp, SIGNS[tree.name][2] if tree.name in SIGNS else FUNCTIONS[tree.name])
        target = self._out if last else self._room(tree, given)
        if tree.name == "select":
            self._calls.append(partial(_copy_chosen, self._xp, target, *given))
        else:  # some functions of NumPy want out by name; elsewhere by place is faster
            named = tree.name in ("max", "min")
            self._calls.append(partial(function, *given, out=target) if named else partial(function, *given, target))
        return target

    def _room(self, tree: Apply, given: Sequence[Any]) -> Any:
        """Where a value in between goes: over one that nobody needs any more, or into new memory."""
        self._to_read -= sum([isinstance(each, Operand) for each in tree.of])
        xp, dtype = self._xp, "bool" if tree.name in SIGNS and SIGNS[tree.name][0] == 1 else self._like
        shapes = {each.shape for each in given}
        shape = shapes.pop() if len(shapes) == 1 else np.broadcast_shapes(*shapes)
        for each in given:
            if any(each is mine for mine in self._own) and each.shape == shape and each.dtype == dtype:
                return each
        room = self._out
        if self._to_read or shape != room.shape or dtype != room.dtype or any(room is mine for mine in self._own):
            room = xp.empty(shape, dtype)
        self._own.append(room)
        return room


def _copy_chosen(xp: Any, out: Any, choice: Any, a: Any, b: Any) -> None:
    out[...] = xp.where(choice, a, b)
