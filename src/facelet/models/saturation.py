"""Checks whether an int8 model can saturate, and whether the kernels of this machine do.

x86 processors without VNNI multiply 8-bit integers with VPMADDUBSW, which adds two u8 x s8 products in a saturating int16. Any two
weights of an output channel may be added there, depending on the kernel. A file therefore cannot saturate on any processor when
255 (|w1| + |w2|) <= 32767 holds for the two largest weights of every output channel. VNNI, ARM and WebAssembly add in 32 bits.

>>> risks(Path("student-int8.onnx").read_bytes())
[Risk(node='conv_3', op='Conv', pair=254)]
>>> kernels_saturate()
False
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from facelet.models.onnx_graph import INT8, Graph, Node, Weight, graphs
from facelet.models.onnx_wire import field

LARGEST_PAIR = 32767 // 255
"""Largest |w1| + |w2| of one output channel for which every sum of two products fits int16: 128."""
FLOAT_OPS = {"Conv": 0, "ConvTranspose": 1, "Gemm": 1, "MatMul": -1, "Einsum": None}
"""Operators that runtimes compute in int8 when their inputs are dequantized -> axis of the output channels of their weights."""
INT8_OPS = {
    "QLinearConv": 0,
    "ConvInteger": 0,
    "QLinearConvTranspose": 1,
    "QLinearMatMul": -1,
    "MatMulInteger": -1,
    "MatMulIntegerToFloat": -1,
    "DynamicQuantizeMatMul": -1,
    "QGemm": 1,
    "QAttention": -1,
    "DynamicQuantizeLSTM": -1,
}
MOVING_OPS = ("Identity", "Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Slice", "Gather", "Concat")
"""Operators that may reorder weights; after them the axis of the output channels is unknown."""
PASSING_OPS = ("Relu", "Clip", "MaxPool", "AveragePool", "GlobalAveragePool", "Pad", "Split")
"""Operators that a runtime may move a DequantizeLinear across, so that later nodes still run in int8."""


@dataclass(frozen=True)
class Risk:
    """A node that can saturate.

    Attributes:
        node: name of the node, or of its first output.
        op: operator type.
        pair: the largest |w1| + |w2| in an output channel; safe up to LARGEST_PAIR. 256, the maximum, when the weights are
            computed and not stored.
    """

    node: str
    op: str
    pair: int

    def __str__(self) -> str:
        return f"{self.op} {self.node} (weight pair {self.pair}, safe up to {LARGEST_PAIR})"


def risks(data: bytes) -> list[Risk]:
    """Nodes of an ONNX file that can saturate, in graph order; empty for a file that is safe on every processor.

    Only signed 8-bit weights, stored or computed, can saturate; unsigned weights are multiplied in 16 bits. Raises ValueError
    when ``data`` is not a complete ONNX file.
    """
    return [risk for risk in pairs(data) if risk.pair > LARGEST_PAIR]


def pairs(data: bytes) -> list[Risk]:
    """A ``Risk`` for every node with signed 8-bit weights, including safe nodes."""
    return [risk for graph in graphs(data) for risk in _of_graph(graph)]


def worst_pair(data: bytes) -> int:
    """The largest pair of a file; 0 when no node has signed 8-bit weights."""
    return max((risk.pair for risk in pairs(data)), default=0)


@dataclass(frozen=True)
class _Signed:
    """A signed 8-bit value: its stored weights (None if computed), and whether its axes were ``moved`` since."""

    weight: Weight | None
    moved: bool = False


def _of_graph(graph: Graph) -> Iterator[Risk]:
    signed = {
        name: _Signed(weight) for name, weight in graph.weights.items() if weight.data_type == INT8 and weight.shape
    }
    dequantized: dict[str, _Signed] = {}
    maps: set[str] = set()
    """Names of dequantized activations: a layer with float activations runs in float, whatever the type of its weights."""
    for node in graph.nodes:
        if node.op == "QuantizeLinear":
            zero = graph.weights.get(node.inputs[2]) if len(node.inputs) > 2 else None
            if zero is not None and zero.data_type == INT8:
                signed[node.outputs[0]] = _Signed(None)
        elif node.op == "DequantizeLinear":
            if node.inputs[0] in signed:
                dequantized[node.outputs[0]] = signed[node.inputs[0]]
            if node.inputs[0] not in graph.weights:
                maps.add(node.outputs[0])
        elif node.op in FLOAT_OPS or node.op in INT8_OPS:
            known = dequantized if node.op in FLOAT_OPS else signed
            if node.op in FLOAT_OPS and not maps & set(node.inputs):
                continue
            # The first input holds activations; VPMADDUBSW multiplies unsigned activations by signed weights.
            weights = [
                known[name] for place, name in enumerate(node.inputs) if name in known and _counts(place, known[name])
            ]
            if worst := max((_pair(value, node) for value in weights), default=0):
                yield Risk(node.name or (node.outputs[0] if node.outputs else ""), node.op, worst)
        elif node.op in MOVING_OPS or node.op in PASSING_OPS:
            if maps & set(node.inputs):
                maps |= set(node.outputs)
            for known in (signed, dequantized):
                if passed := [known[name] for name in node.inputs if name in known]:
                    whole = passed[0].weight if len(passed) == 1 else None
                    known.update({name: _Signed(whole, moved=node.op != "Identity") for name in node.outputs})


def _counts(place: int, value: _Signed) -> bool:
    return place > 0 or value.weight is not None


def _pair(value: _Signed, node: Node) -> int:
    """The largest sum of two weight magnitudes in an output channel."""
    weight = value.weight
    if weight is None:
        return 256
    integers = np.abs(weight.int8().astype(np.int16))
    axis = {**FLOAT_OPS, **INT8_OPS}[node.op]
    if node.op in ("Gemm", "QGemm"):
        axis = 0 if node.integers.get("transB") else 1
    if axis is None or value.moved or integers.ndim < 2:
        return _largest_two(integers.reshape(1, -1))
    return _largest_two(np.moveaxis(integers, axis, 0).reshape(integers.shape[axis], -1))


def _largest_two(channels: NDArray[np.int16]) -> int:
    """The largest sum of a row's two largest magnitudes, over all rows of (M, K); 0 when there are none."""
    if not channels.size:
        return 0
    if channels.shape[1] == 1:
        return int(channels.max())
    return int(np.partition(channels, -2, axis=1)[:, -2:].sum(axis=1).max())


