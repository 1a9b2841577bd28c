"""A second implementation of an int8 graph, in numpy, with the arithmetic of x86 with and without VNNI.

``run(model, inputs, saturating=True)`` adds every two neighbouring u8 x s8 products in a saturating int16, as VPMADDUBSW does, in
the order of channels within a kernel position, as ONNX Runtime lays convolutions out.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper


def run(model: onnx.ModelProto, inputs: np.ndarray, saturating: bool) -> np.ndarray:
    """The first output of a graph of Conv, Gemm, Relu, Reshape and ReduceMean in QDQ form."""
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    values[model.graph.input[0].name] = inputs
    stored = {}  # dequantized name -> integers, scale, zero point
    for node in model.graph.node:
        given = [values.get(name) for name in node.input]
        options = {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}
        if node.op_type == "QuantizeLinear":
            limits = np.iinfo(given[2].dtype)
            steps = np.rint(given[0] / given[1]) + given[2].astype(np.int32)
            result = np.clip(steps, limits.min, limits.max).astype(given[2].dtype)
        elif node.op_type == "DequantizeLinear":
            zero = given[2] if len(given) > 2 else np.zeros_like(given[0], shape=given[1].shape)
            stored[node.output[0]] = given[0], given[1], zero
            shape = [1] * given[0].ndim
            if given[1].size > 1:
                shape[options.get("axis", 1)] = -1
            scale, zero = given[1].reshape(shape), zero.astype(np.int32).reshape(shape)
            result = ((given[0].astype(np.int32) - zero) * scale).astype(np.float32)
        elif node.op_type in ("Conv", "Gemm"):
            layer = _conv if node.op_type == "Conv" else _gemm
            result = layer(stored[node.input[0]], stored[node.input[1]], given[2], options, saturating)
        elif node.op_type == "Relu":
            result = np.maximum(given[0], 0)
        elif node.op_type == "Reshape":
            result = given[0].reshape([int(side) or given[0].shape[place] for place, side in enumerate(given[1])])
        elif node.op_type == "ReduceMean":
            result = given[0].mean(tuple(int(axis) for axis in given[1]), keepdims=bool(options.get("keepdims", 1)))
        else:
            raise NotImplementedError(node.op_type)
        values[node.output[0]] = result
    return values[model.graph.output[0].name]


def _conv(maps, weights, bias, options, saturating):
    (integers, scale, zero), (kernel, kernel_scale, _) = maps, weights
    side, stride, pad = kernel.shape[2], options.get("strides", [1, 1])[0], options.get("pads", [0] * 4)[0]
    padded = np.pad(integers, ((0, 0), (0, 0), (pad, pad), (pad, pad)), constant_values=int(zero))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side), (2, 3))[:, :, ::stride, ::stride]
    faces, _, height, width = windows.shape[:4]
    sums, groups = [], options.get("group", 1)
    for maps_, part in zip(np.split(windows, groups, 1), np.split(kernel, groups), strict=True):
        rows = maps_.transpose(0, 2, 3, 4, 5, 1).reshape(faces * height * width, -1)
        sums.append(_multiply(rows, part.transpose(2, 3, 1, 0).reshape(-1, len(part)), saturating))
    sums = np.concatenate(sums, 1) - int(zero) * kernel.reshape(len(kernel), -1).astype(np.int64).sum(1)
    return (sums * (scale * kernel_scale) + bias).reshape(faces, height, width, -1).transpose(0, 3, 1, 2).astype("f4")


def _gemm(maps, weights, bias, options, saturating):
    (integers, scale, zero), (matrix, matrix_scale, _) = maps, weights
    matrix = matrix.T if options.get("transB") else matrix
    sums = _multiply(integers, matrix, saturating) - int(zero) * matrix.astype(np.int64).sum(0)
    return (sums * (scale * matrix_scale) + bias).astype(np.float32)


def _multiply(rows, columns, saturating):
    """(N, K) unsigned times (K, M) signed 8-bit integers."""
    if not saturating:
        return np.rint(rows.astype(np.float64) @ columns.astype(np.float64)).astype(np.int64)
    rows, columns = rows.astype(np.int32), columns.astype(np.int32)
    sums = np.zeros((len(rows), columns.shape[1]), np.int64)
    for k in range(0, rows.shape[1], 2):
        pair = rows[:, k : k + 2, None] * columns[None, k : k + 2]
        sums += np.clip(pair.sum(1), -32768, 32767)
    return sums
