"""Intervals against scipy, a bootstrap, and simulated coverage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from facelet.measure.metrics.intervals import (
    Difference,
    difference_over_seeds,
    mean_of_shares,
    over_seeds,
    paired_difference,
    unpaired_difference,
    wilson,
)


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_is_scipys(pair):
    correct, n = pair
    theirs = stats.binomtest(correct, n).proportion_ci(method="wilson")
    assert wilson(correct, n) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def test_wilson_half_widths_of_methods():
    """METHODS.md: FERPlus at 88.8 % is known to about 1.1 points."""
    low, high = wilson(round(0.888 * 3153), 3153)
    assert (high - low) / 2 == pytest.approx(0.0110, abs=2e-4)
    assert wilson(0, 0) == (0.0, 1.0)


def test_wilson_refuses_more_correct_than_faces():
    with pytest.raises(ValueError, match="5 correct of 4"):
        wilson(5, 4)


def test_the_mean_of_shares_covers_the_truth_and_agrees_with_the_bootstrap():
    rng = np.random.default_rng(4)
    n, shares = np.array([1090, 893, 396, 384, 273, 60, 83, 40]), np.array([0.9, 0.92, 0.85, 0.7, 0.8, 0.5, 0.55, 0.3])
    truth = shares.mean()
    inside = [low <= truth <= high for low, high in (mean_of_shares(rng.binomial(n, shares), n) for _ in range(800))]
    assert np.mean(inside) == pytest.approx(0.95, abs=0.025)
    correct = (shares * n).astype(int)
    again = (rng.binomial(n, correct / n, (4000, len(n))) / n).mean(1)
    assert mean_of_shares(correct, n) == pytest.approx(np.percentile(again, (2.5, 97.5)), abs=0.006)
    assert mean_of_shares([7], [9]) == pytest.approx(wilson(7, 9))


def test_the_mean_of_shares_refuses_nothing():
    for correct, n in (([], []), ([0], [0]), ([1, 2], [3]), ([4], [3])):
        with pytest.raises(ValueError, match="correct of"):
            mean_of_shares(correct, n)


def answers(rng, n, a, b, link):
    """Two correlated lists of correct answers with accuracies ``a`` and ``b``."""
    z = rng.multivariate_normal([0, 0], [[1, link], [link, 1]], n)
    return z[:, 0] < stats.norm.ppf(a), z[:, 1] < stats.norm.ppf(b)


def test_paired_difference_agrees_with_the_bootstrap():
    first, second = answers(np.random.default_rng(0), 2000, 0.86, 0.84, 0.8)
    ours = paired_difference(first, second)
    boot = stats.bootstrap(
        (first.astype(float), second.astype(float)),
        lambda a, b, axis=-1: a.mean(axis) - b.mean(axis),
        paired=True, vectorized=True, n_resamples=4000, method="percentile", rng=np.random.default_rng(1),
    ).confidence_interval  # fmt: skip
    assert ours.value == pytest.approx(first.mean() - second.mean())
    assert (ours.low, ours.high) == pytest.approx((boot.low, boot.high), abs=0.0015)


def test_paired_difference_covers_the_truth():
    rng = np.random.default_rng(2)
    inside = 0
    for _ in range(400):
        d = paired_difference(*answers(rng, 300, 0.85, 0.80, 0.7))
        inside += d.low <= 0.05 <= d.high
    assert 0.92 <= inside / 400 <= 0.99


def test_pairing_narrows_the_interval():
    first, second = answers(np.random.default_rng(3), 3000, 0.86, 0.85, 0.9)
    paired = paired_difference(first, second)
    p, q = first.mean(), second.mean()
    loose = unpaired_difference(p, wilson(first.sum(), 3000), q, wilson(second.sum(), 3000), 3000)
    assert loose.value == pytest.approx(paired.value)
    assert paired.high - paired.low < 0.6 * (loose.high - loose.low)


def test_the_same_answers_differ_by_nothing():
    same = np.array([True, False] * 50)
    d = paired_difference(same, same)
    assert d.value == 0
    assert d.low <= 0 <= d.high
    assert not d.measurable


def test_reversed_mirrors():
    first, second = answers(np.random.default_rng(4), 500, 0.9, 0.7, 0.5)
    forward, back = paired_difference(first, second), paired_difference(second, first)
    assert forward.reversed.value == back.value
    assert (forward.reversed.low, forward.reversed.high) == pytest.approx((back.low, back.high))
    assert forward.measurable


@pytest.mark.parametrize("sizes", [(3, 4), (0, 0)])
def test_paired_difference_refuses(sizes):
    with pytest.raises(ValueError, match="equally long"):
        paired_difference(np.ones(sizes[0], bool), np.ones(sizes[1], bool))


def test_over_seeds_is_mean_and_sample_sd():
    spread = over_seeds([0.80, 0.82, 0.84])
    assert (spread.mean, spread.sd, spread.n) == pytest.approx((0.82, np.std([0.80, 0.82, 0.84], ddof=1), 3))
    assert over_seeds([0.5]).sd == 0
    with pytest.raises(ValueError, match="no seeds"):
        over_seeds([])


def test_difference_over_seeds_takes_the_wider_interval():
    tight = [Difference(v, v - 0.001, v + 0.001, 1000) for v in (0.00, 0.01, 0.02)]
    by_seed = difference_over_seeds(tight)
    theirs = stats.ttest_1samp([0.00, 0.01, 0.02], 0).confidence_interval()
    assert (by_seed.value, by_seed.low, by_seed.high) == pytest.approx((0.01, theirs.low, theirs.high))
    wide = [Difference(0.01, -0.05, 0.07, 1000)] * 3
    assert difference_over_seeds(wide).low == pytest.approx(-0.05)
