"""ONNX operators along axes, and products of matrices."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

import engine as en
from engine import ops as o
from tests.onnx.adapter import HANDLERS, Handler, Node, handles
from tests.onnx.shapes import along, moved

Reduction = Callable[[en.Tensor, tuple[int, ...], bool], en.Tensor]


def _log_sum_exp(x: en.Tensor, axes: tuple[int, ...], keep: bool) -> en.Tensor:
    if 0 in x.shape:
        return o.log(o.sum_(o.exp(x), axis=axes, keepdims=keep))
    top = o.max_(x, axis=axes, keepdims=True)
    top = o.where(o.less(o.abs_(top), math.inf), top, 0.0)
    found = o.log(o.sum_(o.exp(x - top), axis=axes, keepdims=True)) + top
    return found if keep else o.squeeze(found, axis=axes)


def _largest(sign: float) -> Reduction:
    def reduction(x: en.Tensor, axes: tuple[int, ...], keep: bool) -> en.Tensor:
        if all(x.shape[at] for at in axes):
            numbers = o.cast(x, dtype="int32") if x.dtype == "bool" else x
            return o.cast((o.max_ if sign > 0 else o.min_)(numbers, axis=axes, keepdims=keep), dtype=x.dtype)
        empty: Any = -sign * math.inf
        if x.dtype == "bool":
            empty = sign < 0
        elif x.spec.is_integer:
            empty = np.iinfo(x.dtype).min if sign > 0 else np.iinfo(x.dtype).max
        like = o.sum_(o.cast(x, dtype="int32"), axis=axes, keepdims=keep)
        return o.broadcast_like(x.graph.constant(np.array(empty, x.dtype)), like)

    return reduction


REDUCTIONS: dict[str, Reduction] = {
    "ReduceSum": lambda x, axes, keep: o.sum_(x, axis=axes, keepdims=keep),
    "ReduceMean": lambda x, axes, keep: o.mean(x, axis=axes, keepdims=keep),
    "ReduceMax": _largest(1), "ReduceMin": _largest(-1),
    "ReduceProd": lambda x, axes, keep: o.prod(x, axis=axes, keepdims=keep),
    "ReduceL1": lambda x, axes, keep: o.sum_(o.abs_(x), axis=axes, keepdims=keep),
    "ReduceL2": lambda x, axes, keep: o.sqrt(o.sum_(o.square(x), axis=axes, keepdims=keep)),
    "ReduceSumSquare": lambda x, axes, keep: o.sum_(o.square(x), axis=axes, keepdims=keep),
    "ReduceLogSum": lambda x, axes, keep: o.log(o.sum_(x, axis=axes, keepdims=keep)),
    "ReduceLogSumExp": _log_sum_exp,
}  # fmt: skip


def _reducing(reduction: Reduction) -> Handler:
    def handler(node: Node) -> en.Tensor:
        axes = node.numbers("axes", 1)
        if not axes:
            if node.attr("noop_with_empty_axes", 0):
                return reduction(node[0], (), True)
            axes = tuple(range(node[0].ndim))
        return reduction(node[0], tuple(at % node[0].ndim for at in axes), bool(node.attr("keepdims", 1)))

    return handler


HANDLERS |= {name: _reducing(reduction) for name, reduction in REDUCTIONS.items()}


@handles("ArgMax", "ArgMin")
def arg_max(node: Node) -> Any:
    x, axis = node[0], node.attr("axis", 0)
    if node.proto.op_type == "ArgMin":
        x = -x
    size = x.spec.concrete[axis]
    if node.attr("select_last_index", 0):
        found = size - 1 - o.argmax(along(x, axis, slice(None, None, -1)), axis=axis)
    else:
        found = o.argmax(x, axis=axis)
    found = o.expand(found, axis=axis % x.ndim) if node.attr("keepdims", 1) else found
    return o.cast(found, dtype="int64")


@handles("CumSum", "CumProd")
def cumulated(node: Node) -> Any:
    x, axis = node[0], int(np.asarray(node.known(1)).item())
    together, neutral = (o.add, 0) if node.proto.op_type == "CumSum" else (o.mul, 1)
    if node.attr("reverse", 0):
        x = along(x, axis, slice(None, None, -1))
    parts = [along(x, axis, slice(at, at + 1)) for at in range(x.spec.concrete[axis])]
    found = [parts[0]]
    for part in parts[1:]:
        found.append(together(found[-1], part))
    if node.attr("exclusive", 0):
        first = o.broadcast_like(x.graph.constant(neutral, x.dtype), parts[0])
        found = [first, *found[:-1]]
    whole = o.concat(*found, axis=axis)
    return along(whole, axis, slice(None, None, -1)) if node.attr("reverse", 0) else whole


def _by_axis(node: Node, function: Callable[[en.Tensor], en.Tensor]) -> en.Tensor:
    """A function along the last axis, along another; before opset 13, all axes from it on were one."""
    x = node[0]
    axis = node.attr("axis", -1 if node.opset >= 13 else 1)
    if node.opset >= 13:
        return moved(function(moved(x, axis, -1)), -1, axis)
    sizes = x.spec.concrete
    rows = int(np.prod(sizes[: axis % x.ndim]))
    return o.reshape(function(o.reshape(x, shape=(rows, -1))), shape=sizes)


@handles("Softmax")
def softmax(node: Node) -> Any:
    return _by_axis(node, o.softmax)


@handles("LogSoftmax")
def log_softmax(node: Node) -> Any:
    return _by_axis(node, o.log_softmax)


@handles("Hardmax")
def hardmax(node: Node) -> Any:
    return _by_axis(node, lambda x: o.one_hot(o.argmax(x, axis=-1), classes=x.spec.concrete[-1], dtype=x.dtype))


def matmul(a: en.Tensor, b: en.Tensor) -> en.Tensor:
    """NumPy's matmul: our products are of two matrices, more axes are a loop over them."""
    left, right = a, b
    if a.ndim == 1:
        left = o.expand(a, axis=0)
    if b.ndim == 1:
        right = o.expand(b, axis=1)
    if left.ndim == right.ndim == 2:
        found = o.matmul(left, right)
    else:
        many = np.broadcast_shapes(left.spec.concrete[:-2], right.spec.concrete[:-2])
        left, right = (o.broadcast_to(x, shape=(*many, *x.spec.concrete[-2:])) for x in (left, right))
        products = [o.expand(o.matmul(left[at], right[at]), axis=0) for at in np.ndindex(*many)]
        if not products:
            return o.broadcast_to(a.graph.constant(0.0, a.dtype), shape=(*many, left.shape[-2], right.shape[-1]))
        found = o.reshape(o.concat(*products), shape=(*many, left.shape[-2], right.shape[-1]))
    if a.ndim == 1:
        found = o.squeeze(found, axis=found.ndim - 2)
    return o.squeeze(found, axis=found.ndim - 1) if b.ndim == 1 else found


@handles("MatMul")
def matmul_node(node: Node) -> Any:
    return matmul(node[0], node[1])


@handles("Gemm")
def gemm(node: Node) -> Any:
    left, right = bool(node.attr("transA", 0)), bool(node.attr("transB", 0))
    found = o.matmul(node[0], node[1], transpose_a=left, transpose_b=right) * node.attr("alpha", 1.0)
    return found if node.get(2) is None else found + node[2] * node.attr("beta", 1.0)
