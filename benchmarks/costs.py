"""What training costs beside steps: a new architecture's first step, memory, a frame, larger networks."""

from __future__ import annotations

import importlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks import report
from benchmarks.measure import Speeds, take_turns
from benchmarks.workloads import IMAGE, WORKLOADS, Conv, Dense, Pool, Workload, dense
from webapp.kinds.points.experiment import FEATURES, features, grid
from webapp.training.coding import quantize

Say = Callable[..., None]

OURS = ("Layerlab native", "Layerlab NumPy")
MEMORY_OF = ("W3b", "W4")
SIZES: dict[str, dict[int, tuple[tuple[int, ...], int]]] = {
    "width (784-w-w-10, batch 100)": {w: ((784, w, w, 10), 100) for w in (16, 64, 256, 1024)},
    "depth (784-64-…-10, batch 100)": {d: ((784, *[64] * d, 10), 100) for d in (1, 2, 4, 8, 16)},
    "batch (784-64-64-10)": {b: ((784, 64, 64, 10), b) for b in (8, 64, 256, 1024)},
}


FIRST_STEP = """\
Milliseconds from layer sizes to the end of the first step. Each size is new; the engine has trained another one
before (the native machine is loaded). Median of five."""
THREADS = "Steps per second of the native machine; the weights are the same to the bit."
MEMORY = """\
MB by which the resident memory of a fresh process is larger at the peak of a step than before the network was built:
weights, the optimiser's state, all results, what compiling left, and the batches if the engine copies them.
Planned: Layerlab's variables and the memory of its plan, of which the native machine leaves some untouched."""
FRAME = "Milliseconds for all neurons of 7-8-8-8-1 over a grid, as uint8, without sending it."
GROWTH = "Milliseconds a step; relu, SGD."


def measure(say: Say, modules: Sequence[Any]) -> dict[str, Any]:
    """Print all tables of this file; the numbers."""
    by_name = {module.NAME: module for module in modules}

    def named(*names: str) -> list[Any]:
        return [by_name[name] for name in (*OURS, *names) if name in by_name]

    say("## A new architecture's first step", "", FIRST_STEP, "")
    first = first_steps(named("PyTorch eager", "JAX jit"))
    say(*_table("network", first), "")
    found = {}
    if OURS[0] in by_name:
        found = {f"first step of {network}, ms": each[OURS[0]] for network, each in first.items()} | endurance()
        say("## What the native machine may take", "")
        rows = [[what, report.at_most(number, LIMITS[what])] for what, number in found.items()]
        say(*report.table(["what", "found, goal"], rows), "")
    shared: dict[str, Speeds] = {}
    if OURS[0] in by_name and (os.cpu_count() or 1) > 1:
        threads = importlib.import_module("benchmarks.threads")
        shared = threads.apart()
        say("## One network on two cores", "", THREADS, "", *threads.table(shared), "")
    say("## Memory of a step", "", MEMORY, "")
    held = memory(named("PyTorch eager", "JAX lax.scan", "TensorFlow tf.function"), say)
    say(*_table("workload", held), "")
    say("## A frame of heat maps", "", FRAME, "")
    frame = frames(named())
    say(*_table("grid", frame), "")
    say("## Growth", "", GROWTH, "")
    grown = {}
    for what, sizes in SIZES.items():
        times = growth(named("PyTorch eager", "JAX lax.scan"), sizes)
        say(*_table(what, {str(size): each for size, each in times.items()}), "")
        grown[what] = {name: {size: each[name] for size, each in times.items()} for name in next(iter(times.values()))}
    return {"first_step": first, "limits": found, "threads": shared, "memory": held, "frame": frame, "growth": grown}


def _table(first: str, numbers: Mapping[str, Mapping[str, float]]) -> list[str]:
    """A line for each key, a column for each key inside."""
    head = list(dict.fromkeys(name for each in numbers.values() for name in each))
    rows = [
        [key, *(report.number(each[name]) if name in each else "–" for name in head)] for key, each in numbers.items()
    ]
    return report.table([first, *head], rows)


def toy(number: int) -> Workload:
    """2-4-2-1 and its like, a new one for each number."""
    return dense("toy", (2, 4 + number, 2, 1), 10, "tanh", rate=0.03)


