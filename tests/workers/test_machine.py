"""From NumPy to the native machine while the page is open: nothing waits, nothing is lost, nothing fails unseen."""

from __future__ import annotations

import importlib
import os
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from engine import native as engine_native
from engine.native import Native, load, machine, problem
from engine.native.cache import cached
from tests.labs import Lab, Page
from tests.running import MACHINE, ROOT, Server, wait_until
from tests.workers.bench import A, B, Bench
from webapp.config import Config, ConfigError, resolve_device
from webapp.kinds import registry
from webapp.kinds.points.experiment import PointsExperiment
from webapp.web.app import make_pool
from webapp.workers.compiler import Compiler
from webapp.workers.messages import MachineNews

NUMPY, NATIVE = "CPU · NumPy", "CPU · native"
needs_numba = pytest.mark.skipif(problem() is not None, reason=str(problem()))


@pytest.fixture(scope="module")
def native() -> Native:
    """Compiled before any server looks for it."""
    return load(MACHINE)


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Servers whose machine is compiled when the test says so: ``compiled[0]()``."""
    held: list[Any] = []

    def start(_self: Compiler, compiled: Any, anew: bool = False) -> None:
        held.append(partial(compiled, None))

    monkeypatch.setattr(Compiler, "start", start)
    return held


def start(make_lab: Any, **choices: Any) -> Lab:
    lab: Lab = make_lab(**{"executor": "auto", "workers": 1, "experiments": None, **choices})
    return lab


def with_kernels(folder: Path, code: bytes) -> Path:
    """The compiled machine in another folder, whole, but with this for its kernels."""
    load(MACHINE)
    place = folder / machine.name()
    shutil.copytree(MACHINE / machine.name(), place)
    (place / machine.KERNEL_FILE).unlink()
    cached(place / machine.KERNEL_FILE, lambda: b"run help_crew\n" + code)
    return folder


def deadly(folder: Path) -> Path:
    """A compiled machine over which LLVM ends any process."""
    return with_kernels(folder, b"no object file")


def weights_after(steps: int, **settings: Any) -> np.ndarray:
    """All weights of a run on NumPy after so many steps."""
    reference = PointsExperiment(registry()["points"].settings_for(settings))
    while reference.step < steps:
        reference.train(steps - reference.step, time.perf_counter() + 60)
    layers = reference.model.layers
    return np.concatenate([reference.model.weights(layer).ravel() for layer in layers])


def snapshot_of(lab: Lab, run: str) -> object:
    """The one that its run would go on from."""
    kept = lab.runs.record(run)
    return kept and kept.snapshot


def train_up_to(page: Page, run: str, steps: int) -> None:
    """Play; wait until the run is further than ``steps``."""
    page.command("play", run=run)
    page.wait_frame(lambda frame: frame.step > steps)


@needs_numba
@pytest.mark.usefixtures("native")
def test_a_run_in_training_goes_over_and_keeps_its_steps(make_lab, open_page, compiled):
    page = open_page(start(make_lab, machine_dir=MACHINE))
    run = page.open()
    train_up_to(page, run, 50)
    assert {event["executor"] for event in page.events} == {NUMPY}
    compiled[0]()
    told = page.wait_event(type="status", executor=NATIVE, seconds=60)
    assert told["playing"] and told["step"] > 50
    at = told["step"] + 100
    page.wait_frame(lambda frame: frame.step > at)
    steps = [each.step for each in page.frames]
    assert steps == sorted(steps)


@needs_numba
@pytest.mark.usefixtures("native")
def test_a_paused_run_is_told_too_and_keeps_its_reason_and_weights(make_lab, open_page, compiled):
    page = open_page(start(make_lab, machine_dir=MACHINE))
    run = page.open()
    page.command("step", run=run, unit="epoch")
    page.wait_event(type="status", reason="stepped")
    compiled[0]()
    told = page.wait_event(type="status", executor=NATIVE, seconds=60)
    assert (told["reason"], told["step"], told["playing"]) == ("stepped", 25, False)
    page.command("step", run=run, unit="epoch")
    frame = page.wait_frame(lambda frame: frame.step == 50)  # so many steps later, however long all takes
    np.testing.assert_allclose(frame.parts["weights"], weights_after(50), rtol=1e-2, atol=2e-3)


@needs_numba
@pytest.mark.usefixtures("native")
def test_a_worker_that_dies_later_comes_back_native(make_lab, open_page):
    lab = start(make_lab, machine_dir=MACHINE)
    page = open_page(lab)
    run = page.open(speed="max")
    page.wait_event(type="status", executor=NATIVE, seconds=60)
    train_up_to(page, run, 1000)
    earlier = snapshot_of(lab, run)  # of the first step, perhaps
    wait_until(lambda: snapshot_of(lab, run) is not earlier, "a snapshot of what was trained", 30)
    page.events.clear()
    os.kill(lab.pool.pids[0], signal.SIGKILL)
    page.wait_event(type="notice", code="worker_restarted")
    told = page.wait_event(type="status", executor=NATIVE, seconds=60)
    assert told["playing"] and told["step"] > 0, "it began again instead of going on from the snapshot"


@needs_numba
@pytest.mark.parametrize("kind", ["points", "digits"])
@pytest.mark.usefixtures("native")
def test_a_run_opened_later_starts_native(make_lab, open_page, kind):
    lab = start(make_lab, machine_dir=MACHINE)
    first = open_page(lab)
    first.open()
    first.wait_event(type="status", executor=NATIVE, seconds=60)
    page = open_page(lab)
    run = page.open(kind)
    assert page.wait_event(type="status", run=run, seconds=30)["executor"] == NATIVE
    train_up_to(page, run, 20)


@needs_numba
def test_what_cannot_be_compiled_is_logged_once_and_numpy_trains(make_lab, open_page, tmp_path, caplog):
    folder = tmp_path / "machine"
    folder.write_text("a file where a folder should be")
    page = open_page(start(make_lab, machine_dir=folder, workers=2))
    wait_until(lambda: "without the native machine" in caplog.text, "the log", 30)
    run = page.open()
    train_up_to(page, run, 50)
    told = page.wait_event(type="status", machine="failed")
    assert str(folder) in told["problem"]
    assert {event["executor"] for event in page.events} == {NUMPY}
    assert len([record for record in caplog.records if record.name.startswith("webapp.workers")]) == 1


@needs_numba
def test_what_a_worker_cannot_load_is_logged_once_and_numpy_trains(make_lab, open_page, compiled, tmp_path, caplog):
    vectors = importlib.import_module("engine.native.vectors")
    code = vectors.emitted(vectors.parsed("define void @another() {\n ret void\n}"))
    lab = start(make_lab, machine_dir=with_kernels(tmp_path, code), workers=2)
    page = open_page(lab)
    run = page.open()
    compiled[0]()
    wait_until(lambda: lab.pool._load_failed and not any(handle.loading for handle in lab.pool._handles), "both", 30)
    train_up_to(page, run, 50)
    assert {event["executor"] for event in page.events} == {NUMPY}
    told = page.wait_event(type="status", machine="failed")
    assert told["problem"] == "LookupError: there is no run in the object file"
    assert len([record for record in caplog.records if "could not load" in record.message]) == 1


@needs_numba
def test_a_machine_that_ends_workers_is_compiled_anew_once(make_lab, open_page, compiled, tmp_path, caplog):
    lab = start(make_lab, machine_dir=deadly(tmp_path / "machine"), workers=2)
    page = open_page(lab)
    run = page.open()
    page.command("play", run=run)
    compiled[0]()
    wait_until(lambda: "compiled anew" in caplog.text, "another compilation", 30)
    assert len(compiled) == 2
    compiled[1]()  # which was as deadly
    wait_until(lambda: "from now on all training runs on NumPy" in caplog.text, "the log", 30)
    assert len(compiled) == 2
    count = len(page.frames)
    wait_until(lambda: any(frame.step > 50 for frame in page.frames[count:]), "training of the third worker", 30)
    wait_until(lambda: not any(handle.loading for handle in lab.pool._handles), "workers that load nothing")


@needs_numba
@pytest.mark.usefixtures("native")
def test_workers_that_died_of_a_machine_load_the_next_one(make_lab, open_page, compiled, tmp_path):
    folder = deadly(tmp_path / "machine")
    lab = start(make_lab, machine_dir=folder)
    page = open_page(lab)
    run = page.open(speed="max")
    compiled[0]()
    wait_until(lambda: len(compiled) == 2, "another compilation", 30)
    shutil.rmtree(folder)
    shutil.copytree(MACHINE / machine.name(), folder / machine.name())
    compiled[1]()
    page.wait_event(type="status", executor=NATIVE, seconds=60)
    train_up_to(page, run, 100)


@needs_numba
@pytest.mark.usefixtures("native")
def test_only_what_is_not_there_yet_is_being_compiled(tmp_path):
    begun: list[bool] = []
    done: list[str | None] = []
    Compiler(MACHINE, lambda: begun.append(True)).start(done.append)
    wait_until(lambda: done, "the machine that lies there", 60)
    assert (begun, done) == ([], [None])
    another = Compiler(tmp_path, lambda: begun.append(True))
    another.start(done.append)
    wait_until(lambda: begun, "the word that another one is being compiled", 60)
    another.stop()


@needs_numba
@pytest.mark.usefixtures("native")
def test_pages_are_told_while_it_is_being_compiled_and_no_longer_when_it_computes(make_lab, open_page, compiled):
    lab = start(make_lab, machine_dir=MACHINE)
    page = open_page(lab)
    page.open()
    lab.pool._compiling()
    page.wait_event(type="status", executor=NUMPY, machine="compiling")
    later = open_page(lab)
    later.open()
    later.wait_event(type="status", machine="compiling")
    compiled[0]()
    page.wait_event(type="status", executor=NATIVE, machine="", seconds=60)
    assert later.wait_event(type="status", executor=NATIVE, seconds=60)["machine"] == ""


@pytest.mark.parametrize("end", ["terminate", "kill"])
@needs_numba
def test_the_compiling_process_ends_with_its_server(tmp_path, end):
    server = Server(tmp_path, "--workers", "1", "--device", "cpu", machine=None)
    [compiler] = wait_until(server.compilers, "the compiling process")
    wait_until(lambda: not hasattr(os, "nice") or compiler.nice() > os.nice(0), "its low priority")
    getattr(server.process, end)()
    server.process.wait(15)
    _, alive = psutil.wait_procs([compiler], timeout=10)
    assert not alive, "the compiling process outlived its server"


def test_what_becomes_of_the_native_machine_is_told_to_all_runs_and_to_those_that_come():
    bench = Bench()
    bench.create(A)
    bench.play(A)
    bench.scheduler.hear(MachineNews("compiling"))
    assert (bench.statuses[-1].machine, bench.statuses[-1].playing) == ("compiling", True)
    bench.create(B)
    assert (bench.statuses[-1].run, bench.statuses[-1].machine) == (B, "compiling")
    bench.scheduler.hear(MachineNews("failed", "no room on the disk"))
    assert [(each.machine, each.problem) for each in bench.statuses[-2:]] == [("failed", "no room on the disk")] * 2
    assert [each.playing for each in bench.statuses[-2:]] == [True, False]


def said_by_the_compiling_process(folder: Path, first: str) -> list[str]:
    """The lines of a process that fails to compile into ``folder`` when this was done ``first``."""
    code = (
        f"import pathlib, sys\n{first}\n"
        "from webapp.workers import compiler\nsys.exit(compiler.main(pathlib.Path(sys.argv[1])))"
    )
    command = [sys.executable, "-c", code, str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = process.stderr.read()
        assert process.wait() == 1
    return said.splitlines()


def test_without_numba_the_compiling_process_says_so(tmp_path):
    said = said_by_the_compiling_process(tmp_path, "sys.modules['numba'] = None")
    assert said == ["Numba isn't installed; `pip install layerlab[native]` adds it"]


@needs_numba
@pytest.mark.skipif(os.name == "nt", reason="a limit of the size of files is POSIX's")
def test_without_room_for_it_nothing_is_compiled(tmp_path):
    said = said_by_the_compiling_process(
        tmp_path, "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))"
    )
    assert said[-1] == "OSError: [Errno 27] File too large"
    assert "compiling" not in said
    assert not list(tmp_path.iterdir())


@needs_numba
def test_what_was_compiled_and_is_not_kept_is_no_machine_for_the_workers(tmp_path):
    said = said_by_the_compiling_process(tmp_path, "from engine import native; native.load = lambda *_: None")
    assert said == ["compiling", f"the compiled machine can't be kept in {tmp_path}"]


def test_who_insists_on_native_is_told_in_one_line_what_is_missing(monkeypatch):
    monkeypatch.setattr(engine_native, "problem", lambda: "Numba isn't installed")
    with pytest.raises(ConfigError, match=r"^--executor native: Numba isn't installed\. Use --executor numpy, or auto"):
        resolve_device("auto", "native")
    with pytest.raises(ConfigError, match="--device gpu doesn't go with it"):
        resolve_device("gpu", "native")
    monkeypatch.setattr(engine_native, "problem", lambda: None)
    assert resolve_device("auto", "native") == "cpu:0"


@needs_numba
def test_who_insists_on_native_gets_no_server_without_it(tmp_path):
    (tmp_path / "machine").write_text("a file where a folder should be")
    config = Config(executor="native", device="cpu", machine_dir=tmp_path / "machine", data_dir=tmp_path)
    with pytest.raises(ConfigError, match=r"^--executor native: .*machine.* Use --executor numpy, or auto"):
        make_pool(config)


@needs_numba
@pytest.mark.usefixtures("native")
def test_who_insists_on_native_waits_until_it_can_be_loaded(tmp_path):
    make_pool(Config(executor="native", device="cpu", machine_dir=MACHINE, data_dir=tmp_path))


def test_on_numpy_alone_nothing_is_compiled(make_lab, compiled):
    start(make_lab, executor="numpy")
    assert compiled == []
