"""ONNX operators as LiteRT's: one function per kind, and the table ``OPERATORS``.

A function adds the operators that compute ``output`` from the operation's inputs, all in float, with a fused activation where the
table says so. Operators that LiteRT does not have are composed of others.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from facelet.deploy.graph import Operation
from facelet.deploy.target import unrepresentable
from facelet.deploy.tflite.values import LAST, Values, stored_axis
from facelet.deploy.tflite.windows import convolution, pooling

Emit = Callable[[Values, Operation, str, int], None]
"""(values, operation, name of the output, activation of schema.fbs)."""
NONE, RELU, RELU6 = 0, 1, 3
"""ActivationFunctionType of schema.fbs."""


def _unary(code: str, values: Values, operation: Operation, output: str, activation: int, options: str = "") -> None:
    number = values.float(operation.inputs[0])
    values.file.operator(code, [number], [values.new(output)], options)


def _operand(values: Values, name: str, rank: int) -> int:
    """A float tensor that can be broadcast with values of ``rank`` dimensions: constants get leading axes first."""
    constant = values.constant(name)
    if constant is not None and rank == 4 and 0 < constant.ndim < 4:
        return values.store(name, constant.astype(np.float32).reshape((1,) * (4 - constant.ndim) + constant.shape))
    return values.float(name)


def _binary(code: str, options: str, values: Values, operation: Operation, output: str, activation: int) -> None:
    rank = len(values.shape(operation.outputs[0]))
    for name in operation.inputs:
        if values.constant(name) is None and rank == 4 and 0 < len(values.shape(name)) < 4:
            raise unrepresentable(
                "LiteRT", operation, f"it broadcasts values of {len(values.shape(name))} to 4 dimensions"
            )
    numbers = [_operand(values, name, rank) for name in operation.inputs]
    fields = (
        {"fusedActivationFunction": activation} if options != "PowOptions" and not options.startswith("Max") else {}
    )
    values.file.operator(code, numbers, [values.new(output)], options, **fields)


def _scalar(values: Values, name: str, value: float) -> int:
    return values.file.tensor(name, (), np.float32, np.array(value, np.float32))


def _clip(values: Values, operation: Operation, output: str, activation: int) -> None:
    number, ends = values.float(operation.inputs[0]), clip_range(values, operation)
    _bounded(values, number, output, ends)


def clip_range(values: Values, operation: Operation) -> tuple[float, float]:
    """Least and largest value of a Clip. Raises FaceletError when they are computed."""
    ends = [-np.inf, np.inf]
    for place in (1, 2):
        if len(operation.inputs) > place and operation.inputs[place]:
            value = values.constant(operation.inputs[place])
            if value is None:
                raise unrepresentable("LiteRT", operation, "its limits are not stored in the file")
            ends[place - 1] = float(value)
    return ends[0], ends[1]


def _bounded(values: Values, number: int, output: str, ends: tuple[float, float]) -> None:
    """Adds MAXIMUM and MINIMUM; the result is the value ``output``."""
    shape = values.stored_shape(output)
    for code, end in (("MAXIMUM", ends[0]), ("MINIMUM", ends[1])):
        if np.isfinite(end):
            result = values.file.tensor(f"{output}_{code.lower()}", shape)
            limit = _scalar(values, f"{output}_{code.lower()}_limit", end)
            values.file.operator(code, [number, limit], [result], "MaximumMinimumOptions")
            number = result
    values.set_float(output, number)


def _hard_sigmoid(values: Values, operation: Operation, output: str, activation: int) -> None:
    slope, shift = operation.attributes.get("alpha", 0.2), operation.attributes.get("beta", 0.5)
    number = values.float(operation.inputs[0])
    for code, options, value in (("MUL", "MulOptions", slope), ("ADD", "AddOptions", shift)):
        result = values.file.tensor(f"{output}_{code.lower()}", values.stored_shape(output))
        values.file.operator(code, [number, _scalar(values, f"{output}_{code}", value)], [result], options)
        number = result
    _bounded(values, number, output, (0.0, 1.0))


def _leaky_relu(values: Values, operation: Operation, output: str, activation: int) -> None:
    number, slope = values.float(operation.inputs[0]), operation.attributes.get("alpha", 0.01)
    values.file.operator("LEAKY_RELU", [number], [values.new(output)], "LeakyReluOptions", alpha=slope)


def _prelu(values: Values, operation: Operation, output: str, activation: int) -> None:
    rank = len(values.shape(operation.outputs[0]))
    slope = values.constant(operation.inputs[1])
    if slope is None:
        raise unrepresentable("LiteRT", operation, "its slopes are not stored in the file")
    shaped = slope.reshape((1,) * (rank - slope.ndim) + slope.shape).astype(np.float32)
    stored = (shaped.transpose(LAST) if rank == 4 else shaped)[0]  # LiteRT's slopes have no batch
    number = values.file.tensor(f"{output}_slopes", stored.shape, np.float32, stored)
    values.file.operator("PRELU", [values.float(operation.inputs[0]), number], [values.new(output)])


def _batch_norm(values: Values, operation: Operation, output: str, activation: int) -> None:
    stored = [values.constant(name) for name in operation.inputs[1:5]]
    if any(value is None for value in stored):
        raise unrepresentable("LiteRT", operation, "its statistics are not stored in the file")
    gain, bias, mean, variance = (np.asarray(value, np.float64) for value in stored)
    factor = gain / np.sqrt(variance + operation.attributes.get("epsilon", 1e-5))
    number, result = values.float(operation.inputs[0]), values.file.tensor(f"{output}_mul", values.stored_shape(output))
    factors, shifts = (array.astype(np.float32) for array in (factor, bias - mean * factor))
    first = values.file.tensor(f"{output}_factors", factors.shape, np.float32, factors)
    second = values.file.tensor(f"{output}_shifts", shifts.shape, np.float32, shifts)
    values.file.operator("MUL", [number, first], [result], "MulOptions")
    values.file.operator(
        "ADD", [result, second], [values.new(output)], "AddOptions", fusedActivationFunction=activation
    )


def _fully_connected(values: Values, operation: Operation, output: str, activation: int) -> None:
    gemm = operation.op == "Gemm"
    weights = values.constant(operation.inputs[1])
    attributes = operation.attributes
    plain = not attributes.get("transA") and attributes.get("alpha", 1.0) == attributes.get("beta", 1.0) == 1.0
    if weights is None or weights.ndim != 2 or (gemm and not plain) or len(values.shape(operation.inputs[0])) == 4:
        _matmul(values, operation, output, activation)
        return
    rows = weights if gemm and attributes.get("transB") else weights.T
    bias = values.constant(operation.inputs[2]) if len(operation.inputs) > 2 else np.zeros(len(rows))
    if bias is None:
        raise unrepresentable("LiteRT", operation, "its bias is not stored in the file")
    stored = [
        values.file.tensor(f"{output}_weights", rows.shape, np.float32, rows),
        values.file.tensor(f"{output}_bias", (len(rows),), np.float32, np.broadcast_to(bias.reshape(-1), (len(rows),))),
    ]
    values.file.operator(
        "FULLY_CONNECTED",
        [values.float(operation.inputs[0]), *stored],
        [values.new(output)],
        "FullyConnectedOptions",
        fusedActivationFunction=activation,
        keepNumDims=len(values.shape(output)) > 2,
    )


def _matmul(values: Values, operation: Operation, output: str, activation: int) -> None:
    if operation.op != "MatMul" or activation:
        raise unrepresentable("LiteRT", operation, "its weights are computed")
    numbers = []
    for name in operation.inputs:
        constant = values.constant(name)
        numbers.append(
            values.natural(name)
            if constant is None
            else values.file.tensor(f"{name}_natural", constant.shape, np.float32, constant)
        )
    result = values.file.tensor(f"{output}_natural", values.shape(output))
    values.file.operator("BATCH_MATMUL", numbers, [result], "BatchMatMulOptions")
    values.set_natural(output, result)


def _reduced(code: str, values: Values, operation: Operation, output: str, activation: int) -> None:
    name, rank = operation.inputs[0], len(values.shape(operation.inputs[0]))
    whole = operation.op.startswith("Global")
    keep = bool(operation.attributes.get("keepdims", 1)) or whole
    axes = list(range(2, rank)) if whole else _axes(values, operation, rank)
    left = [axis for axis in range(rank) if axis not in axes]
    ordered = rank != 4 or keep or 1 not in left or len(left) == 1 or left == [0, 1]
    number = values.float(name) if ordered else values.natural(name)
    places = [stored_axis(axis, rank) for axis in axes] if ordered else axes
    values.file.operator(
        code,
        [number, values.integers(f"{output}_axes", sorted(places))],
        [values.new(output)],
        "ReducerOptions",
        keepDims=keep,
    )


def _reduce_l2(values: Values, operation: Operation, output: str, activation: int) -> None:
    number, rank = values.natural(operation.inputs[0]), len(values.shape(operation.inputs[0]))
    square = values.file.tensor(f"{output}_squares", values.shape(operation.inputs[0]))
    total, root = (values.file.tensor(f"{output}_{kind}", values.shape(output)) for kind in ("sum", "root"))
    axes = values.integers(f"{output}_axes", _axes(values, operation, rank))
    values.file.operator("MUL", [number, number], [square], "MulOptions")
    keep = bool(operation.attributes.get("keepdims", 1))
    values.file.operator("SUM", [square, axes], [total], "ReducerOptions", keepDims=keep)
    values.file.operator("SQRT", [total], [root])
    values.set_natural(output, root)


def _axes(values: Values, operation: Operation, rank: int) -> list[int]:
    given: Any = operation.attributes.get("axes")
    if given is None and len(operation.inputs) > 1 and operation.inputs[1]:
        given = values.constant(operation.inputs[1])
        if given is None:
            raise unrepresentable("LiteRT", operation, "its axes are computed")
    return sorted(int(axis) % rank for axis in (range(rank) if given is None else given))


def _softmax(values: Values, operation: Operation, output: str, activation: int) -> None:
    shape = values.shape(output)
    rank, axis = len(shape), operation.attributes.get("axis", -1) % len(shape)
    order = [*(place for place in range(rank) if place != axis), axis]
    number = values.natural(operation.inputs[0])
    if axis == rank - 1:
        result = values.file.tensor(f"{output}_natural", shape)
        values.file.operator("SOFTMAX", [number], [result], "SoftmaxOptions", beta=1.0)
    else:
        turned_shape = tuple(shape[place] for place in order)
        turned = values.transposed(number, turned_shape, tuple(order), f"{output}_last")
        soft = values.file.tensor(f"{output}_soft", turned_shape)
        values.file.operator("SOFTMAX", [turned], [soft], "SoftmaxOptions", beta=1.0)
        result = values.transposed(soft, shape, tuple(np.argsort(order).tolist()), f"{output}_back")
    values.set_natural(output, result)


def _expand(values: Values, operation: Operation, output: str, activation: int) -> None:
    result = values.file.tensor(f"{output}_natural", values.shape(output))
    number = values.natural(operation.inputs[0])
    shape = values.integers(f"{output}_to", values.shape(output))
    values.file.operator("BROADCAST_TO", [number, shape], [result], "BroadcastToOptions")
    values.set_natural(output, result)


def _window(
    emit: Callable[[Values, Operation, str, int, Any], None],
    values: Values,
    operation: Operation,
    output: str,
    activation: int,
) -> None:
    emit(values, operation, output, activation, None)


OPERATORS: dict[str, Emit] = {
    "Conv": partial(_window, convolution),
    "MaxPool": partial(_window, pooling),
    "AveragePool": partial(_window, pooling),
    "Gemm": _fully_connected,
    "MatMul": _fully_connected,
    "Add": partial(_binary, "ADD", "AddOptions"),
    "Sub": partial(_binary, "SUB", "SubOptions"),
    "Mul": partial(_binary, "MUL", "MulOptions"),
    "Div": partial(_binary, "DIV", "DivOptions"),
    "Pow": partial(_binary, "POW", "PowOptions"),
    "Max": partial(_binary, "MAXIMUM", "MaximumMinimumOptions"),
    "Min": partial(_binary, "MINIMUM", "MaximumMinimumOptions"),
    "Relu": partial(_unary, "RELU"),
    "Sigmoid": partial(_unary, "LOGISTIC"),
    "Tanh": partial(_unary, "TANH"),
    "Sqrt": partial(_unary, "SQRT"),
    "Exp": partial(_unary, "EXP", options="ExpOptions"),
    "Log": partial(_unary, "LOG"),
    "Neg": partial(_unary, "NEG", options="NegOptions"),
    "Abs": partial(_unary, "ABS", options="AbsOptions"),
    "HardSwish": partial(_unary, "HARD_SWISH", options="HardSwishOptions"),
    "HardSigmoid": _hard_sigmoid,
    "LeakyRelu": _leaky_relu,
    "PRelu": _prelu,
    "Clip": _clip,
    "BatchNormalization": _batch_norm,
    "GlobalAveragePool": partial(_reduced, "MEAN"),
    "GlobalMaxPool": partial(_reduced, "REDUCE_MAX"),
    "ReduceMean": partial(_reduced, "MEAN"),
    "ReduceMax": partial(_reduced, "REDUCE_MAX"),
    "ReduceSum": partial(_reduced, "SUM"),
    "ReduceL2": _reduce_l2,
    "Softmax": _softmax,
    "Expand": _expand,
}
"""Operators in float. Those that only move values are in ``moves``."""
FUSING = ("Conv", "Gemm", "Add", "Sub", "Mul", "Div", "BatchNormalization", "AveragePool", "MaxPool")
"""Operators with an activation of their own."""
