"""MNIST: 60,000 + 10,000 grey images of handwritten digits, 28x28.

It ships as one compressed file.  The first use unpacks it into the data folder; after that
every worker maps the same files into memory, so a class's runs share one copy.
"""

from __future__ import annotations

import errno
import shutil
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from engine.errors import strict

ARCHIVE = Path(__file__).with_name("mnist.npz")
FOLDER = "mnist"
SIDE = 28
# our names, and what the archive calls them
NAMES = {"train_images": "x_train", "train_labels": "y_train", "test_images": "x_test", "test_labels": "y_test"}

Taken = TypeVar("Taken")

# What the system says of a folder or a disk that the files can't be written to.
_FOLDER_TROUBLES = {"EACCES", "EPERM", "EROFS", "ENOSPC", "EDQUOT", "ENOTDIR", "EISDIR", "EEXIST", "ENOENT", "EFBIG"}


class DataError(RuntimeError):
    """The data can't be made ready: an error for the person at the page.

    The message says where and what would help; a page has its own words for ``code``, filled with ``values``.
    """

    def __init__(self, code: str, message: str, **values: str) -> None:
        super().__init__(message)
        self.code = code
        self.values = values


@dataclass(frozen=True)
class Digits:
    """The images, uint8 (n, 784) row by row, 0 paper to 255 ink, and their digits, uint8 (n,).

    The arrays are read-only views of files that other workers read too.
    """

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


@strict
def load(data_dir: Path | str) -> Digits:
    """All digits, mapped into memory from ``data_dir``; unpacked there (55 MB) on the first use.

    Several processes may call this at once.  Files that are damaged or not whole are never
    used: they are unpacked again.  Raises :class:`DataError` if they can't be written, or if the
    archive is missing or damaged; whatever else the system refuses is passed on as it is.
    """
    folder = Path(data_dir) / FOLDER
    try:
        if not _whole(folder):
            _unpack(folder)
        arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in NAMES}
    except OSError as error:
        if errno.errorcode.get(error.errno or 0) not in _FOLDER_TROUBLES:
            raise
        reason = error.strerror or str(error)
        raise DataError(
            "data_folder",
            f"MNIST can't be unpacked into {folder}: {reason}. "
            "About 60 MB are needed in a folder that can be written to; --data-dir names another one.",
            folder=str(folder),
            reason=reason,
        ) from error
    images = {name: array.reshape(-1, SIDE * SIDE) for name, array in arrays.items() if name.endswith("images")}
    return Digits(**arrays | images)


def _whole(folder: Path) -> bool:
    """Whether the files in ``folder`` are those in the archive, by its checksums (about 50 ms)."""
    if not folder.is_dir():
        return False
    sums = _archived(lambda archive, inside: archive.getinfo(inside).CRC)
    try:
        return all(zlib.crc32(np.memmap(folder / name, mode="r").data) == wanted for name, wanted in sums.items())
    except (FileNotFoundError, NotADirectoryError, ValueError):  # an empty file can't be mapped: ValueError
        return False


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold a lock beside ``folder``; the system frees it even if this process is killed."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("a+b") as file:
        if sys.platform == "win32":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)  # tries for 10 s; freed when the file is closed
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _unpack(folder: Path) -> None:
    """Make ``folder`` in one move: others see nothing of it, or all of it."""
    with _alone(folder):
        if _whole(folder):  # another process did it while this one waited
            return
        for leftover in folder.parent.glob(f"{FOLDER}-*.part"):
            shutil.rmtree(leftover)
        if folder.exists():
            shutil.rmtree(folder)
        ready = Path(tempfile.mkdtemp(prefix=f"{FOLDER}-", suffix=".part", dir=folder.parent))
        try:
            for name, content in _archived(zipfile.ZipFile.read).items():
                (ready / name).write_bytes(content)
            ready.rename(folder)
        except BaseException:
            shutil.rmtree(ready, ignore_errors=True)
            raise


def _archived(take: Callable[[zipfile.ZipFile, str], Taken]) -> dict[str, Taken]:
    """What ``take`` finds in the archive of each file, by our names.  Raises :class:`DataError` if it isn't whole."""
    try:
        with zipfile.ZipFile(ARCHIVE) as archive:
            return {f"{name}.npy": take(archive, f"{inside}.npy") for name, inside in NAMES.items()}
    except (FileNotFoundError, zipfile.BadZipFile, zlib.error, EOFError, KeyError) as error:
        raise DataError(
            "data_archive",
            f"The file {ARCHIVE.name} of this installation is missing or damaged ({type(error).__name__}); "
            "installing Layerlab anew brings it back.",
            file=ARCHIVE.name,
            reason=type(error).__name__,
        ) from error
