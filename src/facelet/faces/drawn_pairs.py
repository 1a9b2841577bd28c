"""Pairs drawn from people who were not trained on, so that a threshold can be chosen without the test set.

>>> pairs = draw_pairs(load("identities:celeba_ids.zip").split("val"), 3000)
>>> len(pairs), int(pairs.same.sum())
(6000, 3000)

Faces of one person come from one source and are alike in more than the person, so its figures flatter; compare models with
them, and quote others.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facelet.errors import FaceletError
from facelet.faces.faceset import FaceSet
from facelet.faces.pairset import PairSet

FOLDS = 10


def draw_pairs(faces: FaceSet, count: int = 3000, seed: int = 0) -> PairSet:
    """``count`` pairs of one person and as many of two, each once, in FOLDS folds; of one person fewer if there are no more.

    All possible pairs of one person are equally likely, and so are those of two. Raises FaceletError when ``faces`` do not say
    who is who, or have fewer than FOLDS pairs of either kind.
    """
    who = np.full(len(faces), -1) if faces.identities is None else faces.identities
    rng = np.random.default_rng(seed)
    same = _of_one(who, count, rng)
    different = _of_two(who, count, rng)
    if min(len(same), len(different)) < FOLDS:
        raise FaceletError(
            f"{faces.source}: {len(same)} pairs of one person and {len(different)} of two are too few; "
            f"{FOLDS} of each are the least"
        )
    return PairSet(
        images=faces.images,
        names=faces.names,
        pairs=np.concatenate([same, different]),
        same=np.arange(len(same) + len(different)) < len(same),
        folds=np.concatenate([np.arange(len(same)), np.arange(len(different))]) % FOLDS,
        source=f"pairs of {faces.source}",
        rule=f"{FOLDS} folds, {len(same)} + {len(different)} drawn, seed {seed}",
        notes=faces.notes,
        licence=faces.licence,
        margin=faces.margin,
    )


def _of_one(who: NDArray[np.int64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """(n, 2): pair k of a person with m faces is (i, j), i < j, counted row by row."""
    people, sizes = np.unique(who[who >= 0], return_counts=True)
    ends = np.cumsum(sizes * (sizes - 1) // 2)
    total = int(ends[-1]) if len(ends) else 0
    chosen = np.sort(rng.choice(total, min(count, total), replace=False))
    person = np.searchsorted(ends, chosen, side="right")
    pairs = []
    for number in np.unique(person):
        members = np.flatnonzero(who == people[number])
        first, second = np.triu_indices(len(members), 1)
        rows = chosen[person == number] - (ends[number] - len(first))
        pairs.append(np.stack([members[first[rows]], members[second[rows]]], 1))
    return np.concatenate(pairs) if pairs else np.zeros((0, 2), np.int64)


def _of_two(who: NDArray[np.int64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """(n, 2): drawn again until there are ``count``, or until hardly any new ones come."""
    known = np.flatnonzero(who >= 0)
    found: set[tuple[int, int]] = set()
    for _ in range(20 if len(known) else 0):
        drawn = np.sort(rng.choice(known, (2 * count, 2)), axis=1)
        drawn = drawn[who[drawn[:, 0]] != who[drawn[:, 1]]]
        for pair in map(tuple, drawn.tolist()):
            if len(found) == count:
                break
            found.add(pair)
    return np.array(sorted(found), np.int64).reshape(-1, 2)
