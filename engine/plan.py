"""A plan: which call runs when, and which bytes of one arena each result lives in.

:func:`make_plan` orders the nodes (assignments after all readers of the old value), finds how
long each result is needed, and lays the results into one arena so that they share memory when
their lifetimes don't meet.  An executor binds the plan to arrays and runs it.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from engine.errors import EngineError
from engine.graph import CONSTANT, PLACEHOLDER, VARIABLE, Tensor
from engine.ops.state import assign, flat, group, pack
from engine.passes import Node, lower
from engine.spec import Spec

ALIGN = 64  # bytes: a cache line, and what vector loads like


@dataclass(eq=False)
class Storage:
    """Bytes of the arena, needed from step ``start`` to step ``end`` (both included)."""

    nbytes: int
    start: int
    end: int
    offset: int = -1


@dataclass(frozen=True, eq=False)
class Place:
    """Where a node's result lies: in the arena (a storage and an offset in it) or in variables' memory."""

    storage: Storage | None = None
    offset: int = 0
    variable: Node | None = None  # a variable or flat node whose memory this is


@dataclass(eq=False)
class Plan:
    """Everything an executor needs, in order.  ``freed[i]`` holds the storages that nobody reads after step i."""

    nodes: list[Node]  # in order of execution; sources and views included
    fetches: list[Node]
    feeds: dict[Tensor, Node]
    places: dict[Node, Place]
    storages: list[Storage]
    arena_bytes: int
    freed: dict[int, list[Storage]] = field(default_factory=dict)


def make_plan(fetches: Sequence[Tensor], fed: Mapping[Tensor, Spec], reuse: bool = True) -> Plan:
    """The plan that computes ``fetches`` from what is fed, with every result in its place.

    ``reuse=False`` gives each result memory of its own (tests compare the two).
    """
    nodes, roots = lower(fetches, fed)
    feeds = {node.tensor: node for node in nodes if node.op is PLACEHOLDER}
    memory = {node: _root(node) for node in nodes}
    direct = _direct_assignments(nodes, roots, memory)
    nodes = _ordered(nodes, memory, direct)
    places, storages = _place(nodes, roots, memory, direct, reuse)
    plan = Plan(nodes, roots, feeds, places, storages, _lay_out(storages, reuse))
    for storage in storages:
        plan.freed.setdefault(storage.end, []).append(storage)
    return plan


def _root(node: Node) -> Node:
    """The node whose memory ``node`` is a window on (itself, unless it is a view or an assignment)."""
    while node.op.view is not None or node.op is assign:
        node = node.inputs[0]
    return node


def _variables(root: Node) -> frozenset[Tensor]:
    """The variables whose memory this is."""
    if root.op is VARIABLE:
        return frozenset((root.tensor,))
    return frozenset(each.tensor for each in root.inputs) if root.op is flat else frozenset()


def _direct_assignments(nodes: list[Node], roots: list[Node], memory: dict[Node, Node]) -> dict[Node, Node]:
    """Assignments whose value may be computed right in the variable's memory: value -> target.

    The value's op must have no other reader, and read the variable, if at all, element by element.
    """
    readers: dict[Node, int] = {}
    for node in nodes:
        for each in node.inputs:
            readers[each] = readers.get(each, 0) + 1
    found: dict[Node, Node] = {}
    for node in nodes:
        if node.op is not assign:
            continue
        target, value = memory[node.inputs[0]], node.inputs[1]
        cells = _variables(target)
        plain = node.inputs[0] is target and value.op.kernel is not None and value.op not in (assign, group)
        alone = readers[value] == 1 and value not in roots
        safe = all(
            not (_variables(memory[each]) & cells)
            or (at in value.op.reuse and each is target and each.spec == value.spec)
            for at, each in enumerate(value.inputs)
        )
        if plain and alone and safe:
            found[value] = target
    return found


def _ordered(nodes: list[Node], memory: dict[Node, Node], direct: dict[Node, Node]) -> list[Node]:
    """Inputs first, else as created; whoever overwrites a variable comes after all who read its old value."""
    reads: dict[Tensor, list[Node]] = {}
    for node in nodes:
        if node.op.view is None and node.op not in (flat, group):
            sources = node.inputs[1:] if node.op is assign else node.inputs
            for each in sources:
                # who reads an assignment's result wants the new value
                if not _through_assign(each):
                    for cell in _variables(memory[each]):
                        reads.setdefault(cell, []).append(node)
    writers = {value: target for value, target in direct.items()}
    writers |= {node: memory[node] for node in nodes if node.op is assign and node.inputs[1] not in direct}
    for writer, target in writers.items():
        for cell in _variables(target):
            writer.after.update(reader for reader in reads.get(cell, ()) if reader is not writer)
    return _topological(nodes)


def _through_assign(node: Node) -> bool:
    while node.op.view is not None:
        node = node.inputs[0]
    return node.op is assign


def _topological(nodes: list[Node]) -> list[Node]:
    waiting = {node: len({*node.inputs, *node.after}) for node in nodes}
    followers: dict[Node, list[Node]] = {}
    for node in nodes:
        for each in {*node.inputs, *node.after}:
            followers.setdefault(each, []).append(node)
    ready = [(node.order, at) for at, node in enumerate(nodes) if waiting[node] == 0]
    index = {node: at for at, node in enumerate(nodes)}
    heapq.heapify(ready)
    done: list[Node] = []
    while ready:
        node = nodes[heapq.heappop(ready)[1]]
        done.append(node)
        for each in followers.get(node, ()):
            waiting[each] -= 1
            if waiting[each] == 0:
                heapq.heappush(ready, (each.order, index[each]))
    if len(done) < len(nodes):
        stuck = next(node for node in nodes if waiting[node] > 0 and (node.op is assign or node.after))
        raise EngineError(
            f"{stuck.tensor.name} ({stuck.tensor.source}): a variable's old and new value are both asked for; "
            "copy the old one first (x * 1.0), or run the two one after the other"
        )
    return done


def _place(
    nodes: list[Node], roots: list[Node], memory: dict[Node, Node], direct: dict[Node, Node], reuse: bool
) -> tuple[dict[Node, Place], list[Storage]]:
    """Give each node that computes something its memory."""
    last_use = {memory[node]: at for at, node in enumerate(nodes)}
    for at, node in enumerate(nodes):
        for each in node.inputs:
            last_use[memory[each]] = at
    for root in roots:
        last_use[memory[root]] = len(nodes)
    places: dict[Node, Place] = {value: Place(variable=target) for value, target in direct.items()}
    storages: list[Storage] = []
    step = {node: at for at, node in enumerate(nodes)}
    for node in nodes:
        if node.op is pack:
            _place_pack(node, places, storages, step, last_use)
    for at, node in enumerate(nodes):
        if node in places or node.op.kernel is None or node.op in (assign, group):
            continue
        taken = _overwritable(node, at, places, memory, last_use) if reuse else None
        if taken is not None:
            taken.end = max(taken.end, last_use[node])
            places[node] = Place(taken)
            continue
        storage = Storage(node.spec.nbytes, at, last_use[node])
        storages.append(storage)
        places[node] = Place(storage)
    return places, storages


def _place_pack(
    node: Node, places: dict[Node, Place], storages: list[Storage], step: dict[Node, int], last_use: dict[Node, int]
) -> None:
    """A pack's parts are computed right inside it, so that packing costs nothing."""
    storage = Storage(node.spec.nbytes, step[node], last_use[node])
    storages.append(storage)
    places[node] = Place(storage)
    offset = 0
    for part in node.inputs:
        if part.op.kernel is not None and part.op not in (assign, group) and part not in places:
            places[part] = Place(storage, offset)
            storage.start = min(storage.start, step[part])
            storage.end = max(storage.end, last_use[part])
        offset += part.spec.nbytes


