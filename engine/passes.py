"""From the user's graph to the few nodes that a run needs, at the shapes that are fed.

:func:`lower` walks the needed tensors once, in order, and at each one specialises its shape,
drops what changes nothing, shares what was computed already, folds constants, and puts a transfer
where an input lies on another device.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from engine.errors import EngineError, FeedError
from engine.expression import Operand, Tree
from engine.graph import CONSTANT, PLACEHOLDER, VARIABLE, Tensor
from engine.op import Call, Op
from engine.ops.array import broadcast_like, cast, copy
from engine.ops.layout import broadcast_to
from engine.ops.state import assign, flat, group
from engine.spec import Spec, broadcast

FOLD_LIMIT = 65_536  # elements; a larger constant is computed at each run rather than kept
SAME_LIMIT = 16  # elements; constants up to this size are compared by value, larger ones never
COPIES = (copy, cast, broadcast_like, broadcast_to, assign)  # an element is an input's element
NOTHING: frozenset[Tensor] = frozenset()
REPEATS = (broadcast_like, CONSTANT)  # what may hold the same elements many times


def _transfer(xp: Any, out: Any, x: Any) -> Sequence[Call]:
    """CuPy's arrays have ways in and out of the GPU, NumPy's have none."""
    return (partial(x.get, out=out) if hasattr(x, "get") else partial(out.set, x),)


# Not in the registry: only plans have it.
TRANSFER = Op("transfer", "The same numbers on another device.", spec=lambda x: x, kernel=_transfer)


@dataclass(eq=False, slots=True)
class Node:
    """One step of a run to be: a tensor whose shape is known and whose inputs are nodes."""

    op: Op
    inputs: tuple[Node, ...]
    attrs: Mapping[str, Any]
    spec: Spec
    tensor: Tensor  # the user's tensor it came from: its name and line, for errors and the trace
    gapless: bool = True  # whether its elements lie in memory one after the other
    device: str = ""  # where it is computed, if that isn't the session's device
    order: int = 0
    into: Node | None = None  # the variable (or flat node) in whose memory the plan has it computed
    reads: tuple[Node, ...] = field(init=False)  # the inputs whose elements it looks at when it runs
    # what one element of it is, and of which nodes' elements; None if it isn't element-wise
    element: tuple[Tree, Sequence[Node]] | None = field(init=False)

    def __post_init__(self) -> None:
        op, inputs = self.op, self.inputs
        self.reads = inputs[op is assign :] if op.kernel is not None and op is not group else ()
        self.element = None
        if 0 not in self.spec.shape:
            if op.code:
                self.element = op.tree, inputs
            elif op in COPIES:
                self.element = Operand("0"), self.reads[:1]

    def change(self, op: Op, inputs: tuple[Node, ...], attrs: Mapping[str, Any]) -> None:
        """Get to the same value in another way."""
        self.op, self.inputs, self.attrs = op, inputs, attrs
        self.__post_init__()

    @property
    def root(self) -> Node:
        """The node whose memory this one is a window on: itself, unless it is a view or an assignment."""
        found = self
        while found.op.view is not None or found.op is assign:
            found = found.inputs[0]
        return found

    @property
    def value(self) -> np.ndarray | None:
        return self.attrs["value"] if self.op is CONSTANT else None

    @property
    def variables(self) -> frozenset[Tensor]:
        """The variables whose memory this is a window on."""
        root = self.root
        if root.op is VARIABLE:
            return frozenset((root.tensor,))
        return frozenset([each.tensor for each in root.inputs]) if root.op is flat else NOTHING

    @property
    def computed(self) -> bool:
        """Whether it is to be done: it is no source, no window, and no assignment of what was computed in place."""
        if self.op is assign:
            return self.inputs[1].into is None
        return self.op.kernel is not None and self.op is not group

    def __repr__(self) -> str:
        return f"<{self.tensor.name}: {self.op.name} {self.spec}>"


def needed(fetches: Sequence[Tensor], fed: Mapping[Tensor, Spec]) -> list[Tensor]:
    """All tensors that ``fetches`` depend on, down to what is fed, in order of creation (prune)."""
    seen, stack = set(fetches), list(fetches)
    while stack:
        tensor = stack.pop()
        if tensor in fed:
            continue
        for each in tensor.inputs:
            if each not in seen:
                seen.add(each)
                stack.append(each)
    return sorted(seen, key=lambda each: each.id)


def lower(fetches: Sequence[Tensor], fed: Mapping[Tensor, Spec], home: str = "cpu:0") -> tuple[list[Node], list[Node]]:
    """The nodes that compute ``fetches`` when ``fed`` tensors have these specs, and the nodes fetched.

    ``home``: the session's device, where variables are and what is fed and fetched.

    Raises FeedError for a placeholder that is needed but not fed, ShapeError for fed shapes that
    don't go together.
    """
    tensors = needed(fetches, fed)
    made: dict[Tensor, Node] = {}
    shared: dict[object, Node] = {}
    with np.errstate(all="ignore"):  # constants are folded
        for tensor in tensors:
            made[tensor] = _lower_one(tensor, made, fed, shared, home)
    changes = Counter(cell for node in made.values() if node.op is assign for cell in node.variables)
    roots = [_moved(_as_of_now(tensor, made[tensor], changes), "", shared) for tensor in fetches]
    kept = reachable(roots)
    for node in kept:
        if node.op is PLACEHOLDER and node.tensor not in fed:
            raise FeedError(_not_fed(node.tensor, fetches))
    return kept, roots


def _lower_one(
    tensor: Tensor, made: dict[Tensor, Node], fed: Mapping[Tensor, Spec], shared: dict[object, Node], home: str
) -> Node:
    if tensor in fed:  # any tensor may be fed, not only placeholders
        return Node(PLACEHOLDER, (), {}, fed[tensor], tensor)
    op, inputs = tensor.op, tuple([made[each] for each in tensor.inputs])
    attrs: Mapping[str, Any] = tensor.attrs
    specs = [each.spec for each in inputs]
    # what was known when the graph was built is as it was
    spec = tensor.spec if specs == [each.spec for each in tensor.inputs] else _spec(tensor, inputs)
    if op in (assign, flat):
        _refuse_fed_memory(tensor, inputs)
    if op.identity is not None and (same := _identical_input(op, inputs, attrs, spec)) is not None:
        return same
    if op.shape_only and all(inputs[at].spec.known for at in op.shape_only):
        attrs = {**attrs, "like": inputs[op.shape_only[0]].spec.shape}
        inputs = tuple([each for at, each in enumerate(inputs) if at not in op.shape_only])
    device = _device(tensor, inputs, home)
    if op is not group:  # it reads nothing
        inputs = tuple([each if each.device == device else _moved(each, device, shared) for each in inputs])
    if op.code:
        inputs = _without_broadcasts(inputs, spec, shared)
    if op.needs_gapless and not inputs[0].gapless:
        inputs = (_shared(Node(copy, inputs, {}, inputs[0].spec, tensor, device=device), shared),)
    return _shared(Node(op, inputs, attrs, spec, tensor, _is_gapless(op, inputs, attrs), device), shared)


def _spec(tensor: Tensor, inputs: Sequence[Node]) -> Spec:
    """By its op's rule.  Raises what that raises, with the specs that the inputs have in this run."""
    try:
        return tensor.op.spec(*[each.spec for each in inputs], **tensor.attrs)
    except EngineError as error:
        shown = ", ".join(f"{each.tensor.name} {each.spec}" for each in inputs)
        raise type(error)(f"{tensor.op.name}({shown}): {error} ({tensor.name}, {tensor.source})") from None


