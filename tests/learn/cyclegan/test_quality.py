"""What synthetic faces are worth: the kernel distance against loops, and the line that says it."""

from __future__ import annotations

import numpy as np
import pytest

from facelet.learn.cyclegan import quality
from facelet.learn.cyclegan.quality import Quality, kernel_distance


def test_the_distance_against_loops():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(5, 3)), rng.normal(1, 1, size=(4, 3))

    def kernel(a, b):
        return (sum(p * q for p, q in zip(a, b, strict=True)) / 3 + 1) ** 3

    within_x = sum(kernel(x[i], x[j]) for i in range(5) for j in range(5) if i != j) / 20
    within_y = sum(kernel(y[i], y[j]) for i in range(4) for j in range(4) if i != j) / 12
    across = sum(kernel(a, b) for a in x for b in y) / 20
    assert kernel_distance(x, y) == pytest.approx(within_x + within_y - 2 * across)


def test_it_is_unbiased_and_tells_sets_apart():
    rng = np.random.default_rng(1)
    same = [kernel_distance(rng.normal(size=(20, 4)), rng.normal(size=(30, 4))) for _ in range(300)]
    other = kernel_distance(rng.normal(size=(200, 4)), rng.normal(0.7, 1, size=(200, 4)))
    assert abs(np.mean(same)) < 3 * np.std(same) / 300**0.5
    assert other > 3 * np.std(same)
    assert kernel_distance(np.ones((1, 4)), np.ones((5, 4))) is None


def test_large_sets_are_thinned(monkeypatch):
    monkeypatch.setattr(quality, "MOST", 10)
    features = np.random.default_rng(2).normal(size=(95, 4))
    assert kernel_distance(features, features + 1) == kernel_distance(features[::10], features[::10] + 1)


def test_the_line_says_what_is_known():
    plain = Quality("sadness", real=3019, tried=900, kept=410)
    assert plain.line() == "sadness: 410 of 900 made faces kept (45.6 %) beside 3,019 real"
    whole = Quality("fear", 532, 100, 50, 0.7, 0.6, 0.1, 0.5, 0.02, 0.01, 0.03)
    assert whole.line() == (
        "fear: 50 of 100 made faces kept (50.0 %) beside 532 real; judge recognises 70.0 %, of real ones 60.0 %; "
        "distance 0.10 (their sources 0.50, real validation faces 0.02); near duplicates 1.0 %, of real ones 3.0 %"
    )
    assert Quality(**whole.to_json()) == whole
