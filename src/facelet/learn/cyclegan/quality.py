"""Appraises synthetic faces of a class beside its real ones, in the eyes of a judge that had no part in making them.

>>> Appraiser(job, train, source=3, judge="linear").quality(label=0, made=made, tried=900).line()
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facelet.faces import FaceSet
from facelet.faces.inspect.leaks import NEAR, likeness
from facelet.learn.device.precision import Wish
from facelet.learn.teachers.predictions import answer
from facelet.measure.synthetic import MOST, Quality, kernel_distance
from facelet.step import Job


class Appraiser:
    """``source``: label of the class that is translated; ``judge``: name of an earlier model, or None for fewer figures."""

    def __init__(self, job: Job, train: FaceSet, source: int, judge: str | None) -> None:
        self.job, self.train, self.source, self.val = job, train, source, job.faces.labelled("val")
        self.path = job.net_of(judge) if judge else None
        self.wish: Wish = job.precision  # type: ignore[assignment]
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