def _device(tensor: Tensor, inputs: Sequence[Node], home: str) -> str:
    """Where ``tensor`` is computed: sources and variables at home, a window where its input lies, else as it says."""
    op = tensor.op
    if op.view is not None:
        return inputs[0].device
    if op.kernel is None or op in (assign, group) or tensor.device in (None, home):
        return ""
    return str(tensor.device)


def _moved(node: Node, device: str, shared: dict[object, Node]) -> Node:
    """``node``'s value on ``device``: itself, a constant that is there too, or a transfer."""
    if node.device == device or node.op is group:
        return node
    if node.op is CONSTANT:
        return _shared(Node(CONSTANT, (), node.attrs, node.spec, node.tensor, node.gapless, device), shared)
    return _shared(Node(TRANSFER, (node,), {}, node.spec, node.tensor, device=device), shared)


def _refuse_fed_memory(tensor: Tensor, inputs: Sequence[Node]) -> None:
    """Assignments and flat vectors work on the variables' own memory, which a fed value isn't."""
    for each in inputs if tensor.op is flat else inputs[:1]:
        if each.root.op is PLACEHOLDER:
            raise FeedError(
                f"{each.root.tensor.name} can't be fed in a run that needs the variable itself: "
                f"{tensor.name} ({tensor.source}) does"
            )
        if tensor.op is assign and each.root.op not in (VARIABLE, flat):
            raise EngineError(
                f"assign({each.tensor.name} {each.spec}): a reshape of this window needs a copy, "
                f"which nobody would see changed; assign to the variable itself ({tensor.source})"
            )


def _identical_input(op: Op, inputs: tuple[Node, ...], attrs: Mapping[str, Any], spec: Spec) -> Node | None:
    """The input that the result equals (x * 1, x summed to its own shape), if there is one."""
    assert op.identity is not None
    at = op.identity([each.spec for each in inputs], [each.value for each in inputs], **attrs)
    if at is None or inputs[at].spec != spec or inputs[at].variables:  # x * 1 keeps a variable's old value
        return None
    return inputs[at]


