"""Checkpoints: every variable of a session by name, as safetensors."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import safetensors
import safetensors.numpy

from engine.errors import CheckpointError
from engine.session import Session


def dumps(session: Session, metadata: Mapping[str, str] | None = None) -> bytes:
    """All variables and ``metadata`` (texts) as bytes in the safetensors format."""
    arrays = {each.name: session.get(each) for each in session.graph.variables}
    return safetensors.numpy.save(arrays, dict(metadata or {}))


def loads(session: Session, data: bytes) -> None:
    """Put the variables of ``data`` into ``session``.

    Raises CheckpointError, with the session untouched, if names, shapes or dtypes differ.
    """
    try:
        arrays = safetensors.numpy.load(data)
    except safetensors.SafetensorError as error:
        raise CheckpointError(f"this isn't a whole safetensors file: {error}") from None
    except KeyError as error:  # the library's table of NumPy's types
        raise CheckpointError(f"the checkpoint holds a dtype that isn't known here: {error}") from None
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
    for name, array in arrays.items():
        session.set(wanted[name], array)


def save(session: Session, path: str | Path, metadata: Mapping[str, str] | None = None) -> None:
    """Write :func:`dumps` to a file; a file that was there is replaced as a whole."""
    target = Path(path)
    part = target.with_name(target.name + ".part")
    part.write_bytes(dumps(session, metadata))
    part.replace(target)


def restore(session: Session, path: str | Path) -> None:
    """Read a file that :func:`save` wrote.  Raises CheckpointError, with the session untouched, or OSError."""
    data = Path(path).read_bytes()
    try:
        loads(session, data)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None


def _some(names: Collection[str]) -> str:
    shown = ", ".join(sorted(names)[:5]) or "none"
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"
