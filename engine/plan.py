"""A plan: what runs when, and which bytes of one arena each result lives in.

:func:`make_plan` orders the nodes (assignments after all readers of the old value), finds how
long each result is needed, and lays the results into one arena so that they share memory when
their lifetimes don't meet.  An executor binds the plan to arrays and runs it.
"""

from __future__ import annotations

import heapq
from bisect import insort
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from operator import attrgetter
from typing import NamedTuple

from engine.errors import EngineError
from engine.fuse import Order, Region, Taker, fuse
from engine.graph import PLACEHOLDER, Tensor
from engine.merge import merge_products
from engine.ops.array import pack
from engine.ops.state import assign
from engine.passes import Node, lower
from engine.spec import Spec

ALIGN = 64  # bytes: a cache line, and what vector loads like


@dataclass(eq=False)
class Storage:
    """Bytes of a device's arena, needed from step ``start`` to step ``end`` (both included)."""

    nbytes: int
    start: int
    end: int
    device: str = ""  # as its node's
    offset: int = -1


@dataclass(frozen=True, eq=False)
class Place:
    """Where in the arena a node's result lies, if that isn't in a variable's memory."""

    storage: Storage
    offset: int = 0  # in the storage


class Lookup(NamedTuple):
    """``node`` looks up ``numbers`` in so many ``rows``; they are there ``after`` that step (-1: before any)."""

    node: Node
    numbers: Node
    rows: int
    after: int


@dataclass(eq=False)
class Plan:
    """Everything an executor needs, in order.  ``freed[i]`` holds the storages that nobody reads after step i.

    The numbers of ``lookups`` come first: a wrong one can be refused before the step has assigned anything (unless
    it is made from what the step assigns).
    """

    steps: list[Region]  # in order of execution; sources and views included
    fetches: list[Node]
    feeds: dict[Tensor, Node]
    places: dict[Node, Place]
    arenas: dict[str, int]  # the bytes of each device's arena
    freed: dict[int, list[Storage]] = field(default_factory=dict)
    lookups: list[Lookup] = field(default_factory=list)

    @cached_property
    def nodes(self) -> list[Node]:
        """Those of all steps, in order."""
        return [node for step in self.steps for node in step.nodes]

    @property
    def arena_bytes(self) -> int:
        """The bytes of all arenas."""
        return sum(self.arenas.values())


def make_plan(
    fetches: Sequence[Tensor],
    fed: Mapping[Tensor, Spec],
    reuse: bool = True,
    *,
    home: str = "cpu:0",
    taker: Taker | None = None,
) -> Plan:
    """The plan that computes ``fetches`` from what is fed, with every result in its place.

    ``reuse=False`` gives each result memory of its own (tests compare the two).  ``taker``: what the
    executor computes in one go (:func:`engine.fuse.fuse`).  Raises FeedError and ShapeError as
    :func:`engine.passes.lower` does, EngineError if no order of the assignments gives every reader
    the value it asks for.
    """
    nodes, roots = lower(fetches, fed, home)
    nodes = merge_products(nodes, roots)
    order = _order(nodes, roots)
    steps = fuse(order, roots, taker)
    places, storages = _Placement(steps, roots, reuse).run()
    plan = Plan(
        steps=steps,
        fetches=roots,
        feeds={node.tensor: node for node in order.nodes if node.op is PLACEHOLDER},
        places=places,
        arenas={
            device: _lay_out([each for each in storages if each.device == device], reuse)
            for device in sorted({node.device for node in nodes} | {""})
        },
        lookups=_lookups(steps),
    )
    for storage in storages:
        plan.freed.setdefault(storage.end, []).append(storage)
    return plan


def _lookups(steps: Sequence[Region]) -> list[Lookup]:
    """What is looked up, in order; the same numbers in tables of the same size once."""
    found: dict[tuple[Node, int], Lookup] = {}
    made = {node: at for at, region in enumerate(steps) for node in region.nodes}
    for node in (node for region in steps for node in region.work):
        numbers = _numbers(node)
        if node.op.lookup and numbers is not None:
            _, table, axis = node.op.lookup
            count = (*node.inputs, node)[table].spec.concrete[axis]
            changes = any(each.computed or each.op is assign for each in _needed([numbers]))
            found.setdefault((numbers, count), Lookup(node, numbers, count, made[numbers] if changes else -1))
    return list(found.values())


