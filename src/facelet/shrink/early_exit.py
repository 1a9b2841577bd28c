"""The step ``early-exit``: a model file with several exits, which stops at the first exit with sufficient confidence.

In a recipe: ``{do: early-exit, as: light-early, of: light}``, where ``light`` was trained by ``self-distill`` with ``keep: true``.
Exits and confidence threshold are chosen on validation faces: the fewest MACs within the accuracy allowance. Teerapittayanon et
al., BranchyNet, https://arxiv.org/abs/1709.01686

On faces unlike the training faces the confidence may be wrong, so the model may exit too early or never.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar, cast

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from facelet import nets
from facelet.errors import FaceletError
from facelet.faces import FaceSet
from facelet.io import files
from facelet.measure.efficiency import parity
from facelet.measure.efficiency.latency import TIMED, mean_times
from facelet.models import model_file
from facelet.models.model_file import NEVER, ExitInfo
from facelet.nets import NetSpec
from facelet.nets.layers.exits import ExitNet
from facelet.nets.layers.fusable import fused
from facelet.runtime.model import prepared
from facelet.shrink.exit import with_exits
from facelet.shrink.exits.join_graph import assemble
from facelet.shrink.exits.split_graph import staged, work_of
from facelet.shrink.exits.thresholds import (
    ExitMacs,
    ThresholdPoint,
    choose,
    choose_exits,
    confidence,
    curve,
    stopping,
    thinned,
)
from facelet.shrink.export import golden, torch_logits, versions
from facelet.step import STEPS, Kind, Plan, Section, Step, StepContext, StepResult
from facelet.text import amount, percent

CURVE = "early-exit.json"
"""File in the step's folder with the curve and measured times, for the report."""
SETTINGS = 8
"""Number of thresholds that are timed, besides the chosen one."""
BATCH = 64


@STEPS.register("early-exit")
class EarlyExit(Step):
    """Creates an early-exit model file from a model that keeps its exits."""

    kind: ClassVar[Kind] = "stopping"
    artifacts: ClassVar[dict[Section, str]] = {"stopping": CURVE}

    of: str = Field(description="model that keeps its exits")
    allowance: float = Field(
        0.3, ge=0, le=100, description="percentage points of validation accuracy that stopping early may cost"
    )
    threshold: float | None = Field(
        None, ge=0, le=1, description="confidence to stop at; default: chosen on validation faces for the allowance"
    )
    exits: list[Annotated[int, Field(ge=1)]] | None = Field(
        None,
        min_length=1,
        description="exits to keep, 1 for the shallowest; default: chosen on validation faces, or all when `threshold` "
        "is given",
    )

    def needs(self) -> list[str]:
        return [self.of]

    def starts_from(self) -> str | None:
        return self.of

    def design(self) -> tuple[Any, ...]:
        return (self.of,)

    def allowed(self) -> float | None:
        return self.allowance / 100

    def plan(self, faces: FaceSet, specs: Mapping[str, Any]) -> Plan:
        count = len(with_exits(self.name, self.of, specs).skeleton().stage_widths) - 1
        if self.exits is not None and (self.exits != sorted(set(self.exits)) or self.exits[-1] > count):
            raise FaceletError(
                f"{self.name}: exits is {self.exits}, expected some of {list(range(1, count + 1))}, shallow to deep"
            )
        which = f"exits {', '.join(map(str, self.exits))} of {count}" if self.exits else f"some of its {count} exits"
        how = (
            f"{self.allowance:g} points on {len(faces.labelled('val')):,} validation faces"
            if self.threshold is None
            else "a given confidence"
        )
        return Plan(f"{self.of} stops at {which}: {how}", seconds=0.0)

    def run(self, job: StepContext) -> StepResult:
        start = time.perf_counter()
        loaded, spec = nets.load(job.net_of(self.of))
        net, val, parent = cast(ExitNet, loaded), job.faces.labelled("val"), job.models[self.of].onnx
        assert parent is not None
        info = model_file.read(parent)
        every = staged(net, spec)
        work, logits = work_of(every), run_parts(every, prepared(val.images, info.input))
        kept = self._kept(logits, val.labels, work, info.temperature)
        macs = work.upto(kept)
        measured = partial(curve, logits[[*kept, -1]], val.labels, macs, info.temperature)
        points = measured()
        chosen = choose(points, self.allowance / 100) if self.threshold is None else measured((self.threshold,))[0]
        plain = fused(net)
        held = [plain.net, *(plain.heads.exits[k] for k in kept)]
        described = info.model_copy(
            update={
                "name": job.name,
                "parent": info.name or parent.stem,
                "step": "early-exit",
                "params": sum(weight.numel() for module in held for weight in module.parameters()),
                "macs": macs[-1],
                "exits": ExitInfo(threshold=min(1.0, chosen.threshold), macs=macs, points=thinned(points)),
                "figures": {},
                "made_with": {**info.made_with, **versions("facelet", "torch", "onnx", "onnxruntime")},
            }
        )

        def reference(stop: float, images: NDArray[np.uint8]) -> NDArray[np.float32]:
            outputs = torch_answers(net, spec, images)[[*kept, -1]]
            return outputs[stopping(confidence(outputs[:-1], info.temperature), stop), np.arange(len(images))]

        path = job.folder / f"{job.name}.onnx"
        with files.writing(path) as beside:
            whole = assemble(staged(net, spec, kept), chosen.threshold, info.temperature)
            model_file.write(whole, described, beside)
            for speed, stop in ((None, chosen.threshold), (0.0, NEVER), (1.0, 0.0)):
                parity.check(partial(reference, stop), beside, golden(job.faces), speed=speed)
        timed = _timed(path, points, chosen, val.images[:TIMED])
        files.write_json(job.folder / CURVE, [point.to_json() for point in timed])
        notes = self._summary(timed[1], timed[0], macs, kept)
        for line in notes:
            job.say(f"  {line}")
        return StepResult(onnx=path, notes=notes, spent={"seconds": time.perf_counter() - start})

    def _kept(
        self, logits: NDArray[np.float32], labels: NDArray[np.int64], work: ExitMacs, temperature: float
    ) -> Sequence[int]:
        """Returns the exits to keep, 0 the shallowest: as given; all for a given threshold; otherwise the best choice."""
        if self.exits is not None:
            return [at - 1 for at in self.exits]
        if self.threshold is not None:
            return range(len(work.heads))
        return choose_exits(logits, labels, work, self.allowance / 100, temperature)

    def _summary(
        self, chosen: ThresholdPoint, deepest: ThresholdPoint, macs: Sequence[int], kept: Sequence[int]
    ) -> tuple[str, ...]:
        places = [*(f"exit {k + 1}" for k in kept), "the deepest"]
        stops = ", ".join(f"{percent(share)} at {place}" for place, share in zip(places, chosen.shares, strict=True))
        how = "as asked" if self.threshold is not None else f"for an allowance of {self.allowance:g} points"
        sure = "stops at no exit" if chosen.threshold == NEVER else f"stops at a confidence of {chosen.threshold:.3g}"
        return (
            f"{sure}, {how}; of the validation faces {stops}",
            f"validation {percent(deepest.accuracy, 2)} → {percent(chosen.accuracy, 2)}; mean MACs {amount(chosen.macs)} of "
            f"{amount(macs[-1])}; mean time {chosen.mean_ms:.3f} of {deepest.mean_ms:.3f} ms, one face at a time on one thread",
        )


