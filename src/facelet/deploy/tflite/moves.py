"""ONNX operators that only move values: Reshape, Transpose, Concat, Split, Slice, ... They keep int8 values as they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from facelet.deploy.graph import Operation
from facelet.deploy.target import unrepresentable
from facelet.deploy.tflite.flatbuffer import Scale
from facelet.deploy.tflite.values import LAST, Values, stored_axis

Move = Callable[[Values, Operation, Scale | None], None]
"""(values, operation, scale of inputs and outputs if they are int8)."""


def _input(values: Values, name: str, scale: Scale | None) -> int:
    return values.rescaled(name, scale) if scale else values.float(name)


def _output(values: Values, name: str, scale: Scale | None) -> int:
    return values.new_int8(name, scale) if scale else values.new(name)


def _reshape(values: Values, operation: Operation, scale: Scale | None) -> None:
    """Reshape, Flatten, Squeeze and Unsqueeze: images get ONNX's order of axes before, and LiteRT's after."""
    name, output = operation.inputs[0], operation.outputs[0]
    before, after = values.shape(name), values.shape(output)
    if scale and not (_moves(before) or _moves(after)):
        values.reshape(
            values.rescaled(name, scale), values.new_int8(output, scale), values.stored_shape(output), output
        )
        return
    number = values.natural(name, shaped=False)
    if _moves(after):
        values.set_natural(output, values.reshaped(number, after, output))
    else:
        values.reshape(number, values.new(output), values.stored_shape(output), output)


def _moves(shape: tuple[int, ...]) -> bool:
    return len(shape) == 4 and shape[1] > 1 and shape[2] * shape[3] > 1


def _transpose(values: Values, operation: Operation, scale: Scale | None) -> None:
    rank = len(values.shape(operation.inputs[0]))
    order = list(operation.attributes.get("perm", range(rank)[::-1]))
    if rank == 4:  # output axis j of LiteRT is ONNX's LAST[j], which comes from ONNX's order[LAST[j]]
        order = [LAST.index(order[place]) for place in LAST]
    number = _input(values, operation.inputs[0], scale)
    axes = values.integers(f"{operation.outputs[0]}_order", order)
    output = _output(values, operation.outputs[0], scale)
    values.file.operator("TRANSPOSE", [number, axes], [output], "TransposeOptions")


def _concat(values: Values, operation: Operation, scale: Scale | None) -> None:
    output = operation.outputs[0]
    axis = stored_axis(operation.attributes["axis"], len(values.shape(output)))
    numbers = [_input(values, name, scale) for name in operation.inputs]
    values.file.operator("CONCATENATION", numbers, [_output(values, output, scale)], "ConcatenationOptions", axis=axis)


def _split(values: Values, operation: Operation, scale: Scale | None) -> None:
    name, rank = operation.inputs[0], len(values.shape(operation.inputs[0]))
    axis = operation.attributes.get("axis", 0) % rank
    sizes = [values.shape(output)[axis] for output in operation.outputs]
    number, place = _input(values, name, scale), f"{operation.outputs[0]}_axis"
    outputs = [_output(values, output, scale) for output in operation.outputs]
    stored = values.file.tensor(place, (), np.int32, np.array(stored_axis(axis, rank), np.int32))
    if len(set(sizes)) == 1:
        values.file.operator("SPLIT", [stored, number], outputs, "SplitOptions", numSplits=len(outputs))
    else:
        lengths = values.integers(f"{place}_sizes", sizes)
        values.file.operator("SPLIT_V", [number, lengths, stored], outputs, "SplitVOptions", numSplits=len(outputs))


def _slice(values: Values, operation: Operation, scale: Scale | None) -> None:
    shape = values.shape(operation.inputs[0])
    given = [values.constant(name) if name else None for name in operation.inputs[1:]]
    if len(given) < 2 or any(given[place] is None for place in (0, 1)):
        raise unrepresentable("LiteRT", operation, "its ends are computed")
    starts, ends = (np.asarray(value).tolist() for value in given[:2])
    axes = given[2].tolist() if len(given) > 2 and given[2] is not None else list(range(len(starts)))
    steps = given[3].tolist() if len(given) > 3 and given[3] is not None else [1] * len(starts)
    begin, end, stride = [0] * len(shape), list(shape), [1] * len(shape)
    for start, stop, axis, step in zip(starts, ends, axes, steps, strict=True):
        if step < 1:
            raise unrepresentable("LiteRT", operation, "a step below 1")
        begin[axis], end[axis], _ = slice(start, stop, step).indices(shape[axis])
        stride[axis] = step
    order = LAST if len(shape) == 4 else tuple(range(len(shape)))
    output = operation.outputs[0]
    ranges = [
        values.integers(f"{output}_{kind}", [each[place] for place in order])
        for kind, each in (("begin", begin), ("end", end), ("stride", stride))
    ]
    number = _input(values, operation.inputs[0], scale)
    values.file.operator("STRIDED_SLICE", [number, *ranges], [_output(values, output, scale)], "StridedSliceOptions")


def _gather(values: Values, operation: Operation, scale: Scale | None) -> None:
    shape, output = values.shape(operation.inputs[0]), operation.outputs[0]
    places = values.constant(operation.inputs[1])
    if places is None or len(values.shape(output)) != len(shape):
        raise unrepresentable("LiteRT", operation, "its places are computed, or it removes an axis")
    axis = operation.attributes.get("axis", 0) % len(shape)
    stored = values.integers(f"{output}_places", np.asarray(places) % shape[axis])
    number, result = _input(values, operation.inputs[0], scale), _output(values, output, scale)
    values.file.operator("GATHER", [number, stored], [result], "GatherOptions", axis=stored_axis(axis, len(shape)))


def _pad(values: Values, operation: Operation, scale: Scale | None) -> None:
    shape, output = values.shape(operation.inputs[0]), operation.outputs[0]
    stored: list[Any] = [values.constant(name) if name else None for name in operation.inputs[1:]]
    fill = 0.0 if len(stored) < 2 or stored[1] is None else float(stored[1])
    mode = operation.attributes.get("mode", "constant")
    if not stored or stored[0] is None or mode != "constant" or fill or (len(stored) > 2 and stored[2] is not None):
        raise unrepresentable("LiteRT", operation, "only constant zeros around all axes")
    widths = np.asarray(stored[0]).reshape(2, -1).T
    if (widths < 0).any():
        raise unrepresentable("LiteRT", operation, "negative widths")
    order = list(LAST) if len(shape) == 4 else list(range(len(shape)))
    number = _input(values, operation.inputs[0], scale)
    inputs = [number, values.integers(f"{output}_widths", widths[order])]
    values.file.operator("PAD", inputs, [_output(values, output, scale)], "PadOptions")


def _identity(values: Values, operation: Operation, scale: Scale | None) -> None:
    values.float(operation.inputs[0]) if scale is None else None
    values.alias(operation.outputs[0], operation.inputs[0])


MOVES: dict[str, Move] = {
    "Reshape": _reshape,
    "Flatten": _reshape,
    "Squeeze": _reshape,
    "Unsqueeze": _reshape,
    "Transpose": _transpose,
    "Concat": _concat,
    "Split": _split,
    "Slice": _slice,
    "Gather": _gather,
    "Pad": _pad,
    "Identity": _identity,
    "Dropout": _identity,
    "Cast": _identity,
}
"""Operators that move values; all outputs have the scale of the inputs."""
