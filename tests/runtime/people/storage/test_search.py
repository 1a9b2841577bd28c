"""The search in memory, against loops."""

from __future__ import annotations

import numpy as np
import pytest
from gallery_fixtures import unit

from facelet.runtime.people.storage import search


@pytest.mark.parametrize("but", ["", "b"])
def test_against_loops(but):
    names, matrix, seen = ["a", "b", "c"] * 30, unit(90), unit(search.AT_ONCE + 3, seed=1)
    for vector, (name, cosine) in zip(seen, search.nearest(names, matrix, seen, but), strict=True):
        scores = [(float(np.dot(vector, row)), other) for other, row in zip(names, matrix, strict=True) if other != but]
        assert (cosine, name) == (pytest.approx(max(scores)[0], abs=1e-6), max(scores)[1])


def test_nobody():
    assert search.nearest([], unit(0), unit(2)) == [search.NOBODY] * 2
    assert search.nearest(["a"], unit(1), unit(2), but="a") == [search.NOBODY] * 2
    assert search.nearest(["a"], unit(1), unit(0)) == []


def test_a_cosine_is_never_above_1():
    vector = np.full((1, 3), 0.5774, np.float32)  # a little longer than 1
    assert search.nearest(["a"], vector, vector) == [("a", 1.0)]
