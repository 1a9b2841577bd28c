from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from facelet.errors import FaceletError
from facelet.faces.pairset import draw_pairs


def test_pairs_are_what_they_say_and_each_once(face_set):
    faces = face_set(count=60)
    pairs = draw_pairs(faces, 40)
    who = faces.identities[pairs.pairs]
    assert (who >= 0).all()
    assert np.array_equal(who[:, 0] == who[:, 1], pairs.same)
    assert len({tuple(sorted(pair)) for pair in pairs.pairs.tolist()}) == len(pairs) == 80
    assert (pairs.pairs[:, 0] != pairs.pairs[:, 1]).all()
    assert draw_pairs(faces, 40).protocol == pairs.protocol
    assert draw_pairs(faces, 40, seed=1).protocol != pairs.protocol


def test_all_pairs_of_one_person_when_there_are_no_more(face_set):
    faces = face_set(count=60)
    pairs = draw_pairs(faces, 5000)
    who = faces.identities
    every = {(i, j) for i, j in combinations(range(60), 2) if who[i] == who[j] >= 0}
    assert {tuple(pair) for pair in pairs.pairs[pairs.same].tolist()} == every


def test_pairs_of_one_person_are_equally_likely(face_set):
    faces = face_set(count=28)
    counts: dict[tuple[int, int], int] = {}
    for seed in range(200):
        pairs = draw_pairs(faces, 12, seed)
        for pair in map(tuple, pairs.pairs[pairs.same].tolist()):
            counts[pair] = counts.get(pair, 0) + 1
    who = faces.identities
    every = [(i, j) for i, j in combinations(range(28), 2) if who[i] == who[j] >= 0]
    expected = 200 * 12 / len(every)
    assert all(abs(counts.get(pair, 0) - expected) < 5 * expected**0.5 for pair in every)


def test_too_few(face_set):
    with pytest.raises(FaceletError, match="are too few; expected at least 10 of each"):
        draw_pairs(face_set(count=9))
    with pytest.raises(FaceletError, match="0 pairs of one person and 0 of two"):
        draw_pairs(replace(face_set(), identities=None))
