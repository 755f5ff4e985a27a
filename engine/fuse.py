"""What is computed in one go: the ordered operations of a run become regions, before memory is placed.

The pass offers an executor larger and larger regions of element-wise operations, and takes those that it accepts:
first each result with what only it reads (:meth:`_Fuser.grow`), then neighbours (:meth:`_Fuser.join`).  All operations
of a region work on the same element at the same time, so what it reads and changes must lie in step.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from engine.graph import Tensor
from engine.ops.conv import conv2d
from engine.ops.matrix import affine, matmul
from engine.ops.state import assign
from engine.passes import Node

PRODUCTS = (matmul, affine, conv2d)  # a region may begin with one
BACK = 24  # regions that one may be moved ahead of


class Taker(Protocol):
    """What the pass asks of an executor."""

    @property
    def largest(self) -> int:
        """Operations of a region at most; 1: it goes operation by operation."""
        ...

    @property
    def joins_from(self) -> int:
        """Elements from which a region may have several results."""
        ...

    def accepts(self, region: Region) -> bool:
        """Whether it computes ``region``, of more than one operation, in one go."""
        ...


@dataclass(eq=False, slots=True)
class Region:
    """Operations in the order in which they run, and those whose results are needed outside (``stored``)."""

    nodes: tuple[Node, ...]
    stored: tuple[Node, ...]

    work: tuple[Node, ...] = field(init=False)  # those where something is to be done
    inputs: tuple[Node, ...] = field(init=False)  # what it reads from outside, each once

    def __post_init__(self) -> None:
        self.work = tuple(node for node in self.nodes if node.computed)
        read = (each for node in self.work for each in node.reads if each not in self.nodes)
        self.inputs = tuple(dict.fromkeys(read))

    @property
    def last(self) -> Node:
        """The one that it is known by."""
        return self.work[-1] if self.work else self.nodes[-1]

    @property
    def name(self) -> str:
        """ "mul+sub", for people."""
        return "+".join(dict.fromkeys(node.op.name for node in self.work or self.nodes))

    @property
    def product(self) -> Node | None:
        """The product that it begins with."""
        return self.nodes[0] if self.nodes[0].op in PRODUCTS else None

    @property
    def overwritable(self) -> Sequence[tuple[Node, bool]]:
        """All that it reads, and whether its last result may be put there: if that is read in step, and no later."""
        if len(self.work) == 1:
            node = self.work[0]
            return [(each, at in node.op.reuse) for at, each in enumerate(node.inputs)]
        return [(each, self.product is None) for each in self.inputs]

    def in_step(self) -> bool:
        """Whether each variable is changed once at most, and read as it is changed if at all: element by element."""
        changed: set[Tensor] = set()
        for node in self.work:
            target = node.inputs[0] if node.op is assign else node.into
            if target is None:
                continue
            cells = target.variables
            aside = (each for each in self.inputs if each is not target or each.spec != node.spec or self.product)
            if changed & cells or any(each.variables & cells for each in aside):
                return False
            changed |= cells
        return True


def value_of(node: Node) -> Node:
    """``node``, or the value that it is a name for: that of an assignment whose value is computed in place."""
    return node.inputs[1] if node.op is assign and not node.computed else node


def fuse(
    order: Sequence[Node], before: Mapping[Node, Collection[Node]], roots: Sequence[Node], taker: Taker | None
) -> list[Region]:
    """``order`` as regions that ``taker`` computes in one go.

    ``before`` has what each node must run after; ``roots`` are those that are fetched.
    """
    if taker is None or taker.largest == 1:
        return [Region((node,), (node,)) for node in order]
    return _Fuser(order, before, roots, taker).run()


class _Fuser:
    def __init__(
        self, order: Sequence[Node], before: Mapping[Node, Collection[Node]], roots: Sequence[Node], taker: Taker
    ) -> None:
        self._taker, self._before = taker, before
        self._fetched = {each for root in roots for each in (root, root.root)}
        self._order = {node: at for at, node in enumerate(order)}
        self._place = dict(self._order)  # of the region that it has come to
        self._followers: dict[Node, list[Node]] = {node: [] for node in order}
        for node in order:
            for each in before[node]:
                self._followers[each].append(node)
        self._regions = dict(enumerate(Region((node,), (node,)) for node in order))

    def run(self) -> list[Region]:
        for node in [*self._place]:
            if value_of(node) is not node:  # goes where its value goes
                self._settle(self._place[value_of(node)], self._region((value_of(node), node)))
        for node in [*self._place]:
            self._add_to_product(node)
        for node in reversed([*self._place]):
            self._grow(node)
        return self._join([self._regions[at] for at in sorted(self._regions)])

    def _region(self, nodes: Iterable[Node]) -> Region:
        """``nodes``, as they are ordered, as a region; what others read of it, or fetch, is stored."""
        inside = dict.fromkeys(nodes)
        return Region(tuple(inside), tuple(node for node in inside if node.computed and self._is_needed(node, inside)))

    def _is_needed(self, node: Node, inside: Collection[Node]) -> bool:
        """Whether somebody but those ``inside`` needs its value."""
        kept = node in self._fetched or node.into is not None or node.op is assign
        return kept or any(node in each.inputs and each not in inside for each in self._followers[node])

    def _settle(self, at: int, region: Region) -> None:
        """Make it the region at this place."""
        for node in region.nodes:
            self._regions.pop(self._place[node], None)
            self._place[node] = at
        self._regions[at] = region

    def _may_wait(self, node: Node, inside: Collection[Node]) -> bool:
        """Whether ``node`` is a region, and nobody but those ``inside``, which come later, needs it where it is."""
        if len(self._regions[self._place[node]].nodes) > 1 or self._is_needed(node, inside):
            return False
        at = max(self._place[each] for each in inside)
        return all(each in inside or self._place[each] > at for each in self._followers[node])

    def _add_to_product(self, node: Node) -> None:
        """Take the product that only ``node`` reads together with it."""
        products = [each for each in node.reads if each.op in PRODUCTS]
        if not products or len(self._regions[self._place[node]].work) != 1 or node.element is None:
            return
        for product in products:
            fits = _alike(product, node) and self._may_wait(product, [node])
            if fits and self._offer(self._region([product, *self._regions[self._place[node]].nodes]), node):
                return

    def _grow(self, node: Node) -> None:
        """Take what only ``node``, or its region, reads together with it: the most that is accepted."""
        region = self._regions[self._place[node]]
        if node.element is None or region.nodes[0] is not node or len(region.work) != 1:
            return
        inside = dict.fromkeys(region.nodes)
        found = [region]
        while len(found) < self._taker.largest:
            fitting = [
                each for each in found[-1].inputs
                if _alike(each, node) and each.element is not None and self._may_wait(each, inside)
            ]  # fmt: skip
            if not fitting:
                break
            inside[max(fitting, key=self._order.__getitem__)] = None
            found.append(self._region(sorted(inside, key=self._order.__getitem__)))
        while len(found) > 1 and not self._offer(found.pop(), node):
            pass

    def _offer(self, region: Region, node: Node) -> bool:
        """Settle ``region`` where ``node`` is, if it may be one."""
        accepted = region.in_step() and self._taker.accepts(region)
        if accepted:
            self._settle(self._place[node], region)
        return accepted

    def _join(self, regions: Iterable[Region]) -> list[Region]:
        """Let each region join an earlier one, if it needs nothing that happens between."""
        done: list[list[Region]] = [[]]  # the sources; then each region, and the windows on what is there by then
        place: dict[Node, int] = {}
        for region in regions:
            needed = {place[each] for node in region.nodes for each in self._before[node] if each in place}
            if not region.work:
                at = max(needed, default=0)
                done[at].append(region)
            elif (home := self._home(region, done, needed, place)) is not None:
                at = home
                done[at][0] = self._region((*done[at][0].nodes, *region.nodes))
            else:
                at = len(done)
                done.append([region])
            place.update(dict.fromkeys(region.nodes, at))
        return [region for each in done for region in each]

    def _home(
        self, region: Region, done: Sequence[Sequence[Region]], needed: Collection[int], place: Mapping[Node, int]
    ) -> int | None:
        """Which of the regions ``done`` takes it."""
        if region.last.spec.size < self._taker.joins_from or any(node.element is None for node in region.work):
            return None
        for at in range(len(done) - 1, max(0, len(done) - 1 - BACK), -1):
            other = done[at][0]
            fits = _alike(other.last, region.last) and len(other.work) + len(region.work) <= self._taker.largest
            if (
                fits
                and self._goes_on(other)
                and not any(
                    place.get(each) == at and each not in other.nodes
                    for each in region.inputs  # read through a window
                )
            ):
                both = self._region((*other.nodes, *region.nodes))
                if both.in_step() and self._taker.accepts(both):
                    return at
            if at in needed:
                break
        return None

    def _goes_on(self, region: Region) -> bool:
        rest = region.work[1:] if region.product else region.work
        return all(node.element is not None for node in rest)


def _alike(one: Node, other: Node) -> bool:
    return one.spec.shape == other.spec.shape and one.device == other.device
