"""What is computed in one go: the ordered operations of a run become regions, before memory is placed.

The pass offers an executor larger and larger regions of element-wise operations, and takes those that it accepts:
first a slope with its function (:meth:`_Fuser._pair`), then each result with what only it reads
(:meth:`_Fuser._grow`), then neighbours (:meth:`_Fuser._join`).  All operations of a region work on the same element
at the same time, so what it reads and changes must lie in step.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from engine.graph import Tensor
from engine.ops.conv import conv2d
from engine.ops.matrix import affine, matmul
from engine.ops.pool import max_pool_back
from engine.ops.state import assign
from engine.passes import Node

PRODUCTS = (matmul, affine, conv2d, max_pool_back)  # a region may begin with one
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


class Order(NamedTuple):
    """Nodes in an order in which they may run; what each must run after, and what must run after it."""

    nodes: Sequence[Node]
    before: Mapping[Node, Collection[Node]]
    followers: Mapping[Node, Sequence[Node]]


@dataclass(eq=False, slots=True)
class Region:
    """Operations in the order in which they run, and those whose results are needed outside (``stored``)."""

    nodes: tuple[Node, ...]
    stored: tuple[Node, ...]
    made: Any = None  # what the executor that was asked whether it takes it has found for it, if it keeps that
    work: tuple[Node, ...] = field(init=False)  # those where something is to be done

    def __post_init__(self) -> None:
        self.work = tuple([node for node in self.nodes if node.computed])

    @property
    def inputs(self) -> tuple[Node, ...]:
        """What it reads from outside, each once."""
        return tuple(dict.fromkeys([each for node in self.work for each in node.reads if each not in self.nodes]))

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
    def element_wise(self) -> bool:
        """Whether all that it does, be it after a product, is done element by element."""
        return all(node.element is not None for node in self.work[self.product is not None :])

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
            aside = [each for each in self.inputs if each is not target or each.spec != node.spec or self.product]
            if changed & cells or any(each.variables & cells for each in aside):
                return False
            changed |= cells
        return True


def value_of(node: Node) -> Node:
    """``node``, or the value that it is a name for: that of an assignment whose value is computed in place."""
    return node.inputs[1] if node.op is assign and not node.computed else node


def fuse(order: Order, roots: Sequence[Node], taker: Taker | None) -> list[Region]:
    """``order`` as regions that ``taker`` computes in one go; ``roots`` are fetched."""
    if taker is None or taker.largest == 1:
        return [Region((node,), (node,)) for node in order.nodes]
    return _Fuser(order, roots, taker).run()


class _Fuser:
    def __init__(self, order: Order, roots: Sequence[Node], taker: Taker) -> None:
        nodes, self._before, self._followers = order
        self._taker = taker
        self._fetched = {each for root in roots for each in (root, root.root)}
        self._order = {node: at for at, node in enumerate(nodes)}
        self._place = dict(self._order)  # of the region that it has come to
        self._regions = dict(enumerate([Region((node,), (node,)) for node in nodes]))
        # what is done element by element, as long as nothing else is done in its region
        self._alone = {node for node in nodes if node.computed and node.element is not None}

    def run(self) -> list[Region]:
        for node in self._order:
            if (value := value_of(node)) is not node:  # goes where its value goes
                self._settle(self._place[value], self._region((value, node)))
        for node in self._order:
            if node.op.slope_of is not None and node in self._alone:
                self._pair(node)
        for step, nodes in ((self._add_to_product, self._order), (self._grow, reversed(self._order))):
            for node in nodes:
                if node in self._alone:
                    step(node)
        return self._join([self._regions[at] for at in sorted(self._regions)])

    def _region(self, nodes: Iterable[Node]) -> Region:
        """``nodes``, as they are ordered, as a region; what others read of it, or fetch, is stored."""
        inside = dict.fromkeys(nodes)
        stored = [node for node in inside if node.computed and self._is_needed(node, inside)]
        return Region(tuple(inside), tuple(stored))

    def _is_needed(self, node: Node, inside: Collection[Node]) -> bool:
        """Whether somebody but those ``inside`` needs its value."""
        kept = node in self._fetched or node.into is not None or node.op is assign
        return kept or any(each not in inside and node in each.inputs for each in self._followers[node])

    def _settle(self, at: int, region: Region) -> None:
        """Make it the region at this place."""
        for node in region.nodes:
            self._regions.pop(self._place[node], None)
            self._place[node] = at
        self._regions[at] = region
        if len(region.work) > 1:
            self._alone.difference_update(region.work)

    def _may_wait(self, node: Node, at: int, inside: Collection[Node]) -> bool:
        """Whether only those ``inside``, which come ``at`` a later place, need ``node`` and its region."""
        if not {*self._regions[self._place[node]].nodes} <= {node, *inside} or self._is_needed(node, inside):
            return False
        return all(each in inside or self._place[each] > at for each in self._followers[node])

    def _pair(self, slope: Node) -> None:
        """Have a slope computed where its function is, if that is kept: for a reader that can't be in one region."""
        for node in self._followers[slope.inputs[0]]:
            at = self._place[node]
            if node.op is not slope.op.slope_of or not {node, slope} <= self._alone:
                continue
            if any(self._place[each] <= at for each in self._followers[slope]):
                continue  # it is needed before its function
            readers = [each for each in self._followers[node] if node in each.inputs]
            inside = [each for each in readers if each.element is not None and _alike(each, node)]
            if (len(readers) > 1 or self._is_needed(node, inside)) and not (node.into or slope.into):
                self._offer(at, (node, slope))

    def _add_to_product(self, node: Node) -> None:
        """Take the product that only ``node`` reads together with it, and what else only it reads if that is wanted."""
        at = self._place[node]
        for product in node.reads:
            before = self._regions[self._place[product]]
            if not before.product or before.last is not product or not _alike(product, node):
                continue
            beside = [each for each in node.reads if each in self._alone and self._may_wait(each, at, (node,))]
            for more in (beside, []):
                nodes = [*before.nodes, *more, *self._regions[at].nodes]
                if all(self._may_wait(each, at, nodes) for each in before.nodes) and self._offer(at, nodes):
                    return

    def _grow(self, node: Node) -> None:
        """Take what only ``node``, or its region, reads together with it: the most that is accepted."""
        at = self._place[node]
        region = self._regions[at]
        inside, read = dict.fromkeys(region.nodes), [*node.reads]
        for _ in range(self._taker.largest - 1):
            fitting = [
                each for each in read
                if _alike(each, node) and each.element is not None
                and each not in inside and self._may_wait(each, at, inside)
            ]  # fmt: skip
            if not fitting:
                break
            latest = max(fitting, key=self._order.__getitem__)
            inside[latest] = None
            read += latest.reads
        while len(inside) > len(region.nodes) and not self._offer(at, sorted(inside, key=self._order.__getitem__)):
            inside.popitem()

    def _offer(self, at: int, nodes: Iterable[Node]) -> bool:
        """Settle ``nodes`` as the region at this place, if they may be one."""
        region = self._region(nodes)
        accepted = region.in_step() and self._taker.accepts(region)
        if accepted:
            self._settle(at, region)
        return accepted

    def _join(self, regions: Iterable[Region]) -> list[Region]:
        """Let each region join an earlier one, if it needs nothing that happens between."""
        done: list[list[Region]] = [[]]  # the sources; then each region, and the windows on what is there by then
        place: dict[Node, int] = {}
        for region in regions:
            first = max((place.get(each, 0) for node in region.nodes for each in self._before[node]), default=0)
            if not region.nodes[0].computed:
                at = first
                done[at].append(region)
            elif (home := self._home(region, done, first, place)) is not None:
                at, done[at][0] = home
            else:
                at = len(done)
                done.append([region])
            for node in region.nodes:
                place[node] = at
        return [region for each in done for region in each]

    def _home(
        self, region: Region, done: Sequence[Sequence[Region]], first: int, place: Mapping[Node, int]
    ) -> tuple[int, Region] | None:
        """Which of the regions ``done``, from the ``first`` that it may join on, takes it; and what they are then."""
        if region.nodes[0].spec.size < self._taker.joins_from or region.product or not region.element_wise:
            return None
        inputs = region.inputs
        for at in range(len(done) - 1, max(1, first, len(done) - BACK) - 1, -1):
            other = done[at][0]
            fits = _alike(other.last, region.last) and len(other.work) + len(region.work) <= self._taker.largest
            if not fits or not other.element_wise:
                continue
            if any(place.get(each) == at and each not in other.nodes for each in inputs):
                continue  # it reads through a window
            both = self._region((*other.nodes, *region.nodes))
            if both.in_step() and self._taker.accepts(both):
                return at, both
        return None


def _alike(one: Node, other: Node) -> bool:
    return one.spec.shape == other.spec.shape and one.device == other.device