def _numbers(node: Node) -> Node | None:
    """The row numbers that ``node`` looks up, if it does."""
    numbers = node.inputs[node.op.lookup[0]] if node.op.lookup else None
    return numbers if numbers is not None and numbers.spec.is_integer else None


def _order(nodes: list[Node], roots: list[Node]) -> Order:
    """All nodes in order; values that may be computed in a variable's memory know it."""
    direct = _direct_assignments(nodes, roots)
    order = _ordered(nodes, direct)
    if order is None and direct:  # two variables that swap their values need a place between
        direct = {}
        order = _ordered(nodes, direct)
    if order is None:
        raise EngineError(_tangled(nodes))
    for value, target in direct.items():
        value.into = target
    return order


def _direct_assignments(nodes: list[Node], roots: list[Node]) -> dict[Node, Node]:
    """Assignments whose value may be computed right in the variable's memory: value -> target.

    The value must have no other reader, and its op may read the variable, if at all, only element
    by element.
    """
    readers = Counter(each for node in nodes for each in node.inputs)
    found: dict[Node, Node] = {}
    for node in nodes:
        if node.op is not assign:
            continue
        target, value = node.root, node.inputs[1]
        plain = node.inputs[0] is target and value.computed and value.op not in (assign, pack)
        alone = readers[value] == 1 and value not in roots
        if plain and alone and all(_harmless(value, at, target) for at in range(len(value.inputs))):
            found[value] = target
    return found


def _harmless(value: Node, at: int, target: Node) -> bool:
    """Whether ``value``'s input may be read while ``value`` is written over ``target``."""
    each = value.inputs[at]
    if not each.variables & target.variables:
        return True
    return at in value.op.reuse and each is target and each.spec == value.spec


def _ordered(nodes: list[Node], direct: dict[Node, Node]) -> Order | None:
    """Inputs first, else as created; None if that can't be.

    Who reads a variable runs before the first change of it, who reads an assignment's result
    before the next change, and changes of one variable happen in the order of creation.
    """
    after: dict[Node, set[Node]] = {node: set(node.inputs) for node in nodes}
    changes: dict[Tensor, list[Node]] = {}
    for node in nodes:
        if node.op is assign:
            for cell in node.variables:
                changes.setdefault(cell, []).append(node)
    if changes:
        for reader in nodes:
            for each in reader.reads:
                for later in _changes_after(each, changes):
                    after[_writer(later, direct)].add(reader)
        for earlier, later in (pair for chain in changes.values() for pair in pairwise(chain)):
            after[_writer(later, direct)].add(earlier)
        for writer in direct:
            after[writer].discard(writer)
    return _topological(nodes, after)


def _changes_after(read: Node, changes: Mapping[Tensor, list[Node]]) -> list[Node]:
    """For each variable in ``read``'s memory, the first assignment that ``read`` must not see."""
    while read.op.view is not None:
        read = read.inputs[0]
    found = []
    for cell in read.variables:
        chain = changes.get(cell, [])
        at = chain.index(read) + 1 if read.op is assign else 0
        found += chain[at : at + 1]
    return found


def _writer(change: Node, direct: dict[Node, Node]) -> Node:
    """The node that writes the variable's memory: the assignment, or its value if computed in place."""
    return change.inputs[1] if change.inputs[1] in direct else change


def _topological(nodes: list[Node], after: Mapping[Node, set[Node]]) -> Order | None:
    """Whose numbers are looked up, and what they need, comes first; then who was created first."""
    first = _needed(each for node in nodes if (each := _numbers(node)) is not None)
    place = {node: node.order if node in first else node.order + len(nodes) for node in nodes}
    waiting = {node: len(after[node]) for node in nodes}
    followers: dict[Node, list[Node]] = {node: [] for node in nodes}
    for node in nodes:
        for each in after[node]:
            followers[each].append(node)
    ready = sorted(place[node] for node in nodes if not waiting[node])  # a sorted list is a heap
    done: list[Node] = []
    while ready:
        node = nodes[heapq.heappop(ready) % len(nodes)]
        done.append(node)
        for each in followers[node]:
            waiting[each] -= 1
            if not waiting[each]:
                heapq.heappush(ready, place[each])
    return Order(done, after, followers) if len(done) == len(nodes) else None


