"""A graph for one face as a torch module, for targets that start from PyTorch.

>>> module = TorchModule(read_graph("student.onnx"), "ExecuTorch")
>>> module(torch.zeros(1, 1, 48, 48)).shape
torch.Size([1, 8])

The module runs the operations of ``FUNCTIONS`` in order; ``torch.export`` and ``torch.jit.trace`` turn it into a plain graph.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from facelet.deploy.graph import Graph, Operation
from facelet.deploy.target import unrepresentable

Function = Callable[..., Any]
"""(operation, its input values) -> its output, or a sequence of outputs. Constants that are no data are numpy arrays."""


class TorchModule(nn.Module):
    """Runs a graph's operations; (1, C, H, W) to (1, K). ``target``: for the error of an operation that it does not know."""

    def __init__(self, graph: Graph, target: str) -> None:
        super().__init__()
        self._graph, self._names, self._stored = graph, dict[str, str](), dict[str, Any]()
        self._zeros = set[str]()
        for operation in graph.operations:
            if operation.op not in FUNCTIONS:
                raise unrepresentable(target, operation)
            if _is_bias(operation, graph):
                integers, scales = (graph.constants[name] for name in operation.inputs[:2])
                self._keep(operation.outputs[0], (integers * scales).astype(np.float32))
                continue
            for place, name in enumerate(operation.inputs):
                value = graph.constants.get(name)
                if operation.op == "DequantizeLinear" and place == 2 and value is not None and value.ndim:
                    self._zeros.add(name)
                    value = value.astype(np.int64)  # XNNPACK finds them only as they are stored
                self._keep(name, value)

    def _keep(self, name: str, value: NDArray[Any] | None) -> None:
        """Stores a constant as a buffer if it is data, else as an array."""
        if value is None or name in self._names or name in self._stored:
            return
        data = value.dtype in (np.float32, np.int8) or (value.dtype == np.int64 and name in self._zeros)
        if data and value.ndim:
            self._names[name] = f"constant_{len(self._names)}"
            self.register_buffer(self._names[name], torch.from_numpy(np.array(value)))
        else:
            self._stored[name] = value

    def forward(self, face: Tensor) -> Tensor:
        """Returns the graph's output."""
        values: dict[str, Any] = {self._graph.input: face, "": None}
        values.update({name: getattr(self, buffer) for name, buffer in self._names.items()})
        values.update(self._stored)
        for operation in self._graph.operations:
            if operation.outputs[0] in values:
                continue
            inputs = [values[name] for name in operation.inputs]
            outputs = FUNCTIONS[operation.op](operation, *inputs)
            several = outputs if isinstance(outputs, (tuple, list)) else [outputs]
            values.update(zip(operation.outputs, several, strict=False))
        return values[self._graph.output]


def _is_bias(operation: Operation, graph: Graph) -> bool:
    """Whether an operation dequantizes a stored bias: XNNPACK takes it as float and quantizes it with the same scale."""
    stored = graph.constants.get(operation.inputs[0])
    return operation.op == "DequantizeLinear" and stored is not None and stored.dtype == np.int32


def _list(value: Any) -> list[int]:
    return [int(number) for number in np.asarray(value).reshape(-1)]


def _padded(operation: Operation, x: Tensor, fill: float = 0.0) -> tuple[Tensor, Any]:
    """The input, and symmetric padding for the operator; uneven padding is applied to the input."""
    pads = list(operation.attributes.get("pads", ()))
    half = len(pads) // 2
    before, after = pads[:half], pads[half:]
    if before == after:
        return x, tuple(before) or 0
    around = [side for pair in zip(reversed(before), reversed(after), strict=True) for side in pair]
    return functional.pad(x, around, value=fill), 0


