"""Compiled code in files, which is used only while it is whole: LLVM ends the process over a damaged one.

Whoever makes some does so in a place of its own and moves it then, so that nobody ever reads half of it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SEAL = "seal"  # a file in a folder: the digest and the name of each other one
_DIGEST = 16  # bytes


def digest(data: bytes) -> bytes:
    """Tells one content from another."""
    return hashlib.blake2b(data, digest_size=_DIGEST).digest()


def cached(path: Path, make: Callable[[], bytes]) -> bytes:
    """What ``make`` gives, from the file if it is there and whole."""
    held = path.read_bytes() if path.is_file() else b""
    data = held[_DIGEST:]
    if not held or held[:_DIGEST] != digest(data):
        data = make()
        part = _part(path)
        part.write_bytes(digest(data) + data)
        part.replace(path)
    return data


def is_whole(folder: Path) -> bool:
    """Whether the folder holds what :func:`filled` left in it."""
    try:
        return (folder / SEAL).read_text(encoding="utf-8") == _contents(folder)
    except (OSError, UnicodeDecodeError):
        return False


@contextmanager
def filled(folder: Path) -> Iterator[Path]:
    """A folder to be filled inside ``with``; then it takes the place of ``folder``.  An exception leaves no trace."""
    part = _part(folder)
    part.mkdir(parents=True)
    try:
        yield part
        (part / SEAL).write_text(_contents(part), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):  # another process was faster
            part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _part(path: Path) -> Path:
    return path.with_name(f"{path.name}.{os.getpid()}.part")


def _contents(folder: Path) -> str:
    files = sorted(each for each in folder.rglob("*") if each.is_file() and each.name != SEAL)
    return "\n".join(f"{digest(each.read_bytes()).hex()} {each.relative_to(folder).as_posix()}" for each in files)
