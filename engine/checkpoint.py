"""Checkpoints: every variable of a session by name, with what it takes to go on, as safetensors.

The optimiser's slots and counters are variables like the weights.  The random state of what draws
the batches is given by its name.  The file's metadata describe the rest: the graph, the settings
of its optimisers, the session's seed.  A run that is restored goes on bit for bit.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from engine.errors import CheckpointError, doors, strict
from engine.graph import Graph, Tensor
from engine.session import Session
from engine.tensor import shown

KEY = "layerlab"  # of the metadata: what this file writes by itself, as JSON
FORMAT = 2  # 1 had no digest

Generators = Mapping[str, np.random.Generator]


@dataclass(frozen=True)
class Description:
    """What a checkpoint says of itself."""

    seed: int  # of the session
    model: dict[str, Any]  # as :func:`describe` gives it
    random: dict[str, Any]  # the state of each generator, by name
    metadata: dict[str, str]  # the user's texts


@strict
def describe(graph: Graph) -> dict[str, Any]:
    """The graph as data: ``variables`` and ``operations`` in order of creation, ``optimizers`` by their node's name."""
    return {
        "variables": [_named(each) | {"trainable": each.attrs["trainable"]} for each in graph.variables],
        "operations": [
            _named(each) | {"op": each.op.name, "inputs": [source.name for source in each.inputs]}
            for each in graph.tensors
            if each not in graph.offsets
        ],
        "optimizers": dict(graph.notes),
    }


def _named(tensor: Tensor) -> dict[str, Any]:
    return {"name": tensor.name, "shape": list(tensor.shape), "dtype": tensor.dtype}


@strict
def dumps(session: Session, metadata: Mapping[str, str] | None = None, random: Generators | None = None) -> bytes:
    """All variables, the states of the ``random`` generators and ``metadata`` (texts), in the safetensors format.

    Raises CheckpointError if ``metadata`` takes the name that the engine's own part has, or isn't texts.
    """
    _need_session(session)
    _need_generators(random)
    if not isinstance(metadata, (Mapping, type(None))):
        raise CheckpointError(f"metadata are texts by their names, got {shown(metadata)}")
    texts = dict(metadata or {})
    if KEY in texts:
        raise CheckpointError(f"the name {KEY!r} in a checkpoint's metadata is taken by the engine")
    if not all(isinstance(each, str) for pair in texts.items() for each in pair):
        raise CheckpointError("a checkpoint's metadata are texts by their names, of strings both")
    own = {
        "format": FORMAT,
        "seed": int(session.seed),
        "model": describe(session.graph),
        "random": {name: each.bit_generator.state for name, each in (random or {}).items()},
    }
    own = json.loads(json.dumps(own, default=_array_as_list))  # as it will be read
    arrays = {each.name: session.get(each) for each in session.graph.variables}
    own["digest"] = _digest(own, texts, arrays)
    return safetensors.numpy.save(arrays, {**texts, KEY: json.dumps(own)})


def _digest(own: Mapping[str, Any], texts: Mapping[str, str], arrays: Mapping[str, np.ndarray]) -> str:
    """Tells a checkpoint from all others: of what it says of itself, and of every array."""
    found = hashlib.blake2b(json.dumps([own, sorted(texts.items())]).encode(), digest_size=16)
    for name in sorted(arrays):
        found.update(f"{name} {arrays[name].dtype} {arrays[name].shape} ".encode())
        found.update(np.ascontiguousarray(arrays[name]).tobytes())
    return found.hexdigest()


@strict
def description(data: bytes) -> Description:
    """What the checkpoint ``data`` says of itself.  Raises CheckpointError if it isn't one of this engine's."""
    own, texts = _header(data)
    if own.get("format") not in range(1, FORMAT + 1):
        raise CheckpointError(f"its description has the format {own.get('format')}, this engine reads 1 to {FORMAT}")
    try:
        found = Description(own["seed"], own["model"], own["random"], texts)
    except KeyError as error:
        raise CheckpointError(f"its description lacks {error}") from None
    if not isinstance(found.random, dict):
        raise CheckpointError("its description has no random states by name")
    return found


def _header(data: bytes) -> tuple[dict[str, Any], dict[str, str]]:
    """The engine's own part of the metadata (empty, if someone else wrote the file), and the user's texts."""
    try:
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        texts = dict(header.get("__metadata__", {}))
        own = json.loads(texts.pop(KEY, "{}"))
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"this isn't a whole safetensors file: {error}") from None
    if not isinstance(own, dict):
        raise CheckpointError("its description isn't one of this engine's")
    return own, texts


