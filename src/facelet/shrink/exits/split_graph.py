"""Splits a net with exits into a chain of graphs, one per exit; ``assemble`` joins them into an early-exit model file.

>>> parts = staged(net, spec, [0, 2])   # images → (logits, map), map → (logits, map), map → logits
>>> [value.name for value in parts[0].graph.output]
['logits', 'map']

Each part computes its exit's logits and the map that is the input of the next part. A net in which a stage or the final output
reads more than the map of the preceding stage cannot be split and is refused.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import onnx
from onnx import helper
from torch import Tensor, nn

from facelet.errors import FaceletError
from facelet.measure.efficiency.cost import graph_macs, shapes_at_one
from facelet.nets.layers.exits import ExitNet
from facelet.nets.spec import NetSpec
from facelet.shrink.channel_routes import shorten
from facelet.shrink.exits.thresholds import ExitMacs
from facelet.shrink.export import graph_of


class _Staged(nn.Module):
    """Returns the logits of the exits ``kept`` and of the deepest, then the maps of the stages before those exits."""

    def __init__(self, net: ExitNet, kept: Sequence[int]) -> None:
        super().__init__()
        self.net, self.kept = net, kept

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        stages = self.net.stages(images)
        shallow = [self.net.heads.exits[k](stages[k]).logits for k in self.kept]
        return (*shallow, self.net.classify(self.net.embed(stages)), *(stages[k] for k in self.kept))


def staged(net: ExitNet, spec: NetSpec, kept: Sequence[int] | None = None) -> list[onnx.ModelProto]:
    """Returns the parts of an ``ExitNet``, shallow to deep: one per exit in ``kept``, then one for the net's final output.

    ``kept``: exits, 0 the shallowest; default: all. A part's input is "images" or "before", (batch, C, H, W) float; its outputs
    are "logits" (batch, K) and, except for the deepest, "map". Raises FaceletError when the net cannot be exported, or a part
    needs more than the map before it.
    """
    kept = range(len(net.heads.exits)) if kept is None else kept
    module, count = _Staged(copy.deepcopy(net).cpu().float().eval(), kept), len(kept) + 1
    logits, maps = [f"logits{k}" for k in range(count)], [f"map{k}" for k in range(count - 1)]
    model = graph_of(module, spec, [*logits, *maps])
    _broadcast(model)
    parts = []
    for k in range(count):
        source = maps[k - 1] if k else "images"
        part = cut(model, source, [logits[k], *maps[k : k + 1]], f"part {k + 1} of {spec.name}")
        _rename(
            part,
            {source: "before" if k else "images", logits[k]: "logits", **dict.fromkeys(maps[k : k + 1], "map")},
        )
        parts.append(part)
    return parts


def work_of(parts: Sequence[onnx.ModelProto]) -> ExitMacs:
    """Returns the MACs of all stages and exit heads."""
    whole = [graph_macs(part) for part in parts]
    stages = [graph_macs(cut(part, part.graph.input[0].name, ["map"], "a stage")) for part in parts[:-1]]
    heads = [both - stage for both, stage in zip(whole, stages, strict=False)]
    return ExitMacs((*stages, whole[-1]), tuple(heads))


def cut(model: onnx.ModelProto, source: str, targets: list[str], what: str) -> onnx.ModelProto:
    """Returns the nodes of ``model`` between the map ``source`` and ``targets`` as a separate, simplified graph.

    ``what``: name of the part in errors. Raises FaceletError when the targets depend on the model's input in another way.
    """
    graph = model.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    values = {value.name: value for value in (*graph.input, *graph.output)}
    inputs = {value.name for value in graph.input} - {source}
    wanted, nodes = set(targets), []
    for node in reversed(graph.node):
        if wanted & set(node.output):
            nodes.append(onnx.NodeProto.FromString(node.SerializeToString()))
            if _batch_of(node, inputs):
                nodes[-1].input[0] = source  # every map has as many faces as the images
            wanted = (wanted - set(node.output)) | (set(nodes[-1].input) - {source})
    if inputs & wanted:
        raise FaceletError(
            f"{what} reads more than the map of the stage before it, so early exits are not possible; "
            "expected a chain of stages and an output that reads only the last of them"
        )
    read = {name for node in nodes for name in node.input}
    part = helper.make_graph(
        [*reversed(nodes)],
        "part",
        [values[source]],
        [values[name] for name in targets],
        [constants[name] for name in constants if name in read],
    )
    result = helper.make_model(part, opset_imports=model.opset_import, ir_version=model.ir_version)
    _read_through(result)
    shorten(result)
    return result


def _batch_of(node: onnx.NodeProto, inputs: set[str]) -> bool:
    """Returns whether ``node`` reads only the batch size of the model's input."""
    axes = {attribute.name: attribute.i for attribute in node.attribute}
    return node.op_type == "Shape" and node.input[0] in inputs and (axes.get("start", 0), axes.get("end")) == (0, 1)


def _broadcast(model: onnx.ModelProto) -> None:
    """Removes Expand (``expand_as``) before Mul, which broadcasts itself with the same result."""
    shapes = shapes_at_one(model)
    expanded = {node.output[0]: node for node in model.graph.node if node.op_type == "Expand"}
    for node in model.graph.node:
        for place, name in enumerate(node.input):
            if (
                node.op_type == "Mul"
                and name in expanded
                and shapes.get(node.input[1 - place]) == shapes.get(node.output[0])
            ):
                node.input[place] = expanded[name].input[0]


def _read_through(model: onnx.ModelProto) -> None:
    """Adds an Identity before every output, so that ``shorten`` also works if an output is a Concat.

    ONNX Runtime removes the Identity.
    """
    graph = model.graph
    for value in graph.output:
        inner = f"{value.name}/made"
        for node in graph.node:
            for names in (node.input, node.output):
                for place, name in enumerate(names):
                    if name == value.name:
                        names[place] = inner
    graph.node.extend(
        helper.make_node("Identity", [f"{value.name}/made"], [value.name], f"{value.name}/read")
        for value in graph.output
    )


def _rename(model: onnx.ModelProto, names: dict[str, str]) -> None:
    graph = model.graph
    for value in (*graph.input, *graph.output):
        value.name = names.get(value.name, value.name)
    for node in graph.node:
        for ends in (node.input, node.output):
            for place, name in enumerate(ends):
                ends[place] = names.get(name, name)
