from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from facelet.errors import FaceletError
from facelet.faces import PairSet
from facelet.faces.pairset import draw_pairs


def made() -> PairSet:
    return PairSet(
        images=np.arange(4 * 64, dtype=np.uint8).reshape(4, 8, 8, 1),
        names=np.array(["Ann/1", "Ann/2", "Bo/1", "Bo/2"]),
        pairs=np.array([[0, 1], [0, 2], [2, 3], [1, 3]]),
        same=np.array([True, False, True, False]),
        folds=np.array([0, 0, 1, 1]),
        source="mine",
    )


def test_its_protocol_says_which_pairs_in_which_fold():
    pairs = made()
    assert pairs.protocol.counts == {"test": {"different": 2, "same": 2}}
    moved = replace(pairs, folds=np.array([1, 1, 0, 0]))
    assert moved.protocol.hash != pairs.protocol.hash
    turned = np.array([2, 3, 0, 1])
    again = replace(pairs, pairs=pairs.pairs[turned], same=pairs.same[turned], folds=pairs.folds[turned])
    assert again.protocol == pairs.protocol


def test_other_sizes_and_colours():
    fitted = made().fitted(16, 3)
    assert fitted.images.shape == (4, 16, 16, 3)
    assert fitted.protocol == made().protocol
    assert (fitted.size, fitted.channels, len(fitted), fitted.fold_count) == (16, 3, 4, 2)
    closer = made().fitted(6, 1, margin=-0.125)
    assert closer.margin == -0.125
    np.testing.assert_array_equal(closer.images, made().images[:, 1:-1, 1:-1])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": np.zeros((4, 8, 8), np.uint8)}, "images must be uint8"),
        ({"names": np.array(["a"])}, "1 names for 4 images"),
        ({"pairs": np.array([[0, 1], [0, 2], [2, 3], [1, 4]])}, r"outside 0\.\.3"),
        ({"same": np.array([True])}, r"same \(1,\)"),
        ({"same": np.array([True, True, True, False])}, "pairs of both kinds in each"),
        ({"folds": np.array([0, 0, 2, 2])}, "numbered from 0"),
        ({"folds": np.array([0, 0, 0, 0])}, "two folds or more"),
    ],
)
def test_what_does_not_fit_is_refused(changes, message):
    with pytest.raises(FaceletError, match=message):
        replace(made(), **changes)


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
