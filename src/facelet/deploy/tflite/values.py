"""The tensors of a conversion: where each ONNX value lies in the .tflite file, in which layout and precision.

LiteRT's images have their channels last: values with four dimensions are stored as (N, H, W, C). A value can be there as float, as
int8, or both; the missing form is made by QUANTIZE or DEQUANTIZE when it is first needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facelet.deploy.graph import Graph, Operation
from facelet.deploy.target import unrepresentable
from facelet.deploy.tflite.flatbuffer import Flatbuffer, Scale

LAST = (0, 2, 3, 1)
"""(N, C, H, W) to (N, H, W, C)."""
FIRST = (0, 3, 1, 2)
"""(N, H, W, C) to (N, C, H, W)."""


@dataclass(frozen=True, eq=False)
class Weights:
    """A weight or bias that is stored as integers: value = scale * (integer - zero point), scales along ``axis``."""

    integers: NDArray[Any]
    scales: NDArray[np.float32]
    zero_points: NDArray[Any]
    axis: int

    def floats(self) -> NDArray[np.float32]:
        """The values, as DequantizeLinear computes them."""
        shape = [-1 if place == self.axis else 1 for place in range(self.integers.ndim)] if self.scales.size > 1 else []
        scales, zeros = (
            (self.scales.reshape(shape), self.zero_points.reshape(shape))
            if shape
            else (self.scales.reshape(()), self.zero_points.reshape(()))
        )
        return (self.integers.astype(np.float32) - zeros.astype(np.float32)) * scales


class Values:
    """Tensor numbers of ONNX values; see the module."""

    def __init__(self, graph: Graph, file: Flatbuffer) -> None:
        self.graph, self.file = graph, file
        self._floats: dict[str, int] = {}
        self._int8: dict[str, tuple[int, Scale]] = {}
        self.weights: dict[str, Weights] = {}

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape in ONNX's order."""
        return self.graph.shapes[name]

    def stored_shape(self, name: str) -> tuple[int, ...]:
        """Shape in the .tflite file."""
        return last(self.shape(name))

    def constant(self, name: str) -> NDArray[Any] | None:
        """Value of a constant in ONNX's order, None for other values."""
        if name in self.weights:
            return self.weights[name].floats()
        return self.graph.constants.get(name)

    def new(self, name: str) -> int:
        """Adds the float tensor of a value that an operator is about to compute."""
        self._floats[name] = self.file.tensor(name, self.stored_shape(name))
        return self._floats[name]

    def new_int8(self, name: str, scale: Scale) -> int:
        """Adds the int8 tensor of a value that an operator is about to compute."""
        number = self.file.tensor(f"{name}_int8", self.stored_shape(name), np.int8, scale=scale)
        self._int8[name] = (number, scale)
        return number

    def alias(self, name: str, of: str) -> None:
        """Makes ``name`` another name of the value ``of``."""
        if of in self._floats:
            self._floats[name] = self._floats[of]
        if of in self._int8:
            self._int8[name] = self._int8[of]

    def set_float(self, name: str, number: int) -> None:
        """Says which tensor holds a value."""
        self._floats[name] = number

    def float(self, name: str) -> int:
        """Number of a value's float tensor."""
        if name not in self._floats:
            value = self.constant(name)
            if value is not None:
                self._floats[name] = self.store(name, value.astype(np.float32))
            else:
                number, _ = self._int8[name]
                self._floats[name] = self.file.tensor(name, self.stored_shape(name))
                self.file.operator("DEQUANTIZE", [number], [self._floats[name]], "DequantizeOptions")
        return self._floats[name]

    def int8(self, name: str) -> tuple[int, Scale] | None:
        """Number and scale of a value's int8 tensor, None for a value that is only there as float."""
        return self._int8.get(name)

    def quantize(self, source: str, name: str, scale: Scale) -> None:
        """Sets the int8 value ``name`` from the value ``source``, which may be there as int8 of another scale, or as float."""
        stored = self._int8.get(source)
        if stored and stored[1] == scale:
            self._int8[name] = stored
            return
        number = stored[0] if stored else self.float(source)
        self.file.operator("QUANTIZE", [number], [self.new_int8(name, scale)], "QuantizeOptions")

    def rescaled(self, name: str, scale: Scale) -> int:
        """Number of a value's int8 tensor with this scale, which is made if the value has another one."""
        number, own = self._int8[name]
        if own == scale:
            return number
        other = self.file.tensor(f"{name}_rescaled", self.stored_shape(name), np.int8, scale=scale)
        self.file.operator("QUANTIZE", [number], [other], "QuantizeOptions")
        return other

    def store(self, name: str, value: NDArray[Any], scale: Scale | None = None) -> int:
        """Stores a constant of ONNX's order, channels last where it has four dimensions."""
        if value.ndim == 4:
            value = value.transpose(LAST)
        return self.file.tensor(name, value.shape, value.dtype, value, scale)

    def integers(self, name: str, values: Any) -> int:
        """Stores integers: axes, shapes, paddings."""
        array = np.array(values, np.int32)
        return self.file.tensor(name, array.shape, np.int32, array)

    def natural(self, name: str, shaped: bool = True) -> int:
        """Number of a float tensor with the value in ONNX's order of axes; the shape need not fit if not ``shaped``."""
        number, shape = self.float(name), self.shape(name)
        if _differs(shape):
            return self.transposed(number, shape, FIRST, name)
        return self.reshaped(number, shape, name) if shaped and len(shape) == 4 else number

    def set_natural(self, name: str, number: int) -> None:
        """Sets a value's float tensor from one in ONNX's order of axes."""
        shape = self.shape(name)
        self._floats[name] = (
            self.transposed(number, self.stored_shape(name), LAST, name)
            if _differs(shape)
            else (self.reshaped(number, self.stored_shape(name), name) if len(shape) == 4 else number)
        )

    def transposed(self, number: int, shape: tuple[int, ...], order: tuple[int, ...], name: str) -> int:
        """Adds a TRANSPOSE to a tensor of this ``shape``."""
        output = self.file.tensor(f"{name}_transposed", shape)
        axes = self.integers(f"{name}_order", order)
        self.file.operator("TRANSPOSE", [number, axes], [output], "TransposeOptions")
        return output

    def reshaped(self, number: int, shape: tuple[int, ...], name: str) -> int:
        """Adds a RESHAPE of a float tensor."""
        output = self.file.tensor(f"{name}_reshaped", shape)
        self.reshape(number, output, shape, name)
        return output

    def reshape(self, number: int, output: int, shape: tuple[int, ...], name: str) -> None:
        """Adds a RESHAPE between two tensors."""
        wanted = self.integers(f"{name}_shape", shape)
        self.file.operator("RESHAPE", [number, wanted], [output], "ReshapeOptions", newShape=np.array(shape, np.int32))


def last(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape with the channels last, where it has four dimensions."""
    return tuple(shape[place] for place in LAST) if len(shape) == 4 else shape


def stored_axis(axis: int, rank: int) -> int:
    """Position in the .tflite file of an axis in ONNX's order; ``axis`` may be negative."""
    axis %= rank
    return LAST.index(axis) if rank == 4 else axis


def scale_of(operation: Operation, graph: Graph) -> tuple[NDArray[np.float32], NDArray[Any]]:
    """Scales and zero points of a QuantizeLinear or DequantizeLinear. Raises FaceletError when they are computed."""
    scales = graph.constants.get(operation.inputs[1])
    if scales is None:
        raise unrepresentable("LiteRT", operation, "its scale is not stored in the file")
    zeros: NDArray[Any] = np.zeros(scales.shape, np.uint8)
    if len(operation.inputs) > 2 and operation.inputs[2]:
        zeros = graph.constants[operation.inputs[2]]
    return np.atleast_1d(scales).astype(np.float32), np.atleast_1d(zeros)


def _differs(shape: tuple[int, ...]) -> bool:
    """Whether the two orders of axes have different bytes: not where one pixel or one channel is left."""
    return len(shape) == 4 and shape[1] > 1 and shape[2] * shape[3] > 1