@lru_cache(maxsize=1)
def kernels_saturate() -> bool:
    """Whether ONNX Runtime's int8 kernels on this machine add in saturating 16 bits.

    Runs a convolution of 255s with 127s, whose exact output is known, instead of reading CPU flags. Takes a millisecond, once per
    process.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    faces = np.full((1, CHANNELS, 4, 4), 255, np.uint8)
    try:
        session = onnxruntime.InferenceSession(_probe(), options, providers=["CPUExecutionProvider"], enable_fallback=0)
        output = session.run(None, {"x": faces})[0]
    except Exception:  # ONNX Runtime raises its own classes; a runtime that fails is assumed to saturate
        return True
    return bool((output != EXACT).any())


CHANNELS, EXACT = 32, 200
"""Channels of the probe, and its output without saturation; with saturation the output is 101."""


def _probe() -> bytes:
    """An ONNX file with one 1 x 1 QLinearConv on CHANNELS channels, all weights 127, scaled so that every output is EXACT."""
    products = 255 * 127 * CHANNELS
    tensors = [
        _tensor("one", 1, (), np.float32(1).tobytes()),
        _tensor("zero", 2, (), b"\0"),
        _tensor("w", INT8, (CHANNELS, CHANNELS, 1, 1), b"\x7f" * CHANNELS**2),
        _tensor("w_zero", INT8, (), b"\0"),
        _tensor("y_scale", 1, (), np.float32(products / EXACT).tobytes()),
    ]
    names = ("x", "one", "zero", "w", "one", "w_zero", "y_scale", "zero")
    node = b"".join(field(1, name) for name in names) + field(2, "y") + field(4, "QLinearConv")
    graph = field(1, node) + field(2, "probe") + b"".join(field(5, tensor) for tensor in tensors)
    graph += field(11, _value("x")) + field(12, _value("y"))
    return field(1, 8) + field(7, graph) + field(8, field(1, "") + field(2, 13))


def _tensor(name: str, data_type: int, shape: tuple[int, ...], raw: bytes) -> bytes:
    return b"".join(field(1, side) for side in shape) + field(2, data_type) + field(8, name) + field(9, raw)


def _value(name: str) -> bytes:
    """A ValueInfoProto: uint8, (1, CHANNELS, 4, 4)."""
    shape = b"".join(field(1, field(1, side)) for side in (1, CHANNELS, 4, 4))
    return field(1, name) + field(2, field(1, field(1, 2) + field(2, shape)))
