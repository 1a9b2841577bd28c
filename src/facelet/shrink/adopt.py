"""The step ``adopt``: uses a third-party ONNX file as a model of this run, to evaluate and time it with the others.

In a recipe: ``{do: adopt, as: theirs, file: theirs.onnx, labels: [sad, happy], size: 64, channels: 1, mean: [0.5], std: [0.5]}``.
Weights and operators stay unchanged; the batch size becomes dynamic, and the preprocessing is written into the file's metadata.

Its training data are unknown and may include the test faces.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from pydantic import Field, model_validator

from facelet.errors import FaceletError
from facelet.faces import FaceSet
from facelet.io.files import existing, read_bytes
from facelet.learn.teachers.predictions import digest
from facelet.measure.efficiency.cost import file_cost, graph_macs
from facelet.models import model_file, saturation
from facelet.models.model_file import CropInfo, InputInfo, ModelInfo
from facelet.models.onnx_wire import has_external_data
from facelet.runtime.model import Model, prepared
from facelet.shrink.export import golden, reference_outputs, self_tested
from facelet.step import STEPS, Plan, Step, StepContext, StepResult

TOLERANCE = 1e-3
"""Largest relative difference between outputs for a batch and for single faces."""


@STEPS.register("adopt")
class Adopt(Step):
    """Adopts an ONNX file with one image input, (1 or N, channels, size, size) float32."""

    file: Path = Field(
        description="ONNX file made elsewhere, with one image input; it is measured and timed, not trained nor shrunk"
    )
    task: Literal["expression", "identity"] = Field(
        "expression", description="what the model predicts; `identity` has no labels"
    )
    labels: tuple[str, ...] = Field((), description="class names in the order of the outputs")
    size: int = Field(ge=8, le=1024, description="side of the input in pixels")
    channels: Literal[1, 3] = Field(3, description="1 for grey, 3 for RGB")
    mean: tuple[float, ...] = Field(
        description="mean of the pixels in [0, 1], one number for each channel; the input is (x − mean) / std"
    )
    std: tuple[float, ...] = Field(description="standard deviation of the pixels, one number for each channel")
    licence: str = Field("unknown", description="licence of the training faces")

    @model_validator(mode="after")
    def _check_input(self) -> Adopt:
        self.input_info("images")
        if (self.task == "identity") == bool(self.labels):
            raise ValueError("labels are required for expression and not allowed for identity")
        return self

    def input_info(self, name: str) -> InputInfo:
        return InputInfo(name=name, size=self.size, channels=self.channels, mean=self.mean, std=self.std)

    def about_people(self) -> bool:
        return self.task == "identity"

    def plan(self, faces: FaceSet, specs: Mapping[str, Any]) -> Plan:
        model = _loaded(self.file)
        _cleaned(model, self)
        return Plan(f"{self.file.name}, unchanged", 0, graph_macs(model), 0.0)

    def run(self, job: StepContext) -> StepResult:
        """Writes the adopted file. Raises FaceletError for unsuitable files, and if batches and single faces give other outputs."""
        model, path = _loaded(self.file), job.folder / f"{job.name}.onnx"
        name = _cleaned(model, self)
        original = model.SerializeToString()
        _free(model.graph)
        info = ModelInfo(
            task=self.task,
            labels=self.labels,
            input=self.input_info(name),
            crop=CropInfo(align="five-points") if self.task == "identity" else CropInfo(margin=job.faces.margin),
            precision="int8" if _is_int8(model) else "fp32",
            name=job.name,
            net=self.file.name,
            macs=graph_macs(model),
            licence=self.licence,
        )
        model_file.write(model, info, path)
        info = info.model_copy(update={"params": file_cost(path).params})
        risks = saturation.risks(original)
        if not (risks and saturation.kernels_saturate()):  # otherwise this machine's outputs are no reference
            info = self_tested(model, info, *reference_outputs(path, info))
        model_file.write(model, info, path)
        notes = [f"{self.file.name} ({digest(self.file)}), weights unchanged"]
        if risks:
            notes.append(
                f"{len(risks)} layers can saturate on x86 without VNNI, {risks[0]} first: accuracy may be lower there"
            )
            job.say(f"{self.name}: {notes[-1]}")
        self._require_same(path, original, golden(job.faces))
        return StepResult(onnx=path, notes=tuple(notes))

    def _require_same(self, path: Path, data: bytes, faces: NDArray[np.uint8]) -> None:
        """Compares the adopted file on a batch with the original file ``data`` on single faces."""
        adopted = Model.load(path)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        original = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"], enable_fallback=0)
        inputs = prepared(faces, adopted.info.input)
        feeds = ({adopted.info.input.name: inputs[row : row + 1]} for row in range(len(inputs)))
        alone = np.concatenate([np.asarray(original.run(None, feed)[0]).reshape(1, -1) for feed in feeds])
        apart = float(np.abs(adopted.logits(faces) - alone).max() / max(1e-30, float(np.abs(alone).max())))
        if not apart <= TOLERANCE:
            raise FaceletError(
                f"{self.name}: {self.file} gives other outputs for a batch than for single faces (difference {apart:.2g})"
            )


def _loaded(path: Path) -> onnx.ModelProto:
    data = read_bytes(existing(path, "model file"), model_file.MAX_BYTES)
    try:
        if has_external_data(data):
            raise FaceletError(f"{path} stores weights in other files; a model file must be self-contained")
        return onnx.load_from_string(data)
    except FaceletError:
        raise
    except Exception:  # protobuf raises its own classes
        raise FaceletError(f"{path} is not a whole ONNX file (cut short or damaged)") from None


def _cleaned(model: onnx.ModelProto, step: Adopt) -> str:
    """Removes inputs that are weights or unused, and all outputs but the first; returns the name of the remaining input.

    Older exporters list weights as inputs.
    """
    graph = model.graph
    read = {name for node in graph.node for name in node.input} - {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name in read]
    shapes = {value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in inputs}
    if len(inputs) != 1 or shapes[inputs[0].name][1:] != [step.channels, step.size, step.size]:
        listed = ", ".join(f"{name} {shape}" for name, shape in list(shapes.items())[:3]) or "none"
        raise FaceletError(
            f"{step.name}: {step.file} has the inputs {listed}{', ...' if len(shapes) > 3 else ''}; "
            f"expected one input (N, {step.channels}, {step.size}, {step.size})"
        )
    del graph.input[:]
    graph.input.extend(inputs)
    del graph.output[1:]
    del graph.value_info[:]
    return inputs[0].name


def _free(graph: onnx.GraphProto) -> None:
    """Makes the batch size dynamic, in place."""
    weights = {tensor.name: tensor for tensor in graph.initializer}
    for value in (graph.input[0], graph.output[0]):
        if value.type.tensor_type.shape.dim:
            value.type.tensor_type.shape.dim[0].dim_param = "batch"
    for node in graph.node:
        if node.op_type == "Reshape" and node.input[1] in weights:
            _free_reshape(weights[node.input[1]])


def _free_reshape(shape: onnx.TensorProto) -> None:
    """Replaces a leading batch size of 1 in a Reshape's shape: by -1, or by 0 (copy) if another axis is -1."""
    sides = onnx.numpy_helper.to_array(shape).copy()
    if len(sides) and sides[0] == 1:
        sides[0] = 0 if -1 in sides else -1
        shape.CopyFrom(onnx.numpy_helper.from_array(sides, shape.name))


def _is_int8(model: onnx.ModelProto) -> bool:
    return any(node.op_type.startswith(("QLinear", "DequantizeLinear")) for node in model.graph.node)
