"""Model files: ``.onnx`` files with Facelet's metadata.

The metadata is a JSON document under the ONNX metadata key ``facelet``; ``ModelInfo`` is its schema.

>>> info = read(Path("student-int8.onnx"))
>>> info.labels, info.input.size
(('neutral', 'happiness', ...), 48)
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from facelet.errors import FaceletError
from facelet.io.files import existing, read_bytes, writing
from facelet.models.onnx_wire import metadata
from facelet.models.self_test import SelfTest

KEY = "facelet"
FORMAT: Literal[2] = 2
"""Version of the metadata that ``write`` writes."""
NEVER = 2.0
"""Exit threshold that no probability reaches: every face goes to the deepest exit."""
MAX_BYTES = 1 << 30
"""A protobuf message cannot have more than 2 GB; a face model of 1 GB is a mistake or an attack."""
TARGETS = {
    "portable": "every processor: no sum can saturate",
    "vnni": "x86 with VNNI: 8-bit weights, which saturate on x86 without it",
    "arm64": "64-bit ARM: 8-bit weights, which saturate on x86 without VNNI",
}
"""Target processors of an int8 file, with their descriptions."""
NO_PEOPLE = "says nothing about faces of people"
"""End of the protocol note of a model that was trained on drawn faces."""
MAX_CARD = 1 << 17
"""Largest number of characters of a model card, ten times the usual length."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class InputInfo(_Frozen):
    """Preprocessing of a face: crop, ``pixels.resize``, colour conversion, (x / 255 - mean) / std, float32 NCHW."""

    name: str = "images"
    size: int = Field(ge=8, le=1024, description="side in pixels")
    cut: int = Field(
        0,
        ge=0,
        le=1024,
        description="side of the training faces before they were resized to `size`; 0: the same as `size`",
    )
    channels: Literal[1, 3]
    mean: tuple[Annotated[float, Field(ge=-1e3, le=1e3)], ...]
    std: tuple[Annotated[float, Field(ge=1e-3, le=1e3)], ...]
    resize: Literal["area-linear"] = "area-linear"

    @model_validator(mode="after")
    def _fits(self) -> InputInfo:
        if not len(self.mean) == len(self.std) == self.channels:
            raise ValueError(f"{len(self.mean)} means and {len(self.std)} deviations for {self.channels} channels")
        return self

    @property
    def cut_size(self) -> int:
        """Side in pixels at which faces are cropped and read from face sets: the same at inference as in training."""
        return self.cut or self.size


Align = Literal["box", "eyes", "five-points"]


class CropInfo(_Frozen):
    """How a face is cropped from a photo: a square around the detector's box, or a five-point alignment to a template."""

    align: Align = "box"
    margin: float = Field(0.0, ge=-0.5, le=2.0, description="share of the box added on each side")


Share = Annotated[float, Field(ge=0, le=1)]


class ExitPoint(_Frozen):
    """One speed setting of an early-exit model, measured on validation faces.

    Attributes:
        speed: share of the possible savings in MACs.
        threshold: confidence at which a face stops.
        val_accuracy: accuracy on validation faces.
        macs: mean MACs for one face.
        shares: share of the faces that stop at each exit.
    """

    speed: Share
    threshold: Share
    val_accuracy: Share
    macs: int = Field(ge=0)
    shares: tuple[Share, ...] = Field(max_length=64)


class ExitInfo(_Frozen):
    """The exits of an early-exit model: default threshold, MACs up to each exit, and the measured speed settings."""

    threshold: Share
    macs: tuple[int, ...] = Field(min_length=2, max_length=64)
    points: tuple[ExitPoint, ...] = Field(min_length=2, max_length=64)

    @model_validator(mode="after")
    def _fits(self) -> ExitInfo:
        speeds, thresholds = ([getattr(point, name) for point in self.points] for name in ("speed", "threshold"))
        if speeds != sorted(speeds) or thresholds != sorted(thresholds, reverse=True):
            raise ValueError("faster settings must have lower thresholds")
        return self

    def at(self, speed: float) -> float:
        """Threshold for a speed of 0 (always the deepest exit) to 1 (always the first), interpolated between the points."""
        if not 0 <= speed <= 1:
            raise FaceletError(f"speed is {speed:g}, expected 0 (always the deepest exit) to 1 (always the first)")
        if speed == 0:
            return NEVER
        for before, after in itertools.pairwise(self.points):
            if speed <= after.speed:
                along = (speed - before.speed) / max(after.speed - before.speed, 1e-9)
                return before.threshold + max(0.0, along) * (after.threshold - before.threshold)
        return self.points[-1].threshold


