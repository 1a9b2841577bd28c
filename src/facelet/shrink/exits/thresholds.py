"""What a net that stops early would cost and answer at every confidence: from all exits' answers on some faces.

>>> work = ExitMacs(stages=(2_000_000, 5_000_000, 9_000_000), heads=(400_000, 300_000))
>>> kept = choose_exits(logits, labels, work, allowance=0.003)               # logits (exits, N, K), shallow to deep
>>> point = choose(curve(logits[[*kept, -1]], labels, work.upto(kept)), allowance=0.003)
>>> point.threshold, point.accuracy, point.macs

A face stops at the first exit whose largest probability reaches the threshold. Confidence is that of faces like those it was
measured on; on others it may be misplaced.
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
"""Exits among which every choice is tried, 1,023 of them."""
KEPT = 12
"""Points of a curve that a model file keeps."""


@dataclass(frozen=True)
class ThresholdPoint:
    """One threshold.

    Attributes:
        threshold: 0 to 1, or NEVER.
        accuracy: share of right answers.
        macs: mean over the faces.
        shares: of the faces that stop at each exit, shallow to deep.
        mean_ms: measured mean time of a face, 0 where it was not.
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
        stages: the net itself, shallow to deep, each from the map before it; the last with the net's own answer.
        heads: of each exit, one less than stages.
    """

    stages: tuple[int, ...]
    heads: tuple[int, ...]

    def upto(self, kept: Sequence[int]) -> list[int]:
        """MACs of a face that stops at each of the exits ``kept`` (0 the shallowest), then at the deepest; all before included."""
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
    """A point for each threshold; by default from NEVER down to 0.

    Args:
        logits: (exits, N, K), shallow to deep. labels: (N,).
        macs: of a face that stops at each exit, all before it included.
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
    """The largest probability, (..., K) to (...)."""
    scaled = logits / temperature
    return 1 / np.exp(scaled - scaled.max(-1, keepdims=True)).sum(-1)


def stopping(sure: NDArray[np.float32], threshold: float) -> NDArray[np.int64]:
    """Index of the exit at which each face stops, of confidences (exits - 1, N)."""
    stops = np.vstack([sure >= threshold, np.ones((1, sure.shape[1]), bool)])
    return stops.argmax(0)


def choose(points: Sequence[ThresholdPoint], allowance: float) -> ThresholdPoint:
    """The one of fewest MACs whose accuracy is at most ``allowance`` (a share) below that of never stopping, the first point."""
    least = points[0].accuracy - allowance - 1e-12
    return min((point for point in points if point.accuracy >= least), key=lambda point: point.macs)


def choose_exits(
    logits: NDArray[np.float32], labels: NDArray[np.int64], work: ExitMacs, allowance: float, temperature: float = 1.0
) -> tuple[int, ...]:
    """The exits (0 the shallowest, at least one) of which ``choose`` finds the fewest MACs; the fewer exits of equals.

    An exit that faces pass without stopping costs its own MACs, so fewer exits can be the faster net. Of more than MOST, only
    the shallowest MOST are tried.
    """
    shallow = range(min(len(work.heads), MOST))
    choices = [kept for count in range(1, len(shallow) + 1) for kept in combinations(shallow, count)]

    def macs(kept: tuple[int, ...]) -> float:
        points = curve(logits[[*kept, -1]], labels, work.upto(kept), temperature)
        return choose(points, allowance).macs

    return min(choices, key=macs)


def thinned(points: Sequence[ThresholdPoint]) -> tuple[ExitPoint, ...]:
    """KEPT points at even steps of what they save, for a model file: its speed 0 never stops early, 1 always does at once."""
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
