"""MNIST is the genuine one, unpacked whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import multiprocessing
import struct
from collections.abc import Callable
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path

import numpy as np
import pytest

from engine.datasets import mnist
from engine.errors import EngineError

# SHA-256 of the four files as Y. LeCun and C. Cortes published them, unzipped
GENUINE = {
    "train_images": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train_labels": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "test_images": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "test_labels": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("digits")
    mnist.load(folder)
    return folder


def idx(array: np.ndarray) -> bytes:
    """The file that holds ``array`` in the format of the publishers."""
    shape = (len(array), 28, 28) if array.ndim == 2 else array.shape
    return struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape) + array.tobytes()


@pytest.mark.parametrize("name", GENUINE)
def test_the_digits_are_the_genuine_ones(unpacked: Path, name: str) -> None:
    array = getattr(mnist.load(unpacked), name)
    assert array.dtype == np.uint8
    assert hashlib.sha256(idx(array)).hexdigest() == GENUINE[name]


def test_the_arrays_are_mapped_and_read_only(unpacked: Path) -> None:
    digits = mnist.load(unpacked)
    assert isinstance(digits.train_images, np.memmap)
    assert digits.train_images.shape == (60_000, 784)
    with pytest.raises(ValueError, match="read-only"):
        digits.train_images[0, 0] = 1


def test_a_second_use_does_not_unpack_again(unpacked: Path) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in (unpacked / "mnist").iterdir()}
    mnist.load(unpacked)
    assert {path.name: path.stat().st_mtime_ns for path in (unpacked / "mnist").iterdir()} == before


def _load_together(folder: Path, start: Barrier, sums: Queue[int]) -> None:
    start.wait(30)
    sums.put(int(mnist.load(folder).test_labels.sum()))


def test_workers_that_start_together_all_get_whole_files(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    start, sums = context.Barrier(3), context.Queue()
    workers = [context.Process(target=_load_together, args=(tmp_path, start, sums)) for _ in range(3)]
    for worker in workers:
        worker.start()
    assert [sums.get(timeout=60) for _ in workers] == [44_434] * 3
    for worker in workers:
        worker.join(30)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mnist", "mnist.lock"]


def _cut_short(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1000])


def _flip_a_bit(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize("damage", [_cut_short, _flip_a_bit, Path.unlink])
@pytest.mark.parametrize("name", ["test_images.npy", "train_labels.npy"])
def test_damaged_files_are_never_used(tmp_path: Path, damage: Callable[[Path], None], name: str) -> None:
    mnist.load(tmp_path)
    damage(tmp_path / "mnist" / name)
    digits = mnist.load(tmp_path)
    assert hashlib.sha256(idx(digits.test_images)).hexdigest() == GENUINE["test_images"]


def test_a_full_disk_is_told_and_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_space(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", no_space)
        with pytest.raises(mnist.DataError, match=r"No space left on device.*60 MB.*--data-dir"):
            mnist.load(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mnist.lock"]
    assert len(mnist.load(tmp_path).test_labels) == 10_000


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(mnist.DataError, match=r"can't be unpacked into .*--data-dir names another"):
        mnist.load(tmp_path / "file" / "data")


@pytest.mark.parametrize("damage", [_cut_short, lambda file: file.write_bytes(b""), Path.unlink])
def test_an_archive_that_is_damaged_or_gone_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: Callable[[Path], None]
) -> None:
    archive = tmp_path / "mnist.npz"
    archive.write_bytes(mnist.ARCHIVE.read_bytes())
    damage(archive)
    monkeypatch.setattr(mnist, "ARCHIVE", archive)
    with pytest.raises(mnist.DataError, match=r"mnist\.npz .* is missing or damaged") as caught:
        mnist.load(tmp_path / "data")
    assert (caught.value.code, caught.value.values["file"]) == ("data_archive", "mnist.npz")
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["mnist.lock"]


def test_what_has_nothing_to_do_with_the_folder_is_not_blamed_on_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_handles(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    mnist.load(tmp_path)
    monkeypatch.setattr(np, "load", no_handles)
    with pytest.raises(OSError, match="Too many open files"):
        mnist.load(tmp_path)


def test_what_a_killed_process_left_is_cleared_away(tmp_path: Path) -> None:
    leftover = tmp_path / "mnist-killed.part"
    leftover.mkdir()
    (leftover / "train_images.npy").write_bytes(b"half")
    mnist.load(tmp_path)
    assert not leftover.exists()


def test_without_a_folder_it_is_told_what_is_missing() -> None:
    with pytest.raises(EngineError, match=r"load: missing a required argument: 'data_dir'.*test_mnist.py"):
        mnist.load()  # type: ignore[call-arg]
