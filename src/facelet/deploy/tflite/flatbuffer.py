"""Builds a .tflite file with the schema classes that ``ai-edge-litert`` ships: tensors, operators, named metadata.

>>> file = Flatbuffer()
>>> x, y = file.tensor("x", (1, 8)), file.tensor("y", (1, 8))
>>> file.operator("RELU", [x], [y])
>>> data = file.finish("x", x, "y", y, {"facelet": b"{}"})

Schema: https://github.com/google-ai-edge/LiteRT, tflite/schema/schema.fbs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
from numpy.typing import NDArray

from facelet.deploy.tflite.schema import schema

IDENTIFIER = b"TFL3"
VERSION = 3
SIGNATURE = "serving_default"
INT8_VERSIONS = {
    "CONV_2D": 3,
    "DEPTHWISE_CONV_2D": 3,
    "FULLY_CONNECTED": 4,
    "DEQUANTIZE": 2,
    "MAX_POOL_2D": 2,
    "CONCATENATION": 2,
    "RELU": 2,
    "SPLIT": 2,
    "SPLIT_V": 2,
    "TRANSPOSE": 2,
    "PAD": 2,
    "PADV2": 2,
    "STRIDED_SLICE": 2,
    "MEAN": 2,
}
"""Version of an operator from which it takes int8 tensors, where that is not the first; delegates read it."""


@dataclass(frozen=True)
class Scale:
    """Quantization of an int8 tensor: value = scale * (integer - zero point); several scales lie along ``axis``."""

    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int = 0


class Flatbuffer:
    """A .tflite file under construction; tensors are known by their number."""

    def __init__(self) -> None:
        self._tensors: list[Any] = []
        self._buffers: list[Any] = [schema().BufferT()]  # the schema's empty buffer, of tensors without stored values
        self._codes: dict[tuple[int, int], int] = {}
        self._operators: list[Any] = []

    def tensor(
        self,
        name: str,
        shape: Sequence[int],
        dtype: Any = np.float32,
        values: NDArray[Any] | None = None,
        scale: Scale | None = None,
    ) -> int:
        """Adds a tensor, with stored ``values`` if it is a constant, and returns its number."""
        tensor = schema().TensorT()
        tensor.name, tensor.shape, tensor.type = name, np.array(shape, np.int32), _type(dtype)
        if values is not None:
            tensor.buffer = self._buffer(np.ascontiguousarray(values, dtype).tobytes())
        if scale is not None:
            tensor.quantization = quantization = schema().QuantizationParametersT()
            quantization.scale = np.array(scale.scales, np.float32)
            quantization.zeroPoint = np.array(scale.zero_points, np.int64)
            quantization.quantizedDimension = scale.axis
        self._tensors.append(tensor)
        return len(self._tensors) - 1

    def operator(
        self, code: str, inputs: Sequence[int], outputs: Sequence[int], options: str = "", **fields: Any
    ) -> None:
        """Adds an operator; ``code``: of BuiltinOperator; ``options``: name of its options table, with ``fields``."""
        operator = schema().OperatorT()
        int8 = any(self._tensors[number].type == schema().TensorType.INT8 for number in (*inputs[:1], *outputs[:1]))
        version = INT8_VERSIONS.get(code, 1) if int8 else 1
        key = (getattr(schema().BuiltinOperator, code), version)
        operator.opcodeIndex = self._codes.setdefault(key, len(self._codes))
        operator.inputs, operator.outputs = np.array(inputs, np.int32), np.array(outputs, np.int32)
        if options:
            operator.builtinOptionsType = getattr(schema().BuiltinOptions, options)
            operator.builtinOptions = getattr(schema(), f"{options}T")()
            for name, value in fields.items():
                setattr(operator.builtinOptions, name, value)
        self._operators.append(operator)

    def finish(self, input_name: str, first: int, output_name: str, last: int, metadata: Mapping[str, bytes]) -> bytes:
        """The file's bytes, with the tensors ``first`` and ``last`` as input and output."""
        tables = schema()
        graph = tables.SubGraphT()
        graph.tensors, graph.operators, graph.name = self._tensors, self._operators, "main"
        graph.inputs, graph.outputs = np.array([first], np.int32), np.array([last], np.int32)
        model = tables.ModelT()
        model.version, model.subgraphs, model.description = VERSION, [graph], "Facelet"
        model.operatorCodes = [_code(*key) for key in self._codes]
        model.signatureDefs = [_signature((input_name, first), (output_name, last))]
        model.metadata = [self._metadata(name, value) for name, value in metadata.items()]
        model.buffers = self._buffers
        builder = flatbuffers.Builder(1 << 16)
        builder.Finish(model.Pack(builder), IDENTIFIER)
        return bytes(builder.Output())

    def _buffer(self, data: bytes) -> int:
        buffer = schema().BufferT()
        buffer.data = np.frombuffer(data, np.uint8)
        self._buffers.append(buffer)
        return len(self._buffers) - 1

    def _metadata(self, name: str, value: bytes) -> Any:
        entry = schema().MetadataT()
        entry.name, entry.buffer = name, self._buffer(value)
        return entry


def read_metadata(data: bytes) -> dict[str, bytes]:
    """The named metadata of a .tflite file."""
    model = schema().Model.GetRootAs(data, 0)
    entries = [model.Metadata(place) for place in range(model.MetadataLength())]
    return {entry.Name().decode(): model.Buffers(entry.Buffer()).DataAsNumpy().tobytes() for entry in entries}


def _type(dtype: Any) -> int:
    names = {"float32": "FLOAT32", "int8": "INT8", "int32": "INT32"}
    return getattr(schema().TensorType, names[np.dtype(dtype).name])


def _code(code: int, version: int) -> Any:
    table = schema().OperatorCodeT()
    table.builtinCode, table.version = code, version
    table.deprecatedBuiltinCode = min(code, schema().BuiltinOperator.PLACEHOLDER_FOR_GREATER_OP_CODES)
    return table


def _signature(first: tuple[str, int], last: tuple[str, int]) -> Any:
    table = schema().SignatureDefT()
    table.signatureKey, table.inputs, table.outputs = SIGNATURE, [_named(*first)], [_named(*last)]
    return table


def _named(name: str, number: int) -> Any:
    entry = schema().TensorMapT()
    entry.name, entry.tensorIndex = name, number
    return entry
