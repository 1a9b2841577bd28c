"""The model file: an ``.onnx`` whose metadata says all that is needed to use it honestly. The one place that knows its keys.

The metadata is one JSON document under the ONNX metadata key ``facelet``; ``ModelInfo`` is its schema.

>>> info = read(Path("student-int8.onnx"))
>>> info.labels, info.input.size
(('neutral', 'happiness', ...), 48)
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from facelet.errors import FaceletError
from facelet.files import writing

if TYPE_CHECKING:
    import onnxruntime

KEY = "facelet"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class InputInfo(_Frozen):
    """How a face becomes the network's input: crop, ``pixels.resize``, colour, (x / 255 - mean) / std, float32 NCHW."""

    name: str = "images"
    size: int = Field(ge=8, le=1024, description="side in pixels")
    channels: Literal[1, 3]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    resize: Literal["area-linear"] = "area-linear"


class CropInfo(_Frozen):
    """How a face is cut from a photo: a square around the detector's box, or a five-point alignment to a template."""

    align: Literal["box", "eyes", "five-points"] = "box"
    margin: float = Field(0.0, ge=-0.5, le=2.0, description="share of the box added on each side")


class ModelInfo(_Frozen):
    """What a model file says about itself."""

    format: Literal[1] = 1
    task: Literal["expression", "identity"] = "expression"
    labels: tuple[str, ...]
    input: InputInfo
    crop: CropInfo = CropInfo()
    precision: Literal["fp32", "int8"] = "fp32"
    temperature: float = Field(1.0, gt=0, description="divides the logits before softmax")
    threshold: float | None = Field(None, description="decision threshold, where the task has one")
    params: int = Field(0, ge=0)
    macs: int = Field(0, ge=0, description="multiply-accumulates for one face")
    name: str = ""
    parent: str = ""
    recipe: str = ""
    step: str = ""
    net: str = ""
    seed: int = 0
    protocol: dict[str, Any] = {}
    figures: dict[str, float] = {}
    licence: str = Field("unknown", description="of the training data")
    made_with: dict[str, str] = {}


def parse(metadata: dict[str, str], name: str) -> ModelInfo:
    """ModelInfo from an ONNX file's metadata. Raises FaceletError when it is absent or does not fit the schema."""
    if KEY not in metadata:
        raise FaceletError(f"{name} has no Facelet metadata; a model file is made by `facelet run` (or facelet.shrink.export)")
    try:
        return ModelInfo.model_validate_json(metadata[KEY])
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise FaceletError(f"{name}: its Facelet metadata is damaged at {where!r}: {first['msg']}") from error


def write(model: Any, info: ModelInfo, path: str | Path) -> None:
    """Writes an ``onnx.ModelProto`` with ``info`` in its metadata, beside and renamed."""
    import onnx

    others = {entry.key: entry.value for entry in model.metadata_props if entry.key != KEY}
    onnx.helper.set_model_props(model, {**others, KEY: info.model_dump_json()})
    with writing(path) as beside:
        onnx.save_model(model, str(beside))


def read(path: str | Path) -> ModelInfo:
    """The metadata of a model file. Raises FaceletError when the file is missing, damaged or not ours."""
    return parse(open_session(path).get_modelmeta().custom_metadata_map, str(path))


def open_session(path: str | Path, threads: int = 0) -> onnxruntime.InferenceSession:
    """An ONNX Runtime session on the CPU; ``threads`` 0 takes all cores.

    The file is read whole and given as bytes, so a model cannot make the runtime open other files.
    """
    import onnxruntime

    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise FaceletError(f"cannot read {path}: {error.strerror}") from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime raises its own classes, without a common base
        raise FaceletError(f"{path} is not a working ONNX file: {str(error).splitlines()[0][:200]}") from error
