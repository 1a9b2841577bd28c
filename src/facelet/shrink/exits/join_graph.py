"""Joins the parts of an early-exit net in one graph; deeper parts run in branches, only for faces below the threshold.

>>> model = assemble(staged(net, spec), threshold=0.9)
>>> session.run(["logits", "exit"], {"images": faces})                      # stops at a confidence of 0.9
>>> session.run(["logits", "exit"], {"images": faces, "threshold": 2.0})    # never before the deepest

After each part, a face whose largest probability reaches the threshold keeps its logits; only the other faces continue (ONNX's If,
Compress and ScatterND). So a batch gives the same results as single faces, and any ONNX Runtime can run the graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Nodes = list[onnx.NodeProto]


def assemble(parts: Sequence[onnx.ModelProto], threshold: float, temperature: float = 1.0) -> onnx.ModelProto:
    """Returns one graph of ``parts``, shallow to deep, as created by ``staged``.

    Inputs: "images" (batch, C, H, W); "threshold", a scalar with the default ``threshold``. Outputs: "logits" (batch, K), and
    "exit", int64 (batch,), the number of the exit, 1 the shallowest. ``temperature`` divides the logits for the confidence.
    """
    nodes, constants = _stage(parts, 0, "images", "logits", "exit", temperature)
    first, classes = parts[0].graph, parts[0].graph.output[0].type.tensor_type.shape.dim[1].dim_value
    graph = helper.make_graph(
        nodes,
        "early exit",
        [first.input[0], helper.make_tensor_value_info("threshold", TensorProto.FLOAT, [])],
        [
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", classes]),
            helper.make_tensor_value_info("exit", TensorProto.INT64, ["batch"]),
        ],
        [*constants, numpy_helper.from_array(np.array(threshold, np.float32), "threshold")],
    )
    opsets = {each.domain: each for part in parts for each in part.opset_import}
    return helper.make_model(graph, opset_imports=list(opsets.values()), ir_version=parts[0].ir_version)


def _stage(
    parts: Sequence[onnx.ModelProto], k: int, source: str, logits: str, exit_: str, temperature: float
) -> tuple[Nodes, list[onnx.TensorProto]]:
    """Returns nodes and constants of part ``k`` on the map ``source`` and all deeper parts, with outputs ``logits``, ``exit_``."""
    at, last = f"stage{k + 1}/", k == len(parts) - 1
    own = logits if last else f"{at}logits"
    nodes, constants = _placed(parts[k].graph, at, {_input(parts[k]): source, "logits": own, "map": f"{at}map"})

    def constant(name: str, value: object, kind: type) -> str:
        constants.append(numpy_helper.from_array(np.asarray(value, kind), f"{at}{name}"))
        return f"{at}{name}"

    def node(kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    count = node("Shape", [own], f"{at}count", start=0, end=1)
    number = node("Expand", [constant("number", [k + 1], np.int64), count], exit_ if last else f"{at}exit")
    if last:
        return nodes, constants
    cooled = node("Mul", [own, constant("scale", 1 / temperature, np.float32)], f"{at}cooled")
    shares = node("Softmax", [cooled], f"{at}shares", axis=1)
    surest = node("ReduceMax", [shares, constant("axis", [1], np.int64)], f"{at}confidence", keepdims=0)
    unsure = node("Less", [surest, "threshold"], f"{at}unsure")
    flags = node("Cast", [unsure], f"{at}flags", to=TensorProto.INT32)
    any_ = node("Cast", [node("ReduceMax", [flags], f"{at}any", keepdims=0)], f"{at}goes on", to=TensorProto.BOOL)
    nodes.append(
        helper.make_node(
            "If",
            [any_],
            [logits, exit_],
            name=f"{at}if",
            then_branch=_deeper(parts, k, own, number, unsure, temperature),
            else_branch=helper.make_graph(
                [helper.make_node("Identity", [name], [f"{at}kept {name}"]) for name in (own, number)],
                f"{at}stop",
                [],
                _outputs(f"{at}kept {own}", f"{at}kept {number}"),
            ),
        )
    )
    return nodes, constants


def _deeper(
    parts: Sequence[onnx.ModelProto], k: int, logits: str, number: str, unsure: str, temperature: float
) -> onnx.GraphProto:
    """Returns the branch that processes the unsure faces further and replaces their rows of part ``k``'s outputs."""
    at = f"stage{k + 2}/"
    inner, constants = _stage(parts, k + 1, f"{at}rows", f"{at}answers", f"{at}exits", temperature)
    nodes = [
        helper.make_node("Compress", [f"stage{k + 1}/map", unsure], [f"{at}rows"], name=f"{at}rows", axis=0),
        *inner,
        helper.make_node("NonZero", [unsure], [f"{at}where"], name=f"{at}where"),
        helper.make_node("Transpose", [f"{at}where"], [f"{at}places"], name=f"{at}places", perm=[1, 0]),
        helper.make_node("ScatterND", [logits, f"{at}places", f"{at}answers"], [f"{at}all"], name=f"{at}all"),
        helper.make_node("ScatterND", [number, f"{at}places", f"{at}exits"], [f"{at}all exits"], name=f"{at}all exits"),
    ]
    return helper.make_graph(nodes, f"{at}go on", [], _outputs(f"{at}all", f"{at}all exits"), constants)


def _outputs(logits: str, exit_: str) -> list[onnx.ValueInfoProto]:
    return [
        helper.make_tensor_value_info(logits, TensorProto.FLOAT, None),
        helper.make_tensor_value_info(exit_, TensorProto.INT64, None),
    ]


def _input(part: onnx.ModelProto) -> str:
    return part.graph.input[0].name


def _placed(graph: onnx.GraphProto, at: str, names: dict[str, str]) -> tuple[Nodes, list[onnx.TensorProto]]:
    """Returns copies of a part's nodes and constants with names prefixed by ``at``, except those mapped by ``names``."""

    def renamed(name: str) -> str:
        return names.get(name, at + name) if name else ""

    nodes, constants = [], []
    for old in graph.node:
        copy = onnx.NodeProto.FromString(old.SerializeToString())
        copy.name = at + old.name
        copy.input[:], copy.output[:] = map(renamed, old.input), map(renamed, old.output)
        nodes.append(copy)
    for tensor in graph.initializer:
        constants.append(onnx.TensorProto.FromString(tensor.SerializeToString()))
        constants[-1].name = at + tensor.name
    return nodes, constants
