"""Splits for faces without given splits: stratified by class and decided by hashes of names, so equal on every machine.

>>> splits = split_by_name(names, labels, val=0.1, test=0.1)

There is no seed, so splits cannot be tuned for better figures. Adding faces may move a few others to another split, which changes
the split hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from facelet.errors import FaceletError
from facelet.faces.faceset import SPLITS

ALIASES = {
    "train": 0,
    "training": 0,
    "val": 1,
    "valid": 1,
    "validation": 1,
    "test": 2,
    "testing": 2,
}


def split_by_name(
    names: Sequence[str],
    labels: NDArray[np.int64],
    *,
    val: float,
    test: float,
    classes: Sequence[str],
    groups: NDArray[np.int64] | None = None,
) -> NDArray[np.int8]:
    """Splits int8 (N,), index into SPLITS, with ``val`` and ``test`` shares of every class and each group in a single split.

    A face with group -1 is its own group. Without groups every class has a face in each split with a positive share. Raises
    FaceletError for shares outside 0..1, and for classes with too few faces or too few groups to split.
    """
    shares = np.array([1 - val - test, val, test])
    if not (np.isfinite(shares).all() and (shares >= 0).all() and shares[0] > 0):
        raise FaceletError(f"shares val={val} and test={test} should be at least 0 and together less than 1")
    if groups is None:
        return _by_face(names, labels, shares, classes)
    alone = np.arange(len(groups)) + groups.max() + 1
    return _by_group(names, labels, shares, np.where(groups < 0, alone, groups))


def split_people(people: Sequence[str], identities: NDArray[np.int64], *, val: float) -> NDArray[np.int8]:
    """Splits int8 (N,) for an open set: a share ``val`` of the people, chosen by their names' hashes, is validation.

    ``identities`` (N,) is each face's person, index into ``people``. Each person is in one split. Raises FaceletError for a share
    outside 0..1, and when a split would have fewer than two people.
    """
    if not 0 <= val < 1:
        raise FaceletError(f"share val={val} should be at least 0 and less than 1")
    count = max(2, round(val * len(people))) if val else 0
    if len(people) - count < 2:
        raise FaceletError(
            f"{len(people)} people are too few: {'train and val need two each' if val else 'train needs two'}"
        )
    splits = np.zeros(len(people), np.int8)
    splits[hash_order(people)[:count]] = SPLITS.index("val")
    return splits[identities]


def hash_order(names: Sequence[str]) -> NDArray[np.int64]:
    """The order (N,) of ``names`` by their SHA-256: pseudo-random, and the same on every machine."""
    return np.argsort([hashlib.sha256(name.encode()).hexdigest() for name in names], kind="stable")


def _by_face(
    names: Sequence[str], labels: NDArray[np.int64], shares: NDArray[np.float64], classes: Sequence[str]
) -> NDArray[np.int8]:
    splits = np.zeros(len(labels), np.int8)
    order = hash_order(names)
    wanted = [number for number in (1, 2) if shares[number] > 0]
    by_label = order[np.argsort(labels[order], kind="stable")]
    present, starts = np.unique(labels[by_label], return_index=True)
    for label, members in zip(present, np.split(by_label, starts[1:]), strict=True):
        if len(members) <= len(wanted):
            raise FaceletError(
                f"class {classes[label]!r} has {len(members)} face{'s' if len(members) > 1 else ''}, too few for "
                f"{', '.join(['train', *(SPLITS[n] for n in wanted)])}; add faces or remove the class"
            )
        start = 0
        spare = len(members) - 1
        for left, number in zip(range(len(wanted) - 1, -1, -1), wanted, strict=True):
            count = min(max(1, round(shares[number] * len(members))), spare - left)
            splits[members[start : start + count]] = number
            start, spare = start + count, spare - count
    return splits


def _by_group(
    names: Sequence[str], labels: NDArray[np.int64], shares: NDArray[np.float64], groups: NDArray[np.int64]
) -> NDArray[np.int8]:
    """Assigns groups, largest first, to the split whose class shares they bring closest to the target."""
    distinct, member = np.unique(groups, return_inverse=True)
    needed = int((shares > 0).sum())
    if len(distinct) < needed:
        raise FaceletError(f"{len(distinct)} groups cannot be distributed over {needed} splits")
    counts = np.zeros((len(distinct), int(labels.max()) + 1))
    np.add.at(counts, (member, labels), 1)
    first_name = np.full(len(distinct), "", object)
    for row in sorted(range(len(names)), key=lambda row: names[row], reverse=True):
        first_name[member[row]] = names[row]
    order = hash_order(first_name.tolist())
    order = order[np.argsort(-counts[order].sum(axis=1), kind="stable")]
    target = np.outer(shares, counts.sum(axis=0))
    scale = np.maximum(target, 1)
    have = np.zeros_like(target)
    assigned = np.zeros(len(distinct), np.int8)
    open_splits = np.flatnonzero(shares > 0)
    for position, group in enumerate(order):
        empty = [number for number in open_splits if not have[number].any()]
        choices = np.array(empty if len(empty) >= len(order) - position else open_splits)
        before = ((have - target) / scale)[choices] ** 2
        after = ((have + counts[group] - target) / scale)[choices] ** 2
        best = choices[int((after - before).sum(axis=1).argmin())]
        assigned[group] = best
        have[best] += counts[group]
    return assigned[member]
