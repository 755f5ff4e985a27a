"""What a run is asked for and given: the tensors in what is fetched, and values that fit what is fed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from engine.errors import DtypeError, EngineError, FeedError, ShapeError, user_source
from engine.graph import PLACEHOLDER, Graph, Tensor
from engine.spec import DTYPES, Spec
from engine.tensor import shown
from engine.values import as_array

_TYPES = {name: np.dtype(name) for name in DTYPES}
Feeds = Mapping[Tensor, Any] | None


class State(dict[str, np.ndarray]):
    """The numbers of a graph's variables, one flat array a dtype; ``layout``: each one's name and kind, in order."""

    def __init__(self, arrays: Mapping[str, np.ndarray], graph: Graph) -> None:
        super().__init__(arrays)
        self.layout = _layout(graph)


def _layout(graph: Graph) -> tuple[str, ...]:
    return tuple([f"{each.name} {each.spec}" for each in graph.variables])


def check_state(state: Any, graph: Graph) -> None:
    """Raises EngineError unless the state has room for just this graph's variables, and is theirs, if it tells."""
    if not isinstance(state, (dict, Mapping)):
        raise EngineError(f"a state is what state() gave, got {shown(state)} ({user_source()})")
    flat = {name: each for name, each in state.items() if isinstance(each, np.ndarray) and each.ndim == 1}
    held = {name: each.size for name, each in flat.items() if each.dtype.name == name}
    if held != graph.sizes or len(held) < len(state):
        found = {name: shown(each) for name, each in state.items()}
        raise EngineError(f"the state holds {found}, this graph's variables need {graph.sizes} elements")
    layout = _layout(graph)
    for theirs, ours in zip(state.layout, layout, strict=False) if isinstance(state, State) else ():
        if theirs != ours:
            raise EngineError(f"this is another graph's state: it holds {theirs} where this graph has {ours}")


def leaves(fetches: Any) -> Iterator[Tensor]:
    """The tensors in lists, tuples and dicts, in order.  Raises EngineError for anything else."""
    if isinstance(fetches, Tensor):
        yield fetches
    elif isinstance(fetches, (list, tuple, dict, Mapping)):
        for each in fetches.values() if isinstance(fetches, (dict, Mapping)) else fetches:
            yield from leaves(each)
    else:
        raise no_tensor("tensors of the graph are fetched and fed", fetches)


def like(fetches: Any, values: Iterator[Any]) -> Any:
    """The structure of ``fetches`` with ``values`` in the places of its tensors."""
    if isinstance(fetches, Tensor):
        return next(values)
    if isinstance(fetches, (dict, Mapping)):
        return {name: like(each, values) for name, each in fetches.items()}
    found = [like(each, values) for each in fetches]
    if isinstance(fetches, list):
        return found
    return type(fetches)(*found) if hasattr(fetches, "_fields") else tuple(found)


def no_tensor(what: str, found: Any) -> EngineError:
    if isinstance(found, str):
        hint = "; the tensor itself is meant, not its name"
    elif isinstance(found, (int, float, np.ndarray, np.generic)):
        hint = "; that has a value already"
    else:
        hint = "; a layer, a function or an optimiser gives a tensor when it is called" if callable(found) else ""
    return EngineError(f"{what}, got {shown(found)}{hint} ({user_source()})")


def pairs(feeds: Any, feed_dict: Any) -> Iterable[tuple[Any, Any]]:
    """Tensors and what is fed for them.  Raises FeedError for what isn't a dict."""
    if feed_dict is not None:
        if feeds is not None:
            raise FeedError(f"feeds and feed_dict are two words for the same; use one ({user_source()})")
        feeds = feed_dict
    if feeds is None:
        return ()
    if not isinstance(feeds, (dict, Mapping)):
        hint = "; several tensors are fetched as a list, run([a, b])" if isinstance(feeds, Tensor) else ""
        raise FeedError(
            f"feeds say which tensor each value is for, run(y, {{x: value}}), got {shown(feeds)}{hint} "
            f"({user_source()})"
        )
    return feeds.items()


def fed_spec(tensor: Tensor, shape: tuple[int, ...]) -> Spec:
    """What is fed for ``tensor``.  Raises ShapeError if the shape doesn't fit."""
    spec = Spec(shape, tensor.dtype)
    if not tensor.spec.fits(spec):
        kind = "placeholder" if tensor.op is PLACEHOLDER else tensor.op.name
        raise ShapeError(
            f"{kind} {tensor.name} {tensor.spec} ({tensor.source}) was fed shape {shape} ({user_source()})"
        )
    return spec


def checked(tensor: Tensor, value: Any) -> np.ndarray:
    """``value`` as an array that fits ``tensor``.  Numbers, lists and arrays of whole numbers are
    converted if they fit.  Other arrays must have the dtype.
    """
    if not isinstance(tensor, Tensor):
        raise no_tensor("feeds are keyed by tensors of the graph", tensor)
    if isinstance(value, Tensor):
        raise FeedError(
            f"{tensor.name} was fed the tensor {value.name}; feed a value: session.run({value.name}) ({user_source()})"
        )
    try:
        whole = isinstance(value, np.ndarray) and value.dtype.kind in "iu" and tensor.spec.is_integer
        array = value if isinstance(value, np.ndarray) and not whole else as_array(value, tensor.dtype)
    except EngineError as error:
        where = f"{tensor.name} {tensor.spec} ({tensor.source})"
        raise FeedError(f"{where} can't be fed this: {error} ({user_source()})") from None
    if array.dtype != _TYPES[tensor.dtype] and array.dtype.name != tensor.dtype:  # by name, whose bytes are turned
        known = array.dtype.kind in "fiub"
        hint = f"; write value.astype(np.{tensor.dtype})" if known else ", and those aren't numbers that are known here"
        fits = Spec(tensor.shape).fits(Spec(array.shape))
        shape, other = ("", "") if fits else (f" of shape {array.shape}", "; neither type nor shape fits")
        found = f"{array.dtype.name}{shape}{other}{hint}"
        raise DtypeError(f"{tensor.name} {tensor.spec} ({tensor.source}) was fed {found} ({user_source()})")
    if array.shape != tensor.spec.shape:
        fed_spec(tensor, array.shape)
    return array
