"""How an instruction's work is cut into units never changes a bit: that is what any number of threads rests on."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import pytest

import engine as en
from engine.native import Native, NativeProgram, load, problem
from engine.native import instructions as i
from engine.op import REGISTRY
from tests.running import MACHINE

pytestmark = pytest.mark.skipif(problem() is not None, reason=str(problem()))
Shape = tuple[int, ...]
KERNEL = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 4)
IMAGES: Shape = (3, 13, 11, 20)
OPS: list[tuple[str, list[Shape], dict[str, Any]]] = [
    ("matmul", [(70, 300), (300, 90)], {}),
    ("matmul", [(1, 2000), (2000, 90)], {}),
    ("matmul", [(5, 6, 40), (5, 40, 7)], {}),
    ("affine", [(30, 50), (50, 60), (60,)], {}),
    ("conv2d", [IMAGES, (3, 3, 20, 18)], {}),
    ("conv2d", [IMAGES, (5, 5, 20, 40)], {"strides": (2, 1)}),
    ("conv2d", [IMAGES, (3, 3, 20, 18)], {"dilations": (2, 2)}),
    ("conv2d", [(2, 9, 9, 64), (3, 3, 64, 2)], {}),
    ("depthwise_conv2d", [IMAGES, (3, 3, 20, 2)], {}),
    ("conv2d_input", [(3, 13, 11, 18), (3, 3, 20, 18), IMAGES], {}),
    ("conv2d_filters", [IMAGES, (3, 13, 11, 18), (3, 3, 20, 18)], {}),
    ("depthwise_conv2d_filters", [(40, 13, 11, 20), (40, 13, 11, 20), (3, 3, 20, 1)], {}),
    ("max_pool", [IMAGES], {"size": (2, 2)}),
    ("avg_pool", [IMAGES], {"size": (3, 3), "strides": (1, 1), "padding": "same"}),
    ("max_pool_back", [(3, 6, 5, 20), IMAGES], {"size": (2, 2)}),
    ("avg_pool_back", [(3, 13, 11, 20), IMAGES], {"size": (3, 3), "strides": (1, 1), "padding": "same"}),
    ("sum", [(40, 900, 7)], {"axis": 1}),
    ("sum", [(30_000,)], {}),
    ("max", [(70, 900)], {"axis": 0}),
    ("prod", [(70, 900)], {"axis": 1}),
    ("argmax", [(70, 900)], {}),
    ("softmax", [(70, 90)], {}),
    ("log_softmax", [(70, 90)], {}),
    ("cross_entropy", [(70, 90), (70, 90)], {}),
    ("moments", [(9000, 20)], {}),
    ("slope_sums", [(9000, 20), (9000, 20), (20,)], {}),
    ("normalize", [(900, 20), (20,), (20,), (20,)], {}),
    ("tanh", [(9000,)], {}),
]


def cut(program: NativeProgram, share: int) -> None:
    """Run the program's instructions one by one, so many units at a time, the last ones first."""
    room = np.full(program._launch._size + 64, 0xFF, np.uint8)
    at = room.ctypes.data + -room.ctypes.data % 64
    place = 0
    while place < len(program._code):
        row = program._code[place]
        links = max(1, int(row[i.CHAIN]))
        units = int(row[i.UNITS])
        step = 1 if links > 1 else share or units
        for begin in reversed(range(0, units, step)):
            for link in program._code[place : place + links]:
                KERNEL(int(link[i.OP]))(link.ctypes.data, begin, min(step, units - begin), at)
        place += links


@pytest.mark.parametrize(("name", "shapes", "attrs"), OPS, ids=[f"{name}-{shapes[0]}" for name, shapes, _ in OPS])
def test_units_don_t_know_who_does_them(name: str, shapes: list[Shape], attrs: dict[str, Any]) -> None:
    native: Native = load(MACHINE)
    rng = np.random.default_rng(0)
    with en.Graph() as graph:
        given = [en.placeholder(shape) for shape in shapes]
        y = REGISTRY[name](*given, **attrs)
    program = en.Session(graph, executor=native).bind(y, {each: each.spec.concrete for each in given})
    assert isinstance(program, NativeProgram)
    assert program.whole
    assert max(program._code[:, i.UNITS]) > 1, "nothing to be cut"
    for each in given:
        if each in program.feeds:
            program.feeds[each][...] = rng.normal(size=each.spec.concrete)
    program.run()
    (result,) = program.results
    assert result is not None
    wanted = result.tobytes()
    for share in (1, 2, 0):
        result[...] = -77
        cut(program, share)
        assert result.tobytes() == wanted, f"{share or 'all'} at a time"
