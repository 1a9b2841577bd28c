"""Verification, measured: are these two faces one person? LFW's protocol (Huang & Learned-Miller 2014,
http://vis-www.cs.umass.edu/lfw/lfw_update.pdf), and what the scores say at a chosen rate of false accepts.

    >>> import numpy as np
    >>> from facelet.faces import PairSet
    >>> images = np.array([0, 1, 200, 201], np.uint8).reshape(4, 1, 1, 1)
    >>> pairs, same = np.array([[0, 1], [0, 2], [2, 3], [1, 3]]), np.array([1, 0, 1, 0], bool)
    >>> faces = PairSet(images, np.array(list("abcd")), pairs, same, np.array([0, 0, 1, 1]), "mine")
    >>> def embed(images):  # bright and dark point elsewhere
    ...     bright = images.mean((1, 2, 3)) > 100
    ...     return np.stack([bright, ~bright], 1).astype(float)
    >>> result = evaluate_pairs(embed, faces)
    >>> result.accuracy, result.standard_error, result.thresholds
    (1.0, 0.0, (0.5, 0.5))

The standard error is of these folds, which share their people's photos; it says nothing of people unlike LFW's.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from statistics import fmean, stdev
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from facelet.errors import FaceletError
from facelet.faces import PairSet
from facelet.io.files import writing
from facelet.measure.metrics.intervals import Difference, paired_difference, wilson
from facelet.measure.metrics.roc import (
    OperatingPoint,
    Roc,
    area,
    best_threshold,
    equal_error_rate,
    operating_point,
    roc,
    smallest_far,
    threshold_at,
)

CHUNK = 1024
FARS = (1e-2, 1e-3)
Embed = Callable[[NDArray[np.uint8]], NDArray[Any]]
"""``embed(images uint8 (N, H, W, C)) -> embeddings (N, D)`` of any length but 0."""


@dataclass(frozen=True, eq=False)
class PairScores:
    """A model's scores of P pairs, and what follows from them.

    Attributes:
        scores: float64 (P,), cosines, -1 to 1. same: bool (P,). folds: int64 (P,), 0 to F - 1.
        protocol: hash of the pairs' protocol.
        mirrored_scores: float64 (P,), of embeddings to which those of the mirrored faces were added, or None.
    """

    scores: NDArray[np.float64]
    same: NDArray[np.bool_]
    folds: NDArray[np.int64]
    protocol: str
    mirrored_scores: NDArray[np.float64] | None = None

    @cached_property
    def thresholds(self) -> tuple[float, ...]:
        """(F,): the one of each fold, best on all other folds."""
        count = int(self.folds.max()) + 1
        others = [self.folds != fold for fold in range(count)]
        return tuple(best_threshold(self.scores[rows], self.same[rows]) for rows in others)

    @cached_property
    def correct(self) -> NDArray[np.bool_]:
        """bool (P,): whether each pair is answered rightly at its fold's threshold."""
        return (self.scores >= np.array(self.thresholds)[self.folds]) == self.same

    @cached_property
    def accuracies(self) -> tuple[float, ...]:
        """(F,): of each fold, at the threshold of the others."""
        return tuple(float(self.correct[self.folds == fold].mean()) for fold in range(len(self.thresholds)))

    @property
    def accuracy(self) -> float:
        """Mean of the folds' accuracies."""
        return fmean(self.accuracies)

    @property
    def standard_error(self) -> float:
        """Of that mean: the folds' sample standard deviation over the root of their number."""
        return stdev(self.accuracies) / math.sqrt(len(self.accuracies))

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the share of all pairs that are answered rightly."""
        return wilson(int(self.correct.sum()), len(self.correct))

    @cached_property
    def curve(self) -> Roc:
        return roc(self.scores, self.same)

    @property
    def auc(self) -> float:
        return area(self.curve)

    @property
    def eer(self) -> float:
        return equal_error_rate(self.curve)

    @property
    def smallest_far(self) -> float:
        """The least FAR that the pairs of two people say something about."""
        return smallest_far(int((~self.same).sum()))

    def at_far(self, far: float) -> OperatingPoint:
        """The lowest threshold within ``far``. Raises FaceletError for one that the pairs do not support."""
        return operating_point(self.scores, self.same, threshold_at(self.scores, self.same, far))

    def at_threshold(self, threshold: float) -> OperatingPoint:
        """What a threshold, such as a model file's, accepts of these pairs."""
        return operating_point(self.scores, self.same, threshold)

    @property
    def supported(self) -> list[float]:
        """Those of FARS that the pairs say something about."""
        return [far for far in FARS if far >= self.smallest_far]

    @cached_property
    def mirrored(self) -> PairScores | None:
        """The same of sums with mirror images, when they were asked for: two passes a face, so never the headline."""
        if self.mirrored_scores is None:
            return None
        return replace(self, scores=self.mirrored_scores, mirrored_scores=None)

    def against(self, other: PairScores) -> Difference:
        """Accuracy of this minus ``other`` on the same pairs. Raises FaceletError when they are not the same."""
        if self.protocol != other.protocol or not np.array_equal(self.same, other.same):
            raise FaceletError(
                f"results on different pairs cannot be compared: [{self.protocol}] and [{other.protocol}]"
            )
        return paired_difference(self.correct, other.correct)

    def to_json(self) -> dict[str, Any]:
        low, high = self.interval
        return {
            "protocol": self.protocol,
            "pairs": len(self.same),
            "accuracy": self.accuracy,
            "standard_error": self.standard_error,
            "accuracy_low": low,
            "accuracy_high": high,
            "folds": [
                {"accuracy": accuracy, "threshold": threshold}
                for accuracy, threshold in zip(self.accuracies, self.thresholds, strict=True)
            ],
            "auc": self.auc,
            "eer": self.eer,
            "smallest_far": self.smallest_far,
            "at_far": {f"{far:g}": self.at_far(far).to_json() for far in self.supported},
            "with_mirror_images": self.mirrored.to_json() if self.mirrored else None,
        }

    def save(self, path: str | Path) -> None:
        """Every score in one ``.npz``, so that a later model can be compared on the same pairs."""
        names = ("scores", "same", "folds", "protocol", "mirrored_scores")
        kept: dict[str, Any] = {n: np.array(getattr(self, n)) for n in names if getattr(self, n) is not None}
        with writing(path) as beside, beside.open("wb") as file:
            np.savez_compressed(file, **kept)

    @classmethod
    def load(cls, path: str | Path) -> PairScores:
        """Raises FaceletError when the file is missing or is not one that ``save`` wrote."""
        try:
            with np.load(path, allow_pickle=False) as kept:
                arrays = (kept["scores"], kept["same"], kept["folds"])
                return cls(*arrays, str(kept["protocol"]), kept.get("mirrored_scores"))
        except (OSError, ValueError, KeyError, EOFError, TypeError, BadZipFile, zlib.error) as error:
            raise FaceletError(f"cannot read the scores in {path}: {error}") from None


