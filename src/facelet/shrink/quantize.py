"""The step ``quantize``: post-training static quantization to int8, within an accuracy allowance.

In a recipe: ``{do: quantize, as: student-int8, of: student}``. Activation ranges are calibrated on training faces. The last layer
stays in float; if accuracy on validation faces falls by more than the allowance, so do the most sensitive layers, as few as
possible. Static quantization with ONNX Runtime; Jacob et al., https://arxiv.org/abs/1712.05877

The file does not depend on the machine that creates it. By default no sum can saturate on any processor
(``facelet.models.saturation``); the targets vnni and arm64 use all 8 bits of the weights, and their files are refused on machines
where they would be wrong. Int8 speed holds for the measured CPU only.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from pydantic import Field, model_validator

from facelet import cpu
from facelet.errors import FaceletError
from facelet.faces import FaceSet
from facelet.models import model_file, saturation
from facelet.models.model_file import ModelInfo
from facelet.runtime.model import prepared
from facelet.shrink.export import reference_outputs, self_tested, versions
from facelet.shrink.int8.accuracy_guard import Guard, ValidationScore, guard_for
from facelet.shrink.int8.qdq import Calibrated, QuantizationConfig, Types
from facelet.shrink.int8.sensitivity import fewest, rank
from facelet.step import STEPS, Kind, Plan, Step, StepContext, StepResult

RANKING_FACES = 128


@STEPS.register("quantize")
class Quantize(Step):
    """Quantizes an fp32 model to int8."""

    kind: ClassVar[Kind] = "shrinking"

    of: str = Field(description="model to quantize")
    faces: int = Field(300, ge=8, le=10_000, description="number of training faces to calibrate the ranges with")
    allowance: float = Field(
        0.3,
        ge=0,
        le=100,
        description="percentage points of validation accuracy that may be lost; layers stay in float until this holds",
    )
    cosine: float = Field(0.98, ge=0, le=1, description="identity models: least mean cosine to the fp32 embeddings")
    target: Literal["portable", "vnni", "arm64"] = Field(
        "portable",
        description="processors to make the file for; `vnni` and `arm64` allow 8-bit weights, which saturate on others",
    )
    types: Literal["auto", "u8s8", "s8s8"] = Field(
        "auto",
        description="types of activations and weights; `auto` takes the faster one: `s8s8` for `arm64`, else `u8s8`",
    )

    @model_validator(mode="before")
    @classmethod
    def _require_target(cls, fields: Any) -> Any:
        if isinstance(fields, dict) and "reduce_range" in fields:
            raise ValueError(
                "reduce_range was removed: files are portable by default; use target: vnni for 8-bit weights"
            )
        return fields

    def needs(self) -> list[str]:
        return [self.of]

    def starts_from(self) -> str | None:
        return self.of

    def design(self) -> tuple[Any, ...]:
        return (self.do, self.of)

    def allowed(self) -> float | None:
        return self.allowance / 100

    def plan(self, faces: FaceSet, specs: Mapping[str, Any]) -> Plan:
        _require_faces(faces)
        self._require_measurable()
        if self.of not in specs:  # the result of this step has no spec either: it is a model file without a torch net
            raise FaceletError(
                f"{self.name}: {self.of!r} is a model file without a net (quantized, or cut at an exit); "
                "quantize the model it was made from"
            )
        count = min(self.faces, int((faces.splits == 0).sum()))
        text = f"{self.of} to int8: calibrated on {count:,} training faces, at most {self.allowance:g} points lost"
        return Plan(text, seconds=None)

    def run(self, job: StepContext) -> StepResult:
        """Writes ``<name>.onnx`` into the step's folder. Raises FaceletError without an fp32 file or validation faces."""
        start = time.perf_counter()
        parent = job.models[self.of].onnx
        if parent is None:
            raise FaceletError(f"{self.name!r} needs the model file of {self.of!r}, which has none yet")
        info = model_file.read(parent)
        if info.precision != "fp32":
            raise FaceletError(f"{self.of!r} is {info.precision} already; quantize its fp32 parent instead")
        _require_faces(job.faces)
        guard = guard_for(info, job.faces, parent, job.console)
        inputs = prepared(self._calibration(job), info.input)
        graph = Calibrated(parent, inputs)
        reference = reference_outputs(parent, info)
        work = _Work(job, parent, info, graph, job.folder / f"{job.name}.onnx", guard, self.target, reference)
        self._require_measurable()
        choice = self._choice(graph)
        job.say(f"plan: {graph.plan(choice)}; calibrated on {len(inputs):,} training faces")
        before = work.score(parent)
        if 100 / before.n > self.allowance:
            job.say(
                f"  one of {before.n} validation {before.unit} is {100 / before.n:.1f} points: no additional error is allowed"
            )
        after = work.evaluated(choice)
        if not self._holds(after, before):
            job.say(
                f"{before} → {after} on {before.n:,} validation {before.unit}: more than the allowance "
                f"({self._allowed(before)}); ranking layers"
            )
            choice = self._with_floats(work, choice, inputs, before)
            after = work.evaluated(choice)
            job.say(f"plan: {graph.plan(choice)}")
        notes = (
            f"target {self.target}: {model_file.TARGETS[self.target]}",
            graph.plan(choice),
            f"validation {before} → {after} of {before.n:,} {before.unit}, allowance {self._allowed(before)}",
            *(["no gain: every layer stayed in float"] if work.floats_only(choice) else []),
        )
        for note in notes[2:]:
            job.say(note)
        spent = {
            "seconds": time.perf_counter() - start,
            "faces": float(len(inputs)),
            "floats": float(len(choice.floats)),
        }
        return StepResult(onnx=work.path, net=None, notes=notes, spent=spent)

    def _holds(self, after: ValidationScore, before: ValidationScore) -> bool:
        return after.within(self.allowance, before, self.cosine)

    def _allowed(self, score: ValidationScore) -> str:
        return f"{self.allowance:g} points" + ("" if score.cosine is None else f", cosine {self.cosine:g}")

    def _calibration(self, job: StepContext) -> NDArray[np.uint8]:
        train = np.flatnonzero(job.faces.splits == 0)
        rows = np.random.default_rng(job.seed).permutation(train)[: self.faces]
        return job.faces.images[np.sort(rows)]

    def _choice(self, graph: Calibrated) -> QuantizationConfig:
        """Returns the first configuration, with the last layer in float: it is small and causes most of the int8 error."""
        auto: Types = "s8s8" if self.target == "arm64" else "u8s8"
        last = graph.computing[-1:] if len(graph.computing) > 1 else ()
        return QuantizationConfig(
            auto if self.types == "auto" else self.types, last, portable=self.target == "portable"
        )

    def _require_measurable(self) -> None:
        if self.target != "portable" and saturation.kernels_saturate():
            raise FaceletError(
                f"{self.name}: target {self.target} cannot be measured on this machine, whose int8 kernels saturate "
                f"({cpu.description()}); use target: portable, or a machine with VNNI"
            )

    def _with_floats(
        self, work: _Work, choice: QuantizationConfig, inputs: NDArray[np.float32], before: ValidationScore
    ) -> QuantizationConfig:
        """Returns the configuration with the fewest float layers within the allowance; with all layers if there is none."""
        order = rank(work.graph, choice, inputs[:RANKING_FACES])
        ranking = [name for name in order if name not in choice.floats]

        def with_(floats: tuple[str, ...]) -> QuantizationConfig:
            return replace(choice, floats=(*choice.floats, *floats))

        def holds(floats: tuple[str, ...]) -> bool:
            after = work.evaluated(with_(floats))
            work.job.say(f"{len(with_(floats).floats)} of {len(order)} layers in float: {before} → {after}")
            return self._holds(after, before)

        floats = fewest(ranking, holds)
        return with_(tuple(ranking) if floats is None else floats)


