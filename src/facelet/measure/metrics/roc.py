"""Scores of pairs against thresholds: false and true accepts, the area, the equal error rate, and what a FAR costs.

FAR is the share of pairs of two people that are accepted as one, TAR that of pairs of one person. A pair is accepted when
its score reaches the threshold.

>>> import numpy as np
>>> scores, same = np.array([0.9, 0.8, 0.3, 0.6, 0.2, 0.1]), np.array([1, 1, 1, 0, 0, 0], bool)
>>> curve = roc(scores, same)
>>> round(area(curve), 3), round(equal_error_rate(curve), 3), best_threshold(scores, same)
(0.889, 0.333, 0.7)

A rate measured on few pairs is known coarsely, and a FAR below 3 / (pairs of two people) not at all: had none been accepted,
the true rate could still be that high (the rule of three: Hanley & Lippman-Hand 1983, doi 10.1001/jama.1983.03330370053031).
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
    """``far`` and ``tar`` (M,) rise from (0, 0) to (1, 1), a point for each different score; ``thresholds`` fall from infinity."""

    far: NDArray[np.float64]
    tar: NDArray[np.float64]
    thresholds: NDArray[np.float64]


@dataclass(frozen=True)
class OperatingPoint:
    """One threshold on P pairs.

    Attributes:
        far, tar: shares accepted, of ``different`` and of ``same`` pairs; low and high are Wilson's 95 % interval.
        accepted: how many of ``different`` were.
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
    """Of ``scores`` (P,) and whether each pair is one person. Raises FaceletError unless there are pairs of both kinds."""
    ranked, together = _ranked(scores, same)
    ends = np.concatenate([[0], _ends(ranked)])
    accepted = np.concatenate([[0], np.cumsum(together)])[ends]
    thresholds = np.concatenate([[math.inf], ranked[ends[1:] - 1]])
    total = int(together.sum())
    return Roc((ends - accepted) / (len(ranked) - total), accepted / total, thresholds)


def area(curve: Roc) -> float:
    """Under the curve: how often a pair of one person scores above one of two, ties counted half."""
    return float(np.trapezoid(curve.tar, curve.far))


def equal_error_rate(curve: Roc) -> float:
    """Where FAR equals 1 - TAR, on a straight line between the points of the curve."""
    gap = curve.far + curve.tar - 1
    after = int(np.argmax(gap >= 0))
    before = after - 1
    along = -gap[before] / (gap[after] - gap[before])
    return float(curve.far[before] + along * (curve.far[after] - curve.far[before]))


def best_threshold(scores: NDArray[Any], same: NDArray[np.bool_]) -> float:
    """Of the highest accuracy, midway between neighbouring scores; of several that are as good, the middle one."""
    ranked, together = _ranked(scores, same)
    ends = np.concatenate([[0], _ends(ranked)])
    gained = np.concatenate([[0], np.cumsum(np.where(together, 1, -1))])[ends]
    best = ends[gained == gained.max()]
    return _between(ranked, int(best[(len(best) - 1) // 2]))


def smallest_far(different: int) -> float:
    """The least FAR that so many pairs of two people say something about."""
    return 3 / different


def threshold_at(scores: NDArray[Any], same: NDArray[np.bool_], far: float) -> float:
    """The lowest threshold that accepts at most a share ``far`` of the pairs of two people, midway between scores.

    Raises FaceletError for a ``far`` that their number does not support, see ``smallest_far``.
    """
    ranked, together = _ranked(scores, same)
    different = int((~together).sum())
    if not smallest_far(different) <= far <= 1:
        raise FaceletError(
            f"a FAR of {far:g} cannot be known from {different:,} pairs of two people; "
            f"{smallest_far(different):.2g} to 1 can"
        )
    ends = np.concatenate([[0], _ends(ranked)])
    wrong = np.concatenate([[0], np.cumsum(~together)])[ends]
    return _between(ranked, int(ends[wrong <= math.floor(far * different + 1e-9)][-1]))


def operating_point(scores: NDArray[Any], same: NDArray[np.bool_], threshold: float) -> OperatingPoint:
    """What a threshold accepts."""
    accepted = np.asarray(scores) >= threshold
    one, two = int(same.sum()), int((~same).sum())
    right, wrong = int(accepted[same].sum()), int(accepted[~same].sum())
    return OperatingPoint(
        threshold, wrong / two, *wilson(wrong, two), right / one, *wilson(right, one), wrong, two, one
    )


def _ranked(scores: NDArray[Any], same: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Scores, highest first, and whether each is of one person."""
    if not (same.any() and not same.all()):
        raise FaceletError(f"of {len(same):,} pairs all are of one kind; pairs of one person and of two are needed")
    order = np.argsort(-np.asarray(scores, np.float64), kind="stable")
    return np.asarray(scores, np.float64)[order], np.asarray(same, bool)[order]


def _ends(ranked: NDArray[np.float64]) -> NDArray[np.int64]:
    """How many scores reach each different score, highest first."""
    return np.append(np.flatnonzero(np.diff(ranked)) + 1, len(ranked))


def _between(ranked: NDArray[np.float64], count: int) -> float:
    """A threshold that the first ``count`` scores reach and the others do not."""
    if count == 0:
        return float(np.nextafter(ranked[0], math.inf))
    if count == len(ranked):
        return float(ranked[-1])
    middle = (ranked[count - 1] + ranked[count]) / 2
    return float(middle if middle > ranked[count] else ranked[count - 1])
