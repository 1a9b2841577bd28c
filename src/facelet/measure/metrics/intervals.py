"""Confidence intervals of an accuracy and of a difference between two accuracies.

Wilson's score interval for one share (Wilson 1927, doi 10.1080/01621459.1927.10502953) and, combined by squares, for a mean of
shares (Zou & Donner 2008, doi 10.1002/sim.3095); Newcombe's hybrid score intervals for a difference, paired on the same faces
(Newcombe 1998, Statistics in Medicine 17, 2635-2650, method 10) or unpaired. They cover the sampling of faces from the same
distribution. They do not cover the variance between training runs; use several seeds for that.

>>> low, high = wilson(2800, 3153)
>>> round(low, 4), round(high, 4)
(0.8765, 0.8985)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, stdev
from typing import Any

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95


def wilson(correct: int, n: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Returns Wilson's interval of ``correct`` of ``n``, in [0, 1]; (0, 1) when n is 0. Raises ValueError if correct > n."""
    if not 0 <= correct <= n:
        raise ValueError(f"{correct} correct of {n}")
    if n == 0:
        return 0.0, 1.0
    z2 = NormalDist().inv_cdf(0.5 + confidence / 2) ** 2
    share = correct / n
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = math.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    return (0.0 if correct == 0 else centre - half), (1.0 if correct == n else centre + half)


def mean_of_shares(correct: Sequence[int], n: Sequence[int], confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Returns the interval of the mean of the shares ``correct`` / ``n`` of independent groups, as for a balanced accuracy.

    Raises ValueError for no groups, an empty group, or more correct than n.
    """
    if not len(n) or len(n) != len(correct) or min(n) < 1:
        raise ValueError(f"{list(correct)} correct of {list(n)}")
    shares = [right / of for right, of in zip(correct, n, strict=True)]
    ends = [wilson(right, of, confidence) for right, of in zip(correct, n, strict=True)]
    below = math.sqrt(sum((share - low) ** 2 for share, (low, _) in zip(shares, ends, strict=True))) / len(shares)
    above = math.sqrt(sum((high - share) ** 2 for share, (_, high) in zip(shares, ends, strict=True))) / len(shares)
    return fmean(shares) - below, fmean(shares) + above


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval; shares in [0, 1]."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """A difference of accuracies, first minus second, as shares, with its interval.

    Attributes:
        value, low, high: in [-1, 1].
        n: number of faces.
        paired: whether the interval uses the pairing of both models on the same faces.
    """

    value: float
    low: float
    high: float
    n: int
    paired: bool = True

    @property
    def measurable(self) -> bool:
        """Whether the interval excludes zero."""
        return self.low > 0 or self.high < 0

    @property
    def reversed(self) -> Difference:
        """Second minus first."""
        return Difference(-self.value, -self.high, -self.low, self.n, self.paired)


def paired_difference(first: NDArray[Any], second: NDArray[Any], confidence: float = CONFIDENCE) -> Difference:
    """Returns the accuracy of ``first`` minus that of ``second``, bool (N,) whether each face is classified correctly.

    Both must list the same faces in the same order. Newcombe's method 10: Wilson intervals of both shares, combined with the
    correlation of the paired results. Raises ValueError when the lengths differ or are 0.
    """
    first, second = np.asarray(first, bool), np.asarray(second, bool)
    n = len(first)
    if first.shape != second.shape or first.ndim != 1 or n == 0:
        raise ValueError(f"paired results must be two equally long lists, not {first.shape} and {second.shape}")
    both, only_first = int((first & second).sum()), int((first & ~second).sum())
    only_second, neither = int((~first & second).sum()), int((~first & ~second).sum())
    margins = (both + only_first) * (only_second + neither) * (both + only_second) * (only_first + neither)
    cross: float = both * neither - only_first * only_second
    if cross > 0:  # Newcombe's continuity correction, for positive association only
        cross = max(cross - n / 2, 0)
    phi = cross / math.sqrt(margins) if margins else 0.0
    right_first, right_second = both + only_first, both + only_second
    p, q = right_first / n, right_second / n
    p_interval, q_interval = wilson(right_first, n, confidence), wilson(right_second, n, confidence)
    return _joined(p, p_interval, q, q_interval, phi, n, True)


def unpaired_difference(
    first: float, first_interval: tuple[float, float], second: float, second_interval: tuple[float, float], n: int
) -> Difference:
    """Returns the difference from two accuracies and their intervals; wider than the paired interval."""
    return _joined(first, first_interval, second, second_interval, 0.0, n, False)


def _joined(
    p: float,
    p_interval: tuple[float, float],
    q: float,
    q_interval: tuple[float, float],
    phi: float,
    n: int,
    paired: bool,
) -> Difference:
    (p_low, p_high), (q_low, q_high) = p_interval, q_interval
    down, up = p - p_low, p_high - p
    q_down, q_up = q - q_low, q_high - q
    below = math.sqrt(max(down**2 - 2 * phi * down * q_up + q_up**2, 0.0))
    above = math.sqrt(max(up**2 - 2 * phi * up * q_down + q_down**2, 0.0))
    return Difference(p - q, p - q - below, p - q + above, n, paired)


@dataclass(frozen=True)
class Spread:
    """Mean, sample standard deviation (0 for a single value) and number of seeds."""

    mean: float
    sd: float
    n: int


def over_seeds(values: Sequence[float]) -> Spread:
    """Returns the spread of a figure over seeds. Raises ValueError for an empty list."""
    if not values:
        raise ValueError("no seeds")
    return Spread(fmean(values), stdev(values) if len(values) > 1 else 0.0, len(values))


def difference_over_folds(differences: Sequence[Difference]) -> Difference:
    """Returns the mean difference over the folds of a cross-validation, with the wider of two intervals at each end.

    The first is Student's t over folds, the second that of all test faces together: the folds' half widths, weighted by their
    numbers of faces, combine as those of independent samples. Raises ValueError for no folds.
    """
    spread = over_seeds([difference.value for difference in differences])
    total = sum(d.n for d in differences)
    below = joint_half([(d.n, d.value - d.low) for d in differences])
    above = joint_half([(d.n, d.high - d.value) for d in differences])
    half = _t_half(spread)
    return Difference(
        spread.mean,
        spread.mean - max(below, half),
        spread.mean + max(above, half),
        total,
        all(d.paired for d in differences),
    )


def joint_half(samples: Sequence[tuple[int, float]]) -> float:
    """Returns half the width of a mean's interval over independent samples, from the size and half width of each."""
    return math.sqrt(sum((n * half) ** 2 for n, half in samples)) / sum(n for n, _ in samples)


def _t_half(spread: Spread) -> float:
    """Half the width of Student's t interval of a mean; 0 for a single value."""
    if spread.n < 2:
        return 0.0
    from scipy.stats import t

    return float(t.ppf(0.5 + CONFIDENCE / 2, spread.n - 1)) * spread.sd / math.sqrt(spread.n)


def difference_over_seeds(differences: Sequence[Difference]) -> Difference:
    """Returns the mean difference over seeds, with the wider of two intervals at each end.

    The first is Student's t over seeds (variance between training runs), the second the mean of the seeds' intervals (sampling
    of faces). With two or three seeds the t interval is very wide. Raises ValueError for no seeds.
    """
    spread = over_seeds([difference.value for difference in differences])
    low, high = fmean(d.low for d in differences), fmean(d.high for d in differences)
    if spread.n > 1:
        half = _t_half(spread)
        low, high = min(low, spread.mean - half), max(high, spread.mean + half)
    return Difference(spread.mean, low, high, differences[0].n, all(d.paired for d in differences))
