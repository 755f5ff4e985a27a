"""Compiled code in files, which is used only while it is whole: LLVM ends the process over a damaged one.

Whoever makes some does so in a file of its own and moves it then, so that nobody ever reads half of it; of several
processes one makes it, and the others wait for that, though not for ever.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

log = logging.getLogger(__name__)

PATIENCE = 180.0  # seconds that another process is waited for: it may have been stopped
_LOOK = 0.1  # seconds between two looks whether it has finished
_DIGEST = 16  # bytes
_HOUR, _MONTH = 3600.0, 30 * 86400.0  # seconds: what was begun before won't be finished; what was used isn't any more


def digest(data: bytes) -> bytes:
    """Tells one content from another."""
    return hashlib.blake2b(data, digest_size=_DIGEST).digest()


def held(path: Path) -> bytes | None:
    """What :func:`cached` left in the file; None if it can't be read, or isn't whole."""
    try:
        found = path.read_bytes()
    except OSError:
        return None
    data = found[_DIGEST:]
    return data if found and found[:_DIGEST] == digest(data) else None


def cached(path: Path, make: Callable[[], bytes], anew: bool = False) -> bytes:
    """What ``make`` gives, from the file if it is there and whole, unless it shall be made ``anew``.

    Where no file can be written that is said in the log, and what was made is used without.
    """
    data = None if anew else held(path)
    if data is None:
        with _alone(path):
            data = None if anew else held(path)  # another process may have made it meanwhile
            if data is None:
                data = make()
                _keep(path, digest(data) + data)
    return data


def used(folder: Path) -> None:
    """Have :func:`tidy` leave the folder alone for another month."""
    with suppress(OSError):  # it isn't there yet, or somebody else's
        os.utime(folder)


def tidy(folders: Iterable[Path]) -> None:
    """Remove the folders that nobody has used for a month, and from the others what was never finished."""
    now = time.time()
    for folder in folders:
        with suppress(OSError):  # what is gone, or somebody else's
            if now - folder.stat().st_mtime > _MONTH:
                shutil.rmtree(folder)
            for part in folder.glob("*.part"):
                if now - part.stat().st_mtime > _HOUR:
                    part.unlink()


def _keep(path: Path, data: bytes) -> None:
    """Write the file, if that is possible."""
    try:
        handle, name = tempfile.mkstemp(prefix=f"{path.name}.", suffix=".part", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(name).replace(path)
        finally:
            Path(name).unlink(missing_ok=True)
    except OSError as error:
        _say_unkept(path.parent, error)


_UNKEPT: set[Path] = set()  # folders of which it has been said


def _say_unkept(folder: Path, error: OSError) -> None:
    if folder not in _UNKEPT:
        _UNKEPT.add(folder)
        log.warning("compiled code can't be kept in %s, so each process has to compile it: %s", folder, error)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """No other process makes the file meanwhile, unless it is stopped, or where files can't be locked."""
    file = _lock_file(path)
    if file is None:
        yield
        return
    with file:
        locked = _wait(file, path)
        try:
            yield
        finally:
            if locked:
                _unlock(file)  # to close it isn't enough: a process that was forked meanwhile has it open too


def _lock_file(path: Path) -> IO[bytes] | None:
    """A file beside the one that is to be made, in a folder for its owner alone; None if there can be none."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return path.with_name(f"{path.name}.lock").open("a+b")
    except OSError as error:
        _say_unkept(path.parent, error)
        return None


def _wait(file: IO[bytes], path: Path) -> bool:
    """Lock the file, for which another process is waited for; whether it is locked."""
    end = time.monotonic() + PATIENCE
    try:
        if _lock(file):
            return True
        log.warning("another process compiles %s, which is waited for", path)
        while time.monotonic() < end:
            time.sleep(_LOOK)
            if _lock(file):
                return True
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            log.warning("%s can't be locked, so other processes may compile it too: %s", path, error)
    else:
        log.warning("another process has been compiling %s for too long: it is compiled once more", path)
    return False


if sys.platform == "win32":
    import msvcrt

    _NO_LOCKS = {errno.EINVAL}  # of a file system that knows no locks

    def _lock(file: IO[bytes]) -> bool:
        """Whether it is ours now, or another's."""
        file.seek(0)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True

    def _unlock(file: IO[bytes]) -> None:
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    _NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}  # of a file system that knows no locks

    def _lock(file: IO[bytes]) -> bool:
        """Whether it is ours now, or another's."""
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _unlock(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)
