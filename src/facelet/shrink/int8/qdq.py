"""An fp32 graph in int8: ranges from faces, then QuantizeLinear/DequantizeLinear pairs around what is to be quantized.

>>> graph = Calibrated("student.onnx", inputs)          # quant_pre_process, ranges of all maps
>>> model = graph.quantized(QuantizationConfig("u8s8"))             # an onnx.ModelProto in QDQ form

Static quantization as ONNX Runtime does it, weights per channel. Computing operators (Conv, Gemm, MatMul) are quantized.
Operators that only pass values on (Concat, Split, Relu, ...) are too: a shuffle net that goes from int8 to float and back
between any two convolutions gains far less. Sums stay in float: in int8 they cost accuracy and hardly save time.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QDQQuantizer, QuantType
from onnxruntime.quantization.calibrate import create_calibrator
from onnxruntime.quantization.shape_inference import quant_pre_process

from facelet.errors import FaceletError
from facelet.models import saturation
from facelet.shrink.export import quiet
from facelet.shrink.int8.weight_scales import portable_scales, seven_bit_scales

COMPUTING = ("Conv", "ConvTranspose", "Gemm", "MatMul")
PASSING = (
    "Concat",
    "Split",
    "Slice",
    "Relu",
    "Clip",
    "MaxPool",
    "Reshape",
    "Transpose",
    "Flatten",
    "Squeeze",
    "Unsqueeze",
)
FOLDED = ("Relu", "Clip")
TYPES: dict[str, QuantType] = {"u8s8": QuantType.QUInt8, "s8s8": QuantType.QInt8}
"""Name -> type of the maps; weights are signed in both."""

Types = Literal["u8s8", "s8s8"]


@dataclass(frozen=True)
class QuantizationConfig:
    """How a graph is to be quantized.

    Attributes:
        types: of maps and weights. On x86 the runtime's fast kernels are u8s8, on ARM s8s8.
        floats: names of computing nodes that stay in float.
        portable: weights are scaled so that no sum of products can saturate on any processor; otherwise they take all 8 bits.
    """

    types: Types
    floats: tuple[str, ...] = ()
    portable: bool = True


class _Inputs(CalibrationDataReader):
    def __init__(self, name: str, batches: Sequence[NDArray[np.float32]]) -> None:
        self._batches = iter([{name: batch} for batch in batches])

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        return next(self._batches, None)


class Calibrated:
    """A graph ready to be quantized, any number of ways, with the range that each of its maps takes on some faces.

    A range is the mean over batches of 20 of each batch's least and greatest value, which one odd face moves less than the
    extremes of all faces.

    ``inputs``: float32 (N, C, H, W), prepared as for the network. Raises FaceletError when the runtime's tools cannot read
    the graph, or it has nothing to quantize.
    """

    def __init__(self, path: str | Path, inputs: NDArray[np.float32], batch: int = 20) -> None:
        batches = [inputs[start : start + batch] for start in range(0, len(inputs), batch)]
        with tempfile.TemporaryDirectory(prefix="facelet-") as folder, quiet():
            ready = Path(folder) / "ready.onnx"
            try:
                # Symbolic shapes are for sequences; all shapes are known here, and it stumbles over ReduceMax.
                quant_pre_process(str(path), str(ready), skip_symbolic_shape=True)
                self._model = onnx.load(str(ready))
                calibrator = create_calibrator(
                    ready,
                    [*COMPUTING, *PASSING],
                    augmented_model_path=str(Path(folder) / "watched.onnx"),
                    calibrate_method=CalibrationMethod.MinMax,
                    extra_options={"moving_average": True},
                )
                calibrator.collect_data(_Inputs(self._model.graph.input[0].name, batches))
                self._ranges = calibrator.compute_data()
            except Exception as error:  # the tools raise whatever goes wrong in them
                reason = next(iter(str(error).splitlines()), type(error).__name__)
                raise FaceletError(f"{path} cannot be prepared for int8: {reason[:200]}") from error
        for number, node in enumerate(self._model.graph.node):
            node.name = node.name or f"{node.op_type}_{number}"
        if not self.computing:
            raise FaceletError(f"{path} has nothing to quantize: no {', '.join(COMPUTING)}")

    @property
    def computing(self) -> tuple[str, ...]:
        """Names of the nodes that can be quantized for speed, in the order they run."""
        return tuple(node.name for node in self._model.graph.node if node.op_type in COMPUTING)

    def plan(self, choice: QuantizationConfig) -> str:
        """What ``quantized`` will do, one line: "u8s8, per channel: 56 Conv and 1 Gemm; 35 others pass int8 on"."""
        nodes = [node for node in self._model.graph.node if node.name not in choice.floats]
        counts = Counter(node.op_type for node in nodes if node.op_type in COMPUTING)
        passing = sum(node.op_type in PASSING for node in nodes) - len(self._idle(choice))
        named = " and ".join(f"{count} {kind}" for kind, count in counts.most_common()) or "nothing"
        bits = ", cannot saturate" if choice.portable else ", 8-bit weights"
        some = ", ".join(choice.floats[:3]) + (", ..." if len(choice.floats) > 3 else "")
        left = f"{len(choice.floats)} left in float: {some}" if choice.floats else "none left in float"
        return f"{choice.types}, per channel{bits}: {named} in int8, {passing} others pass int8 on, {left}"

    def _idle(self, choice: QuantizationConfig) -> list[str]:
        """Passing nodes that no int8 layer feeds, or that only feed float layers: in int8 they would cost accuracy and gain
        nothing. An activation behind an int8 layer is folded into it wherever it leads.
        """
        nodes = self._model.graph.node
        int8 = [node for node in nodes if node.op_type in COMPUTING and node.name not in choice.floats]
        made = {name for node in int8 for name in node.output}
        passing = [node for node in nodes if node.op_type in PASSING]
        wanted = {
            name
            for node in nodes
            if node.op_type not in PASSING and node.name not in choice.floats
            for name in node.input
        }
        for node in passing:
            if made & set(node.input):
                made |= set(node.output)
        for node in reversed(passing):
            if wanted & set(node.output):
                wanted |= set(node.input)
        return [
            node.name
            for node in passing
            if not made & set(node.input) or not (node.op_type in FOLDED or wanted & set(node.output))
        ]

    def _shared(self) -> dict[str, list[dict[str, Any]]]:
        """One range for all maps that joins and cuts connect, so that the runtime copies instead of scaling anew, where
        that makes no map's steps more than twice as wide.
        """
        ranges = {name: self._ranges[name].range_value for name in self._ranges.keys()}  # noqa: SIM118 (not a dict)
        spans = {name: tuple(float(np.ravel(end)[0]) for end in ends) for name, ends in ranges.items()}
        groups: list[set[str]] = []
        for node in self._model.graph.node:
            group = {name for name in (*node.input, *node.output) if name in spans}
            if group and node.op_type in ("Concat", "Split"):
                touched = [other for other in groups if other & group]
                groups = [other for other in groups if not other & group] + [group.union(*touched)]
        shared = {}
        for group in groups:
            low, high = min(spans[name][0] for name in group), max(spans[name][1] for name in group)
            if all(high - low <= 2 * (spans[name][1] - spans[name][0]) for name in group):
                shared.update({name: [{"rmin": np.float32(low), "rmax": np.float32(high)}] for name in sorted(group)})
        return shared

    def _weight_scales(self, choice: QuantizationConfig) -> dict[str, list[dict[str, Any]]]:
        """Overrides of the quantizer's scales of weights, for a portable graph."""
        stored = {tensor.name: tensor for tensor in self._model.graph.initializer}
        readers = Counter(name for node in self._model.graph.node for name in node.input)
        scales: dict[str, list[dict[str, Any]]] = {}
        for node in self._model.graph.node:
            if node.op_type not in COMPUTING or node.name in choice.floats or node.input[1] not in stored:
                continue
            weights = onnx.numpy_helper.to_array(stored[node.input[1]])
            axis = _channel_axis(node)
            if weights.ndim < 2 or weights.dtype != np.float32:
                rows, rule, axes = weights.reshape(1, -1), seven_bit_scales, {}
            else:
                rows = np.moveaxis(weights, axis, 0).reshape(weights.shape[axis], -1)
                # The axis is that of the output channels but in a batched MatMul; and two readers may have two axes.
                exact = readers[node.input[1]] == 1 and (node.op_type != "MatMul" or weights.ndim == 2)
                rule, axes = portable_scales if exact else seven_bit_scales, {"axis": axis}
            zero = {"quant_type": QuantType.QInt8, "zero_point": np.int8(0)}
            scales[node.input[1]] = [{**axes, **zero, "scale": scale} for scale in rule(rows.astype(np.float32))]
        return scales

    def quantized(self, choice: QuantizationConfig) -> onnx.ModelProto:
        """The graph in QDQ form. Deterministic.

        Raises FaceletError where a portable choice cannot be had: signed maps whose product is computed (s8s8).
        """
        overrides = {**self._shared(), **(self._weight_scales(choice) if choice.portable else {})}
        model = onnx.ModelProto.FromString(self._model.SerializeToString())
        with quiet():
            quantizer = QDQQuantizer(
                model,
                True,
                False,
                QuantType.QInt8,
                TYPES[choice.types],
                self._ranges,
                [],
                [*choice.floats, *self._idle(choice)],
                [*COMPUTING, *PASSING],
                {"TensorQuantOverrides": overrides},
            )
            quantizer.quantize_model()
            quantizer.model.topological_sort()  # the standard asks for it, the quantizer does not see to it
        made = quantizer.model.model
        used = {node.domain for node in made.graph.node}
        domains = [known for known in made.opset_import if known.domain in used]
        del made.opset_import[:], made.graph.value_info[:], made.metadata_props[:]
        made.opset_import.extend(domains)
        if choice.portable and (risks := saturation.risks(made.SerializeToString())):
            raise FaceletError(
                f"{choice.types} cannot be made portable: {risks[0]}; take types: u8s8, or another target"
            )
        return made


def _channel_axis(node: onnx.NodeProto) -> int:
    """The axis of a node's weights that the quantizer gives a scale each: of output channels, but in a batched MatMul."""
    if node.op_type == "Gemm":
        return 0 if any(attribute.name == "transB" and attribute.i for attribute in node.attribute) else 1
    return 0 if node.op_type == "Conv" else 1
