"""Long sums: whatever adds up many numbers does so in parts, on both executors, as running totals go astray.

All numbers are 0.1, so every rounding goes the same way: as one running total, a million of them are 1e-2 off.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import engine as en
from engine.op import REGISTRY

Shape = tuple[int, ...]
CLOSE, IN_PARTS = 2e-6, 1e-5  # where sums are of blocks or pairs; where the innermost part is some hundred numbers


def off(op: str, shapes: Sequence[Shape], options: dict[str, Any], **attrs: Any) -> float:
    """By how much, at most, the op's results for 0.1 everywhere are off; the reference is the same in float64."""
    found = []
    for dtype, how in (("float32", options), ("float64", {})):
        with en.Graph() as graph:
            inputs = [en.placeholder(shape, dtype) for shape in shapes]
            y = REGISTRY[op](*inputs, **attrs)
        feeds = {each: np.full(shape, np.float32(0.1), dtype) for each, shape in zip(inputs, shapes, strict=True)}
        found.append(en.Session(graph, **how).run(y, feeds))
    return float(np.max(np.abs(found[0] / found[1] - 1)))


@pytest.mark.parametrize(
    ("a", "b", "how"),
    [
        ((1, 16_384), (16_384, 200), {}), ((2, 16_384), (16_384, 1), {}), ((1, 1_000_000), (1_000_000, 1), {}),
        ((2, 100_000), (100_000, 1), {}), ((3, 40_000), (5, 40_000), {"transpose_b": True}),
        ((40_000, 5), (40_000, 3), {"transpose_a": True}), ((40, 100_000), (100_000, 40), {}),
        ((3, 1, 20_000), (3, 20_000, 40), {}), ((2, 40, 20_000), (2, 20_000, 40), {}),
    ],
)  # fmt: skip
def test_products(options: dict[str, Any], a: Shape, b: Shape, how: dict[str, bool]) -> None:
    assert off("matmul", [a, b], options, **how) < CLOSE


@pytest.mark.parametrize(
    ("image", "filters", "how"),
    [
        ((1, 4, 4, 16_384), (1, 1, 16_384, 8), {}), ((1, 4, 4, 16_384), (1, 1, 16_384, 2), {}),
        ((1, 66, 66, 8), (64, 64, 8, 8), {}), ((1, 5, 5, 512), (3, 3, 512, 40), {}),
        ((1, 102, 102, 16), (100, 100, 16, 3), {}), ((1, 130, 130, 8), (64, 64, 8, 8), {"dilations": (2, 2)}),
    ],
)  # fmt: skip
def test_convolutions(options: dict[str, Any], image: Shape, filters: Shape, how: dict[str, Any]) -> None:
    assert off("conv2d", [image, filters], options, padding="valid", **how) < IN_PARTS


@pytest.mark.parametrize(("image", "filters"), [((1, 20, 20, 3), (16, 16, 3, 64)), ((1, 4, 4, 2), (1, 1, 2, 16_384))])
def test_what_convolutions_send_back_to_images(options: dict[str, Any], image: Shape, filters: Shape) -> None:
    height, width = (image[at] - filters[at - 1] + 1 for at in (1, 2))
    g = (image[0], height, width, filters[3])
    assert off("conv2d_input", [g, filters, image], options, padding="valid") < IN_PARTS


@pytest.mark.parametrize("op", ["conv2d_filters", "depthwise_conv2d_filters"])
@pytest.mark.parametrize("image", [(1, 1002, 1002, 1), (1, 1002, 402, 8), (100, 102, 102, 3), (4000, 16, 16, 8)])
def test_filters_gradients_over_a_million_windows(options: dict[str, Any], op: str, image: Shape) -> None:
    batch, height, width, channels = image
    filters = (3, 3, channels, channels if op == "conv2d_filters" else 1)
    g = (batch, height - 2, width - 2, channels)
    assert off(op, [image, g, filters], options, padding="valid") < IN_PARTS


def test_depthwise_convolutions(options: dict[str, Any]) -> None:
    assert off("depthwise_conv2d", [(1, 152, 152, 4), (150, 150, 4, 1)], options, padding="valid") < IN_PARTS
    g, filters, image = (1, 34, 34, 12), (30, 30, 4, 3), (1, 63, 63, 4)
    assert off("depthwise_conv2d_input", [g, filters, image], options, padding="valid") < IN_PARTS
    many = [(1, 2, 2, 20_000), (1, 1, 1, 20_000), (1, 2, 2, 1)]
    assert off("depthwise_conv2d_input", many, options, padding="valid") < CLOSE


def test_pools(options: dict[str, Any]) -> None:
    assert off("avg_pool", [(1, 200, 200, 4)], options, size=(200, 200)) < CLOSE
    assert off("avg_pool", [(1, 2, 20_000, 4)], options, size=(2, 20_000)) < CLOSE
    back: dict[str, Any] = {"size": (50, 50), "strides": (1, 1)}
    assert off("avg_pool_back", [(1, 51, 51, 4), (1, 100, 100, 4)], options, **back) < CLOSE


@pytest.mark.parametrize("size", [5, 60])
def test_what_many_windows_send_back_to_one_pixel(options: dict[str, Any], size: int) -> None:
    image = np.zeros((1, 2 * size - 1, 2 * size - 1, 1), "f4")
    image[0, size - 1, size - 1] = 1
    g = np.full((1, size, size, 1), 0.1, "f4")
    back: Callable[..., en.Tensor] = REGISTRY["max_pool_back"]
    with en.Graph() as graph:
        given = [en.placeholder(each.shape) for each in (g, image)]
        y = back(*given, size=(size, size), strides=(1, 1))
    found = en.Session(graph, **options).run(y, dict(zip(given, (g, image), strict=True)))
    np.testing.assert_allclose(found[0, size - 1, size - 1], g.sum(dtype="f8"), CLOSE)
