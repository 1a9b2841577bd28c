"""Reads the nodes and weights of an ONNX file without the ``onnx`` package, for the runtime's checks.

>>> for graph in graphs(Path("student-int8.onnx").read_bytes()):
...     print(len(graph.nodes), len(graph.weights))

Field numbers are those of onnx.proto. Subgraphs (of If, Loop, ...) and functions are separate graphs; weights of an outer
graph are visible in its subgraphs, as in ONNX.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from facelet.models.onnx_wire import fields, packed_varints

UINT8, INT8 = 2, 3
"""TensorProto.DataType."""


@dataclass(frozen=True)
class Weight:
    """A tensor stored in the file: its element type (TensorProto.DataType), shape and undecoded values."""

    data_type: int
    shape: tuple[int, ...]
    raw: memoryview = field(repr=False)
    integers: memoryview = field(repr=False)

    def int8(self) -> NDArray[np.int8]:
        """Values of an INT8 tensor, in its shape. Raises ValueError when their number does not match the shape."""
        if len(self.raw):
            values = np.frombuffer(self.raw, np.int8)
        else:
            values = np.array(packed_varints(self.integers), np.uint64).astype(np.int8)
        return values.reshape(self.shape)


@dataclass(frozen=True)
class Node:
    """One operator: type, domain ("" is ONNX's own), name, names of inputs and outputs, and its integer attributes."""

    op: str
    domain: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    integers: Mapping[str, int]


@dataclass(frozen=True)
class Graph:
    """A graph of a model; ``weights``: initializers and Constant values by name, including those of enclosing graphs."""

    nodes: tuple[Node, ...]
    weights: Mapping[str, Weight]


def graphs(data: bytes) -> Iterator[Graph]:
    """Every graph of a model, the outermost first. Raises ValueError when ``data`` is not a complete protobuf message."""
    for number, value in fields(memoryview(data)):
        if isinstance(value, memoryview):
            if number == 7:
                yield from _graphs(value, {}, node=1, tensor=5)
            elif number == 25:
                yield from _graphs(value, {}, node=7, tensor=0)


def _graphs(message: memoryview, outer: Mapping[str, Weight], node: int, tensor: int) -> Iterator[Graph]:
    """Graphs of a GraphProto or FunctionProto; ``node`` and ``tensor`` are the field numbers of their nodes and weights."""
    weights, nodes, inner = dict(outer), list[Node](), list[memoryview]()
    for number, value in fields(message):
        if not isinstance(value, memoryview):
            continue
        if number == tensor:
            name, weight = _weight(value)
            weights[name] = weight
        elif number == node:
            nodes.append(_node(value, weights, inner))
    yield Graph(tuple(nodes), weights)
    for subgraph in inner:
        yield from _graphs(subgraph, weights, node=1, tensor=5)


def _weight(message: memoryview) -> tuple[str, Weight]:
    name, data_type, shape = "", 0, list[int]()
    raw = integers = memoryview(b"")
    for number, value in fields(message):
        if number == 1:
            shape += packed_varints(value) if isinstance(value, memoryview) else [value]
        elif number == 2 and isinstance(value, int):
            data_type = value
        elif number == 5 and isinstance(value, memoryview):
            integers = value
        elif number == 8 and isinstance(value, memoryview):
            name = str(value, "utf-8", "replace")
        elif number == 9 and isinstance(value, memoryview):
            raw = value
    return name, Weight(data_type, tuple(shape), raw, integers)


def _node(message: memoryview, weights: dict[str, Weight], inner: list[memoryview]) -> Node:
    """Parses a NodeProto; adds a Constant's value to ``weights`` and subgraphs to ``inner``."""
    text: dict[int, list[str]] = {1: [], 2: [], 3: [], 4: [], 7: []}
    integers: dict[str, int] = {}
    constants: list[Weight] = []
    for number, value in fields(message):
        if not isinstance(value, memoryview):
            continue
        if number in text:
            text[number].append(str(value, "utf-8", "replace"))
        elif number == 5:
            name, integer = "", None
            for key, part in fields(value):
                if key == 1 and isinstance(part, memoryview):
                    name = str(part, "utf-8", "replace")
                elif key == 3 and isinstance(part, int):
                    integer = part if part < 1 << 63 else part - (1 << 64)
                elif key == 5 and isinstance(part, memoryview):
                    constants.append(_weight(part)[1])
                elif key in (6, 11) and isinstance(part, memoryview):
                    inner.append(part)
            if integer is not None:
                integers[name] = integer
    node = Node(
        op="".join(text[4]),
        domain="".join(text[7]),
        name="".join(text[3]),
        inputs=tuple(text[1]),
        outputs=tuple(text[2]),
        integers=integers,
    )
    if node.op == "Constant" and constants and node.outputs:
        weights[node.outputs[0]] = constants[0]
    return node
