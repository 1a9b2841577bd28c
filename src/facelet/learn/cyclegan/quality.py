"""Quality of the synthetic faces of a class, measured with an independent classifier (the judge) and compared with real faces.

>>> Appraiser(job, train, source=3, judge="linear", wish="auto").quality(label=0, made=made, tried=900).line()

Three measures: the share of faces whose class the judge recognises; the distance of their features to those of the class's real
faces, compared with the source faces; and the share of near duplicates of training faces. None of them shows that the faces help:
compare models trained with and without them.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facelet.faces import FaceSet
from facelet.faces.inspect.leaks import NEAR, likeness
from facelet.learn.device.precision import Wish
from facelet.learn.teachers.predictions import answer
from facelet.step import StepContext
from facelet.text import hundredths, percent


class Appraiser:
    """Scores synthetic faces with the judge.

    Args:
        job: context of the step.
        train: the training faces.
        source: label of the class that is translated.
        judge: name of an earlier model; None leaves its figures out.
        wish: precision in which the judge runs.
    """

    def __init__(self, job: StepContext, train: FaceSet, source: int, judge: str | None, wish: Wish) -> None:
        self.job, self.train, self.source, self.val = job, train, source, job.faces.labelled("val")
        self.path = job.net_of(judge) if judge else None
        self.wish = wish
        self.sources = self._features(_of(train, source))[1]

    def quality(self, label: int, made: FaceSet, tried: int) -> Quality:
        """Quality of ``made``, the accepted faces of a class, out of ``tried`` translated faces."""
        real, val = _of(self.train, label), _of(self.val, label)
        count = int((self.train.labels == label).sum())
        plain = Quality(self.train.classes[label], count, tried, len(made))
        if not len(made):
            return plain
        seen = self.train.images[np.isin(self.train.labels, (label, self.source))]
        figures: dict[str, Any] = {"near": float((likeness(made.images, seen) >= NEAR).mean())}
        if len(val):
            figures["near_real"] = float((likeness(val.images, seen) >= NEAR).mean())
        if self.path is None:
            return replace(plain, **figures)
        (_, of_real), (predicted, of_made), (predicted_val, of_val) = map(self._features, (real, made, val))
        figures["recognised"] = float((predicted == label).mean())
        figures["recognised_real"] = float((predicted_val == label).mean()) if len(val) else None
        scale = np.sqrt(np.square(of_real).mean()) or 1.0
        for name, features in (("distance", of_made), ("from_source", self.sources), ("real_distance", of_val)):
            figures[name] = kernel_distance(features / scale, of_real / scale)
        return replace(plain, **figures)

    def _features(self, faces: FaceSet) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The judge's predicted labels (N,) and embeddings (N, D)."""
        if self.path is None or not len(faces):
            return np.empty(0, np.int64), np.empty((0, 1), np.float32)
        predictions = answer(self.path, faces, mirrored=False, device=self.job.device, wish=self.wish)
        assert predictions.logits is not None
        assert predictions.embeddings is not None
        return predictions.logits.argmax(1), predictions.embeddings.astype(np.float32)


def _of(faces: FaceSet, label: int) -> FaceSet:
    """At most MOST faces of one class, evenly spaced."""
    rows = np.flatnonzero(faces.labels == label)
    return faces.take(rows[:: max(1, -(-len(rows) // MOST))])


MOST = 2000
"""Largest number of faces of a set that are compared, evenly spaced."""


@dataclass(frozen=True)
class Quality:
    """Quality of the synthetic faces of one class.

    Attributes:
        name: name of the class.
        real: number of its real training faces.
        tried: number of translated faces.
        kept: number of faces that the teacher accepted.
        recognised: share of the accepted faces for which the judge predicts this class.
        recognised_real: the same for its real validation faces.
        distance: kernel distance of the accepted faces to the real training faces, in the judge's features; None for too few faces.
        from_source: the same for the real faces of the source class.
        real_distance: the same for the real validation faces.
        near: share of the accepted faces that are near duplicates of a training face of either class.
        near_real: the same for the real validation faces.
    """

    name: str
    real: int
    tried: int
    kept: int
    recognised: float | None = None
    recognised_real: float | None = None
    distance: float | None = None
    from_source: float | None = None
    real_distance: float | None = None
    near: float | None = None
    near_real: float | None = None

    @property
    def share(self) -> float:
        """Share of the translated faces that were accepted."""
        return self.kept / max(1, self.tried)

    def line(self) -> str:
        """One line of text: "sadness: 410 of 900 made faces kept (45.6 %) beside 3,019 real; ..."."""
        parts = [
            f"{self.name}: {self.kept:,} of {self.tried:,} made faces kept ({percent(self.share)}) beside {self.real:,} real"
        ]
        if self.recognised is not None and self.recognised_real is not None:
            parts.append(f"judge recognises {percent(self.recognised)}, of real ones {percent(self.recognised_real)}")
        if self.distance is not None and self.from_source is not None:
            real = "" if self.real_distance is None else f", real validation faces {hundredths(self.real_distance)}"
            parts.append(f"distance {hundredths(self.distance)} (their sources {hundredths(self.from_source)}{real})")
        if self.near is not None and self.near_real is not None:
            parts.append(f"near duplicates {percent(self.near)}, of real ones {percent(self.near_real)}")
        return "; ".join(parts)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def kernel_distance(features: NDArray[Any], others: NDArray[Any]) -> float | None:
    """Squared maximum mean discrepancy of two sets of features (N, D) and (M, D) under the kernel (x.y / D + 1)^3, unbiased.

    Bińkowski et al., https://arxiv.org/abs/1801.01401: unlike the Fréchet distance, its expectation does not depend on the number
    of faces; it can be below 0 for similar sets. None for sets of fewer than two.
    """
    first, second = (np.asarray(rows[:: -(-len(rows) // MOST) or 1], np.float64) for rows in (features, others))
    n, m = len(first), len(second)
    if min(n, m) < 2:
        return None
    inside, across = _kernel(first, first), _kernel(first, second)
    outside = _kernel(second, second)
    within = (inside.sum() - np.trace(inside)) / (n * (n - 1)) + (outside.sum() - np.trace(outside)) / (m * (m - 1))
    return float(within - 2 * across.mean())


def _kernel(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    return (first @ second.T / first.shape[1] + 1) ** 3