def evaluate_pairs(embed: Embed, pairs: PairSet, *, mirror: bool = False) -> PairScores:
    """Asks ``embed`` about every face of ``pairs`` once; ``mirror``: also about its mirror image, reported apart.

    Raises FaceletError for embeddings that are not one row of finite numbers a face, or of length 0.
    """
    embeddings = embedded(embed, pairs.images)
    mirrored = None
    if mirror:
        both = _unit(embeddings) + _unit(embedded(embed, pairs.images[:, :, ::-1]))
        mirrored = cosines(both, pairs.pairs)
    return replace(verified(embeddings, pairs), mirrored_scores=mirrored)


def verified(embeddings: NDArray[Any], pairs: PairSet) -> PairScores:
    """What embeddings (N, D) of the faces of ``pairs`` say."""
    scores = cosines(embeddings, pairs.pairs)
    return PairScores(scores, pairs.same, pairs.folds, pairs.protocol.hash)


def embedded(embed: Embed, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Embeddings (N, D) of ``images``, asked for CHUNK at a time. Raises FaceletError as ``evaluate_pairs``."""
    parts: list[NDArray[np.float32]] = []
    for start in range(0, len(images), CHUNK):
        some = np.ascontiguousarray(images[start : start + CHUNK])
        part = np.asarray(embed(some), np.float32)
        if part.ndim != 2 or len(part) != len(some) or (parts and part.shape[1] != parts[0].shape[1]):
            raise FaceletError(f"the model answered {len(some)} faces with {part.shape}; ({len(some)}, D) was expected")
        parts.append(part)
    embeddings = np.concatenate(parts)
    lengths = np.linalg.norm(embeddings, axis=1)
    if not (np.isfinite(lengths).all() and (lengths > 0).all()):
        wrong = int((~np.isfinite(lengths) | (lengths == 0)).sum())
        raise FaceletError(f"the embeddings of {wrong:,} of {len(images):,} faces are zero, NaN or infinite")
    return embeddings


def cosines(embeddings: NDArray[Any], pairs: NDArray[np.int64]) -> NDArray[np.float64]:
    """Cosine (P,) of the two embeddings of each of ``pairs`` (P, 2), in [-1, 1]."""
    unit = _unit(embeddings)
    products = [
        np.einsum("pd,pd->p", unit[some[:, 0]], unit[some[:, 1]])
        for some in np.array_split(pairs, max(1, len(pairs) // CHUNK))
    ]
    return np.clip(np.concatenate(products), -1, 1)


def _unit(embeddings: NDArray[Any]) -> NDArray[np.float64]:
    wide = np.asarray(embeddings, np.float64)
    return wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-30)
