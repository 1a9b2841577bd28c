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
    """Scores made faces with the judge.

    Args:
        source: label of the class that is translated.
        judge: name of an earlier model, or None for fewer figures.
        wish: precision in which the judge runs.
    """

    def __init__(self, job: StepContext, train: FaceSet, source: int, judge: str | None, wish: Wish) -> None:
        self.job, self.train, self.source, self.val = job, train, source, job.faces.labelled("val")
        self.path = job.net_of(judge) if judge else None
        self.wish = wish
        self.sources = self._features(_of(train, source))[1]

    def quality(self, label: int, made: FaceSet, tried: int) -> Quality:
        """Of ``made``, faces of one class, of which ``tried`` were translated before some were let in."""
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
        (_, there), (found, mine), (known, other) = (self._features(some) for some in (real, made, val))
        figures["recognised"] = float((found == label).mean())
        figures["recognised_real"] = float((known == label).mean()) if len(val) else None
        scale = np.sqrt(np.square(there).mean()) or 1.0
        for name, some in (("distance", mine), ("from_source", self.sources), ("real_distance", other)):
            figures[name] = kernel_distance(some / scale, there / scale)
        return replace(plain, **figures)

    def _features(self, faces: FaceSet) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The judge's answers (N,) and embeddings (N, D)."""
        if self.path is None or not len(faces):
            return np.empty(0, np.int64), np.empty((0, 1), np.float32)
        found = answer(self.path, faces, mirrored=False, device=self.job.device, wish=self.wish)
        assert found.logits is not None
        assert found.embeddings is not None
        return found.logits.argmax(1), found.embeddings.astype(np.float32)


def _of(faces: FaceSet, label: int) -> FaceSet:
    """At most MOST faces of one class, evenly spaced."""
    rows = np.flatnonzero(faces.labels == label)
    return faces.take(rows[:: max(1, -(-len(rows) // MOST))])


MOST = 2000
"""Features of a set that are compared, evenly spaced."""


@dataclass(frozen=True)
class Quality:
    """Of one class.

    Attributes:
        name: of the class. real: its training faces. tried, kept: faces translated, and those that the teacher let in.
        recognised: share of the kept that the judge gives this class; recognised_real: of its real validation faces.
        distance: kernel distance of the kept to the class's real training faces, in the judge's features; from_source: of faces
            of the class that is translated; real_distance: of its real validation faces. None without faces enough.
        near: share of the kept that are near duplicates of a training face of either class; near_real: of its validation faces.
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
        """Of the tried, how many were kept."""
        return self.kept / max(1, self.tried)

    def line(self) -> str:
        """One line of text: "sadness: 410 of 900 made faces kept (45.6 %) beside 3,019 real; ..."."""
        said = [
            f"{self.name}: {self.kept:,} of {self.tried:,} made faces kept ({percent(self.share)}) beside {self.real:,} real"
        ]
        if self.recognised is not None and self.recognised_real is not None:
            said.append(f"judge recognises {percent(self.recognised)}, of real ones {percent(self.recognised_real)}")
        if self.distance is not None and self.from_source is not None:
            real = "" if self.real_distance is None else f", real validation faces {hundredths(self.real_distance)}"
            said.append(f"distance {hundredths(self.distance)} (their sources {hundredths(self.from_source)}{real})")
        if self.near is not None and self.near_real is not None:
            said.append(f"near duplicates {percent(self.near)}, of real ones {percent(self.near_real)}")
        return "; ".join(said)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def kernel_distance(features: NDArray[Any], others: NDArray[Any]) -> float | None:
    """Squared maximum mean discrepancy of two sets of features (N, D) and (M, D) under the kernel (x.y / D + 1)^3, unbiased.

    Bińkowski et al., https://arxiv.org/abs/1801.01401: unlike the Fréchet distance its expectation does not depend on how many
    faces there are; it may be below 0 where the sets are alike. None for sets of fewer than two.
    """
    first, second = (np.asarray(some[:: -(-len(some) // MOST) or 1], np.float64) for some in (features, others))
    n, m = len(first), len(second)
    if min(n, m) < 2:
        return None
    inside, across = _kernel(first, first), _kernel(first, second)
    outside = _kernel(second, second)
    within = (inside.sum() - np.trace(inside)) / (n * (n - 1)) + (outside.sum() - np.trace(outside)) / (m * (m - 1))
    return float(within - 2 * across.mean())


def _kernel(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    return (first @ second.T / first.shape[1] + 1) ** 3
