"""ONNX operators on shapes, and those that look elements up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

import engine as en
from engine import ops as o
from tests.onnx.adapter import Node, Unsupported, handles


def moved(x: en.Tensor, start: int, end: int) -> en.Tensor:
    """``x`` with one axis at another place."""
    axes = list(range(x.ndim))
    axes.insert(end % x.ndim, axes.pop(start % x.ndim))
    return o.transpose(x, axes=tuple(axes))


def along(x: en.Tensor, axis: int, part: slice) -> en.Tensor:
    """A slice along one axis."""
    return x[(slice(None),) * (axis % x.ndim) + (part,)]


def picked(x: en.Tensor, axis: int, rows: en.Tensor) -> en.Tensor:
    """Elements chosen by number along one axis, whose place the axes of ``rows`` take."""
    axis %= x.ndim
    size = x.shape[axis]
    assert size is not None
    found = o.gather(moved(x, axis, 0), o.where(o.greater(0, rows), rows + size, rows))
    order = (
        list(range(rows.ndim, rows.ndim + axis)) + list(range(rows.ndim)) + list(range(rows.ndim + axis, found.ndim))
    )
    return o.transpose(found, axes=tuple(order)) if found.ndim else found


@handles("Constant")
def constant(node: Node) -> Any:
    for name in ("value_float", "value_floats"):
        if node.attr(name) is not None:
            return node.constant(np.asarray(node.attr(name), "float32"))
    for name in ("value_int", "value_ints"):
        if node.attr(name) is not None:
            return node.constant(np.asarray(node.attr(name), "int64"))
    if node.attr("value") is None:
        raise Unsupported("type of text")
    return node.constant(numpy_helper.to_array(node.attr("value")))


@handles("ConstantOfShape")
def constant_of_shape(node: Node) -> Any:
    value = node.attr("value")
    number = np.zeros(1, "float32") if value is None else numpy_helper.to_array(value)
    return o.broadcast_to(node.constant(number.reshape(())), shape=node.numbers("shape", 0))


@handles("Shape")
def shape(node: Node) -> Any:
    return node.constant(np.array(node[0].spec.concrete[node.attr("start", 0) : node.attr("end")], "int64"))


@handles("Size")
def size(node: Node) -> Any:
    return node.constant(np.array(node[0].spec.size, "int64"))


@handles("Range")
def range_(node: Node) -> Any:
    start, end, step = (np.asarray(node.known(at)).item() for at in range(3))
    return node.constant(np.arange(start, end, step, dtype=node[0].dtype))


@handles("EyeLike")
def eye_like(node: Node) -> Any:
    wanted = node.attr("dtype")
    dtype = node[0].dtype if wanted is None else onnx.helper.tensor_dtype_to_np_dtype(wanted).name
    rows, columns = node[0].spec.concrete
    return node.constant(np.eye(rows, columns, node.attr("k", 0), dtype))


@handles("Reshape")
def reshape(node: Node) -> Any:
    x, wanted = node[0], list(node.numbers("shape", 1) or ())
    if not node.attr("allowzero", 0):
        wanted = [x.shape[at] or 0 if each == 0 else each for at, each in enumerate(wanted)]
    return o.reshape(x, shape=tuple(wanted))


@handles("Flatten")
def flatten(node: Node) -> Any:
    x, axis = node[0], node.attr("axis", 1)
    axis = axis + x.ndim if axis < 0 else axis
    sizes = x.spec.concrete
    return o.reshape(x, shape=(int(np.prod(sizes[:axis])), int(np.prod(sizes[axis:]))))


@handles("Transpose")
def transpose(node: Node) -> Any:
    return o.transpose(node[0], axes=tuple(node.attr("perm", range(node[0].ndim)[::-1])))


@handles("Squeeze")
def squeeze(node: Node) -> Any:
    axes = node.numbers("axes", 1)
    if axes is None:
        axes = tuple(at for at, size in enumerate(node[0].shape) if size == 1)
    return o.squeeze(node[0], axis=axes) if axes else node[0]


@handles("Unsqueeze")
def unsqueeze(node: Node) -> Any:
    return o.expand(node[0], axis=node.numbers("axes", 1))


@handles("Concat")
def concat(node: Node) -> Any:
    return o.concat(*(node[at] for at in range(len(node.inputs))), axis=node.attr("axis", 1))


@handles("Split")
def split(node: Node) -> Any:
    x, axis, sizes = node[0], node.attr("axis", 0), node.numbers("split", 1)
    total = x.spec.concrete[axis]
    if sizes is None:
        count = node.attr("num_outputs", len(node.proto.output))
        each = -(-total // count)
        sizes = tuple(max(0, min(each, total - at * each)) for at in range(count))
    return o.split(x, sizes, axis=axis)


@handles("Slice")
def slice_(node: Node) -> Any:
    x = node[0]
    starts, ends, axes, steps = (
        node.numbers(name, at) for at, name in enumerate(("starts", "ends", "axes", "steps"), 1)
    )
    assert starts is not None and ends is not None
    parts = [slice(None)] * x.ndim
    for at, axis in enumerate(axes or range(len(starts))):
        step = steps[at] if steps else 1
        end = ends[at]
        below = step < 0 and end < -x.spec.concrete[axis]
        parts[axis] = slice(starts[at], None if below else end, step)
    return x[tuple(parts)]


@handles("Expand")
def expand(node: Node) -> Any:
    wanted = node.known(1)
    assert wanted is not None
    found = np.broadcast_shapes(node[0].spec.concrete, tuple(int(each) for each in wanted))
    return o.broadcast_to(node[0], shape=found)


@handles("Tile")
def tile(node: Node) -> Any:
    x, counts = node[0], node.known(1)
    if node.opset < 6:
        raise Unsupported("opset below 6")
    assert counts is not None
    for axis, count in enumerate(counts):
        if count != 1:
            x = o.concat(*[x] * int(count), axis=axis) if count else along(x, axis, slice(0, 0))
    return x


@handles("Pad")
def pad(node: Node) -> Any:
    x, mode = node[0], node.attr("mode", "constant")
    flat = node.numbers("pads" if node.opset > 1 else "paddings", 1)
    assert flat is not None
    chosen = node.numbers("axes", 3) or tuple(range(x.ndim))
    widths = [(0, 0)] * x.ndim
    for at, axis in enumerate(chosen):
        widths[axis] = (flat[at], flat[at + len(chosen)])
    for axis, (before, after) in enumerate(widths):  # a negative border cuts off
        if before < 0 or after < 0:
            x = along(x, axis, slice(max(0, -before), min(0, after) or None))
    widths = [(max(0, before), max(0, after)) for before, after in widths]
    if mode == "constant":
        found = node.known(2)
        value = node.attr("value", 0.0) if found is None else found.item()
        return o.pad(x, widths=tuple(widths), value=value)
    for axis, width in enumerate(widths):
        if width != (0, 0):
            numbers = np.pad(np.arange(x.spec.concrete[axis]), width, mode=mode)
            x = picked(x, axis, node.constant(numbers))
    return x


@handles("Gather")
def gather(node: Node) -> Any:
    return picked(node[0], node.attr("axis", 0), node[1])


def chosen(x: en.Tensor, indices: Sequence[np.ndarray]) -> en.Tensor:
    """``x[indices]``, one array of numbers an axis, as a gather from the flat tensor."""
    flat = np.ravel_multi_index(tuple(indices), x.spec.concrete)
    return o.gather(o.reshape(x, shape=(-1,)), x.graph.constant(flat))


@handles("GatherElements")
def gather_elements(node: Node) -> Any:
    x, rows, axis = node[0], node.known(1), node.attr("axis", 0)
    assert rows is not None
    indices = [np.broadcast_to(each, rows.shape) for each in np.ogrid[tuple(slice(size) for size in rows.shape)]]
    indices[axis] = np.where(rows < 0, rows + x.spec.concrete[axis], rows)
    return chosen(x, indices)


@handles("GatherND")
def gather_nd(node: Node) -> Any:
    x, rows, batch = node[0], node.known(1), node.attr("batch_dims", 0)
    assert rows is not None
    places = np.arange(x.spec.size).reshape(x.spec.concrete)
    found = np.empty((*rows.shape[:-1], *x.spec.concrete[batch + rows.shape[-1] :]), "int64")
    for at in np.ndindex(rows.shape[:-1]):
        found[at] = places[(*at[:batch], *rows[at])]
    return o.gather(o.reshape(x, shape=(-1,)), node.constant(found))


@handles("OneHot")
def one_hot(node: Node) -> Any:
    classes = int(np.asarray(node.known(1)).item())
    labels, values = o.cast(node[0], dtype="int64"), node[2]
    labels = o.where(o.greater(0, labels), labels + classes, labels)
    inside = o.logical_and(o.greater_equal(labels, 0), o.greater(classes, labels))
    hot = o.one_hot(o.where(inside, labels, 0), classes=classes, dtype="bool")
    hot = o.logical_and(hot, o.expand(inside, axis=-1))
    return moved(o.where(hot, values[1], values[0]), -1, node.attr("axis", -1))


@handles("Trilu")
def trilu(node: Node) -> Any:
    k = node.known(1)
    corner = np.triu if node.attr("upper", 1) else np.tril
    mask = corner(np.ones(node[0].spec.concrete[-2:], bool), int(k.item()) if k is not None else 0)
    return o.where(node.constant(mask), node[0], node.constant(np.zeros((), node[0].dtype)))


@handles("DepthToSpace")
def depth_to_space(node: Node) -> Any:
    n, c, h, w = node[0].spec.concrete
    b = node.attr("blocksize")
    if node.attr("mode", "DCR") == "DCR":
        x = o.transpose(o.reshape(node[0], shape=(n, b, b, c // (b * b), h, w)), axes=(0, 3, 4, 1, 5, 2))
    else:
        x = o.transpose(o.reshape(node[0], shape=(n, c // (b * b), b, b, h, w)), axes=(0, 1, 4, 2, 5, 3))
    return o.reshape(x, shape=(n, c // (b * b), h * b, w * b))


@handles("SpaceToDepth")
def space_to_depth(node: Node) -> Any:
    n, c, h, w = node[0].spec.concrete
    b = node.attr("blocksize")
    order = (0, 3, 5, 1, 2, 4) if node.attr("mode", "DCR") == "DCR" else (0, 1, 3, 5, 2, 4)
    x = o.transpose(o.reshape(node[0], shape=(n, c, h // b, b, w // b, b)), axes=order)
    return o.reshape(x, shape=(n, c * b * b, h // b, w // b))
