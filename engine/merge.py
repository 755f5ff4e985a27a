"""Many products over batches that are added up, as one over all of them.

Weights that every step of time reads have a gradient for each: ``x1.T @ g1 + x2.T @ g2 + ...``.  Added one by one,
the whole gradient is read and written as often as there are steps.  With all x and all g one below the other, where
most are computed right away, it is written once: ``[x1; x2; ...].T @ [g1; g2; ...]``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from engine.ops import add, matmul, pack, reshape, sum_like
from engine.passes import Node, reachable
from engine.spec import Spec

MANY = 4  # products that are worth being one
Stacks = dict[tuple[Node, ...], Node]  # matrices one below the other, by what they are made of


def merge_products(nodes: list[Node], roots: list[Node]) -> list[Node]:
    """Change the sums among ``nodes`` (inputs before readers) that hold such products; what ``roots`` need then."""
    readers = Counter(each for node in nodes for each in node.inputs) + Counter(roots)
    stacks: Stacks = {}
    inside: set[Node] = set()  # sums that are part of a longer one
    ways: tuple[Callable[[Node, list[Node], Stacks], Node | None], ...] = (_product, _sum)  # sums use products' stacks
    for merged in ways:
        for node in reversed(nodes):
            if node.op is add and node not in inside:
                terms = _terms(node, readers, inside)
                alone = [each for each in terms if readers[each] == 1 and each.device == node.device]
                found = merged(node, alone, stacks) if len(alone) >= MANY else None
                if found is not None:
                    _become(node, [*(each for each in terms if each.op is not found.op or each not in alone), found])
    return reachable(roots) if stacks else nodes


def _terms(top: Node, readers: Counter[Node], inside: set[Node]) -> list[Node]:
    """What a sum adds up, all of its shape; nothing if it repeats some."""
    terms, stack = [], [*reversed(top.inputs)]
    while stack:
        node = stack.pop()
        if node.op is add and readers[node] == 1 and (node.spec, node.device) == (top.spec, top.device):
            inside.add(node)
            stack += reversed(node.inputs)
        else:
            terms.append(node)
    return terms if all(each.spec == top.spec for each in terms) else []


def _product(top: Node, terms: list[Node], stacks: Stacks) -> Node | None:
    """All products among the terms as one, if that writes less than it puts together."""
    products = [each for each in terms if each.op is matmul]
    if len(products) < MANY or not all(map(_over_rows, products)):
        return None
    size = len(products) * top.spec.size
    if not 0 < sum(factor.spec.size for each in products for factor in each.inputs) <= size:
        return None
    firsts, seconds = zip(*(each.inputs for each in products), strict=True)
    factors = _stacked(firsts, stacks), _stacked(seconds, stacks)
    return Node(matmul, factors, {"transpose_a": True}, top.spec, top.tensor, device=top.device)


def _over_rows(product: Node) -> bool:
    """Whether it is one of two matrices, over their rows."""
    turned = product.attrs.get("transpose_a", False), product.attrs.get("transpose_b", False)
    plain = all(each.spec.ndim == 2 and each.spec.size and not each.variables for each in product.inputs)
    return turned == (True, False) and plain


def _sum(top: Node, terms: list[Node], stacks: Stacks) -> Node | None:
    """All sums over rows among the terms as one, if a product has put their matrices together."""
    summed = tuple(each.inputs[0] for each in terms if each.op is sum_like)
    if summed not in stacks or top.spec.ndim != 1:
        return None
    return Node(sum_like, (stacks[summed],), {"like": top.spec.shape}, top.spec, top.tensor, device=top.device)


def _stacked(matrices: tuple[Node, ...], stacks: Stacks) -> Node:
    """One below the other; a plan computes the parts of a pack right there."""
    if matrices not in stacks:
        last = max(matrices, key=lambda each: each.tensor.id)  # nodes are ordered by their tensors
        shape = sum(each.spec.concrete[0] for each in matrices), last.spec.shape[1]
        size, dtype = sum(each.spec.size for each in matrices), last.spec.dtype
        vector = Node(pack, matrices, {}, Spec((size,), dtype), last.tensor, device=last.device)
        stacks[matrices] = Node(
            reshape, (vector,), {"shape": shape}, Spec(shape, dtype), last.tensor, device=last.device
        )
    return stacks[matrices]


def _become(node: Node, terms: Sequence[Node]) -> None:
    """Make of a node the sum of these."""
    *others, last = terms
    if not others:
        node.change(last.op, last.inputs, last.attrs)
        return
    before = others[0]
    for each in others[1:]:
        before = Node(add, (before, each), {}, node.spec, node.tensor, device=node.device)
    node.change(add, (before, last), {})
