from __future__ import annotations

import numpy as np
import pytest

from facelet.measure.card.markdown import balanced, mistakes, ranges
from facelet.measure.metrics.intervals import wilson
from facelet.measure.metrics.scores import score


def test_mistakes_and_ranges_are_counted_by_hand():
    truth = np.array([0] * 5 + [1] * 3 + [2] * 2)
    answers = np.array([0, 0, 1, 1, 2, 1, 1, 0, 2, 2])
    sure = np.array([0.45, 0.55, 0.65, 0.75, 0.95, 0.4, 0.91, 1.0, 0.7, 0.9])
    probabilities = np.repeat((1 - sure[:, None]) / 2, 3, 1)
    probabilities[np.arange(10), answers] = sure
    names = ("sad", "angry", "happy")
    scores = score(probabilities, truth, names, names)
    assert [(error.truth, error.predicted, error.count, error.n) for error in mistakes(scores)] == [
        ("sad", "angry", 2, 5), ("sad", "happy", 1, 5), ("angry", "sad", 1, 3),
    ]  # fmt: skip
    assert balanced(scores).startswith(f"{100 * (2 / 5 + 2 / 3 + 1) / 3:.1f} % (")

    class Result:
        correct = answers == truth

    Result.probabilities = probabilities
    assert [(row.name, row.n, row.accuracy) for row in ranges(Result)] == [
        ("below 50 %", 2, 1.0), ("50 to 70 %", 2, 0.5), ("70 to 90 %", 2, 0.5), ("90 to 100 %", 4, 0.5),
    ]  # fmt: skip
    last = ranges(Result)[-1]
    assert (last.low, last.high) == wilson(2, 4)
    assert last.confidence == pytest.approx((0.95 + 0.91 + 1.0 + 0.9) / 4)