class ModelInfo(_Frozen):
    """Metadata of a model file."""

    format: Literal[1, 2] = Field(FORMAT, description="version; 2 added the target and the self-test")
    task: Literal["expression", "identity"] = "expression"
    labels: tuple[str, ...]
    input: InputInfo
    crop: CropInfo = CropInfo()
    precision: Literal["fp32", "int8"] = "fp32"
    target: str = Field("", description="target processors of an int8 file, see TARGETS; empty when not stated")
    selftest: SelfTest | None = Field(None, repr=False, description="golden faces and their reference outputs")
    temperature: float = Field(1.0, ge=1e-3, le=1e3, description="divides the logits before softmax")
    threshold: float | None = Field(None, description="decision threshold, where the task has one")
    exits: ExitInfo | None = Field(None, description="exits of an early-exit model")
    adjusted: float = Field(
        0.0,
        ge=0,
        le=10,
        description="logit adjustment: the power of the classes' shares that was taken out of the outputs",
    )
    smallest: int = Field(
        0, ge=0, description="smallest side in photo pixels of the crops it was measured on; 0: not stated"
    )
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
    card: str = Field("", max_length=MAX_CARD, repr=False, description="Markdown, see measure.card")

    @model_validator(mode="after")
    def _fits(self) -> ModelInfo:
        if self.task == "expression" and not self.labels:
            raise ValueError("no labels")
        if len(set(self.labels)) < len(self.labels):
            raise ValueError("duplicate labels")
        if self.target and self.target not in TARGETS:
            raise ValueError(f"unknown target {self.target!r}; expected one of {', '.join(TARGETS)}")
        return self

    @property
    def measured_from(self) -> int:
        """``smallest``, or the input size (below which faces are enlarged) when the file does not state it."""
        return self.smallest or self.input.size


def parse(metadata: dict[str, str], name: str) -> ModelInfo:
    """ModelInfo from an ONNX file's metadata. Raises FaceletError when it is missing or does not match the schema."""
    if KEY not in metadata:
        raise FaceletError(
            f"{name} has no Facelet metadata; `facelet run` writes model files, and its step `adopt` converts other ONNX "
            "files: {do: adopt, as: theirs, file: FILE, labels: ..., size: ..., mean: ..., std: ...}"
        )
    try:
        return ModelInfo.model_validate_json(metadata[KEY])
    except ValidationError as error:
        if any(wrong["loc"] == ("format",) and wrong["input"] in range(FORMAT + 1, 1000) for wrong in error.errors()):
            raise FaceletError(f"{name} was made by a later version of Facelet; upgrade Facelet to use it") from None
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the top level"
        raise FaceletError(f"{name}: its Facelet metadata is damaged at {where!r}: {first['msg']}") from None


def write(model: Any, info: ModelInfo, path: str | Path) -> None:
    """Writes an ``onnx.ModelProto`` with ``info`` in its metadata, atomically (see ``files.writing``)."""
    import onnx

    others = {entry.key: entry.value for entry in model.metadata_props if entry.key != KEY}
    onnx.helper.set_model_props(model, {**others, KEY: info.model_copy(update={"format": FORMAT}).model_dump_json()})
    with writing(path) as beside:
        onnx.save_model(model, str(beside))


def read(path: str | Path) -> ModelInfo:
    """Metadata of a model file, read in about a millisecond without an ONNX Runtime session.

    Raises FaceletError when the file is missing, is not ONNX or has no Facelet metadata. ``session.open_session`` also checks
    that the graph matches the metadata.
    """
    return parse(metadata_of(content(path), path), str(path))


def content(path: str | Path) -> bytes:
    """The file's bytes. Raises FaceletError when it is missing, empty or larger than MAX_BYTES."""
    data = read_bytes(existing(path, "model file"), MAX_BYTES)
    if not data:
        raise FaceletError(f"{path} is empty (0 bytes)")
    return data


def metadata_of(data: bytes, path: str | Path) -> dict[str, str]:
    """All ONNX metadata of a file. Raises FaceletError when ``data`` is not a complete ONNX file."""
    try:
        return metadata(data)
    except ValueError as error:
        raise FaceletError(f"{path} is not a complete ONNX file ({error})") from None