def _overwritable(
    node: Node, at: int, places: dict[Node, Place], memory: dict[Node, Node], last_use: dict[Node, int]
) -> Storage | None:
    """The memory of an input that dies here and that the op may overwrite."""
    for index in node.op.reuse:
        if index >= len(node.inputs):
            continue
        source = node.inputs[index]
        place = places.get(source)
        if place is None or place.storage is None or place.offset or place.storage.nbytes != node.spec.nbytes:
            continue
        windows = any(each is not source and memory[each] is source for each in node.inputs)
        if source.spec == node.spec and last_use[source] == at and place.storage.end == at and not windows:
            return place.storage
    return None


def _lay_out(storages: list[Storage], reuse: bool) -> int:
    """Offsets for all storages, the largest first, each at the lowest place that is free; the arena's bytes."""
    total = 0
    laid: list[Storage] = []
    for storage in sorted(storages, key=lambda each: each.nbytes, reverse=True):
        rivals = [each for each in laid if not reuse or (each.start <= storage.end and storage.start <= each.end)]
        offset = 0
        for each in sorted(rivals, key=lambda one: one.offset):
            if offset + storage.nbytes <= each.offset:
                break
            offset = max(offset, -(-(each.offset + each.nbytes) // ALIGN) * ALIGN)
        storage.offset = offset
        laid.append(storage)
        total = max(total, offset + storage.nbytes)
    return total


__all__ = ["CONSTANT", "Place", "Plan", "Storage", "make_plan"]
