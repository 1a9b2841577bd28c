"""Curves of pairs against scikit-learn, and figures against loops over every threshold."""

from __future__ import annotations

import doctest
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

import facelet.measure.metrics.roc
from facelet.errors import FaceletError
from facelet.measure.metrics.roc import (
    area,
    best_threshold,
    equal_error_rate,
    operating_point,
    roc,
    smallest_far,
    threshold_at,
)


def scored(count=400, seed=0, digits=2):
    """Scores with ties, of pairs of which about a third are of one person."""
    rng = np.random.default_rng(seed)
    same = rng.random(count) < 0.35
    return np.round(rng.normal(0.3 * same, 0.2), digits), same


def test_examples_in_the_docstring():
    assert doctest.testmod(facelet.measure.metrics.roc).failed == 0


@pytest.mark.parametrize(("seed", "digits"), [(0, 1), (1, 2), (2, 9)])
def test_the_curve_is_scikit_learns(seed, digits):
    scores, same = scored(seed=seed, digits=digits)
    curve = roc(scores, same)
    far, tar, thresholds = metrics.roc_curve(same, scores, drop_intermediate=False)
    np.testing.assert_allclose(curve.far, far)
    np.testing.assert_allclose(curve.tar, tar)
    np.testing.assert_allclose(curve.thresholds, thresholds)
    assert area(curve) == pytest.approx(metrics.roc_auc_score(same, scores))


def test_area_is_how_often_one_person_scores_higher():
    scores, same = scored(count=80, digits=1)
    wins = [1.0 * (one > two) + 0.5 * (one == two) for one in scores[same] for two in scores[~same]]
    assert area(roc(scores, same)) == pytest.approx(sum(wins) / len(wins))


def test_equal_error_rate_lies_between_the_nearest_points():
    scores, same = scored()
    rates = [((scores[~same] >= t).mean(), (scores[same] < t).mean()) for t in np.unique(scores)]
    accepts = min((pair for pair in rates if pair[0] >= pair[1]), key=lambda pair: pair[0])
    rejects = max((pair for pair in rates if pair[0] <= pair[1]), key=lambda pair: pair[0])
    eer = equal_error_rate(roc(scores, same))
    assert rejects[0] <= eer <= accepts[0]
    assert accepts[1] <= eer <= rejects[1]
    apart = np.array([0.9, 0.8, 0.1])
    assert equal_error_rate(roc(apart, np.array([True, True, False]))) == 0
    assert equal_error_rate(roc(-apart, np.array([True, True, False]))) == 1
    assert equal_error_rate(roc(np.zeros(4), np.array([True, True, False, False]))) == 0.5


@given(st.lists(st.tuples(st.integers(-5, 5), st.booleans()), min_size=2, max_size=30))
@settings(max_examples=150, deadline=None)
def test_no_threshold_is_better(pairs):
    scores, same = np.array([a for a, _ in pairs], float), np.array([b for _, b in pairs])
    if same.all() or not same.any():
        with pytest.raises(FaceletError, match="pairs are of one kind"):
            best_threshold(scores, same)
        return
    tried = [-99, *(t / 2 for t in range(-12, 13)), 99]
    ours = ((scores >= best_threshold(scores, same)) == same).mean()
    assert ours == max(((scores >= t) == same).mean() for t in tried)


@pytest.mark.parametrize("far", [0.02, 0.05, 0.1, 0.5, 1.0])
def test_the_threshold_of_a_far_accepts_the_most_within_it(far):
    scores, same = scored(digits=2)
    threshold = threshold_at(scores, same, far)
    within = [t for t in np.arange(-2, 2, 0.005) if (scores[~same] >= t).mean() <= far + 1e-12]
    point = operating_point(scores, same, threshold)
    assert point.far <= far
    assert point.tar == max((scores[same] >= t).mean() for t in within)
    assert point.accepted == sum(s >= threshold and not one for s, one in zip(scores, same, strict=True))
    assert point.tar_low < point.tar < point.tar_high or point.tar in (0, 1)
    assert (point.same, point.different) == (same.sum(), (~same).sum())


def test_exactly_as_many_are_accepted_as_the_far_allows():
    scores = np.concatenate([np.linspace(0, 1, 3000), np.linspace(0.5, 1.5, 3000)])
    same = np.arange(6000) >= 3000
    for far, accepted in ((1e-2, 30), (1e-3, 3)):
        assert operating_point(scores, same, threshold_at(scores, same, far)).accepted == accepted


def test_pairs_too_few_for_a_far_are_refused():
    assert smallest_far(3000) == 1e-3
    scores, same = np.arange(200.0), np.arange(200) >= 100
    with pytest.raises(
        FaceletError, match=r"a FAR of 0\.001 cannot be measured with 100 pairs of different people; choose 0\.03 to 1"
    ):
        threshold_at(scores, same, 1e-3)
    assert threshold_at(scores, same, 0.03) == pytest.approx(96.5)


def test_a_threshold_between_neighbouring_numbers_still_parts_them():
    low = 0.1
    high = math.nextafter(low, 1)
    threshold = best_threshold(np.array([high, low]), np.array([True, False]))
    assert low < threshold <= high
