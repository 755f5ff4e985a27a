"""From an ONNX model to our builder, for tests alone: each node's handler builds what the node means.

Shapes in ONNX may be computed.  Ours are known when the graph is built, so a handler that needs a
shape (or any other setting that comes as a tensor) runs the graph as far as it has been built.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

import engine as en
from engine.spec import DTYPES

Handler = Callable[["Node"], Any]
HANDLERS: dict[str, Handler] = {}


class Unsupported(Exception):
    """A case that asks for what we don't have; the text is the reason, short enough for a table."""


def handles(*names: str) -> Callable[[Handler], Handler]:
    """Enter a function as the handler of these ONNX operators."""

    def enter(handler: Handler) -> Handler:
        for name in names:
            assert name not in HANDLERS, name
            HANDLERS[name] = handler
        return handler

    return enter


@dataclass
class Node:
    """One ONNX node, with its inputs built: what a handler sees."""

    importer: Importer
    proto: onnx.NodeProto
    inputs: list[en.Tensor | None]

    def __getitem__(self, at: int) -> en.Tensor:
        found = self.get(at)
        assert found is not None, f"{self.proto.op_type} lacks input {at}"
        return found

    def get(self, at: int) -> en.Tensor | None:
        """Input ``at``, or None if it was left out."""
        return self.inputs[at] if at < len(self.inputs) else None

    def attr(self, name: str, default: Any = None) -> Any:
        for each in self.proto.attribute:
            if each.name == name:
                found = onnx.helper.get_attribute_value(each)
                return found.decode() if isinstance(found, bytes) else found
        return default

    def known(self, at: int) -> np.ndarray | None:
        """The value of input ``at``, computed now; None if it was left out."""
        tensor = self.get(at)
        return None if tensor is None else self.importer.value(tensor)

    def numbers(self, name: str, at: int) -> tuple[int, ...] | None:
        """Whole numbers that older models have as an attribute, newer ones as an input."""
        found = self.attr(name)
        if found is None:
            found = self.known(at)
        return None if found is None else tuple(int(each) for each in np.atleast_1d(found))

    @property
    def opset(self) -> int:
        return self.importer.opset

    @property
    def outputs(self) -> int:
        """How many results are asked for."""
        return sum(bool(name) for name in self.proto.output)

    def constant(self, value: Any, dtype: str | None = None) -> en.Tensor:
        array = np.asarray(value)
        if array.dtype.name not in DTYPES and dtype is None:
            raise Unsupported(f"type {array.dtype.name}")
        return self.importer.graph.constant(array, dtype)


class Importer:
    """Builds a model's graph for inputs of given values, and runs it."""

    def __init__(self, model: onnx.ModelProto, inputs: Mapping[str, np.ndarray]) -> None:
        self.model = model
        self.opset = max((each.version for each in model.opset_import if each.domain in ("", "ai.onnx")), default=1)
        self.graph = en.Graph()
        self.session = en.Session(self.graph)
        self.tensors: dict[str, en.Tensor | None] = {"": None}
        self.feeds: dict[en.Tensor, np.ndarray] = {}
        with self.graph:
            for each in model.graph.initializer:
                self.tensors[each.name] = self._constant(numpy_helper.to_array(each))
            for name, value in inputs.items():
                check_type(value)
                self.tensors[name] = fed = en.placeholder(value.shape, value.dtype.name)
                self.feeds[fed] = value
            for node in model.graph.node:
                self._add(node)

    def _constant(self, array: np.ndarray) -> en.Tensor:
        check_type(array)
        return en.constant(array)

    def _add(self, proto: onnx.NodeProto) -> None:
        handler = HANDLERS.get(proto.op_type)
        if handler is None:
            raise Unsupported(f"operator {proto.op_type}")
        try:
            found = handler(Node(self, proto, [self.tensors[name] for name in proto.input]))
        except en.DtypeError as error:
            raise Unsupported(f"type: {str(error).partition(': ')[2].partition(' (')[0]}") from None
        results = found if isinstance(found, (list, tuple)) else [found]
        for name, tensor in zip(proto.output, results, strict=False):
            self.tensors[name] = tensor
        missing = [name for name in proto.output[len(results) :] if name]
        if missing:
            raise Unsupported(f"{proto.op_type} with {len(proto.output)} results")

    def value(self, tensor: en.Tensor) -> np.ndarray:
        return np.asarray(self.session.run(tensor, self.feeds))

    def outputs(self) -> list[np.ndarray]:
        wanted: list[en.Tensor] = []
        for each in self.model.graph.output:
            tensor = self.tensors[each.name]
            assert tensor is not None
            wanted.append(tensor)
        return self.session.run(wanted, self.feeds)


def check_type(value: Any) -> None:
    """Raises Unsupported for values that our engine doesn't hold."""
    if isinstance(value, onnx.TensorProto):  # types that NumPy lacks
        raise Unsupported(f"type {onnx.TensorProto.DataType.Name(value.data_type).lower()}")
    if not isinstance(value, np.ndarray):
        raise Unsupported("sequences and optional values")
    if value.dtype.name not in DTYPES:
        raise Unsupported("type " + ("of text" if value.dtype.kind in "OU" else value.dtype.name))


def run_model(model: onnx.ModelProto, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The results of ``model`` for ``inputs``, by our engine.  Raises Unsupported."""
    initialized = {each.name for each in model.graph.initializer}
    names = [each.name for each in model.graph.input if each.name not in initialized]
    for each in (*model.graph.input, *model.graph.output):
        if not each.type.HasField("tensor_type"):
            raise Unsupported("sequences and optional values")
    return Importer(model, dict(zip(names, inputs, strict=True))).outputs()