def _without_broadcasts(inputs: tuple[Node, ...], spec: Spec, shared: dict[object, Node]) -> tuple[Node, ...]:
    """Element-wise kernels broadcast by themselves: read what was broadcast, if the result's shape stays."""
    found = list(inputs)
    for at, each in enumerate(inputs):
        smaller = _before_broadcast(each, shared) if each.op in REPEATS else None
        if smaller is not None:
            shapes = [smaller.spec.shape if i == at else one.spec.shape for i, one in enumerate(found)]
            if broadcast(shapes) == spec.shape:
                found[at] = smaller
    return tuple(found)


def _before_broadcast(node: Node, shared: dict[object, Node]) -> Node | None:
    """What ``node`` repeats: the input of broadcast_like, or the one number that a constant is full of."""
    if node.op is broadcast_like:
        return None if node.inputs[0].variables else node.inputs[0]  # it keeps a variable's old value
    value = node.attrs["value"]
    if not 1 < value.size <= FOLD_LIMIT or value.tobytes() != value.flat[0].tobytes() * value.size:
        return None
    number = np.array(value.flat[0])
    spec = Spec((), node.spec.dtype)
    return _shared(Node(CONSTANT, (), {"value": number}, spec, node.tensor, device=node.device), shared)


def _is_gapless(op: Op, inputs: Sequence[Node], attrs: Mapping[str, Any]) -> bool:
    if op is CONSTANT:
        return bool(attrs["value"].flags.c_contiguous)
    if op.view is None:
        return op is not assign or inputs[0].gapless
    return inputs[0].gapless and (op.gapless is None or op.gapless(inputs[0].spec, **attrs))


def _shared(node: Node, shared: dict[object, Node]) -> Node:
    """The node that computes the same already, or else ``node``, folded if it is one of constants."""
    if not node.op.pure:
        return node
    key = _key(node)
    found = shared.get(key)
    if found is None:
        found = _fold(node) if _foldable(node) else node
        if found is not node:
            found = shared.setdefault(_key(found), found)
        shared[key] = found
    return found


def _key(node: Node) -> object:
    """Equal for nodes that compute the same thing."""
    if node.op is CONSTANT:
        value = node.attrs["value"]
        # a large one by identity: the node in the table holds the array, so its id stays its own
        same = value.tobytes() if value.size <= SAME_LIMIT else id(value)
        return ("constant", node.device, node.spec, same)
    told = frozenset([(name, repr(value)) for name, value in node.attrs.items()]) if node.attrs else None
    return (node.op, node.device, node.inputs, told)


def _foldable(node: Node) -> bool:
    if node.op is CONSTANT or not node.spec.known or any(each.op is not CONSTANT for each in node.inputs):
        return False
    large = node.spec.size > FOLD_LIMIT and node.op is not copy  # a window on a large constant needs no memory
    return not large and (bool(node.inputs) or "like" in node.attrs)


def _fold(node: Node) -> Node:
    """A node of constants is a constant."""
    arrays = [each.attrs["value"] for each in node.inputs]
    if node.op.view is not None:
        value = node.op.view(*arrays, **node.attrs)
    else:
        value = np.empty(node.spec.concrete, node.spec.dtype)
        assert node.op.kernel is not None, f"{node.op.name} has no kernel"
        try:
            for call in node.op.kernel(np, value, *arrays, **node.attrs):
                call()
        except EngineError as error:
            raise type(error)(f"{node.op.name}: {error} ({node.tensor.name}, {node.tensor.source})") from None
    return Node(CONSTANT, (), {"value": value}, node.spec, node.tensor, bool(value.flags.c_contiguous), node.device)


def _as_of_now(tensor: Tensor, node: Node, changes: Mapping[Tensor, int]) -> Node:
    """What is fetched for ``tensor``: variables as they are after the run, all else as it was computed.

    A window on a variable that the run changes (or changes again, after the fetched assignment)
    would show the later value, so it is copied in time.
    """
    later = max((changes[cell] for cell in node.variables), default=0) - (node.op is assign)
    if tensor.op in (VARIABLE, flat) or later <= 0:
        return node
    return Node(copy, (node,), {}, node.spec, tensor, device=node.device)


def reachable(roots: Sequence[Node]) -> list[Node]:
    """``roots`` and all they read, inputs before readers; without recursion, as graphs get deep."""
    done: dict[Node, None] = {}
    stack = [(root, False) for root in reversed(roots)]
    while stack:
        node, expanded = stack.pop()
        if node in done:
            continue
        if expanded:
            done[node] = None
        else:
            stack.append((node, True))
            stack.extend((each, False) for each in reversed(node.inputs) if each not in done)
    found = sorted(done, key=lambda each: each.tensor.id)
    for at, node in enumerate(found):
        node.order = at
    return found


def _not_fed(placeholder: Tensor, fetches: Sequence[Tensor]) -> str:
    reader = next((fetch for fetch in fetches if placeholder in set(needed([fetch], {}))), fetches[0])
    return (
        f"placeholder {placeholder.name} {placeholder.spec} ({placeholder.source}) isn't fed, "
        f"and {reader.name} needs it; give session.run(..., {{{placeholder.name}: value}})"
    )
