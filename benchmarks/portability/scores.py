"""Samples of faces, and the comparison of a runtime's outputs with the reference's: a Row of the table.

The faces are in a seeded random order, so that the first n, which a slow runtime finishes in time, are a random sample.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from facelet.errors import FaceletError
from facelet.faces import load, load_pairs
from facelet.faces.loading import has_pairs
from facelet.measure.metrics.intervals import paired_difference, wilson
from facelet.measure.metrics.labels import match_labels
from facelet.measure.metrics.roc import best_threshold
from facelet.measure.pair_evaluation import framed
from facelet.models.model_file import ModelInfo
from portability.job import RuntimeOutputs

SEED = 0


@dataclass(frozen=True, eq=False)
class Sample:
    """Faces with their ground truth.

    Attributes:
        images: uint8 (N, H, W, C).
        labels: int64 (N,), the model's label of each face, -1 for other classes; None for embeddings.
        same: bool (N / 2,), whether images 2k and 2k + 1 show the same person; None for a source without pairs.
        name: description with the protocol's hash.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64] | None
    same: NDArray[np.bool_] | None
    name: str

    @classmethod
    def drawn(cls, source: str, split: str, limit: int, info: ModelInfo) -> Sample:
        """Draws ``limit`` faces of a split of ``source``, or ``limit`` pairs of a source of pairs, cropped for the model.

        Raises FaceletError for a source that cannot be read or does not fit the model's task.
        """
        random = np.random.default_rng(SEED)
        size, channels = info.input.cut_size, info.input.channels
        if has_pairs(source):
            if info.task != "identity":
                raise FaceletError(f"{source} has pairs of faces; {info.name or 'the model'} is for {info.task}")
            pairs = framed(load_pairs(source), info)
            rows = random.permutation(len(pairs))[:limit]
            name = f"{len(rows):,} of {len(pairs):,} pairs of {pairs.source} [protocol {pairs.protocol.hash}]"
            return cls(pairs.images[pairs.pairs[rows].ravel()], None, pairs.same[rows], name)
        faces = load(source, size=size, channels=channels)
        labelled = info.task == "expression"
        some = faces.labelled(split) if labelled else faces.split(split)
        rows = random.permutation(len(some))[:limit]
        name = f"{len(rows):,} of {len(some):,} {split} faces of {faces.source} [protocol {faces.protocol.hash}]"
        labels = match_labels(some.classes, info.labels)[some.labels[rows]] if labelled else None
        return cls(some.images[rows], labels, None, name)


@dataclass(frozen=True)
class Row:
    """Results of one runtime with one model; None for values that were not measured.

    Attributes:
        n: number of faces.
        accuracy, low, high: of expressions, or of pairs at a fixed threshold, with its 95 % Wilson interval.
        change, change_low, change_high: accuracy minus the reference's on the same faces, and its interval.
        agreement: share of faces with the same top-1 label as the reference.
        cosine, least_cosine: mean and minimum cosine of the embeddings and the reference's.
        largest, mean: maximum and mean absolute difference of logits, or of unit embeddings.
        p50_ms: for a batch of one face; None under emulation.
        reason: reason for a failure.
    """

    runtime: str
    version: str = ""
    where: str = ""
    n: int = 0
    accuracy: float | None = None
    low: float | None = None
    high: float | None = None
    change: float | None = None
    change_low: float | None = None
    change_high: float | None = None
    agreement: float | None = None
    cosine: float | None = None
    least_cosine: float | None = None
    largest: float | None = None
    mean: float | None = None
    p50_ms: float | None = None
    reason: str = ""


@dataclass(frozen=True, eq=False)
class Comparison:
    """The reference's outputs for a sample, (N, K), the task, and for pairs the threshold of the cosine."""

    sample: Sample
    reference: NDArray[np.float32]
    task: str
    threshold: float | None = None

    @classmethod
    def of(cls, sample: Sample, reference: NDArray[np.float32], info: ModelInfo) -> Comparison:
        """Uses the threshold of the model file, or else the most accurate one for the reference's outputs."""
        comparison = cls(sample, reference, info.task, info.threshold)
        if sample.same is None or info.threshold is not None:
            return comparison
        return replace(comparison, threshold=best_threshold(_scores(_unit(reference)), sample.same))

    def correct(self, answers: NDArray[np.float32]) -> NDArray[np.bool_] | None:
        """Whether each of the first faces, or each complete pair, is correct; None without ground truth."""
        if self.sample.labels is not None:
            return answers.argmax(1) == self.sample.labels[: len(answers)]
        if self.sample.same is None or len(answers) < 2:
            return None
        scores = _scores(_unit(answers))
        return (scores >= self.threshold) == self.sample.same[: len(scores)]

    def row(self, runtime: str, answers: RuntimeOutputs) -> Row:
        """Compares with the reference. Raises FaceletError when the outputs have another width."""
        ours, n = answers.logits, len(answers.logits)
        theirs = self.reference[:n]
        if ours.shape != theirs.shape:
            raise FaceletError(f"returned {ours.shape[1]} numbers per face, the reference {theirs.shape[1]}")
        row = Row(runtime, answers.version, answers.where, n, p50_ms=answers.milliseconds)
        if self.task == "expression":
            row = replace(row, agreement=float((ours.argmax(1) == theirs.argmax(1)).mean()))
        else:
            ours, theirs = _unit(ours), _unit(theirs)
            cosines = (ours * theirs).sum(1)
            row = replace(row, cosine=float(cosines.mean()), least_cosine=float(cosines.min()))
        differences = np.abs(ours - theirs)
        row = replace(row, largest=float(differences.max()), mean=float(differences.mean()))
        right, expected = self.correct(answers.logits), self.correct(self.reference[:n])
        if right is None or expected is None:
            return row
        low, high = wilson(int(right.sum()), len(right))
        change = paired_difference(right, expected)
        return replace(
            row,
            accuracy=float(right.mean()),
            low=low,
            high=high,
            change=change.value,
            change_low=change.low,
            change_high=change.high,
        )


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    wide = vectors.astype(np.float64)
    return wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-30)


def _scores(unit: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cosines of each complete pair."""
    complete = len(unit) // 2 * 2
    return (unit[0:complete:2] * unit[1:complete:2]).sum(1)