def run_parts(parts: Sequence[onnx.ModelProto], images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns the logits of all exits, (parts, N, K), for preprocessed faces, computed by ONNX Runtime."""
    sessions = [
        onnxruntime.InferenceSession(part.SerializeToString(), providers=["CPUExecutionProvider"], enable_fallback=0)
        for part in parts
    ]
    rows = []
    for start in range(0, len(images), BATCH):
        maps, logits = images[start : start + BATCH], []
        for session in sessions:
            exit_logits, *deeper = session.run(None, {session.get_inputs()[0].name: maps})
            logits.append(exit_logits)
            maps = deeper[0] if deeper else maps
        rows.append(np.stack(logits))
    return np.concatenate(rows, 1)


def torch_answers(net: ExitNet, spec: NetSpec, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Returns the logits of all exits, (exits, N, K), computed by torch."""
    return np.stack([torch_logits(_Answer(net, k), spec, faces) for k in range(len(net.stage_widths))])


class _Answer(nn.Module):
    def __init__(self, net: ExitNet, k: int) -> None:
        super().__init__()
        self.net, self.k = net, k

    def forward(self, images: Tensor) -> Tensor:
        return self.net.answers(images)[self.k]


def _timed(
    path: Path, points: Sequence[ThresholdPoint], chosen: ThresholdPoint, faces: NDArray[np.uint8]
) -> list[ThresholdPoint]:
    """Returns points with measured mean times: the first (no early exit), the chosen one, and up to SETTINGS others."""
    macs = np.array([point.macs for point in points])
    wanted = np.linspace(macs[0], macs[-1], SETTINGS)[1:]
    rows = np.unique([np.abs(macs - each).argmin() for each in wanted])
    selected = [points[0], chosen, *(points[row] for row in rows)]
    times = mean_times(path, [point.threshold for point in selected], faces)
    return [replace(point, mean_ms=mean) for point, mean in zip(selected, times, strict=True)]
