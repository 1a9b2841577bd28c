"""Evaluation of face verification: LFW's protocol, ROC, and the true accept rate at a chosen false accept rate.

    >>> import numpy as np
    >>> from facelet.faces import PairSet
    >>> images = np.array([0, 1, 200, 201], np.uint8).reshape(4, 1, 1, 1)
    >>> pairs, same = np.array([[0, 1], [0, 2], [2, 3], [1, 3]]), np.array([1, 0, 1, 0], bool)
    >>> faces = PairSet(images, np.array(list("abcd")), pairs, same, np.array([0, 0, 1, 1]), "mine")
    >>> def embed(images):  # bright and dark faces are orthogonal
    ...     bright = images.mean((1, 2, 3)) > 100
    ...     return np.stack([bright, ~bright], 1).astype(float)
    >>> result = evaluate_pairs(embed, faces)
    >>> result.accuracy, result.standard_error, result.thresholds
    (1.0, 0.0, (0.5, 0.5))

Protocol: Huang & Learned-Miller 2014, http://vis-www.cs.umass.edu/lfw/lfw_update.pdf. The standard error is over the folds. It
does not cover people unlike those of the pairs.
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
    """Similarity scores of P pairs, and their metrics.

    Attributes:
        scores: float64 (P,), cosines, -1 to 1. same: bool (P,). folds: int64 (P,), 0 to F - 1.
        protocol: hash of the pairs' protocol.
        mirrored_scores: float64 (P,), from the sums of the embeddings of each face and its mirror image, or None.
    """

    scores: NDArray[np.float64]
    same: NDArray[np.bool_]
    folds: NDArray[np.int64]
    protocol: str
    mirrored_scores: NDArray[np.float64] | None = None

    @cached_property
    def thresholds(self) -> tuple[float, ...]:
        """Threshold of each fold (F,), chosen on the other folds."""
        count = int(self.folds.max()) + 1
        others = [self.folds != fold for fold in range(count)]
        return tuple(best_threshold(self.scores[rows], self.same[rows]) for rows in others)

    @cached_property
    def correct(self) -> NDArray[np.bool_]:
        """Whether each pair is classified correctly at its fold's threshold, bool (P,)."""
        return (self.scores >= np.array(self.thresholds)[self.folds]) == self.same

    @cached_property
    def accuracies(self) -> tuple[float, ...]:
        """Accuracy of each fold (F,), at the threshold chosen on the other folds."""
        return tuple(float(self.correct[self.folds == fold].mean()) for fold in range(len(self.thresholds)))

    @property
    def accuracy(self) -> float:
        """Mean of the folds' accuracies."""
        return fmean(self.accuracies)

    @property
    def standard_error(self) -> float:
        """Standard error of that mean: sample standard deviation of the folds divided by the square root of F."""
        return stdev(self.accuracies) / math.sqrt(len(self.accuracies))

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the accuracy over all pairs."""
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
        """The smallest FAR that can be measured with these pairs."""
        return smallest_far(int((~self.same).sum()))

    def at_far(self, far: float) -> OperatingPoint:
        """Returns the operating point of the lowest threshold with at most ``far``.

        Raises FaceletError when ``far`` is below ``smallest_far``.
        """
        return operating_point(self.scores, self.same, threshold_at(self.scores, self.same, far))

    def at_threshold(self, threshold: float) -> OperatingPoint:
        """Returns the operating point at a given threshold, such as that of a model file."""
        return operating_point(self.scores, self.same, threshold)

    @property
    def supported(self) -> list[float]:
        """The values of FARS that can be measured with these pairs."""
        return [far for far in FARS if far >= self.smallest_far]

    @cached_property
    def mirrored(self) -> PairScores | None:
        """Results with mirror images, or None; they need two passes per face, so they are never the main result."""
        if self.mirrored_scores is None:
            return None
        return replace(self, scores=self.mirrored_scores, mirrored_scores=None)

    def against(self, other: PairScores) -> Difference:
        """Returns this accuracy minus that of ``other``, paired. Raises FaceletError for different pairs."""
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
        """Saves the scores as ``.npz``, so that later models can be compared on the same pairs."""
        names = ("scores", "same", "folds", "protocol", "mirrored_scores")
        kept: dict[str, Any] = {n: np.array(getattr(self, n)) for n in names if getattr(self, n) is not None}
        with writing(path) as beside, beside.open("wb") as file:
            np.savez_compressed(file, **kept)

    @classmethod
    def load(cls, path: str | Path) -> PairScores:
        """Loads a file that ``save`` wrote. Raises FaceletError when it is missing or of another format."""
        try:
            with np.load(path, allow_pickle=False) as kept:
                arrays = (kept["scores"], kept["same"], kept["folds"])
                return cls(*arrays, str(kept["protocol"]), kept.get("mirrored_scores"))
        except (OSError, ValueError, KeyError, EOFError, TypeError, BadZipFile, zlib.error) as error:
            raise FaceletError(f"cannot read the scores in {path}: {error}") from None


def evaluate_pairs(embed: Embed, pairs: PairSet, *, mirror: bool = False) -> PairScores:
    """Evaluates ``embed`` on all faces of ``pairs``; ``mirror``: additionally with mirror images, reported separately.

    Raises FaceletError for embeddings of another shape, with NaN or infinite numbers, or of length 0.
    """
    embeddings = embedded(embed, pairs.images)
    mirrored = None
    if mirror:
        both = _unit(embeddings) + _unit(embedded(embed, pairs.images[:, :, ::-1]))
        mirrored = cosines(both, pairs.pairs)
    return replace(verified(embeddings, pairs), mirrored_scores=mirrored)


def verified(embeddings: NDArray[Any], pairs: PairSet) -> PairScores:
    """Returns the scores of ``pairs`` from the embeddings (N, D) of their faces."""
    scores = cosines(embeddings, pairs.pairs)
    return PairScores(scores, pairs.same, pairs.folds, pairs.protocol.hash)


def embedded(embed: Embed, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Returns the embeddings (N, D) of ``images``, computed CHUNK at a time. Raises FaceletError as ``evaluate_pairs``."""
    parts: list[NDArray[np.float32]] = []
    for start in range(0, len(images), CHUNK):
        chunk = np.ascontiguousarray(images[start : start + CHUNK])
        part = np.asarray(embed(chunk), np.float32)
        if part.ndim != 2 or len(part) != len(chunk) or (parts and part.shape[1] != parts[0].shape[1]):
            raise FaceletError(
                f"the model returned shape {part.shape} for {len(chunk)} faces; expected ({len(chunk)}, D)"
            )
        parts.append(part)
    embeddings = np.concatenate(parts)
    lengths = np.linalg.norm(embeddings, axis=1)
    if not (np.isfinite(lengths).all() and (lengths > 0).all()):
        wrong = int((~np.isfinite(lengths) | (lengths == 0)).sum())
        raise FaceletError(f"the embeddings of {wrong:,} of {len(images):,} faces are zero, NaN or infinite")
    return embeddings


def cosines(embeddings: NDArray[Any], pairs: NDArray[np.int64]) -> NDArray[np.float64]:
    """Returns the cosine similarities (P,), in [-1, 1], of ``pairs`` (P, 2) of row numbers of ``embeddings``."""
    unit = _unit(embeddings)
    products = [
        np.einsum("pd,pd->p", unit[chunk[:, 0]], unit[chunk[:, 1]])
        for chunk in np.array_split(pairs, max(1, len(pairs) // CHUNK))
    ]
    return np.clip(np.concatenate(products), -1, 1)


def _unit(embeddings: NDArray[Any]) -> NDArray[np.float64]:
    wide = np.asarray(embeddings, np.float64)
    return wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-30)