def _conv(operation: Operation, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    x, padding = _padded(operation, x)
    function = functional.conv1d if weight.ndim == 3 else functional.conv2d
    ones = (1,) * (weight.ndim - 2)
    strides, dilations = (tuple(operation.attributes.get(name, ones)) for name in ("strides", "dilations"))
    return function(x, weight, bias, strides, padding, dilations, operation.attributes.get("group", 1))


def _max_pool(operation: Operation, x: Tensor) -> Tensor:
    x, padding = _padded(operation, x, float("-inf"))
    kernel, strides = operation.attributes["kernel_shape"], operation.attributes.get("strides", (1, 1))
    return functional.max_pool2d(
        x, tuple(kernel), tuple(strides), padding, ceil_mode=bool(operation.attributes.get("ceil_mode"))
    )


def _average_pool(operation: Operation, x: Tensor) -> Tensor:
    x, padding = _padded(operation, x)
    kernel, strides = operation.attributes["kernel_shape"], operation.attributes.get("strides", (1, 1))
    return functional.avg_pool2d(
        x,
        tuple(kernel),
        tuple(strides),
        padding,
        ceil_mode=bool(operation.attributes.get("ceil_mode")),
        count_include_pad=bool(operation.attributes.get("count_include_pad")),
    )


def _gemm(operation: Operation, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    attributes = operation.attributes
    x = x.transpose(0, 1) if attributes.get("transA") else x
    weight = weight if attributes.get("transB") else weight.transpose(0, 1)
    if attributes.get("alpha", 1.0) != 1.0:
        x = x * attributes["alpha"]
    if bias is not None and attributes.get("beta", 1.0) != 1.0:
        bias = bias * attributes["beta"]
    return functional.linear(x, weight, bias)


def _number(value: Any) -> Any:
    """A scalar constant as a Python number, other values unchanged."""
    return value.item() if isinstance(value, np.ndarray) and value.ndim == 0 else value


def _binary(function: Function) -> Function:
    def run(operation: Operation, left: Any, right: Any) -> Any:
        return function(_number(left), _number(right))

    return run


def _clip(operation: Operation, x: Tensor, low: Any = None, high: Any = None) -> Tensor:
    return torch.clamp(x, _number(low), _number(high))


def _reduce(function: Function) -> Function:
    def run(operation: Operation, x: Tensor, axes: Any = None) -> Tensor:
        given = operation.attributes.get("axes") if axes is None else axes
        dims = list(range(x.ndim)) if given is None else _list(given)
        return function(x, dims, keepdim=bool(operation.attributes.get("keepdims", 1)))

    return run


def _over_places(function: Function) -> Function:
    def run(operation: Operation, x: Tensor) -> Tensor:
        return function(x, list(range(2, x.ndim)), keepdim=True)

    return run


def _reshape(operation: Operation, x: Tensor, shape: Any) -> Tensor:
    wanted = [side or x.shape[place] for place, side in enumerate(_list(shape))]
    return x.reshape(wanted)


def _flatten(operation: Operation, x: Tensor) -> Tensor:
    axis = operation.attributes.get("axis", 1)
    return x.reshape(int(np.prod(x.shape[:axis])), -1)


def _split(operation: Operation, x: Tensor, sizes: Any = None) -> list[Tensor]:
    axis = operation.attributes.get("axis", 0)
    length = x.shape[axis]
    count = len(operation.outputs)
    return list(torch.split(x, _list(sizes) if sizes is not None else -(-length // count), axis))


def _slice(operation: Operation, x: Tensor, starts: Any, ends: Any, axes: Any = None, steps: Any = None) -> Tensor:
    places = list(range(len(_list(starts)))) if axes is None else _list(axes)
    strides = [1] * len(places) if steps is None else _list(steps)
    for start, end, axis, step in zip(_list(starts), _list(ends), places, strides, strict=True):
        first, last, _ = slice(start, end, step).indices(x.shape[axis])
        x = torch.ops.aten.slice.Tensor(x, axis, first, last, step)
    return x


def _squeeze(operation: Operation, x: Tensor, axes: Any = None) -> Tensor:
    given = operation.attributes.get("axes") if axes is None else axes
    return x.squeeze() if given is None else x.squeeze(tuple(_list(given)))


def _unsqueeze(operation: Operation, x: Tensor, axes: Any = None) -> Tensor:
    places = _list(operation.attributes.get("axes") if axes is None else axes)
    rank = x.ndim + len(places)
    for axis in sorted(place % rank for place in places):
        x = x.unsqueeze(axis)
    return x


def _gather(operation: Operation, x: Tensor, places: Any) -> Tensor:
    axis = operation.attributes.get("axis", 0)
    if np.ndim(places) == 0:
        return x.select(axis, int(places))
    return torch.index_select(x, axis, torch.tensor(_list(places)))


def _prelu(operation: Operation, x: Tensor, slope: Tensor) -> Tensor:
    return functional.prelu(x, slope.reshape(-1))


def _batch_norm(operation: Operation, x: Tensor, gain: Tensor, bias: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    epsilon = operation.attributes.get("epsilon", 1e-5)
    return functional.batch_norm(x, mean, variance, gain, bias, False, 0.0, epsilon)


def _hard_sigmoid(operation: Operation, x: Tensor) -> Tensor:
    slope, shift = operation.attributes.get("alpha", 0.2), operation.attributes.get("beta", 0.5)
    return torch.clamp(x * slope + shift, 0.0, 1.0)


def _pad(operation: Operation, x: Tensor, widths: Any, fill: Any = None, axes: Any = None) -> Tensor:
    sides = np.asarray(widths).reshape(2, -1).T[::-1].reshape(-1)
    return functional.pad(x, _list(sides), value=0.0 if fill is None else float(_number(fill)))


def _quantize(operation: Operation, x: Tensor, scale: Any, zero: Any) -> Tensor:
    """To int8: uint8 maps move by 128, as XNNPACK's maps are int8."""
    return torch.ops.quantized_decomposed.quantize_per_tensor.default(
        x, float(scale), _zero(zero), -128, 127, torch.int8
    )


def _dequantize(operation: Operation, x: Tensor, scale: Any, zero: Any = None) -> Tensor:
    if np.ndim(scale) == 0:
        return torch.ops.quantized_decomposed.dequantize_per_tensor.default(
            x, float(scale), _zero(zero), -128, 127, torch.int8
        )
    axis = operation.attributes.get("axis", 1)
    return torch.ops.quantized_decomposed.dequantize_per_channel.default(x, scale, zero, axis, -128, 127, torch.int8)


def _zero(zero: Any) -> int:
    value = np.asarray(zero)
    return int(value.reshape(-1)[0]) - (128 if value.dtype == np.uint8 else 0)


FUNCTIONS: dict[str, Function] = {
    "Conv": _conv,
    "MaxPool": _max_pool,
    "AveragePool": _average_pool,
    "Gemm": _gemm,
    "MatMul": _binary(torch.matmul),
    "Add": _binary(lambda left, right: left + right),
    "Sub": _binary(lambda left, right: left - right),
    "Mul": _binary(lambda left, right: left * right),
    "Div": _binary(lambda left, right: left / right),
    "Pow": _binary(lambda left, right: left**right),
    "Relu": lambda operation, x: functional.relu(x),
    "Sigmoid": lambda operation, x: torch.sigmoid(x),
    "Tanh": lambda operation, x: torch.tanh(x),
    "Sqrt": lambda operation, x: torch.sqrt(x),
    "Exp": lambda operation, x: torch.exp(x),
    "Erf": lambda operation, x: torch.erf(x),
    "HardSwish": lambda operation, x: functional.hardswish(x),
    "HardSigmoid": _hard_sigmoid,
    "LeakyRelu": lambda operation, x: functional.leaky_relu(x, operation.attributes.get("alpha", 0.01)),
    "PRelu": _prelu,
    "Clip": _clip,
    "BatchNormalization": _batch_norm,
    "GlobalAveragePool": _over_places(torch.mean),
    "GlobalMaxPool": _over_places(torch.amax),
    "ReduceMean": _reduce(torch.mean),
    "ReduceMax": _reduce(torch.amax),
    "ReduceSum": _reduce(torch.sum),
    "ReduceL2": _reduce(lambda x, dims, keepdim: torch.sqrt((x * x).sum(dims, keepdim=keepdim))),
    "Softmax": lambda operation, x: torch.softmax(x, operation.attributes.get("axis", -1)),
    "Concat": lambda operation, *parts: torch.cat(parts, operation.attributes["axis"]),
    "Split": _split,
    "Slice": _slice,
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Transpose": lambda operation, x: x.permute(tuple(operation.attributes.get("perm", range(x.ndim)[::-1]))),
    "Gather": _gather,
    "Pad": _pad,
    "Expand": lambda operation, x, shape: x.expand(torch.broadcast_shapes(tuple(x.shape), tuple(_list(shape)))),
    "Identity": lambda operation, x: x,
    "QuantizeLinear": _quantize,
    "DequantizeLinear": _dequantize,
}
"""ONNX operators in torch."""
