"""Converts a graph for one face to a .tflite file, float or int8.

>>> data = convert(read_graph("student-int8.onnx"), {"facelet": metadata})

An int8 file (QDQ form) keeps its ranges: scales are copied, and zero points of uint8 maps move by 128, since LiteRT's maps are
int8. Convolutions and matrix products between a DequantizeLinear and a QuantizeLinear become int8 operators, operators that move
values stay in int8, and the others are computed in float, as in the model file. Input and output are float32, the input
(1, H, W, C).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from facelet.deploy.graph import Graph, Operation
from facelet.deploy.target import unrepresentable
from facelet.deploy.tflite.flatbuffer import Flatbuffer, Scale
from facelet.deploy.tflite.moves import MOVES
from facelet.deploy.tflite.operators import FUSING, NONE, OPERATORS, RELU, RELU6, clip_range
from facelet.deploy.tflite.values import Values, Weights, scale_of
from facelet.deploy.tflite.windows import can_be_int8, convolution, integer_weights, pooling


def convert(graph: Graph, metadata: Mapping[str, bytes]) -> bytes:
    """The bytes of a .tflite file. Raises FaceletError for an operator that LiteRT cannot represent."""
    file = Flatbuffer()
    values = Values(graph, file)
    first = values.new(graph.input)
    conversion = _Conversion(graph, values)
    for operation in graph.operations:
        if operation.name not in conversion.done:
            conversion.add(operation)
    return file.finish(graph.input, first, graph.output, values.float(graph.output), metadata)


class _Conversion:
    """Adds operations in order; ``done``: names of operations that are part of an earlier operator."""

    def __init__(self, graph: Graph, values: Values) -> None:
        self.graph, self.values = graph, values
        self.done: set[str] = set()

    def add(self, operation: Operation) -> None:
        if operation.op == "QuantizeLinear":
            self.values.quantize(operation.inputs[0], operation.outputs[0], self._scale(operation))
        elif operation.op == "DequantizeLinear":
            self._dequantize(operation)
        elif operation.op in MOVES:
            MOVES[operation.op](self.values, operation, self._moved_scale(operation))
        elif not self._add_int8(operation):
            emit = OPERATORS.get(operation.op)
            if emit is None:
                raise unrepresentable("LiteRT", operation)
            output, activation = self._fused(operation)
            emit(self.values, operation, output, activation)

    def _dequantize(self, operation: Operation) -> None:
        name, output = operation.inputs[0], operation.outputs[0]
        stored = self.graph.constants.get(name)
        if stored is None:
            self.values.alias(output, name)
            return
        scales, zeros = scale_of(operation, self.graph)
        axis = operation.attributes.get("axis", 1) % max(stored.ndim, 1)
        self.values.weights[output] = Weights(stored, scales, zeros, axis)

    def _scale(self, operation: Operation) -> Scale:
        """Scale of a quantized map, with the zero point of an int8 tensor."""
        scales, zeros = scale_of(operation, self.graph)
        if scales.size != 1 or zeros.dtype not in (np.dtype(np.uint8), np.dtype(np.int8)):
            raise unrepresentable("LiteRT", operation, "only maps of 8 bits with a single scale")
        zero = int(zeros[0]) - (128 if zeros.dtype == np.uint8 else 0)
        return Scale((float(scales[0]),), (zero,))

    def _moved_scale(self, operation: Operation) -> Scale | None:
        """Scale for an operator that moves values, if all that it moves is there as int8."""
        moved = operation.inputs if operation.op == "Concat" else operation.inputs[:1]
        stored = [self.values.int8(name) for name in moved]
        if any(form is None for form in stored):
            return None
        scales = {form[1] for form in stored if form}
        if len(scales) == 1:
            return scales.pop()
        quantized = self._quantized(operation.outputs[0])
        return self._scale(quantized) if quantized else None

    def _add_int8(self, operation: Operation) -> bool:
        """Adds an operator with int8 input and output, if there is one."""
        form = self.values.int8(operation.inputs[0])
        if form is None:
            return False
        if operation.op == "MaxPool":
            pooling(self.values, operation, operation.outputs[0], NONE, form[1])
            return True
        if operation.op == "Relu":
            self.values.file.operator("RELU", [form[0]], [self.values.new_int8(operation.outputs[0], form[1])])
            return True
        if operation.op not in ("Conv", "Gemm") or not can_be_int8(self.values, operation):
            return False
        output, activation = self._fused(operation, mark=False)
        quantized = self._quantized(output)
        if quantized is None:
            return False
        self._fused(operation)
        self.done.add(quantized.name)
        scale = self._scale(quantized)
        if operation.op == "Conv":
            convolution(self.values, operation, quantized.outputs[0], activation, scale)
        else:
            self._fully_connected(operation, quantized.outputs[0], activation, scale)
        return True

    def _fully_connected(self, operation: Operation, output: str, activation: int, scale: Scale) -> None:
        transposed = not operation.attributes.get("transB")
        order = (1, 0) if transposed else (0, 1)
        weights, bias = integer_weights(self.values, operation, order, 0, transposed)
        number, _ = self.values.int8(operation.inputs[0])  # type: ignore[misc]
        result = self.values.new_int8(output, scale)
        self.values.file.operator(
            "FULLY_CONNECTED",
            [number, weights, bias],
            [result],
            "FullyConnectedOptions",
            fusedActivationFunction=activation,
        )

    def _quantized(self, name: str) -> Operation | None:
        """The QuantizeLinear that is the only reader of a value."""
        reader = self.graph.only_reader(name)
        return reader if reader is not None and reader.op == "QuantizeLinear" else None

    def _fused(self, operation: Operation, mark: bool = True) -> tuple[str, int]:
        """Name of the value that an operator computes, and the activation that it includes; ``mark`` it as done."""
        output = operation.outputs[0]
        reader = self.graph.only_reader(output)
        if operation.op not in FUSING or reader is None:
            return output, NONE
        if reader.op == "Relu":
            activation = RELU
        elif reader.op == "Clip" and reader.inputs[0] == output and clip_range(self.values, reader) == (0.0, 6.0):
            activation = RELU6
        else:
            return output, NONE
        if mark:
            self.done.add(reader.name)
        return reader.outputs[0], activation
