"""The command begins and ends in order: whenever it is stopped, whatever its streams and its folder are."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import psutil
import pytest

from tests.running import ROOT, free_port, wait_until

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals and /dev/full")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start ``layerlab`` on a free port, at ``process.port``; nothing of it may stay behind."""
    started: list[subprocess.Popen[str]] = []

    def layerlab(*options: str, **choices: Any) -> subprocess.Popen[str]:
        port = free_port()
        command = [sys.executable, "-m", "webapp", "--no-browser", "--port", str(port), "--data-dir", str(tmp_path)]
        command += ["--workers", "1", "--device", "cpu", "--executor", "numpy", *options]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": ROOT}
        started.append(subprocess.Popen(command, **{**pipes, **choices}))
        started[-1].port = port  # type: ignore[attr-defined]
        return started[-1]

    yield layerlab
    for process in started:
        if process.poll() is None:
            process.kill()
            process.wait()


def serves(process: Any) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{process.port}/healthz", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@posix
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("after", [0.15, 0.3, 0.5, 0.8, 1.2])
def test_stopped_before_it_is_ready_it_ends_without_a_traceback(start, how, after):
    process = start()
    # not waited for a condition: any moment of the start has to do
    wait_until(lambda: _imports_the_command(process), "the command itself to begin")
    time.sleep(after)
    process.send_signal(how)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 0 and "Traceback" not in err and len(err.splitlines()) <= 1, err
    assert len(out.splitlines()) <= 1


def _imports_the_command(process: subprocess.Popen[str]) -> bool:
    """Whether it has taken its signals: before its first line that is Python's business."""
    status = Path(f"/proc/{process.pid}/status")
    if not status.exists():
        return True
    caught = next(line for line in status.read_text().splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)


@posix
@pytest.mark.clock
@pytest.mark.parametrize("apart", [0.0, 0.005, 0.02])  # the second one while the first is being obeyed
@pytest.mark.parametrize("signals", [[signal.SIGTERM] * 2, [signal.SIGINT, signal.SIGTERM, signal.SIGINT] * 3])
def test_many_signals_at_once_are_one(start, signals, apart):
    process = start()
    wait_until(lambda: serves(process), "the server", 30)
    family = psutil.Process(process.pid).children(recursive=True)
    for each in signals:
        process.send_signal(each)
        time.sleep(apart)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, f"Layerlab is ready: http://127.0.0.1:{process.port}\n", "")
    assert not psutil.wait_procs(family, timeout=5)[1], "workers outlived their server"


@posix
@pytest.mark.parametrize("stdout", ["/dev/full", "a pipe that nobody reads", "closed"])
def test_without_a_stdout_it_serves_and_says_so_in_one_line(start, stdout):
    if stdout == "closed":
        process = start(stdout=None, preexec_fn=lambda: os.close(1))
    elif stdout == "/dev/full":
        with open(stdout, "w", encoding="utf-8") as full:
            process = start(stdout=full)
    else:
        read, write = os.pipe()
        os.close(read)
        process = start(stdout=write)
        os.close(write)
    wait_until(lambda: serves(process), "the server", 30)
    process.terminate()
    _, err = process.communicate(timeout=20)
    told = err.splitlines()
    assert process.returncode == 0 and len(told) <= 1, err
    if stdout != "closed":
        assert f"http://127.0.0.1:{process.port} (standard output can't be written" in told[0]


@posix
@pytest.mark.parametrize("option", ["--version", "--help"])
def test_what_is_asked_for_and_cant_be_written_is_one_line_and_exit_1(start, option):
    with open("/dev/full", "w", encoding="utf-8") as full:
        buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
        process = start(option, stdout=full, env=buffered)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 1
    assert len(err.splitlines()) == 1 and "tandard output can't be written: No space left on device" in err


@posix
def test_a_working_folder_that_was_deleted_is_one_line(tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    command = f'rmdir "{gone}"; exec "{sys.executable}" -m webapp --no-browser --port 0 --data-dir "{tmp_path}"'
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["sh", "-c", command], cwd=gone, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr == "The folder you are in has been deleted; change to another one (cd) and try again.\n"