@strict
def loads(session: Session, data: bytes, random: Generators | None = None) -> None:
    """Put the variables of ``data`` into ``session``, and its random states into the generators of ``random``.

    Raises CheckpointError, with the session and the generators untouched, if names, shapes or dtypes
    differ, a generator's state isn't there, or the data isn't what was written.
    """
    _need_session(session)
    _need_generators(random)
    try:
        arrays = safetensors.numpy.load(data)
    except (safetensors.SafetensorError, ValueError, TypeError) as error:
        raise CheckpointError(f"this isn't a whole safetensors file: {error}") from None
    except KeyError as error:  # the library's table of NumPy's types
        raise CheckpointError(f"the checkpoint holds a dtype that isn't known here: {error}") from None
    _check(session, arrays)
    own, texts = _header(data)
    digest = own.pop("digest", None)
    if (digest is not None or own.get("format", 1) != 1) and digest != _digest(own, texts, arrays):
        raise CheckpointError("the checkpoint is damaged: it isn't what was written")
    states = _states(random, data) if random else {}
    wanted = {each.name: each for each in session.graph.variables}
    for name, array in arrays.items():
        session.set(wanted[name], array)
    for name, each in (random or {}).items():
        each.bit_generator.state = states[name]


def _need_generators(random: Any) -> None:
    named = isinstance(random, (Mapping, type(None))) and all(
        isinstance(name, str) and isinstance(each, np.random.Generator) for name, each in (random or {}).items()
    )
    if not named:
        raise CheckpointError(
            f'random is NumPy\'s generators by their names, {{"dice": np.random.default_rng(3)}}, got {shown(random)}'
        )


def _states(random: Generators, data: bytes) -> dict[str, Any]:
    """The state of each generator.  Raises CheckpointError if there is none, or one that it can't take."""
    states = description(data).random
    for name, each in random.items():
        kind = each.bit_generator.state["bit_generator"]
        held: Any = states.get(name)
        is_of = held.get("bit_generator") if isinstance(held, dict) else None
        if is_of != kind:
            raise CheckpointError(
                f"the checkpoint holds the random states {_some(states)}; "
                f"{name} of kind {kind} is wanted" + (f", and there it is {is_of}" if is_of else "")
            )
        try:
            type(each.bit_generator)().state = held  # tried on another one: a refusal changes nothing
        except (ValueError, TypeError, KeyError, OverflowError) as error:
            raise CheckpointError(f"the random state {name} can't be taken by a {kind}: {error!r}") from None
    return {name: states[name] for name in random}


def _check(session: Session, arrays: Mapping[str, np.ndarray]) -> None:
    wanted = {each.name: each for each in session.graph.variables}
    if arrays.keys() != wanted.keys():
        raise CheckpointError(
            "checkpoint and graph have different variables: "
            f"only the checkpoint has {_some(arrays.keys() - wanted.keys())}, "
            f"only the graph {_some(wanted.keys() - arrays.keys())}"
        )
    for name, array in arrays.items():
        spec = wanted[name].spec
        if array.shape != spec.shape or array.dtype.name != spec.dtype:
            raise CheckpointError(
                f"{name}: the checkpoint holds {array.dtype.name}{array.shape}, the graph needs {spec}"
            )


@strict
def save(
    session: Session,
    path: str | Path,
    metadata: Mapping[str, str] | None = None,
    random: Generators | None = None,
) -> None:
    """Write :func:`dumps` to a file; a file that was there is replaced as a whole."""
    data, target = dumps(session, metadata, random), _path(path)
    part = target.with_name(target.name + ".part")
    part.write_bytes(data)
    part.replace(target)


@strict
def restore(session: Session, path: str | Path, random: Generators | None = None) -> None:
    """Read a file that :func:`save` wrote, as :func:`loads` does.  Raises CheckpointError or OSError."""
    _need_session(session)
    data = _path(path).read_bytes()
    try:
        loads(session, data, random)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None


def _path(given: Any) -> Path:
    if not isinstance(given, (str, Path)):
        raise CheckpointError(f"a file is told by its path, a text, got {shown(given)}")
    return Path(given)


def _need_session(given: Any) -> None:
    if not isinstance(given, Session):
        raise CheckpointError(f"the session comes first, save(session, path), got {shown(given)}")


def _some(names: Collection[str]) -> str:
    shown = ", ".join(sorted(names)[:5]) or "none"
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"


def _array_as_list(value: object) -> object:
    """Some generators' states hold arrays."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise CheckpointError(f"{type(value).__name__} can't be written into a checkpoint")


__getattr__, __dir__ = doors("checkpoint")
