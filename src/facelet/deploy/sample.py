"""Real faces to compare runtimes on, and the scores of a runtime's outputs.

>>> sample = draw("ferplus:ferplus.zip", info, limit=2000)
>>> score(outputs, onnx_outputs, sample, info).accuracy
0.884

The faces are a seeded random sample, the same for every runtime and every call.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facelet.errors import FaceletError
from facelet.faces import load, load_pairs
from facelet.faces.loading import has_pairs
from facelet.measure.metrics.intervals import wilson
from facelet.measure.metrics.labels import match_labels
from facelet.measure.pair_evaluation import framed
from facelet.models.model_file import ModelInfo

SEED = 0


@dataclass(frozen=True, eq=False)
class Sample:
    """Faces with what is known about them.

    Attributes:
        images: uint8 (N, H, W, C).
        labels: int64 (N,), the model's label of each face or -1; None for an identity model.
        same: bool (N / 2,), whether images 2k and 2k + 1 are one person; None without pairs.
        name: number of faces, source and protocol.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64] | None
    same: NDArray[np.bool_] | None
    name: str


@dataclass(frozen=True)
class Scores:
    """Scores of a runtime's outputs.

    Attributes:
        n: number of faces or pairs.
        accuracy, low, high: with the 95 % interval; None where nothing is known about the faces.
        agreement: share of faces with the label that ONNX Runtime gives; for an identity model the mean cosine to its embedding.
    """

    n: int
    agreement: float
    accuracy: float | None = None
    low: float | None = None
    high: float | None = None


def draw(source: str, info: ModelInfo, split: str = "test", limit: int = 1000) -> Sample:
    """At most ``limit`` faces of a split, or pairs of a source of pairs, for a model. Raises FaceletError if they do not fit it."""
    random = np.random.default_rng(SEED)
    if has_pairs(source):
        if info.task != "identity":
            raise FaceletError(f"{source} has pairs of faces; {info.name or 'the model'} is for {info.task}")
        pairs = framed(load_pairs(source), info)
        rows = np.sort(random.permutation(len(pairs))[:limit])
        name = f"{len(rows):,} of {len(pairs):,} pairs of {pairs.source}, protocol {pairs.protocol.hash}"
        return Sample(pairs.images[pairs.pairs[rows].ravel()], None, pairs.same[rows], name)
    faces = load(source, size=info.input.cut_size, channels=info.input.channels)
    part = faces.labelled(split) if info.task == "expression" else faces.split(split)
    if not len(part):
        raise FaceletError(f"{source} has no {split} faces")
    rows = np.sort(random.permutation(len(part))[:limit])
    name = f"{len(rows):,} of {len(part):,} {split} faces of {faces.source}, protocol {faces.protocol.hash}"
    labels = match_labels(part.classes, info.labels)[part.labels[rows]] if info.task == "expression" else None
    return Sample(part.images[rows], labels, None, name)


def score(outputs: NDArray[np.float32], reference: NDArray[np.float32], sample: Sample, info: ModelInfo) -> Scores:
    """Scores of ``outputs`` (N, K); ``reference``: ONNX Runtime's with the model file. Raises FaceletError for another shape."""
    if outputs.shape != reference.shape:
        raise FaceletError(f"it returns {outputs.shape[1:]} numbers for a face, the model file {reference.shape[1:]}")
    if info.task == "expression":
        agreement = float((outputs.argmax(1) == reference.argmax(1)).mean())
        right = None if sample.labels is None else outputs.argmax(1) == sample.labels
    else:
        agreement = float((_unit(outputs) * _unit(reference)).sum(1).mean())
        right = None
        if sample.same is not None and info.threshold is not None:
            unit = _unit(outputs)
            right = ((unit[0::2] * unit[1::2]).sum(1) >= info.threshold) == sample.same
    if right is None:
        return Scores(len(outputs), agreement)
    low, high = wilson(int(right.sum()), len(right))
    return Scores(len(right), agreement, float(right.mean()), low, high)


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    wide = vectors.astype(np.float64)
    return wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-30)
