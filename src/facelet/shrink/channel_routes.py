"""Simplifies chains of Concat, Split and Slice along the channels of an ONNX graph.

A shuffle net splits and concatenates its maps repeatedly between computations; at small sizes each of these copies costs half as
much as a depthwise convolution. Every map is represented as a list of (source, first, end) channels, and each consumer gets one
Split per source and one Concat. The outputs do not change.

>>> shorten(model)  # 35 Concat, 13 Split and 38 Slice become 16 Concat and 19 Split in a ShuffleNetV2
(86, 35)

Only axis 1 is handled; other graphs stay unchanged.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import onnx
from onnx import helper, numpy_helper

from facelet.measure.efficiency.cost import Shapes, shapes_at_one

ROUTING = ("Concat", "Split", "Slice")


@dataclass(frozen=True)
class ChannelRange:
    """Channels first..end of the map ``source``."""

    source: str
    first: int
    end: int


Route = tuple[ChannelRange, ...]


def shorten(model: onnx.ModelProto) -> tuple[int, int]:
    """Simplifies ``model`` in place, unless that needs more nodes. Returns the number of routing nodes before and after."""
    graph = model.graph
    shapes = shapes_at_one(model)
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer if len(tensor.dims) == 1}
    routes: dict[str, Route] = {}
    routing = set()
    for number, node in enumerate(graph.node):
        traced = _followed(node, routes, shapes, constants)
        if traced:
            routes.update(traced)
            routing.add(number)
    outputs = {value.name for value in graph.output}
    others = [node for number, node in enumerate(graph.node) if number not in routing]
    if not routing or outputs & routes.keys():
        return len(routing), len(routing)
    wanted = {name: routes[name] for node in others for name in node.input if name in routes}
    drawn = _Drawing(wanted, shapes)
    nodes = [split for value in graph.input for split in drawn.splits_of(value.name)]
    for node in others:
        for place, name in enumerate(node.input):
            if name in wanted:
                node.input[place] = drawn.read(wanted[name], nodes)
        nodes.append(node)
        for name in node.output:
            nodes += drawn.splits_of(name)
    after = len(nodes) - len(others)
    if after > len(routing):
        return len(routing), len(routing)
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:], graph.value_info[:]
    graph.node.extend(copies)
    graph.initializer.extend(drawn.sizes)
    _forget_unread(graph)
    return len(routing), after


def _followed(
    node: onnx.NodeProto, routes: dict[str, Route], shapes: Shapes, constants: Mapping[str, Any]
) -> dict[str, Route]:
    """Returns the routes of the outputs of a Concat, Split or Slice along channels; empty for any other node."""
    names = [*node.input[:1], *node.output] if node.op_type != "Concat" else [*node.input, *node.output]
    if node.op_type not in ROUTING or any(len(shapes.get(name, ())) != 4 for name in names):
        return {}
    axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 0)

    def route(name: str) -> Route:
        return routes.get(name, (ChannelRange(name, 0, shapes[name][1]),))

    if node.op_type == "Concat":
        return {node.output[0]: _merged([part for name in node.input for part in route(name)])} if axis == 1 else {}
    first = 0
    if node.op_type == "Slice":
        terms = [int(constants[name][0]) for name in node.input[1:] if len(constants.get(name, ())) == 1]
        if len(terms) < len(node.input) - 1 or len(terms) < 3:
            return {}
        start, _, axis, step = [*terms, 1][:4]
        width = shapes[node.input[0]][1]
        first = min(max(start + width if start < 0 else start, 0), width)
        if step != 1:
            return {}
    if axis not in (1, -3):
        return {}
    outputs = {}
    for name in node.output:
        end = first + shapes[name][1]
        outputs[name] = _cut(route(node.input[0]), first, end)
        first = end
    return outputs


def _cut(route: Route, first: int, end: int) -> Route:
    """Returns channels first..end of a route."""
    parts, at = [], 0
    for part in route:
        width = part.end - part.first
        low, high = max(first - at, 0), min(end - at, width)
        if low < high:
            parts.append(ChannelRange(part.source, part.first + low, part.first + high))
        at += width
    return tuple(parts)


def _merged(parts: list[ChannelRange]) -> Route:
    """Merges neighbouring parts that are contiguous in their source."""
    merged = parts[:1]
    for part in parts[1:]:
        last = merged[-1]
        if (last.source, last.end) == (part.source, part.first):
            merged[-1] = ChannelRange(last.source, last.first, part.end)
        else:
            merged.append(part)
    return tuple(merged)


class _Drawing:
    """Creates the Split and Concat nodes of the ``wanted`` routes, each once, on first use."""

    def __init__(self, wanted: dict[str, Route], shapes: Shapes) -> None:
        self.sizes: list[onnx.TensorProto] = []
        self._joined: dict[Route, str] = {}
        self._cuts: dict[str, list[int]] = {}
        for route in wanted.values():
            for part in route:
                width = shapes[part.source][1]
                if (part.first, part.end) != (0, width):
                    self._cuts[part.source] = sorted({0, width, part.first, part.end, *self._cuts.get(part.source, ())})
        self._widths = {part.source: shapes[part.source][1] for route in wanted.values() for part in route}

    def splits_of(self, source: str) -> list[onnx.NodeProto]:
        if source not in self._cuts:
            return []
        cuts = self._cuts[source]
        sizes = helper.make_tensor(
            f"{source}/sizes",
            onnx.TensorProto.INT64,
            [len(cuts) - 1],
            [b - a for a, b in itertools.pairwise(cuts)],
        )
        self.sizes.append(sizes)
        pieces = [_piece(source, first) for first in cuts[:-1]]
        return [helper.make_node("Split", [source, sizes.name], pieces, f"{source}/split", axis=1)]

    def read(self, route: Route, nodes: list[onnx.NodeProto]) -> str:
        """Returns the name of the map for ``route``; appends its Concat to ``nodes`` if needed."""
        pieces: list[str] = []
        for part in route:
            if (part.first, part.end) == (0, self._widths[part.source]):
                pieces.append(part.source)
            else:
                pieces += [_piece(part.source, cut) for cut in self._cuts[part.source] if part.first <= cut < part.end]
        if len(pieces) == 1:
            return pieces[0]
        if route not in self._joined:
            self._joined[route] = f"{pieces[0]}/joined/{len(self._joined)}"
            nodes.append(helper.make_node("Concat", pieces, [self._joined[route]], self._joined[route], axis=1))
        return self._joined[route]


def _piece(source: str, first: int) -> str:
    return f"{source}/from/{first}"


def _forget_unread(graph: onnx.GraphProto) -> None:
    read = {name for node in graph.node for name in node.input} | {value.name for value in graph.output}
    kept = [tensor for tensor in graph.initializer if tensor.name in read]
    if len(kept) < len(graph.initializer):
        copies = [onnx.TensorProto.FromString(tensor.SerializeToString()) for tensor in kept]
        del graph.initializer[:]
        graph.initializer.extend(copies)