def small_cnn(number: int) -> Workload:
    """W4b's network and its like."""
    layers = (Conv(8 + number, 3), Pool(), Conv(16, 3), Pool(), Dense(10))
    return Workload("cnn", "", IMAGE, layers, 100, "sgd", 0.1)


def first_steps(modules: Sequence[Any]) -> dict[str, dict[str, float]]:
    """Milliseconds of a new architecture's first step, by network and engine."""
    return {name: {module.NAME: _first_step(module, make) for module in modules} for name, make in NEW.items()}


def _first_step(module: Any, make: Callable[[int], Workload]) -> float:
    module.Runner(make(0)).run(1)
    times = []
    for number in range(1, 6):
        work = make(number)
        began = time.perf_counter()
        module.Runner(work).run(1)
        times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times)


TOY, CNN = "2-4-2-1", "conv 3x3x8, pool, conv 3x3x16, pool, 10"
NEW = {TOY: toy, CNN: small_cnn}
LIMITS = {
    f"first step of {TOY}, ms": 5,
    f"first step of {CNN}, ms": 20,
    "compiling it, s": 25,
    "loading it when it was compiled, s": 1,
    "memory that a million runs leave, MB": 20,
    "memory that 10,000 sizes of a batch leave, MB": 20,
}


def endurance() -> dict[str, float]:
    """What :mod:`benchmarks.endurance` finds, each in a process of its own; by the last names of :data:`LIMITS`."""
    with tempfile.TemporaryDirectory() as folder:
        asked = (("load", folder), ("load", folder), ("runs",), ("shapes",))
        found = []
        for words in asked:
            command = [sys.executable, "-m", "benchmarks.endurance", *words]
            found.append(float(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout))
    return dict(zip(list(LIMITS)[-len(found) :], found, strict=True))


def memory(modules: Sequence[Any], say: Say) -> dict[str, dict[str, float]]:
    """MB that a step takes, by workload and engine, each in a process of its own."""
    found: dict[str, dict[str, float]] = {}
    for name in MEMORY_OF:
        found[name] = {}
        for module in modules:
            command = [sys.executable, "-m", "benchmarks.memory", module.__name__, name]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                say(f"{module.NAME} is left out: {(done.stderr.strip().splitlines() or ['no message'])[-1]}", "")
                continue
            found[name][module.NAME] = float(done.stdout)
        found[name] |= {f"{module.NAME}, planned": planned(module, name) for module in modules if module.NAME in OURS}
    return found


def planned(module: Any, name: str) -> float:
    """MB of the plan's memory and of all variables (weights and the optimiser's)."""
    work = next(each for each in WORKLOADS if each.name == name)
    runner = module.Runner(work)
    variables = sum(array.nbytes for array in runner.session.state().values())
    return float((runner.program.plan.arena_bytes + variables) / 1e6)


def frames(modules: Sequence[Any]) -> dict[str, dict[str, float]]:
    """Milliseconds of a frame, by grid and engine."""
    work = next(each for each in WORKLOADS if each.name == "W1b")
    found: dict[str, dict[str, float]] = {}
    for pixels in (30, 50, 100):
        found[f"{pixels}x{pixels}"] = {}
        for module in modules:
            runner = module.Runner(work)
            points = features(grid(pixels), tuple(FEATURES))
            found[f"{pixels}x{pixels}"][module.NAME] = _frame(runner, points)
    return found


def _frame(runner: Any, points: np.ndarray) -> float:
    def frame() -> None:
        values = runner.session.run(runner.outputs, {runner.x: points})
        quantize(np.concatenate([points, *values], axis=1).T, 1.0)

    times = []
    for _ in range(200):
        began = time.perf_counter()
        frame()
        times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times)


def growth(modules: Sequence[Any], sizes: Mapping[int, Any]) -> dict[int, dict[str, float]]:
    """Milliseconds a step, by size and engine."""
    found = {}
    for size, (layers, batch) in sizes.items():
        work = replace(dense("growth", layers, batch, "relu", rate=0.1), chunk=20)
        speeds = take_turns([module.Runner(work) for module in modules], work.chunk, rounds=3, seconds=0.15)
        found[size] = {name: 1000 / statistics.median(each) for name, each in speeds.items()}
    return found
