"""The step ``early-exit``: one model file with all exits, which stops at the first that is sure enough.

In a recipe: ``{do: early-exit, as: light-early, of: light}``, where ``light`` was made by ``self-distill`` with ``keep: true``. The
confidence that is enough is chosen on validation faces: the least work that costs no more than the allowance. Teerapittayanon et
al., BranchyNet, https://arxiv.org/abs/1709.01686

Confidence means what it meant on faces like those of training; on others the file may stop too early, or never.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from facelet import files, model_file, nets
from facelet.faces import FaceSet
from facelet.measure import parity
from facelet.measure.cost import graph_macs
from facelet.measure.early_exit import Point, choose, confidence, curve, stopping, thinned
from facelet.measure.latency import TIMED, mean_times
from facelet.measure.row import amount, percent
from facelet.model_file import NEVER, ExitInfo
from facelet.nets import NetSpec
from facelet.nets.exits import ExitNet
from facelet.runtime.session import prepared
from facelet.shrink.assemble import assemble
from facelet.shrink.exit import with_exits
from facelet.shrink.export import golden, torch_logits, versions
from facelet.shrink.parts import staged
from facelet.step import STEPS, Job, Made, Plan, Step

CURVE = "early-exit.json"
"""In the step's folder: its curve with measured times, for the report."""
SETTINGS = 8
"""Thresholds that are timed, besides the chosen one."""
BATCH = 64


@STEPS.register("early-exit")
class EarlyExit(Step):
    """``of``: a model that keeps its exits. See the fields for the rest."""

    of: str = Field(description="model that keeps its exits")
    allowance: float = Field(
        0.3, ge=0, le=100, description="points of validation accuracy that stopping early may cost"
    )
    threshold: float | None = Field(
        None, ge=0, le=1, description="confidence to stop at; chosen on validation faces when None"
    )

    def needs(self) -> list[str]:
        return [self.of]

    def plan(self, faces: FaceSet, specs: dict[str, Any]) -> Plan:
        net = with_exits(self.name, self.of, specs).skeleton()
        val = faces.labelled("val")
        how = (
            f"{self.allowance:g} points on {len(val):,} validation faces"
            if self.threshold is None
            else "a given confidence"
        )
        return Plan(f"{self.of} stops at one of {len(net.stage_widths)} exits: {how}", seconds=0.0)

    def run(self, job: Job) -> Made:
        start = time.perf_counter()
        loaded, spec = nets.load(job.net_of(self.of))
        net, val, parent = cast(ExitNet, loaded), job.faces.labelled("val"), job.models[self.of].onnx
        assert parent is not None
        info = model_file.read(parent)
        parts = staged(net, spec)
        macs = np.cumsum([graph_macs(part) for part in parts]).tolist()
        logits = run_parts(parts, prepared(val.images, info.input))
        measured = partial(curve, logits, val.labels, macs, info.temperature)
        points = measured()
        asked = self.threshold
        chosen = choose(points, self.allowance / 100) if asked is None else measured((asked,))[0]
        path = job.folder / f"{job.name}.onnx"
        described = info.model_copy(
            update={
                "name": job.name,
                "parent": info.name or parent.stem,
                "step": "early-exit",
                "params": sum(weight.numel() for weight in net.parameters()),
                "macs": macs[-1],
                "exits": ExitInfo(threshold=min(1.0, chosen.threshold), macs=macs, points=thinned(points)),
                "figures": {},
                "made_with": {**info.made_with, **versions("facelet", "torch", "onnx", "onnxruntime")},
            }
        )
        with files.writing(path) as beside:
            model_file.write(assemble(parts, chosen.threshold, info.temperature), described, beside)
            _check(net, spec, beside, golden(job.faces), chosen.threshold, info.temperature)
        timed = _timed(path, points, chosen, val.images[:TIMED])
        files.write_json(job.folder / CURVE, [point.to_json() for point in timed])
        told = self._told(timed[1], timed[0], macs)
        for line in told:
            job.say(f"  {line}")
        return Made(onnx=path, notes=told, spent={"seconds": time.perf_counter() - start})

    def _told(self, chosen: Point, deepest: Point, macs: Sequence[int]) -> tuple[str, ...]:
        stops = ", ".join(f"{percent(share)} at {number}" for number, share in enumerate(chosen.shares, 1))
        how = "as asked" if self.threshold is not None else f"for an allowance of {self.allowance:g} points"
        sure = "stops at no exit" if chosen.threshold == NEVER else f"stops at a confidence of {chosen.threshold:.3g}"
        return (
            f"{sure}, {how}; of the validation faces {stops}",
            f"validation {percent(deepest.accuracy, 2)} → {percent(chosen.accuracy, 2)}; mean MACs {amount(chosen.macs)} of "
            f"{amount(macs[-1])}; mean time {chosen.mean_ms:.3f} of {deepest.mean_ms:.3f} ms, one face at a time on one thread",
        )


def run_parts(parts: Sequence[onnx.ModelProto], images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logits of all exits, (parts, N, K), of prepared faces, by ONNX Runtime."""
    sessions = [
        onnxruntime.InferenceSession(part.SerializeToString(), providers=["CPUExecutionProvider"]) for part in parts
    ]
    rows = []
    for start in range(0, len(images), BATCH):
        maps, answers = images[start : start + BATCH], []
        for session in sessions:
            answer, *deeper = session.run(None, {session.get_inputs()[0].name: maps})
            answers.append(answer)
            maps = deeper[0] if deeper else maps
        rows.append(np.stack(answers))
    return np.concatenate(rows, 1)


def _check(
    net: ExitNet, spec: NetSpec, path: Path, faces: NDArray[np.uint8], threshold: float, temperature: float
) -> None:
    """The parity gate, at the file's threshold, never stopping and stopping at once, against torch's answers of all exits."""

    def reference(threshold: float, some: NDArray[np.uint8]) -> NDArray[np.float32]:
        answers = torch_answers(net, spec, some)
        stops = stopping(confidence(answers[:-1], temperature), threshold)
        return answers[stops, np.arange(len(some))]

    for speed, stop in ((None, threshold), (0.0, NEVER), (1.0, 0.0)):
        parity.check(partial(reference, stop), path, faces, speed=speed)


def torch_answers(net: ExitNet, spec: NetSpec, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Logits of all exits, (exits, N, K), by torch."""
    return np.stack([torch_logits(_Answer(net, k), spec, faces) for k in range(len(net.stage_widths))])


class _Answer(nn.Module):
    def __init__(self, net: ExitNet, k: int) -> None:
        super().__init__()
        self.net, self.k = net, k

    def forward(self, images: Tensor) -> Tensor:
        return self.net.answers(images)[self.k]


def _timed(path: Path, points: Sequence[Point], chosen: Point, faces: NDArray[np.uint8]) -> list[Point]:
    """Never stopping, the chosen point, and a few between that and stopping at once, with measured mean times."""
    macs = np.array([point.macs for point in points])
    wanted = np.linspace(macs[0], macs[-1], SETTINGS)[1:]
    some = [points[0], chosen, *(points[row] for row in np.unique([np.abs(macs - each).argmin() for each in wanted]))]
    times = mean_times(path, [point.threshold for point in some], faces)
    return [replace(point, mean_ms=mean) for point, mean in zip(some, times, strict=True)]
