"""Leaks between splits: identical or nearly identical faces, and groups (subjects, clips), in more than one split.

Also repetitions within a split: copies, and photos under two labels.

>>> leaks = find_leaks(faces)
>>> clean = ~identical_to_train(faces, "test")            # to report accuracy with and without them

Near duplicates are pairs whose thumbnails (16 x 16 grey pixels minus the mean face) correlate at 0.95 or more. On FERPlus and
RAF-DB nearly all such pairs are the same photo, cropped, marked or compressed twice. Mirrored and strongly shifted copies are
not found.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from facelet.faces.faceset import SPLITS, FaceSet
from facelet.io import pixels

NEAR = 0.95
THUMBNAIL = 16
MAX_PAIRS = 2_000_000_000
BLOCK = 1024
EXAMPLES = 5


@dataclass(frozen=True)
class Shared:
    """Faces of split ``second`` that are also in split ``first``.

    Attributes:
        first: name of a split.
        second: name of the other split.
        exact: number with the same pixels as a face of ``first``.
        relabelled: number of those with another label in ``first``.
        near: number of other faces that are near duplicates of a face of ``first``; None if not searched.
        searched: number of faces of ``second`` compared for ``near``; a sample in very large sets.
        examples: names (first, second) and correlation of near duplicates, highest first.
    """

    first: str
    second: str
    exact: int
    relabelled: int
    near: int | None
    searched: int
    examples: tuple[tuple[str, str, float], ...] = ()


@dataclass(frozen=True)
class Repeated:
    """Faces that occur more than once in a split.

    Attributes:
        split: name of the split.
        copies: number with the same pixels as an earlier face of the split.
        relabelled: number that also occur under another label (another identity, for faces without classes).
        near: number of other faces that are near duplicates of a face with another label; None if not searched or without classes.
        searched: number of faces compared for ``near``; a sample in very large sets.
        examples: names of pairs with contradicting labels, highest correlation first.
    """

    split: str
    copies: int
    relabelled: int
    near: int | None
    searched: int
    examples: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Leaks:
    """Leaks between splits and repetitions within them.

    Attributes:
        shared: an entry for each pair of splits.
        groups: number of groups with faces in more than one split.
        repeated: an entry for each split.
    """

    shared: tuple[Shared, ...]
    groups: int
    repeated: tuple[Repeated, ...] = ()

    @property
    def any(self) -> bool:
        """Whether there is a leak between two splits."""
        return bool(self.groups) or any(shared.exact or shared.near for shared in self.shared)


def find_leaks(faces: FaceSet, near: bool = True) -> Leaks:
    """Finds leaks and repetitions. ``near=False`` skips near duplicates, the slow part (5 s for FERPlus)."""
    digests = _digests(faces.images)
    rows = {split: np.flatnonzero(faces.splits == number) for number, split in enumerate(SPLITS)}
    thumbnails = _thumbnails(faces.images) if near else None
    meanings = _meanings(faces)
    shared = []
    for first, second in combinations(SPLITS, 2):
        if not (len(rows[first]) and len(rows[second])):
            continue
        there = _by_digest(digests, rows[first])
        equal = [row for row in rows[second].tolist() if digests[row] in there]
        relabelled = sum(_contradictory(meanings[[row, *there[digests[row]]]]) for row in equal)
        count, searched = None, 0
        examples: tuple[tuple[str, str, float], ...] = ()
        if thumbnails is not None:
            others = np.setdiff1d(rows[second], equal)
            step = max(1, -(-len(others) * len(rows[first]) // MAX_PAIRS))
            others = others[::step]
            count, examples = _near(faces, thumbnails, rows[first], others)
            searched = len(others) + len(equal)
        shared.append(Shared(first, second, len(equal), relabelled, count, searched, examples))
    repeated = (_repeated(faces, split, digests, rows[split], thumbnails) for split in SPLITS if len(rows[split]))
    return Leaks(tuple(shared), groups_in_two_splits(faces), tuple(repeated))


def repetitions(faces: FaceSet) -> tuple[Repeated, ...]:
    """Exact repetitions in each split, fast enough for a check before every training. Memory maps are not copied."""
    digests = _digests(faces.images)
    rows = {split: np.flatnonzero(faces.splits == number) for number, split in enumerate(SPLITS)}
    return tuple(_repeated(faces, split, digests, here, None) for split, here in rows.items() if len(here))


def identical_to_train(faces: FaceSet, split: str) -> NDArray[np.bool_]:
    """Mask (n,) over ``faces.split(split)``: which are equal in every pixel to a training face."""
    train = set(_digests(faces.images[faces.splits == SPLITS.index("train")]))
    return np.array([digest in train for digest in _digests(faces.images[faces.splits == SPLITS.index(split)])], bool)


def likeness(images: NDArray[np.uint8], others: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Correlation of each of ``images`` with the nearest of ``others``, (N,) up to 1; near duplicates have NEAR or more.

    Both are uint8 (N, H, W, C) of any size and colour, and not empty.
    """
    thumbnails = np.concatenate([_raw_thumbnails(images), _raw_thumbnails(others)])
    thumbnails = _unit(thumbnails - thumbnails[len(images) :].mean(axis=0))
    left, right = thumbnails[: len(images)], np.ascontiguousarray(thumbnails[len(images) :].T)
    blocks = range(0, len(images), BLOCK)
    return np.concatenate([(left[start : start + BLOCK] @ right).max(axis=1) for start in blocks])