def _needed(roots: Iterable[Node]) -> set[Node]:
    """``roots`` and all they are made from."""
    found, stack = set[Node](), list(roots)
    while stack:
        node = stack.pop()
        if node not in found:
            found.add(node)
            stack += node.inputs
    return found


def _tangled(nodes: list[Node]) -> str:
    names = sorted({cell.name for node in nodes if node.op is assign for cell in node.variables})
    where = next(node.tensor.source for node in nodes if node.op is assign)
    return (
        f"the old and the new value of a variable are both asked for at the same time (assigned here: "
        f"{', '.join(names)}; {where}); keep the old one first (x * 1.0), or run one after the other"
    )


class _Placement:
    """Gives each node that computes something its memory."""

    def __init__(self, steps: list[Region], roots: list[Node], reuse: bool) -> None:
        self.steps, self.reuse = steps, reuse
        self.step = {node: at for at, region in enumerate(steps) for node in region.nodes}
        self.last_use = self._last_uses(roots)
        self.stored = [
            (node, region) for region in steps for node in region.stored
            if node.computed and node.op is not assign and node.into is None
        ]  # fmt: skip
        self.places: dict[Node, Place] = {}
        self.storages: list[Storage] = []

    def run(self) -> tuple[dict[Node, Place], list[Storage]]:
        needed = {node for node, _ in self.stored}
        for node, _ in self.stored:
            if node.op is pack:
                self._place_pack(node, needed)
        for node, region in self.stored:
            if node not in self.places:
                taken = self._overwritable(node, region) if self.reuse and node is region.stored[-1] else None
                if taken is None:
                    self._new(node)
                else:
                    taken.end = self.last_use[node]
                    self.places[node] = Place(taken)
        return self.places, self.storages

    def _last_uses(self, roots: list[Node]) -> dict[Node, int]:
        """The step after which nobody reads a node's memory, be it through a view."""
        last = {}
        for at, region in enumerate(self.steps):
            for node in region.nodes:
                last[node.root] = at
                for each in node.inputs:
                    last[each.root] = at
        return last | {root.root: len(self.steps) for root in roots}

    def _new(self, node: Node) -> Storage:
        storage = Storage(node.spec.nbytes, self.step[node], self.last_use[node], node.device)
        self.storages.append(storage)
        self.places[node] = Place(storage)
        return storage

    def _place_pack(self, node: Node, needed: Collection[Node]) -> None:
        """A pack's parts are computed right inside it, so that packing costs nothing."""
        storage = self._new(node)
        offset = 0
        for part in node.inputs:
            if part in needed and part not in self.places:
                self.places[part] = Place(storage, offset)
                storage.start = min(storage.start, self.step[part])
                storage.end = max(storage.end, self.last_use[part])
            offset += part.spec.nbytes

    def _overwritable(self, node: Node, region: Region) -> Storage | None:
        """The memory of an input that dies here and that ``node`` may overwrite."""
        at, reads = self.step[node], region.overwritable
        for source in [each for each, harmless in reads if harmless and each in self.places]:
            storage = self.places[source].storage
            if storage.end != at or source.spec != node.spec or storage.nbytes != node.spec.nbytes:
                continue
            if all(each is source and harmless for each, harmless in reads if each.root is source):
                return storage  # nobody reads elsewhere in it
        return None


def _lay_out(storages: list[Storage], reuse: bool) -> int:
    """Offsets for all storages, the largest first, each at the lowest place that is free; the arena's bytes."""
    total = 0
    laid: list[Storage] = []  # by offset
    by_offset = attrgetter("offset")
    for storage in sorted(storages, key=attrgetter("nbytes"), reverse=True):
        offset = 0
        for each in laid:
            if reuse and (each.start > storage.end or storage.start > each.end):
                continue
            if offset + storage.nbytes <= each.offset:
                break
            offset = max(offset, -(-(each.offset + each.nbytes) // ALIGN) * ALIGN)
        storage.offset = offset
        insort(laid, storage, key=by_offset)
        total = max(total, offset + storage.nbytes)
    return total
