"""Convolutions and pooling: their padding, and the layout and quantization of their weights."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from facelet.deploy.graph import Operation
from facelet.deploy.target import unrepresentable
from facelet.deploy.tflite.flatbuffer import Scale
from facelet.deploy.tflite.values import Values

SAME, VALID = 0, 1
"""Padding of schema.fbs."""
LOWEST = -3.4e38


def padded(
    values: Values,
    operation: Operation,
    number: int,
    kernel: list[int],
    int8: Scale | None,
    fill: float | None = None,
    explicit: bool = False,
) -> tuple[int, int]:
    """The input tensor of a window and its padding mode, with a PAD in front where ONNX's padding is neither SAME nor VALID.

    Args:
        values: the conversion's tensors.
        operation: convolution or pooling.
        number: its input tensor.
        kernel: height and width of the window.
        int8: scale of the input if that is an int8 tensor.
        fill: value to pad with, other than 0.
        explicit: never use SAME, which leaves the padding out of means.
    """
    if operation.attributes.get("auto_pad", "NOTSET") != "NOTSET":
        raise unrepresentable("LiteRT", operation, f"auto_pad {operation.attributes['auto_pad']}")
    shape = values.shape(operation.inputs[0])
    strides, dilations = (list(operation.attributes.get(name, (1, 1))) for name in ("strides", "dilations"))
    pads = list(operation.attributes.get("pads", (0, 0, 0, 0)))
    if not any(pads):
        return number, VALID
    if not explicit and pads == _same(shape[2:], kernel, strides, dilations):
        return number, SAME
    around = [[0, 0], [pads[0], pads[2]], [pads[1], pads[3]], [0, 0]]
    n, c, h, w = shape
    grown = (n, h + pads[0] + pads[2], w + pads[1] + pads[3], c)
    name = f"{operation.inputs[0]}_padded_for_{operation.name}"
    output = values.file.tensor(name, grown, np.int8 if int8 else np.float32, scale=int8)
    inputs = [number, values.integers(f"{name}_widths", around)]
    if fill is None:
        values.file.operator("PAD", inputs, [output], "PadOptions")
    else:
        stored = np.array([-128], np.int8) if int8 else np.array([fill], np.float32)
        inputs.append(values.file.tensor(f"{name}_fill", (1,), stored.dtype, stored, int8))
        values.file.operator("PADV2", inputs, [output], "PadV2Options")
    return output, VALID


def _same(sides: tuple[int, ...], kernel: list[int], strides: list[int], dilations: list[int]) -> list[int]:
    """ONNX's pads that equal the mode SAME: begins, then ends."""
    before, after = [], []
    for side, size, stride, dilation in zip(sides, kernel, strides, dilations, strict=True):
        total = max((-(-side // stride) - 1) * stride + (size - 1) * dilation + 1 - side, 0)
        before.append(total // 2)
        after.append(total - total // 2)
    return before + after


def convolution(values: Values, operation: Operation, output: str, activation: int, scale: Scale | None) -> None:
    """A CONV_2D or DEPTHWISE_CONV_2D; ``scale``: of the output if it is to be int8, as the input then is."""
    weight_shape = values.shape(operation.inputs[1])
    if len(weight_shape) != 4:
        raise unrepresentable("LiteRT", operation, f"weights with {len(weight_shape)} dimensions")
    groups, channels = operation.attributes.get("group", 1), values.shape(operation.inputs[0])[1]
    depthwise = groups == channels > 1 and weight_shape[1] == 1
    order = (1, 2, 3, 0) if depthwise else (0, 2, 3, 1)
    number, input_scale = (values.int8(operation.inputs[0]) or (0, None)) if scale else (0, None)
    number = number if scale else values.float(operation.inputs[0])
    number, padding = padded(values, operation, number, list(weight_shape[2:]), input_scale)
    if scale:
        weights, bias = integer_weights(values, operation, order, 3 if depthwise else 0)
        result = values.new_int8(output, scale)
    else:
        weights, bias = _float_weights(values, operation, order)
        result = values.new(output)
    strides, dilations = (operation.attributes.get(name, (1, 1)) for name in ("strides", "dilations"))
    fields: dict[str, Any] = {
        "padding": padding,
        "strideH": strides[0],
        "strideW": strides[1],
        "dilationHFactor": dilations[0],
        "dilationWFactor": dilations[1],
        "fusedActivationFunction": activation,
    }
    if depthwise:
        fields["depthMultiplier"] = weight_shape[0] // channels
        values.file.operator("DEPTHWISE_CONV_2D", [number, weights, bias], [result], "DepthwiseConv2DOptions", **fields)
    else:
        values.file.operator("CONV_2D", [number, weights, bias], [result], "Conv2DOptions", **fields)


def can_be_int8(values: Values, operation: Operation) -> bool:
    """Whether a Conv or Gemm has an int8 input and int8 weights without zero points."""
    weights = values.weights.get(operation.inputs[1])
    return (
        values.int8(operation.inputs[0]) is not None
        and weights is not None
        and weights.integers.dtype == np.int8
        and not weights.zero_points.any()
    )


def integer_weights(
    values: Values, operation: Operation, order: tuple[int, ...], axis: int, transposed: bool = False
) -> tuple[int, int]:
    """Stored int8 weights and int32 bias; the bias has the scale of the products, as LiteRT's kernels expect.

    Args:
        values: the conversion's tensors.
        operation: Conv or Gemm for which ``can_be_int8`` holds.
        order: of the weights' axes in the .tflite file.
        axis: of the output channels in that order.
        transposed: for Gemm, whether its weights are (inputs, outputs).
    """
    name = operation.inputs[1]
    weights = values.weights[name]
    outputs = weights.integers.shape[1 if transposed else 0]
    scales = np.broadcast_to(weights.scales, (outputs,)).astype(np.float32)
    stored = values.file.tensor(
        f"{name}_int8",
        [weights.integers.shape[place] for place in order],
        np.int8,
        weights.integers.transpose(order),
        Scale(tuple(map(float, scales)), (0,) * outputs, axis),
    )
    _, input_scale = values.int8(operation.inputs[0])  # type: ignore[misc]
    products = (scales.astype(np.float64) * input_scale.scales[0]).astype(np.float32)
    bias_scale = Scale(tuple(map(float, products)), (0,) * outputs)
    integers = np.rint(_bias(values, operation, outputs) / products.astype(np.float64)).astype(np.int32)
    return stored, values.file.tensor(f"{name}_bias_int32", (outputs,), np.int32, integers, bias_scale)


def _bias(values: Values, operation: Operation, outputs: int) -> NDArray[np.float64]:
    name = operation.inputs[2] if len(operation.inputs) > 2 else ""
    value = values.constant(name) if name else np.zeros(outputs)
    if value is None:
        raise unrepresentable("LiteRT", operation, "its bias is not stored in the file")
    return np.broadcast_to(np.asarray(value, np.float64).reshape(-1), (outputs,))


def _float_weights(values: Values, operation: Operation, order: tuple[int, ...]) -> tuple[int, int]:
    name = operation.inputs[1]
    value = values.constant(name)
    if value is None:
        raise unrepresentable("LiteRT", operation, "its weights are not stored in the file")
    stored = value.astype(np.float32).transpose(order)
    bias = _bias(values, operation, value.shape[0]).astype(np.float32)
    return (
        values.file.tensor(f"{name}_for_{operation.name}", stored.shape, np.float32, stored),
        values.file.tensor(f"{name}_bias_for_{operation.name}", bias.shape, np.float32, bias),
    )


def pooling(values: Values, operation: Operation, output: str, activation: int, scale: Scale | None) -> None:
    """A MAX_POOL_2D or AVERAGE_POOL_2D; ``scale``: of input and output if they are int8."""
    kernel, strides = list(operation.attributes["kernel_shape"]), operation.attributes.get("strides", (1, 1))
    pads, largest = operation.attributes.get("pads", (0, 0, 0, 0)), operation.op == "MaxPool"
    if len(kernel) != 2 or any(size != 1 for size in operation.attributes.get("dilations", (1, 1))):
        raise unrepresentable("LiteRT", operation, "only windows of two dimensions without dilation")
    number = values.int8(operation.inputs[0])[0] if scale else values.float(operation.inputs[0])  # type: ignore[index]
    counted = not largest and bool(operation.attributes.get("count_include_pad", 0))
    number, padding = padded(values, operation, number, kernel, scale, LOWEST if largest else None, explicit=counted)
    if not largest and any(pads) and not counted and padding == VALID:
        raise unrepresentable("LiteRT", operation, "uneven padding that does not count in the mean")
    floors = [
        (side + pads[place] + pads[place + 2] - size) // stride + 1
        for place, (side, size, stride) in enumerate(
            zip(values.shape(operation.inputs[0])[2:], kernel, strides, strict=True)
        )
    ]
    if list(values.shape(operation.outputs[0])[2:]) != floors:
        raise unrepresentable("LiteRT", operation, "ceil_mode")
    result = values.new_int8(output, scale) if scale else values.new(output)
    code = "MAX_POOL_2D" if largest else "AVERAGE_POOL_2D"
    values.file.operator(
        code,
        [number],
        [result],
        "Pool2DOptions",
        padding=padding,
        strideH=strides[0],
        strideW=strides[1],
        filterHeight=kernel[0],
        filterWidth=kernel[1],
        fusedActivationFunction=activation,
    )
