"""A net with exits as a chain of graphs, one an exit: what ``assemble`` puts into one file that stops early.

>>> parts = staged(net, spec, [0, 2])   # images → (answer, map), map → (answer, map), map → answer
>>> [value.name for value in parts[0].graph.output]
['logits', 'map']

Each part computes its exit's logits and the map that the next part goes on from. A net whose deeper stages, or whose own
answer, read more than the map of the stage before them cannot be cut so, and is refused.
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
    """The answers of the exits ``kept`` and the deepest, then the maps of the stages before those exits."""

    def __init__(self, net: ExitNet, kept: Sequence[int]) -> None:
        super().__init__()
        self.net, self.kept = net, kept

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        stages = self.net.stages(images)
        shallow = [self.net.heads.exits[k](stages[k]).logits for k in self.kept]
        return (*shallow, self.net.classify(self.net.embed(stages)), *(stages[k] for k in self.kept))


def staged(net: ExitNet, spec: NetSpec, kept: Sequence[int] | None = None) -> list[onnx.ModelProto]:
    """The parts of an ``ExitNet``, shallow to deep: up to each of the exits ``kept`` (0 the shallowest; all when None), then
    to the net's own answer.

    A part's input is "images" or "before", (batch, C, H, W) float; its outputs are "logits" (batch, K) and, but for the
    deepest, "map". Raises FaceletError when the net cannot be exported, or a part needs more than the map before it.
    """
    kept = range(len(net.heads.exits)) if kept is None else kept
    ours, count = _Staged(copy.deepcopy(net).cpu().float().eval(), kept), len(kept) + 1
    answers, maps = [f"logits{k}" for k in range(count)], [f"map{k}" for k in range(count - 1)]
    model = graph_of(ours, spec, [*answers, *maps])
    _broadcast(model)
    parts = []
    for k in range(count):
        source = maps[k - 1] if k else "images"
        part = cut(model, source, [answers[k], *maps[k : k + 1]], f"part {k + 1} of {spec.name}")
        _rename(
            part,
            {source: "before" if k else "images", answers[k]: "logits", **dict.fromkeys(maps[k : k + 1], "map")},
        )
        parts.append(part)
    return parts


def work_of(parts: Sequence[onnx.ModelProto]) -> ExitMacs:
    """MACs of the parts' stages and heads, of all exits."""
    whole = [graph_macs(part) for part in parts]
    stages = [graph_macs(cut(part, part.graph.input[0].name, ["map"], "a stage")) for part in parts[:-1]]
    heads = [both - stage for both, stage in zip(whole, stages, strict=False)]
    return ExitMacs((*stages, whole[-1]), tuple(heads))


def cut(model: onnx.ModelProto, source: str, targets: list[str], what: str) -> onnx.ModelProto:
    """The nodes of ``model`` between the map ``source`` and ``targets`` as a graph of its own, its routes drawn short.

    Raises FaceletError, naming ``what``, when the targets need anything else that depends on the model's input.
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
            f"{what} reads more than the map of the stage before it, so the net cannot stop early; "
            "expected a net whose stages follow one another and whose answer reads the last of them"
        )
    read = {name for node in nodes for name in node.input}
    part = helper.make_graph(
        [*reversed(nodes)],
        "part",
        [values[source]],
        [values[name] for name in targets],
        [constants[name] for name in constants if name in read],
    )
    made = helper.make_model(part, opset_imports=model.opset_import, ir_version=model.ir_version)
    _read_through(made)
    shorten(made)
    return made


def _batch_of(node: onnx.NodeProto, inputs: set[str]) -> bool:
    """Whether ``node`` asks the model's input for its number of faces, and for nothing else."""
    asked = {attribute.name: attribute.i for attribute in node.attribute}
    return node.op_type == "Shape" and node.input[0] in inputs and (asked.get("start", 0), asked.get("end")) == (0, 1)


def _broadcast(model: onnx.ModelProto) -> None:
    """Lets products that are given a map written out to full size (``expand_as``) read the small one: the same numbers."""
    shapes = shapes_at_one(model)
    made = {node.output[0]: node for node in model.graph.node if node.op_type == "Expand"}
    for node in model.graph.node:
        for place, name in enumerate(node.input):
            if (
                node.op_type == "Mul"
                and name in made
                and shapes.get(node.input[1 - place]) == shapes.get(node.output[0])
            ):
                node.input[place] = made[name].input[0]


def _read_through(model: onnx.ModelProto) -> None:
    """Lets every output pass an Identity, so that a map that is a join of channels does not keep all routes from being
    drawn anew. The runtime takes it out.
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
        for some in (node.input, node.output):
            for place, name in enumerate(some):
                some[place] = names.get(name, name)
