"""The interval of the calibration error: its value against scores, and its coverage where the truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from facelet.measure.metrics.resampling import calibration_error
from facelet.measure.metrics.scores import score


def drawn(n, seed, over=0.0):
    """Confidences, and results that are right with that probability less ``over``."""
    rng = np.random.default_rng(seed)
    confidence = rng.uniform(0.4, 1.0, n)
    return confidence, rng.random(n) < confidence - over


def test_the_value_is_that_of_scores():
    rng = np.random.default_rng(0)
    probabilities, truth = rng.dirichlet((1, 1, 1), 500), rng.integers(0, 3, 500)
    names = ("a", "b", "c")
    figure = calibration_error(probabilities.max(1), probabilities.argmax(1) == truth)
    assert figure.value == pytest.approx(score(probabilities, truth, names, names).ece)
    assert figure.low <= figure.value <= figure.high
    assert figure == calibration_error(probabilities.max(1), probabilities.argmax(1) == truth), "the same each time"


@pytest.mark.slow
def test_the_interval_holds_the_true_error():
    """A model that is 10 points too sure in every bin: its error is 0.1 but for the noise in the bins."""
    figures = [calibration_error(*drawn(2000, seed, over=0.1)) for seed in range(20)]
    assert sum(figure.low <= 0.1 <= figure.high for figure in figures) >= 17
    assert 0.02 < np.mean([figure.high - figure.low for figure in figures]) < 0.06


def test_more_faces_narrow_it():
    few, many = (calibration_error(*drawn(n, 1, over=0.1)) for n in (300, 6000))
    assert many.high - many.low < 0.5 * (few.high - few.low)


def test_edges():
    sure = calibration_error(np.ones(50), np.ones(50, bool))
    assert (sure.value, sure.low, sure.high) == (0, 0, 0)
    with pytest.raises(ValueError, match="0 confidences"):
        calibration_error(np.zeros(0), np.zeros(0, bool))
