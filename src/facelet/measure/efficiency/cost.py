"""Cost of a net or model file: parameters, multiply-accumulates (MACs) for one face, bytes.

>>> net_cost(net, spec)
Cost(params=1261372, macs=25067288, bytes=0)
>>> file_cost("student.onnx")
Cost(params=1253282, macs=25067288, bytes=5039993)

MACs count convolutions and matrix products at batch size 1. Other operators (activations, pooling, concatenation) take time but
are not counted, so latency is measured and not derived from MACs. Fusable layers (nets.layers.fusable) count in fused form. A file
has slightly fewer parameters than its net, because batch norms are folded into the preceding convolutions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facelet.errors import FaceletError

if TYPE_CHECKING:
    from torch import nn

    from facelet.nets.spec import NetSpec

Shapes = dict[str, tuple[int, ...]]

# operator -> positions of the inputs that are scales and zero points
_SCALES = {
    "QuantizeLinear": (1, 2),
    "DequantizeLinear": (1, 2),
    "QLinearConv": (1, 2, 4, 5, 6, 7),
    "QLinearMatMul": (1, 2, 4, 5, 6, 7),
    "QGemm": (1, 2, 4, 5, 7, 8),
}


@dataclass(frozen=True)
class Cost:
    """Parameters, multiply-accumulates for one face, and file size in bytes (0 for a net)."""

    params: int
    macs: int
    bytes: int = 0


def net_cost(net: nn.Module, spec: NetSpec) -> Cost:
    """Returns the cost of a torch net on any device, including the meta device."""
    import torch

    from facelet.nets.layers.fusable import fused

    first = next(net.parameters())
    face = torch.zeros(1, spec.channels, spec.size, spec.size, device=first.device, dtype=first.dtype)
    return module_cost(fused(net), face)


def module_cost(module: nn.Module, *inputs: Any) -> Cost:
    """Returns the cost of a module; ``inputs``: for one face."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    training, counter = module.training, FlopCounterMode(display=False)
    module.eval()
    try:
        with torch.no_grad(), counter:
            module(*inputs)
    finally:
        module.train(training)
    return Cost(sum(parameter.numel() for parameter in module.parameters()), counter.get_total_flops() // 2)


def file_cost(path: str | Path) -> Cost:
    """Returns the cost of an ONNX file, fp32 or quantized (QDQ or QLinear). Raises FaceletError when it cannot be read."""
    import onnx

    try:
        model = onnx.load(str(path), load_external_data=False)
        size = Path(path).stat().st_size
        macs = graph_macs(model)
    except Exception as error:  # protobuf, onnx and the file system each raise their own classes
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise FaceletError(f"cannot count the cost of {path}: {reason[:200]}") from error
    return Cost(_params(model.graph), macs, size)


def graph_macs(model: Any) -> int:
    """Returns the multiply-accumulates of an ``onnx.ModelProto`` for one face, with all branches executed."""
    shapes = shapes_at_one(model)
    return sum(_node_macs(node, shapes) for graph in _graphs(model.graph) for node in graph.node)


def shapes_at_one(model: Any) -> Shapes:
    """Returns the inferred tensor shapes for a batch of one face; tensors with unknown shapes are left out."""
    import onnx

    single = onnx.ModelProto()
    single.CopyFrom(model)
    for value in (*single.graph.input, *single.graph.output):
        if value.type.tensor_type.shape.dim:
            value.type.tensor_type.shape.dim[0].dim_value = 1
    del single.graph.value_info[:]
    inferred = onnx.shape_inference.infer_shapes(single, data_prop=True)
    shapes: Shapes = {}
    for graph in _graphs(inferred.graph):
        shapes |= {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
        for value in (*graph.input, *graph.value_info, *graph.output):
            dims = value.type.tensor_type.shape.dim
            if all(dim.HasField("dim_value") for dim in dims):
                shapes[value.name] = tuple(dim.dim_value for dim in dims)
            elif graph is not inferred.graph and all(dim.HasField("dim_value") for dim in dims[1:]):
                shapes[value.name] = (1, *(dim.dim_value for dim in dims[1:]))  # batch of the faces in this branch
    return shapes


def _graphs(graph: Any) -> Iterator[Any]:
    """Yields the graph and the subgraphs of its branches."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _graphs(attribute.g)


def _params(graph: Any) -> int:
    """Returns the number of weights: elements of constants, without shapes, axes, scales, zero points and scalars."""
    from onnx import TensorProto

    weights = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.INT8, TensorProto.UINT8, TensorProto.INT32)
    graphs = list(_graphs(graph))
    nodes = [node for each in graphs for node in each.node]
    scales = {node.input[place] for node in nodes for place in _SCALES.get(node.op_type, ()) if place < len(node.input)}
    read = {name for node in nodes for name in node.input} - scales
    return sum(
        prod(tensor.dims)
        for each in graphs
        for tensor in each.initializer
        if tensor.name in read and tensor.data_type in weights and tensor.dims
    )


def _node_macs(node: Any, shapes: Shapes) -> int:
    quantized = node.op_type.startswith("QLinear")
    kind = node.op_type.removeprefix("QLinear") if quantized else {"QGemm": "Gemm"}.get(node.op_type, node.op_type)
    if kind not in ("Conv", "ConvTranspose", "Gemm", "MatMul"):
        return 0
    left, right = node.input[0], node.input[3 if quantized or node.op_type == "QGemm" else 1]
    output = node.output[0]
    for name in (left, right, output):
        if name not in shapes:
            raise FaceletError(f"the shape of {name!r} cannot be inferred")
    if kind == "Conv":  # weight (out, in / groups, kh, kw), applied at each position of the output
        return prod(shapes[output]) * prod(shapes[right][1:])
    if kind == "ConvTranspose":  # weight (in, out / groups, kh, kw), applied at each position of the input
        return prod(shapes[left]) * prod(shapes[right][1:])
    transposed = any(attribute.name == "transA" and attribute.i for attribute in node.attribute)
    inner = shapes[left][-2 if kind == "Gemm" and transposed else -1]
    return prod(shapes[output]) * inner
