"""ROC curve of pair scores, its area, the equal error rate, and thresholds for a given false accept rate.

FAR (false accept rate) is the share of different-person pairs that are accepted, TAR (true accept rate) that of same-person pairs.
A pair is accepted when its score reaches the threshold.

>>> import numpy as np
>>> scores, same = np.array([0.9, 0.8, 0.3, 0.6, 0.2, 0.1]), np.array([1, 1, 1, 0, 0, 0], bool)
>>> curve = roc(scores, same)
>>> round(area(curve), 3), round(equal_error_rate(curve), 3), best_threshold(scores, same)
(0.889, 0.333, 0.7)

A FAR below 3 / (number of different-person pairs) cannot be measured: even if no pair is accepted, the true rate may be that high
(rule of three: Hanley & Lippman-Hand 1983, doi 10.1001/jama.1983.03330370053031).
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facelet.errors import FaceletError
from facelet.measure.metrics.intervals import wilson


@dataclass(frozen=True, eq=False)
class Roc:
    """ROC curve with a point per distinct score: ``far`` and ``tar`` (M,) from (0, 0) to (1, 1); ``thresholds`` descending."""

    far: NDArray[np.float64]
    tar: NDArray[np.float64]
    thresholds: NDArray[np.float64]


@dataclass(frozen=True)
class OperatingPoint:
    """Error rates at a threshold.

    Attributes:
        far, tar: accepted shares of the ``different`` and of the ``same`` pairs, with Wilson's 95 % intervals (low, high).
        accepted: number of ``different`` pairs that were accepted.
    """

    threshold: float
    far: float
    far_low: float
    far_high: float
    tar: float
    tar_low: float
    tar_high: float
    accepted: int
    different: int
    same: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def roc(scores: NDArray[Any], same: NDArray[np.bool_]) -> Roc:
    """Returns the curve of ``scores`` (P,); ``same``: bool (P,). Raises FaceletError unless there are pairs of both kinds."""
    ranked, together = _ranked(scores, same)
    ends = np.concatenate([[0], _ends(ranked)])
    accepted = np.concatenate([[0], np.cumsum(together)])[ends]
    thresholds = np.concatenate([[math.inf], ranked[ends[1:] - 1]])
    total = int(together.sum())
    return Roc((ends - accepted) / (len(ranked) - total), accepted / total, thresholds)


def area(curve: Roc) -> float:
    """Returns the area under the curve: probability that a same-person pair scores higher than a different-person pair."""
    return float(np.trapezoid(curve.tar, curve.far))


def equal_error_rate(curve: Roc) -> float:
    """Returns the rate at which FAR equals 1 - TAR, by linear interpolation."""
    gap = curve.far + curve.tar - 1
    after = int(np.argmax(gap >= 0))
    before = after - 1
    along = -gap[before] / (gap[after] - gap[before])
    return float(curve.far[before] + along * (curve.far[after] - curve.far[before]))


def best_threshold(scores: NDArray[Any], same: NDArray[np.bool_]) -> float:
    """Returns the threshold with the highest accuracy, midway between neighbouring scores; the middle one if several tie."""
    ranked, together = _ranked(scores, same)
    ends = np.concatenate([[0], _ends(ranked)])
    gained = np.concatenate([[0], np.cumsum(np.where(together, 1, -1))])[ends]
    best = ends[gained == gained.max()]
    return _between(ranked, int(best[(len(best) - 1) // 2]))


def smallest_far(different: int) -> float:
    """Returns the smallest FAR that can be measured with ``different`` different-person pairs."""
    return 3 / different


def threshold_at(scores: NDArray[Any], same: NDArray[np.bool_], far: float) -> float:
    """Returns the lowest threshold that accepts at most a share ``far`` of the different-person pairs, midway between scores.

    Raises FaceletError when there are too few pairs for ``far``, see ``smallest_far``.
    """
    ranked, together = _ranked(scores, same)
    different = int((~together).sum())
    if not smallest_far(different) <= far <= 1:
        raise FaceletError(
            f"a FAR of {far:g} cannot be measured with {different:,} pairs of different people; "
            f"choose {smallest_far(different):.2g} to 1"
        )
    ends = np.concatenate([[0], _ends(ranked)])
    wrong = np.concatenate([[0], np.cumsum(~together)])[ends]
    return _between(ranked, int(ends[wrong <= math.floor(far * different + 1e-9)][-1]))


def operating_point(scores: NDArray[Any], same: NDArray[np.bool_], threshold: float) -> OperatingPoint:
    """Returns the rates at a threshold."""
    accepted = np.asarray(scores) >= threshold
    positive, negative = int(same.sum()), int((~same).sum())
    right, wrong = int(accepted[same].sum()), int(accepted[~same].sum())
    far, tar = wrong / negative, right / positive
    return OperatingPoint(
        threshold, far, *wilson(wrong, negative), tar, *wilson(right, positive), wrong, negative, positive
    )


def _ranked(scores: NDArray[Any], same: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Returns the scores in descending order and whether each is of a same-person pair."""
    if not (same.any() and not same.all()):
        raise FaceletError(
            f"all {len(same):,} pairs are of one kind; pairs of the same person and of different people are needed"
        )
    order = np.argsort(-np.asarray(scores, np.float64), kind="stable")
    return np.asarray(scores, np.float64)[order], np.asarray(same, bool)[order]


def _ends(ranked: NDArray[np.float64]) -> NDArray[np.int64]:
    """Returns for each distinct score, in descending order, how many scores are at least as high."""
    return np.append(np.flatnonzero(np.diff(ranked)) + 1, len(ranked))


def _between(ranked: NDArray[np.float64], count: int) -> float:
    """Returns a threshold that exactly the first ``count`` scores reach."""
    if count == 0:
        return float(np.nextafter(ranked[0], math.inf))
    if count == len(ranked):
        return float(ranked[-1])
    middle = (ranked[count - 1] + ranked[count]) / 2
    return float(middle if middle > ranked[count] else ranked[count - 1])