def groups_in_two_splits(faces: FaceSet) -> int:
    """Number of groups with faces in more than one split; faces of unknown group (-1) do not count."""
    if faces.groups is None:
        return 0
    known = faces.groups >= 0
    pairs = np.unique(np.stack([faces.groups[known], faces.splits[known].astype(np.int64)]), axis=1)
    return int((np.unique(pairs[0], return_counts=True)[1] > 1).sum())


def _repeated(
    faces: FaceSet, split: str, digests: list[bytes], rows: NDArray[np.int64], thumbnails: NDArray[np.float32] | None
) -> Repeated:
    meanings = _meanings(faces)
    equal = [np.array(members) for members in _by_digest(digests, rows).values() if len(members) > 1]
    wrong = [members for members in equal if _contradictory(meanings[members])]
    pairs = [(members[0], next(row for row in members if meanings[row] != meanings[members[0]])) for members in wrong]
    count, searched = None, 0
    if thumbnails is not None and faces.classes:
        copies = [row for members in equal for row in members[1:]]
        count, searched, more = _near_under_another_label(faces, thumbnails, np.setdiff1d(rows, copies))
        pairs += more
    examples = tuple((str(faces.names[row]), str(faces.names[other])) for row, other in pairs[:EXAMPLES])
    return Repeated(split, sum(map(len, equal)) - len(equal), sum(map(len, wrong)), count, searched, examples)


def _meanings(faces: FaceSet) -> NDArray[np.int64]:
    """Label of each face (N,), or its identity if there are no classes; -1 unknown."""
    return faces.labels if faces.classes or faces.identities is None else faces.identities


def _contradictory(meanings: NDArray[np.int64]) -> bool:
    return len(np.unique(meanings[meanings >= 0])) > 1


def _by_digest(digests: list[bytes], rows: NDArray[np.int64]) -> dict[bytes, list[int]]:
    there: dict[bytes, list[int]] = defaultdict(list)
    for row in rows.tolist():
        there[digests[row]].append(row)
    return there


def _digests(images: NDArray[np.uint8]) -> list[bytes]:
    return [hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in images]


def _thumbnails(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(N, 256) of unit length, minus the mean face: their products are correlations."""
    small = _raw_thumbnails(images)
    return _unit(small - small.mean(axis=0))


def _raw_thumbnails(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(N, 256), each of mean 0 and unit length."""
    small = np.empty((len(images), THUMBNAIL * THUMBNAIL), np.float32)
    for number, image in enumerate(images):
        small[number] = pixels.resize(pixels.to_channels(image, 1), THUMBNAIL).ravel()
    return _unit(small - small.mean(axis=1, keepdims=True))


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)


def _near(
    faces: FaceSet, thumbnails: NDArray[np.float32], first: NDArray[np.int64], second: NDArray[np.int64]
) -> tuple[int, tuple[tuple[str, str, float], ...]]:
    """Number of faces of ``second`` with a near duplicate in ``first``, and the examples with the highest correlation."""
    there = np.ascontiguousarray(thumbnails[first].T)
    likeness, partner = np.empty(len(second), np.float32), np.empty(len(second), np.int64)
    for start in range(0, len(second), BLOCK):
        products = thumbnails[second[start : start + BLOCK]] @ there
        partner[start : start + BLOCK] = products.argmax(axis=1)
        likeness[start : start + BLOCK] = products.max(axis=1)
    near = np.flatnonzero(likeness >= NEAR)
    clearest = near[np.argsort(-likeness[near], kind="stable")][:EXAMPLES]
    examples = [
        (str(faces.names[first[partner[at]]]), str(faces.names[second[at]]), round(float(likeness[at]), 3))
        for at in clearest
    ]
    return len(near), tuple(examples)


def _near_under_another_label(
    faces: FaceSet, thumbnails: NDArray[np.float32], rows: NDArray[np.int64]
) -> tuple[int, int, list[tuple[int, int]]]:
    """Number of ``rows`` that are near duplicates of a face with another label, number compared, and the clearest pairs.

    Each class is compared with the later classes only, so that no pair is compared twice and none within a class.
    """
    rows = rows[faces.labels[rows] >= 0].astype(np.int64)
    rows = rows[:: max(1, -(-len(rows) * len(rows) // (2 * MAX_PAIRS)))]
    alike = np.zeros(len(faces), bool)
    pairs: list[tuple[float, int, int]] = []
    for label in np.unique(faces.labels[rows]):
        members, later = rows[faces.labels[rows] == label], rows[faces.labels[rows] > label]
        there = np.ascontiguousarray(thumbnails[later].T)
        for start in range(0, len(members) if len(later) else 0, BLOCK):
            block = members[start : start + BLOCK]
            products = thumbnails[block] @ there
            near = products >= NEAR
            alike[block[near.any(axis=1)]] = alike[later[near.any(axis=0)]] = True
            clearest = np.argsort(-products.max(axis=1), kind="stable")[:EXAMPLES]  # all pairs might be millions
            pairs += [
                (float(products[row].max()), int(block[row]), int(later[products[row].argmax()]))
                for row in clearest.tolist()
                if near[row].any()
            ]
    pairs.sort(key=lambda pair: (-pair[0], pair[1:]))
    return int(alike.sum()), len(rows), [(row, other) for _, row, other in pairs[:EXAMPLES]]
