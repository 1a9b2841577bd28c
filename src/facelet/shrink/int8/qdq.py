"""Static quantization of an ONNX graph to QDQ form: calibration on faces, then QuantizeLinear/DequantizeLinear pairs.

>>> graph = Calibrated("student.onnx", inputs)          # quant_pre_process, ranges of all maps
>>> model = graph.quantized(QuantizationConfig("u8s8"))             # an onnx.ModelProto in QDQ form

Uses ONNX Runtime's tools, with scales per channel for weights. Computing operators (Conv, Gemm, MatMul) are quantized, and so are
operators that only pass values on (Concat, Split, Relu, ...): otherwise a shuffle net converts between int8 and float around every
convolution. Additions stay in float: in int8 they cost accuracy and save little time.
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
"""Name -> type of the activations; weights are signed in both."""

Types = Literal["u8s8", "s8s8"]


@dataclass(frozen=True)
class QuantizationConfig:
    """How a graph is to be quantized.

    Attributes:
        types: of activations and weights. ONNX Runtime's fast kernels are u8s8 on x86 and s8s8 on ARM.
        floats: names of computing nodes that stay in float.
        portable: whether weights are scaled so that no sum can saturate on any processor; otherwise they use all 8 bits.
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
    """A graph with calibrated activation ranges, which can be quantized with several configurations.

    A range is the mean over batches of 20 of the minimum and maximum of each batch, which is less sensitive to outliers than the
    extremes over all faces.

    ``inputs``: float32 (N, C, H, W), preprocessed. Raises FaceletError when ONNX Runtime's tools cannot read the graph, or it has
    nothing to quantize.
    """

    def __init__(self, path: str | Path, inputs: NDArray[np.float32], batch: int = 20) -> None:
        batches = [inputs[start : start + batch] for start in range(0, len(inputs), batch)]
        with tempfile.TemporaryDirectory(prefix="facelet-") as folder, quiet():
            ready = Path(folder) / "ready.onnx"
            try:
                # Symbolic shape inference is not needed, because all shapes are static, and it fails on ReduceMax.
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
        """Names of the computing nodes, in graph order."""
        return tuple(node.name for node in self._model.graph.node if node.op_type in COMPUTING)

    def plan(self, choice: QuantizationConfig) -> str:
        """Returns a description of the configuration: "u8s8, per channel: 56 Conv and 1 Gemm; 35 others pass int8 on"."""
        nodes = [node for node in self._model.graph.node if node.name not in choice.floats]
        counts = Counter(node.op_type for node in nodes if node.op_type in COMPUTING)
        passing = sum(node.op_type in PASSING for node in nodes) - len(self._idle(choice))
        named = " and ".join(f"{count} {kind}" for kind, count in counts.most_common()) or "nothing"
        bits = ", cannot saturate" if choice.portable else ", 8-bit weights"
        floats = ", ".join(choice.floats[:3]) + (", ..." if len(choice.floats) > 3 else "")
        left = f"{len(choice.floats)} left in float: {floats}" if choice.floats else "none left in float"
        return f"{choice.types}, per channel{bits}: {named} in int8, {passing} others pass int8 on, {left}"

    def _idle(self, choice: QuantizationConfig) -> list[str]:
        """Returns passing nodes without an int8 layer before or after them, where int8 would cost accuracy and save nothing.

        Activations after an int8 layer are not among them, because they are folded into it.
        """
        nodes = self._model.graph.node
        int8 = [node for node in nodes if node.op_type in COMPUTING and node.name not in choice.floats]
        produced = {name for node in int8 for name in node.output}
        passing = [node for node in nodes if node.op_type in PASSING]
        wanted = {
            name
            for node in nodes
            if node.op_type not in PASSING and node.name not in choice.floats
            for name in node.input
        }
        for node in passing:
            if produced & set(node.input):
                produced |= set(node.output)
        for node in reversed(passing):
            if wanted & set(node.output):
                wanted |= set(node.input)
        return [
            node.name
            for node in passing
            if not produced & set(node.input) or not (node.op_type in FOLDED or wanted & set(node.output))
        ]

    def _shared(self) -> dict[str, list[dict[str, Any]]]:
        """Returns a common range for maps connected by Concat and Split, so that the runtime copies without rescaling.

        Ranges are only shared if no quantization step gets more than twice as wide.
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
        """Returns overrides of the quantizer's weight scales, for a portable graph."""
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
                # In a batched MatMul the axis is not that of the output channels; two readers may have different axes.
                exact = readers[node.input[1]] == 1 and (node.op_type != "MatMul" or weights.ndim == 2)
                rule, axes = portable_scales if exact else seven_bit_scales, {"axis": axis}
            zero = {"quant_type": QuantType.QInt8, "zero_point": np.int8(0)}
            scales[node.input[1]] = [{**axes, **zero, "scale": scale} for scale in rule(rows.astype(np.float32))]
        return scales

    def quantized(self, choice: QuantizationConfig) -> onnx.ModelProto:
        """Returns the graph in QDQ form. Deterministic.

        Raises FaceletError when a portable configuration is impossible: products of two signed activations (s8s8).
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
            quantizer.model.topological_sort()  # required by the ONNX standard, but not ensured by the quantizer
        quantized = quantizer.model.model
        used = {node.domain for node in quantized.graph.node}
        domains = [known for known in quantized.opset_import if known.domain in used]
        del quantized.opset_import[:], quantized.graph.value_info[:], quantized.metadata_props[:]
        quantized.opset_import.extend(domains)
        if choice.portable and (risks := saturation.risks(quantized.SerializeToString())):
            raise FaceletError(
                f"{choice.types} cannot be made portable: {risks[0]}; use types: u8s8, or another target"
            )
        return quantized


def _channel_axis(node: onnx.NodeProto) -> int:
    """Returns the axis of a node's weights along which the quantizer has scales: output channels, except in a batched MatMul."""
    if node.op_type == "Gemm":
        return 0 if any(attribute.name == "transB" and attribute.i for attribute in node.attribute) else 1
    return 0 if node.op_type == "Conv" else 1
