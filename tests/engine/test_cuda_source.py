"""The sources of fused kernels as CUDA's own compiler sees them, and what stands in them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import engine as en
from engine.executors.cuda import CudaProgram
from engine.executors.cuda_source import HELPERS, literal
from engine.op import REGISTRY
from engine.optim import OPTIMIZERS
from engine.spec import DTYPES

NVCC = shutil.which("nvcc") or ""


def programs() -> Iterator[CudaProgram]:
    """Every op with code in every dtype it takes, every cast, and training steps of some networks."""
    for op in REGISTRY.values():
        for dtype in DTYPES if op.code else ():
            for shapes in ([(3, 4)] * 4, [(4,), (3, 1), (), (3, 4)]):
                with en.Graph() as graph:
                    try:
                        y = op(*(en.placeholder(shape, dtype) for shape in shapes[: op.arity]))
                    except en.DtypeError:
                        continue
                yield bound(graph, y)
    for one in DTYPES:
        for other in DTYPES:
            with en.Graph() as graph:
                y = en.ops.cast(en.placeholder((5,), one)[::-1], dtype=other)
            yield bound(graph, y)
    for activation, optimizer in zip(
        ["tanh", "relu", "gelu", "elu", "softplus", "sigmoid"] * 2, OPTIMIZERS, strict=False
    ):
        with en.Graph() as graph:
            x = en.placeholder((8, 3))
            y = en.layers.Dense(2, "linear")(
                en.ops.dropout(en.layers.Dense(4, activation, "hidden")(x), 0.5, True, en.ops.random_state())
            )
            train = OPTIMIZERS[optimizer](0.1).minimize(en.losses.mean_squared_error(y, y * 0.5))
        yield bound(graph, train)


def bound(graph: en.Graph, y: en.Tensor) -> CudaProgram:
    fed = [each for each in graph.tensors if each.op.name == "placeholder"]
    program = en.Session(graph, device="gpu:0").bind(y, {each: each.spec.concrete for each in fed})
    assert isinstance(program, CudaProgram)
    return program


@pytest.mark.skipif(not NVCC, reason="nvcc, CUDA's compiler, isn't installed")
def test_cuda_s_compiler_takes_all_kernels(fake: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    sources = {each.name: each for program in programs() for each in program.sources}
    assert len(sources) > 150
    path = tmp_path / "kernels.cu"
    path.write_text(HELPERS + "".join(each.code.removeprefix(HELPERS) for each in sources.values()), encoding="utf-8")
    monkeypatch.undo()  # gives the real subprocess.run() back
    command = [
        NVCC,
        "-std=c++17",
        "-ptx",
        "--fmad=false",
        "-Werror",
        "all-warnings",
        "-o",
        str(tmp_path / "kernels.ptx"),
        str(path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "kernels.ptx").read_text(encoding="utf-8")
    assert text.count(".entry") == len(sources)
    assert "fma.rn" in text  # CUDA's functions use it
    assert all(f".entry {name}(" in text for name in sources)


def test_numbers_have_the_type_of_what_they_meet_to_the_last_digit() -> None:
    assert (literal(1, "float32"), literal(1, "float64"), literal(1, "int32"), literal(1, "int64")) == (
        "1.0f",
        "1.0",
        "1",
        "1LL",
    )
    assert literal(0.01, "float64") == "0.01"
    assert literal(0.01, "float32") == "0.009999999776482582f"


def test_a_kernel_reads_like_what_it_does(fake: Any) -> None:
    with en.Graph() as graph:
        x, bias = en.placeholder((8, 3), name="x"), en.placeholder((3,), name="bias")
        y = en.ops.leaky_relu(x + bias, name="y", slope=0.25)
    (source,) = bound(graph, y).sources
    assert (
        source.text.partition("{")[2]
        == """
    for (int i = blockIdx.x * (int)blockDim.x + threadIdx.x; i < n; i += (int)blockDim.x * gridDim.x) {
        const float x0 = p0[i];
        const float x1 = p1[i % n0];
        const float v0 = x0 + x1;  // add: add
        const float v1 = chosen(v0 > 0.0f, v0, (0.25f) * v0);  // leaky_relu: y
        p2[i] = v1;
    }
}
"""
    )