@dataclass(frozen=True)
class _Work:
    """The inputs that all quantization attempts of one file share."""

    job: StepContext
    parent: Path
    info: ModelInfo
    graph: Calibrated
    path: Path
    guard: Guard
    target: str
    reference: tuple[NDArray[np.uint8], NDArray[np.float32]]

    def write(self, choice: QuantizationConfig, path: Path) -> None:
        described = self.info.model_copy(
            update={
                "name": self.job.name,
                "parent": self.info.name or self.parent.stem,
                "step": "quantize",
                "precision": "fp32" if self.floats_only(choice) else "int8",
                "target": "" if self.floats_only(choice) else self.target,
                "figures": {},
                "made_with": {**self.info.made_with, **versions("facelet", "onnx", "onnxruntime")},
            }
        )
        model: onnx.ModelProto = self.graph.quantized(choice)
        model_file.write(model, self_tested(model, described, *self.reference), path)

    def floats_only(self, choice: QuantizationConfig) -> bool:
        return len(choice.floats) == len(self.graph.computing)

    def evaluated(self, choice: QuantizationConfig) -> ValidationScore:
        """Writes the file and returns its validation score."""
        self.write(choice, self.path)
        return self.score(self.path)

    def score(self, path: Path) -> ValidationScore:
        return self.guard(path)


def _require_faces(faces: FaceSet) -> None:
    for split, use in (("train", "calibrate ranges"), ("val", "check the allowance")):
        if not faces.has(split):
            raise FaceletError(f"quantize needs {split} faces to {use}, and {faces.source} has none")
