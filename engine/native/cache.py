"""Compiled code in files, which is used only while it is whole: LLVM ends the process over a damaged one.

Whoever makes some does so in a file of its own and moves it then, so that nobody ever reads half of it; of several
processes one makes it, and the others wait for that.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

_DIGEST = 16  # bytes


def digest(data: bytes) -> bytes:
    """Tells one content from another."""
    return hashlib.blake2b(data, digest_size=_DIGEST).digest()


def held(path: Path) -> bytes | None:
    """What :func:`cached` left in the file; None if it isn't there, or isn't whole."""
    found = path.read_bytes() if path.is_file() else b""
    data = found[_DIGEST:]
    return data if found and found[:_DIGEST] == digest(data) else None


def cached(path: Path, make: Callable[[], bytes], anew: bool = False) -> bytes:
    """What ``make`` gives, from the file if it is there and whole, unless it shall be made ``anew``.

    Raises OSError if it can't be written.
    """
    data = None if anew else held(path)
    if data is None:
        with _alone(path.with_name(f"{path.name}.lock")):
            data = None if anew else held(path)  # another process may have made it meanwhile
            if data is None:
                data = make()
                _replace(path, digest(data) + data)
    return data


def _replace(path: Path, data: bytes) -> None:
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(data)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """No other process is inside meanwhile; where files can't be locked, each makes its own."""
    with path.open("a+b") as file:
        with suppress(OSError):
            _lock(file)
        yield


if sys.platform == "win32":
    import msvcrt
    import time

    def _lock(file: IO[bytes]) -> None:
        """Until the file is closed, and if need be after some time."""
        while True:
            file.seek(0)
            try:
                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
                return
            except PermissionError:  # another has it
                time.sleep(0.1)

else:
    import fcntl

    def _lock(file: IO[bytes]) -> None:
        """Until the file is closed, and if need be after some time."""
        fcntl.flock(file, fcntl.LOCK_EX)
