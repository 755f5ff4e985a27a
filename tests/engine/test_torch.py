"""Every differentiable op against PyTorch, where it is installed: the value, and the gradient of each input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import engine as en
from engine.op import REGISTRY, Op, Sample
from tests.engine import reference_images
from tests.engine.tools import inputs_of, relative_error

torch = pytest.importorskip(
    "torch", reason="PyTorch isn't installed; `make bench` installs it into its own environment"
)
F = torch.nn.functional


def first(x: Any) -> Any:
    """Channels last to channels first."""
    return x.permute(0, 3, 1, 2)


def last(x: Any) -> Any:
    return x.permute(0, 2, 3, 1)


def padded(x: Any, kernel: Any, value: float, how: tuple[Any, ...]) -> tuple[Any, Any, Any]:
    """``x`` with its padding written out (channels first), strides and dilations."""
    strides, padding, dilations = how
    counts, before = reference_images.places(x.shape, kernel, strides, padding, dilations)
    reach = [(counts[at] - 1) * strides[at] + (kernel[at] - 1) * dilations[at] + 1 for at in (0, 1)]
    (top, left), (down, across) = before, (max(0, reach[at] - x.shape[1 + at] - before[at]) for at in (0, 1))
    return F.pad(first(x), (left, across, top, down), value=value), strides, dilations


def conv2d(x: Any, w: Any, strides: Any = (1, 1), padding: Any = "same", dilations: Any = (1, 1)) -> Any:
    images, strides, dilations = padded(x, w.shape[:2], 0.0, (strides, padding, dilations))
    return last(F.conv2d(images, w.permute(3, 2, 0, 1).contiguous(), stride=strides, dilation=dilations))


def depthwise(x: Any, w: Any, strides: Any = (1, 1), padding: Any = "same", dilations: Any = (1, 1)) -> Any:
    images, strides, dilations = padded(x, w.shape[:2], 0.0, (strides, padding, dilations))
    high, wide, channels, each = w.shape
    filters = w.permute(2, 3, 0, 1).reshape(channels * each, 1, high, wide)
    return last(F.conv2d(images, filters, stride=strides, dilation=dilations, groups=channels))


def max_pool(x: Any, size: Any, strides: Any = None, padding: Any = "valid", dilations: Any = (1, 1)) -> Any:
    images, strides, dilations = padded(x, size, -np.inf, (strides or size, padding, dilations))
    return last(F.max_pool2d(images, size, strides, dilation=dilations))


def avg_pool(x: Any, size: Any, strides: Any = None, padding: Any = "valid", count_padding: bool = False) -> Any:
    images, strides, _ = padded(x, size, 0.0, (strides or size, padding, (1, 1)))
    ones, _, _ = padded(torch.ones_like(x), size, float(count_padding), (strides, padding, (1, 1)))
    return last(F.avg_pool2d(images, size, strides) / F.avg_pool2d(ones, size, strides))


def reduced(name: str) -> Callable[..., Any]:
    def function(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        axes = tuple(range(x.ndim)) if axis is None else (axis,) if isinstance(axis, int) else axis
        for at in sorted((each % x.ndim for each in axes), reverse=True):
            x = getattr(torch, name)(x, dim=at, keepdim=keepdims)
        return x

    return function


def matmul(a: Any, b: Any, transpose_a: bool = False, transpose_b: bool = False) -> Any:
    return (a.T if transpose_a else a) @ (b.T if transpose_b else b)


def cross_entropy(logits: Any, labels: Any) -> Any:
    classes = logits.shape[-1]
    if labels.is_floating_point():
        return F.cross_entropy(logits, labels, reduction="none")
    return F.cross_entropy(logits.reshape(-1, classes), labels.reshape(-1), reduction="none").reshape(labels.shape)


PLAIN = ("abs", "add", "cos", "div", "exp", "log", "maximum", "minimum", "mul", "neg", "pow", "sin", "sqrt", "square")
THEIRS: dict[str, Callable[..., Any]] = {
    **{name: getattr(torch, name) for name in (*PLAIN, "sub", "tanh", "relu", "sigmoid")},
    "affine": lambda x, w, b: F.linear(x, w.T, b),
    "avg_pool": avg_pool,
    "concat": lambda *parts, axis=0: torch.cat(parts, axis),
    "conv2d": conv2d,
    "cross_entropy": cross_entropy,
    "depthwise_conv2d": depthwise,
    "elu": F.elu,
    "gather": lambda table, rows: table[rows],
    "gelu": lambda x: F.gelu(x, approximate="tanh"),
    "leaky_relu": lambda x, slope=0.01: F.leaky_relu(x, slope),
    "log_softmax": lambda x: F.log_softmax(x, -1),
    "matmul": matmul,
    "max": lambda x, axis=None, keepdims=False: torch.amax(x, axis if axis is not None else (), keepdims),
    "max_pool": max_pool,
    "pad": lambda x, widths, value=0.0: F.pad(x, [each for pair in widths[::-1] for each in pair], value=value),
    "prod": reduced("prod"),
    "reshape": lambda x, shape: x.reshape(shape),
    "softmax": lambda x: F.softmax(x, -1),
    "softplus": F.softplus,
    "sum": reduced("sum"),
    "transpose": lambda x, axes=None: x.permute(axes or tuple(range(x.ndim))[::-1]),
    "where": lambda choice, a, b: torch.where(choice.bool(), a, b),
}  # fmt: skip

SAMPLES = [
    pytest.param(REGISTRY[name], sample, id=f"{name}-{at}")
    for name in THEIRS
    for at, sample in enumerate(REGISTRY[name].samples)
]


@pytest.mark.parametrize(("op", "sample"), SAMPLES)
def test_value_and_gradient_are_pytorch_s(op: Op, sample: Sample):
    how = dict(sample.attrs)
    arrays = inputs_of(sample, "float64")
    with en.Graph() as graph:
        inputs = [en.placeholder(each.shape, each.dtype.name) for each in arrays]
        floats = [each for each in inputs if each.spec.is_float]
        y = op(*inputs, **how)
        seed = np.random.default_rng(3).normal(size=y.spec.concrete)
        slopes = en.gradients(y, floats, en.constant(seed))
    value, *found = en.Session(graph).run([y, *slopes], dict(zip(inputs, arrays, strict=True)))
    tensors = [torch.tensor(each) if each.dtype.kind == "f" else torch.tensor(each.astype("int64")) for each in arrays]
    leaves = [each.requires_grad_() for each in tensors if each.is_floating_point()]
    theirs = THEIRS[op.name](*tensors, **how)
    assert relative_error(value, theirs.detach().numpy()) < 1e-12
    for slope, wanted in zip(found, torch.autograd.grad(theirs, leaves, torch.tensor(seed)), strict=True):
        assert relative_error(slope, wanted.numpy()) < 1e-12


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_recurrent_layers_are_pytorch_s(kind: str):
    layer, gates = (en.layers.LSTM(4), 4) if kind == "lstm" else (en.layers.GRU(4), 3)
    rng = np.random.default_rng(0)
    with en.Graph() as graph:
        x = en.placeholder((None, 5, 3), "float64")
        y = layer(x)
        slope = en.gradients(y, [x])[0]
    session, value = en.Session(graph, seed=1), rng.normal(size=(2, 5, 3))
    weights = [session.get(each) for each in graph.variables]
    order = {"lstm": (0, 1, 3, 2), "gru": (1, 0, 2)}[kind]  # PyTorch's gates: input, forget, cell, output; reset first

    def turned(w: np.ndarray) -> Any:
        parts = np.split(w, gates, -1)
        return torch.tensor(np.concatenate([parts[at] for at in order], -1).T)

    theirs = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[kind](3, 4, batch_first=True, dtype=torch.float64)
    zeros = np.zeros((1, gates * 4))
    outer, inner = (weights[0][:3], weights[0][3:]) if kind == "lstm" else weights[:2]
    with torch.no_grad():
        theirs.weight_ih_l0.copy_(turned(outer))
        theirs.weight_hh_l0.copy_(turned(inner))
        theirs.bias_ih_l0.copy_(turned(weights[-1] if kind == "lstm" else zeros[0]))
        theirs.bias_hh_l0.zero_()
    leaf = torch.tensor(value, requires_grad=True)
    wanted = theirs(leaf)[0][:, -1]
    found, ours = session.run([y, slope], {x: value})
    assert relative_error(found, wanted.detach().numpy()) < 1e-12
    assert relative_error(ours, torch.autograd.grad(wanted.sum(), leaf)[0].numpy()) < 1e-12
