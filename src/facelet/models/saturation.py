"""Whether an int8 model can saturate, and whether the kernels of this machine do.

x86 processors without VNNI multiply 8-bit integers with VPMADDUBSW, which adds two u8 x s8 products in a saturating int16. Two
weights of one output channel may meet there, so a file cannot saturate on any processor when, in every output channel,
255 (|w1| + |w2|) <= 32767 for its two largest weights. VNNI, ARM and WebAssembly add in 32 bits. Which weights of a channel meet
depends on the kernel; the two largest bound them all.

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
"""|w1| + |w2| of one output channel up to which no sum of two products leaves int16: 128."""
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
"""Operators that weights may pass on their way; afterwards the axis of the output channels is not known any more."""
PASSING_OPS = ("Relu", "Clip", "MaxPool", "AveragePool", "GlobalAveragePool", "Pad", "Split")
"""Operators behind which a runtime may still compute in int8 what was dequantized before them."""


@dataclass(frozen=True)
class Risk:
    """A node that can saturate.

    Attributes:
        node: its name, or the name of its first output. op: its type.
        pair: the largest |w1| + |w2| in an output channel; up to LARGEST_PAIR is safe. 256, the largest there is, where the
            weights are computed and not stored.
    """

    node: str
    op: str
    pair: int

    def __str__(self) -> str:
        return f"{self.op} {self.node} (weight pair {self.pair}, safe up to {LARGEST_PAIR})"


def risks(data: bytes) -> list[Risk]:
    """Nodes of an ONNX file that can saturate, in the order of the graph; empty for a file that is safe everywhere.

    Signed 8-bit weights count, stored or computed; unsigned ones are multiplied in 16 bits. Raises ValueError when ``data`` is not
    a whole ONNX file.
    """
    return [risk for risk in pairs(data) if risk.pair > LARGEST_PAIR]


def pairs(data: bytes) -> list[Risk]:
    """``risks`` of all nodes with signed 8-bit weights, the safe ones included."""
    return [risk for graph in graphs(data) for risk in _of_graph(graph)]


def worst_pair(data: bytes) -> int:
    """The largest pair of the file; 0 where nothing is computed in signed 8 bits."""
    return max((risk.pair for risk in pairs(data)), default=0)


@dataclass(frozen=True)
class _Signed:
    """A signed 8-bit value: its stored weights, None where it is computed; ``moved``: whether its axes are not those stored."""

    weight: Weight | None
    moved: bool = False


def _of_graph(graph: Graph) -> Iterator[Risk]:
    signed = {
        name: _Signed(weight) for name, weight in graph.weights.items() if weight.data_type == INT8 and weight.shape
    }
    dequantized: dict[str, _Signed] = {}
    maps: set[str] = set()
    """Names of dequantized maps: a layer whose maps are in float is computed in float, whatever its weights are stored in."""
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
            # Activations come first, and only signed weights meet unsigned activations in VPMADDUBSW.
            found = [
                known[name] for place, name in enumerate(node.inputs) if name in known and _counts(place, known[name])
            ]
            if worst := max((_pair(value, node) for value in found), default=0):
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
    """The largest sum of two magnitudes in an output channel."""
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
    """The largest sum of the two largest numbers of a row, (M, K) magnitudes; 0 when there are none."""
    if not channels.size:
        return 0
    if channels.shape[1] == 1:
        return int(channels.max())
    return int(np.partition(channels, -2, axis=1)[:, -2:].sum(axis=1).max())


@lru_cache(maxsize=1)
def kernels_saturate() -> bool:
    """Whether ONNX Runtime's int8 kernels on this machine add in saturating 16 bits. Asked of the runtime, not of the processor:
    a convolution of 255s with 127s, whose exact answer is known. A millisecond, once a process.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    faces = np.full((1, CHANNELS, 4, 4), 255, np.uint8)
    try:
        session = onnxruntime.InferenceSession(_probe(), options, providers=["CPUExecutionProvider"], enable_fallback=0)
        answer = session.run(None, {"x": faces})[0]
    except Exception:  # ONNX Runtime raises its own classes; a runtime that cannot answer is not taken to be exact
        return True
    return bool((answer != EXACT).any())


CHANNELS, EXACT = 32, 200
"""Channels of the probe, and its answer where nothing saturates; with saturation it is 101."""


def _probe() -> bytes:
    """An ONNX file: QLinearConv of 1 x 1 on CHANNELS channels, all weights 127, scaled so that its answers are all EXACT."""
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
    """A ValueInfoProto: unsigned 8 bits, (1, CHANNELS, 4, 4)."""
    shape = b"".join(field(1, field(1, side)) for side in (1, CHANNELS, 4, 4))
    return field(1, name) + field(2, field(1, field(1, 2) + field(2, shape)))
