"""Compiled code in files: whole or not there, made by one process at a time, and used even if it can't be kept."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.native import cache
from engine.native.cache import cached, held
from engine.native.machine import ENGINE
from tests.running import wait_until


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:300])


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    for at in range(100, 600, 100):
        data[at] ^= 0xFF
    path.write_bytes(data)


DAMAGES = [emptied, cut, flipped, Path.unlink]


CODE = bytes(range(256)) * 4


class Maker:
    """Makes code, or fails at it, and counts how often."""

    def __init__(self) -> None:
        self.made = 0
        self.problem: Exception | None = None

    def __call__(self) -> bytes:
        self.made += 1
        if self.problem is not None:
            raise self.problem
        return CODE


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_code_is_compiled_once_more(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    path, make = tmp_path / "kernels.o", Maker()
    assert [cached(path, make), cached(path, make)] == [CODE] * 2
    assert make.made == 1
    damage(path)
    assert held(path) is None
    assert [cached(path, make), cached(path, make)] == [CODE] * 2
    assert make.made == 2


def test_a_failed_compilation_leaves_nothing_behind(tmp_path: Path) -> None:
    make = Maker()
    make.problem = OSError("the disk is full")
    with pytest.raises(OSError, match="full"):
        cached(tmp_path / "kernels.o", make)
    assert not [each for each in tmp_path.iterdir() if each.suffix != ".lock"]
    make.problem = None
    assert cached(tmp_path / "kernels.o", make) == CODE


def never_there(folder: Path) -> Path:
    """A file has the name of its folder."""
    (folder / "machine").touch()
    return folder / "machine" / "kernels.o"


def taken(folder: Path) -> Path:
    """A folder has its name."""
    (folder / "kernels.o").mkdir()
    return folder / "kernels.o"


@pytest.mark.parametrize("place", [never_there, taken])
def test_what_cannot_be_kept_is_used_and_that_is_said_once(
    tmp_path: Path, place: Callable[[Path], Path], caplog: pytest.LogCaptureFixture
) -> None:
    path, make = place(tmp_path), Maker()
    assert [cached(path, make), cached(path, make)] == [CODE] * 2
    assert make.made == 2
    (said,) = caplog.records
    assert f"compiled code can't be kept in {path.parent}, so each process has to compile it: " in said.getMessage()
    assert not list(tmp_path.rglob("*.part"))


def test_a_full_disk_leaves_no_half_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    assert cached(tmp_path / "kernels.o", Maker()) == CODE
    assert [each.name for each in tmp_path.iterdir()] == ["kernels.o.lock"]


def test_what_is_compiled_lies_in_a_folder_of_its_owner_alone(tmp_path: Path) -> None:
    old = os.umask(0o002)
    try:
        cached(tmp_path / "machine" / "kernels.o", Maker())
    finally:
        os.umask(old)
    assert os.name == "nt" or (tmp_path / "machine").stat().st_mode & 0o777 == 0o700


def test_who_compiles_for_too_long_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A process that was stopped keeps its lock."""
    monkeypatch.setattr(cache, "PATIENCE", 0.3)
    path, make = tmp_path / "kernels.o", Maker()
    with (tmp_path / "kernels.o.lock").open("a+b") as another:
        assert cache._lock(another)
        assert cached(path, make) == CODE
        assert held(path) == CODE
    waits, gives_up = [each.getMessage() for each in caplog.records]
    assert waits == f"another process compiles {path}, which is waited for"
    assert gives_up == f"another process has been compiling {path} for too long: it is compiled once more"


@pytest.mark.parametrize("number", [min(cache._NO_LOCKS), errno.EIO, errno.EPERM])
def test_where_files_can_t_be_locked_it_is_compiled_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, number: int
) -> None:
    def fails(_: object) -> bool:
        raise OSError(number, "no lock")

    monkeypatch.setattr(cache, "_lock", fails)
    path = tmp_path / "kernels.o"
    assert cached(path, Maker()) == CODE
    said = [each.getMessage() for each in caplog.records]
    told = f"{path} can't be locked, so other processes may compile it too: [Errno {number}] no lock"
    assert said == ([] if number in cache._NO_LOCKS else [told])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
def test_a_child_that_was_forked_meanwhile_keeps_no_lock(tmp_path: Path) -> None:
    """It has the lock's file open, too."""
    code = """
import os, pathlib, sys
from engine.native import cache
first, second = pathlib.Path("first"), pathlib.Path("second")
ready, go = os.pipe(), os.pipe()
def make():
    if os.fork() == 0:
        os.read(go[0], 1)
        os._exit(0)
    return b"code"
cache.PATIENCE = 1.0
cache.cached(first, make)
first.unlink()
cache.cached(first, lambda: b"other")
os.write(go[1], b".")
os.wait()
"""
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ENGINE.parent)},
    )  # fmt: skip
    assert (told.returncode, told.stderr) == (0, "")


def test_what_nobody_uses_is_removed_when_something_is_compiled(tmp_path: Path) -> None:
    old, last_week, own = (tmp_path / f"machine-{each}" for each in ("old", "last_week", "own"))
    for each in (old, last_week, own):
        (each / "deeper").mkdir(parents=True)
        for name in ("kernels.o", "kernels.o.1.part", "kernels.o.2.part"):
            (each / name).touch()
        os.utime(each / "kernels.o.1.part", (0, 0))
    now, day = time.time(), 86400
    os.utime(old, (now - 31 * day,) * 2)
    os.utime(own, (now - 31 * day,) * 2)
    os.utime(last_week, (now - 7 * day,) * 2)
    (tmp_path / "machine-readable").touch()
    cache.used(own)
    cache.tidy(tmp_path.iterdir())
    assert {each.name for each in tmp_path.iterdir()} == {"machine-last_week", "machine-own", "machine-readable"}
    for each in (last_week, own):
        assert {file.name for file in each.iterdir()} == {"kernels.o", "kernels.o.2.part", "deeper"}


def test_one_of_several_processes_compiles_and_the_others_wait(tmp_path: Path) -> None:
    code = """
import pathlib, sys, time
from engine.native import cache
from engine.native.cache import cached
def mark(what):
    pathlib.Path(f"{sys.argv[1]}.{sys.argv[2]}.{what}").touch()
lock = cache._lock
def waits(file):
    mark("here")  # it has seen that there is no file, and goes for the lock
    return lock(file)
cache._lock = waits
def make():
    mark("made")
    while not pathlib.Path(f"{sys.argv[1]}.go").exists():
        time.sleep(0.01)
    return bytes(range(256)) * 4
assert cached(pathlib.Path(sys.argv[1]), make) == bytes(range(256)) * 4
"""
    command = [sys.executable, "-c", code, str(tmp_path / "kernels.o")]
    all_of_them = [subprocess.Popen([*command, str(at)], cwd=ENGINE.parent) for at in range(3)]
    wait_until(lambda: len(list(tmp_path.glob("*.here"))) == 3, "all want to compile", 60)
    wait_until(lambda: any(tmp_path.glob("*.made")), "one compiles")
    (tmp_path / "kernels.o.go").touch()
    assert [each.wait(60) for each in all_of_them] == [0, 0, 0]
    assert len(list(tmp_path.glob("*.made"))) == 1
