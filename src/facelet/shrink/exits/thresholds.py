"""Accuracy and cost of an early-exit net at every confidence threshold, from the logits of all exits.

>>> work = ExitMacs(stages=(2_000_000, 5_000_000, 9_000_000), heads=(400_000, 300_000))
>>> kept = choose_exits(logits, labels, work, allowance=0.003)               # logits (exits, N, K), shallow to deep
>>> point = choose(curve(logits[[*kept, -1]], labels, work.upto(kept)), allowance=0.003)
>>> point.threshold, point.accuracy, point.macs

A face stops at the first exit whose largest probability reaches the threshold. The confidence may be miscalibrated on faces unlike
the measured ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facelet.models.model_file import NEVER, ExitPoint

GRID = (NEVER, *(step / 200 for step in range(200, -1, -1)))
MOST = 10
"""Number of exits up to which all subsets are tried (1,023)."""
KEPT = 12
"""Number of points of the curve stored in a model file."""


@dataclass(frozen=True)
class ThresholdPoint:
    """Accuracy and cost at one threshold.

    Attributes:
        threshold: 0 to 1, or NEVER.
        accuracy: share of correct predictions.
        macs: mean over the faces.
        shares: share of faces that stop at each exit, shallow to deep.
        mean_ms: measured mean time per face; 0 if not measured.
    """

    threshold: float
    accuracy: float
    macs: float
    shares: tuple[float, ...]
    mean_ms: float = 0.0

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class ExitMacs:
    """MACs of the parts of a net with exits, for one face.

    Attributes:
        stages: MACs of each stage, shallow to deep; the last includes the net's final output.
        heads: MACs of each exit head, one less than stages.
    """

    stages: tuple[int, ...]
    heads: tuple[int, ...]

    def upto(self, kept: Sequence[int]) -> list[int]:
        """Returns the cumulative MACs of a face that stops at each of the exits ``kept`` (0 the shallowest) and at the deepest."""
        return [
            sum(self.stages[: k + 1]) + sum(self.heads[j] for j in kept if j <= k)
            for k in (*kept, len(self.stages) - 1)
        ]


def curve(
    logits: NDArray[np.float32],
    labels: NDArray[np.int64],
    macs: Sequence[int],
    temperature: float = 1.0,
    thresholds: Sequence[float] = GRID,
) -> list[ThresholdPoint]:
    """Returns a point for each threshold.

    Args:
        logits: (exits, N, K), shallow to deep.
        labels: (N,).
        macs: cumulative MACs of a face that stops at each exit.
        temperature: divides the logits for the confidence.
        thresholds: default: from NEVER down to 0.
    """
    right = logits.argmax(2) == labels
    sure = confidence(logits[:-1], temperature)
    faces = np.arange(len(labels))
    points = []
    for threshold in thresholds:
        stops = stopping(sure, threshold)
        shares = np.bincount(stops, minlength=len(logits)) / len(labels)
        accuracy = float(right[stops, faces].mean())
        points.append(
            ThresholdPoint(threshold, accuracy, float(shares @ np.asarray(macs, float)), tuple(shares.tolist()))
        )
    return points


def confidence(logits: NDArray[np.float32], temperature: float = 1.0) -> NDArray[np.float32]:
    """Returns the largest probability, (..., K) to (...)."""
    scaled = logits / temperature
    return 1 / np.exp(scaled - scaled.max(-1, keepdims=True)).sum(-1)


def stopping(sure: NDArray[np.float32], threshold: float) -> NDArray[np.int64]:
    """Returns the index of the exit at which each face stops; ``sure``: confidences (exits - 1, N)."""
    stops = np.vstack([sure >= threshold, np.ones((1, sure.shape[1]), bool)])
    return stops.argmax(0)


def choose(points: Sequence[ThresholdPoint], allowance: float) -> ThresholdPoint:
    """Returns the point with the fewest MACs whose accuracy is at most ``allowance`` (a share) below that of the first point."""
    least = points[0].accuracy - allowance - 1e-12
    return min((point for point in points if point.accuracy >= least), key=lambda point: point.macs)


def choose_exits(
    logits: NDArray[np.float32], labels: NDArray[np.int64], work: ExitMacs, allowance: float, temperature: float = 1.0
) -> tuple[int, ...]:
    """Returns the exits (0 the shallowest, at least one) for which ``choose`` finds the fewest MACs; fewer exits if equal.

    An exit costs its own MACs for faces that do not stop there, so fewer exits can be faster. Only the shallowest MOST exits are
    tried.
    """
    shallow = range(min(len(work.heads), MOST))
    choices = [kept for count in range(1, len(shallow) + 1) for kept in combinations(shallow, count)]

    def macs(kept: tuple[int, ...]) -> float:
        points = curve(logits[[*kept, -1]], labels, work.upto(kept), temperature)
        return choose(points, allowance).macs

    return min(choices, key=macs)


def thinned(points: Sequence[ThresholdPoint]) -> tuple[ExitPoint, ...]:
    """Returns KEPT points at even steps of saved MACs, for a model file: speed 0 never exits early, 1 always at once."""
    macs = np.array([point.macs for point in points])
    saved = (macs[0] - macs) / max(macs[0] - macs[-1], 1e-9)
    wanted = np.linspace(0, 1, KEPT)
    rows = np.unique([0, *np.searchsorted(saved, wanted[1:-1]).tolist(), len(points) - 1])
    return tuple(
        ExitPoint(
            speed=round(float(saved[row]), 6),
            threshold=min(1.0, points[row].threshold),
            val_accuracy=points[row].accuracy,
            macs=round(points[row].macs),
            shares=points[row].shares,
        )
        for row in rows
    )
