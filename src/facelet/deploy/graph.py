"""A model file's graph for one face: static shapes, constants folded, attributes as Python values.

>>> graph = read_graph("student.onnx")
>>> graph.operations[0].op, graph.shapes[graph.input]
('Conv', (1, 1, 48, 48))

The converters of ``facelet.deploy`` read this graph and not the file, so that none of them has to handle a dynamic batch or shapes
that are computed at run time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

from facelet.deploy.target import unrepresentable
from facelet.errors import FaceletError
from facelet.measure.efficiency.cost import shapes_at_one
from facelet.models.bundled import twin_of

QUANTIZATION = ("QuantizeLinear", "DequantizeLinear")
BRANCHES = ("If", "Loop", "Scan")


@dataclass(frozen=True)
class Operation:
    """One ONNX operator; ``inputs`` has "" for an optional input that is left out."""

    op: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]

    def __str__(self) -> str:
        return f"node {self.name!r} of type {self.op}"


@dataclass(frozen=True, eq=False)
class Graph:
    """A graph for a single face.

    Attributes:
        input: name of the input, (1, C, H, W).
        output: name of the output, (1, K).
        operations: in an order in which they can be executed.
        constants: values by name.
        shapes: shape of every tensor.
    """

    input: str
    output: str
    operations: tuple[Operation, ...]
    constants: Mapping[str, NDArray[Any]]
    shapes: Mapping[str, tuple[int, ...]]

    @cached_property
    def readers(self) -> dict[str, list[Operation]]:
        """The operations that read a tensor, by its name; tensors without readers are left out."""
        readers: dict[str, list[Operation]] = {}
        for operation in self.operations:
            for name in operation.inputs:
                readers.setdefault(name, []).append(operation)
        return readers

    def only_reader(self, name: str) -> Operation | None:
        """The operation that reads a tensor, if it is a single one and the tensor is not the graph's output."""
        readers = self.readers.get(name, [])
        return readers[0] if len(readers) == 1 and name != self.output else None


def read_graph(path: str | Path) -> Graph:
    """The graph of a model file. Raises FaceletError for early exits and for shapes that depend on the face."""
    model = static_model(path)
    shapes = shapes_at_one(model)
    graph = model.graph
    operations = tuple(_operation(node) for node in graph.node)
    for operation in operations:
        if operation.op in BRANCHES:
            raise FaceletError(
                f"{operation} has branches, which this target cannot represent; export a model without exits"
            )
        for name in operation.outputs:
            if name and name not in shapes:
                raise FaceletError(f"the shape of {name!r}, output of {operation}, cannot be inferred")
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    return Graph(graph.input[0].name, graph.output[0].name, operations, constants, shapes)


def require_float(target: str, path: Path) -> None:
    """Raises FaceletError when a file has a node of int8 quantization, with the model to export instead."""
    for operation in read_graph(path).operations:
        if operation.op in QUANTIZATION:
            twin = twin_of(path) or "the fp32 model that it was made from"
            raise unrepresentable(target, operation, f"int8 with these ranges; export {twin}")


def static_model(path: str | Path) -> onnx.ModelProto:
    """The file's ``onnx.ModelProto`` for a batch of one face, with everything computed that does not depend on the face."""
    try:
        model = onnx.load(str(path), load_external_data=False)
        stored = {tensor.name for tensor in model.graph.initializer}
        inputs = [value for value in model.graph.input if value.name not in stored]
        for value in (*inputs[:1], *model.graph.output):
            value.type.tensor_type.shape.dim[0].dim_value = 1
        while _fold(model):
            pass
    except Exception as error:  # protobuf and onnx each raise their own classes
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise FaceletError(f"{path} cannot be read as a graph: {reason[:200]}") from error
    return model


def _fold(model: onnx.ModelProto) -> bool:
    """Replaces nodes whose inputs are constants by their values; returns whether there were any.

    Weights stay quantized: DequantizeLinear is not computed.
    """
    graph, shapes = model.graph, shapes_at_one(model)
    constants = {tensor.name: tensor for tensor in graph.initializer}
    kept, folded = [], False
    for node in graph.node:
        values = _value(node, constants, shapes)
        if values is None:
            kept.append(node)
            continue
        for name, value in zip(node.output, values, strict=True):
            constants[name] = numpy_helper.from_array(np.asarray(value), name)
        folded = True
    if folded:
        read = {name for node in kept for name in node.input}
        del graph.node[:], graph.initializer[:], graph.value_info[:]
        graph.node.extend(kept)
        graph.initializer.extend(tensor for name, tensor in constants.items() if name in read)
    return folded


def _value(
    node: onnx.NodeProto, constants: Mapping[str, onnx.TensorProto], shapes: Mapping[str, tuple[int, ...]]
) -> list[Any] | None:
    """The outputs of a node that does not depend on the face, else None."""
    if node.op_type in (*QUANTIZATION, *BRANCHES):
        return None
    if node.op_type == "Shape" and node.input[0] in shapes:
        ends = {attribute.name: attribute.i for attribute in node.attribute}
        return [np.array(shapes[node.input[0]][ends.get("start", 0) : ends.get("end")], np.int64)]
    if not all(name in constants or not name for name in node.input):
        return None
    feed = {name: numpy_helper.to_array(constants[name]) for name in node.input if name}
    return list(ReferenceEvaluator(node).run(None, feed))


def _operation(node: onnx.NodeProto) -> Operation:
    attributes = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
    readable = {name: value.decode() if isinstance(value, bytes) else value for name, value in attributes.items()}
    return Operation(node.op_type, node.name or node.output[0], tuple(node.input), tuple(node.output), readable)
