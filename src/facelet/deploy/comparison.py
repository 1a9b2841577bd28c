"""Compares runtimes on this machine: size, accuracy on real faces, agreement with the model file, latency.

>>> rows = compare(["expression", "expression-fp32"], ["onnxruntime", *TARGETS], faces="ferplus:ferplus.zip")
>>> rows[1].runtime, rows[1].agreement, rows[1].p50_ms
('litert', 0.9995, 0.31)

Each model is exported to each target in a temporary folder and checked by the parity gate like any export. Then all of them take
turns in short bursts (``latency.interleaved``), so that a slow phase of the machine affects all alike. One face at a time.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from facelet.deploy import gate
from facelet.deploy.export import convert
from facelet.deploy.gate import Verdict
from facelet.deploy.sample import Sample, draw, score
from facelet.deploy.target import TARGETS, Run, Target
from facelet.errors import FaceletError
from facelet.io.files import size_of
from facelet.measure.efficiency.latency import TIMED, interleaved
from facelet.models import bundled, model_file
from facelet.models.model_file import ModelInfo
from facelet.models.session import open_session
from facelet.runtime.model import prepared

ONNX = "onnxruntime"
"""Name of the runtime that runs the model file itself."""


@dataclass(frozen=True)
class RuntimeRow:
    """One model in one runtime. What was not measured is None.

    Attributes:
        model, precision, runtime, version: what ran.
        bytes: size of the exported files; 0 if there are none.
        passed: verdict of the parity gate.
        deviation: of the golden faces' outputs from the fp32 net, see ``gate.Verdict``.
        n, agreement, accuracy, low, high: see ``sample.Scores``.
        p50_ms, p95_ms, runs: time of one face, and the number of timed runs.
        reason: why the runtime has no results.
    """

    model: str
    precision: str
    runtime: str
    version: str = ""
    bytes: int = 0
    passed: bool | None = None
    deviation: float | None = None
    n: int = 0
    agreement: float | None = None
    accuracy: float | None = None
    low: float | None = None
    high: float | None = None
    p50_ms: float | None = None
    p95_ms: float | None = None
    runs: int = 0
    reason: str = ""


@dataclass(frozen=True, eq=False)
class Comparison:
    """The rows of ``compare``, by model and runtime, and the name of the faces ("" for noise)."""

    rows: tuple[RuntimeRow, ...]
    faces: str


@dataclass(frozen=True, eq=False)
class _Subject:
    """A model, and the faces that all its runtimes get."""

    path: Path
    info: ModelInfo
    sample: Sample | None
    inputs: NDArray[np.float32]

    @property
    def name(self) -> str:
        return self.info.name or self.path.stem


def compare(
    models: Sequence[str | Path],
    runtimes: Sequence[str],
    *,
    faces: str = "",
    split: str = "test",
    limit: int = 1000,
    threads: int = 1,
    seconds: float = 2.0,
    rounds: int | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Comparison:
    """Exports, checks and times every model in every runtime.

    Args:
        models: model files, or names of bundled models.
        runtimes: ``ONNX`` and names of targets.
        faces: source of real faces, or of pairs for identity models; without it accuracy is not measured.
        split: of the source.
        limit: largest number of faces or pairs.
        threads: per runtime.
        seconds: time for each model in each runtime.
        rounds: number of turns instead of ``seconds``.
        say: called with a line of progress before each export.

    Raises FaceletError for an unknown runtime and for faces that do not fit a model. A runtime that is missing, cannot represent a
    model or fails has a row with the reason.
    """
    targets = {name: None if name == ONNX else TARGETS[name]() for name in runtimes}
    subjects = [_subject(bundled.found(model), faces, split, limit) for model in models]
    rows: list[RuntimeRow] = []
    runs: list[tuple[int, Run, _Subject]] = []
    with tempfile.TemporaryDirectory(prefix="facelet-") as folder:
        for number, subject in enumerate(subjects):
            session = open_session(subject.path, threads)
            reference = gate.run_all(_onnx(session, subject.info), subject.inputs)
            for name, target in targets.items():
                say(f"{subject.name} in {name}")
                row = RuntimeRow(subject.name, subject.info.precision, name)
                place = Path(folder) / f"{number}-{name}"
                place.mkdir()
                try:
                    row, run = _opened(row, target, subject, place, threads)
                    if run is not None:
                        row = _scored(row, gate.run_all(run, subject.inputs), reference, subject)
                        runs.append((len(rows), run, subject))
                except FaceletError as error:
                    row = replace(row, reason=str(error))
                rows.append(row)
        if runs:
            say(f"timing {len(runs)} of them in turns")
            feeds = [[face[None] for face in subject.inputs[:TIMED]] for _, _, subject in runs]
            times = interleaved([run for _, run, _ in runs], feeds, seconds * len(runs), rounds)
            for (place_of_row, _, _), durations in zip(runs, times, strict=True):
                p50, p95 = np.percentile(np.array(durations) * 1000, (50, 95))
                rows[place_of_row] = replace(
                    rows[place_of_row], p50_ms=float(p50), p95_ms=float(p95), runs=len(durations)
                )
    names = dict.fromkeys(subject.sample.name for subject in subjects if subject.sample)
    return Comparison(tuple(rows), "; ".join(names))


def _subject(path: Path, faces: str, split: str, limit: int) -> _Subject:
    info = model_file.read(path)
    if info.exits:
        raise FaceletError(f"{path} stops early, so its runtimes cannot be compared; use `facelet bench {path}`")
    if not faces:
        shape = (8, info.input.channels, info.input.size, info.input.size)
        return _Subject(path, info, None, np.random.default_rng(0).standard_normal(shape, np.float32))
    sample = draw(faces, info, split, limit)
    return _Subject(path, info, sample, prepared(sample.images, info.input))


def _onnx(session: onnxruntime.InferenceSession, info: ModelInfo) -> Run:
    return lambda face: session.run(None, {info.input.name: face})[0]


def _opened(
    row: RuntimeRow, target: Target | None, subject: _Subject, folder: Path, threads: int
) -> tuple[RuntimeRow, Run | None]:
    """The row with size and verdict, and the open model; None where the runtime does not work here."""
    if target is None:
        run = _onnx(open_session(subject.path, threads), subject.info)
        verdict = gate.check(run, subject.path, subject.info)
        version = f"onnxruntime {onnxruntime.__version__}"
        return _judged(replace(row, version=version, bytes=size_of(subject.path)), verdict), run
    target.require()
    row = replace(row, version=target.version())
    path = folder / f"{subject.path.stem}{target.suffix}"
    convert(target, subject.path, subject.info, path)
    row = replace(row, bytes=sum(size_of(file) for file in target.files(path)))
    if target.elsewhere:
        return replace(row, reason=f"converted, not run here: it runs on {target.elsewhere}"), None
    run = target.open(path, subject.info, threads)
    return _judged(row, gate.check(run, subject.path, subject.info)), run


def _judged(row: RuntimeRow, verdict: Verdict) -> RuntimeRow:
    return replace(row, passed=verdict.passed, deviation=verdict.deviation)


def _scored(
    row: RuntimeRow, outputs: NDArray[np.float32], reference: NDArray[np.float32], subject: _Subject
) -> RuntimeRow:
    if subject.sample is None:
        return row
    scores = score(outputs, reference, subject.sample, subject.info)
    return replace(
        row, n=scores.n, agreement=scores.agreement, accuracy=scores.accuracy, low=scores.low, high=scores.high
    )
