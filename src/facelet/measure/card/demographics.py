"""Confidence and false matches by demographic group, from UTKFace's file names.

UTKFace (Zhang et al. 2017, https://susanqq.github.io/UTKFace/) names its faces ``<age>_<gender>_<race>_<time>.jpg``. These
labels were estimated by a net and checked by people; they are sometimes wrong.

>>> groups, skipped = grouped(["27_1_2_20170116.jpg", "me.jpg"])
>>> [str(group) for group in groups], skipped
(['all', 'age 20 to 39', 'female', 'Asian'], 1)

There are no expression labels, so no accuracy: lower confidence on a group may mean more errors or harder photos. Identities are
unknown too: two photos are assumed to show two people, which is sometimes wrong.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facelet.errors import FaceletError
from facelet.measure.metrics.intervals import wilson
from facelet.measure.verification import cosines

NAME = re.compile(r"(\d{1,3})_([01])_([0-4])_\d")
AGES = {"age 0 to 12": 12, "age 13 to 19": 19, "age 20 to 39": 39, "age 40 to 59": 59, "age 60 and over": 999}
"""The last year of each group."""
GENDERS = ("male", "female")
RACES = ("White", "Black", "Asian", "Indian", "other")
UNSURE = 0.5
"""Highest probability below which a prediction counts as unsure."""
PAIRS = 100_000
"""Maximum number of pairs drawn from a group."""


@dataclass(frozen=True, eq=False)
class DemographicGroup:
    """Faces with a common label. ``kind``: "age", "gender", "race", or "" for all. ``rows``: int64, positions of the faces."""

    kind: str
    name: str
    rows: NDArray[np.int64]

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class GroupConfidence:
    """Confidence of an expression model on ``n`` faces of a group.

    Attributes:
        confidence: mean of the highest probability.
        unsure: share of faces with a highest probability below UNSURE; low, high: its 95 % interval.
        shares: share of faces predicted as each label, in the order of the labels.
    """

    kind: str
    name: str
    n: int
    confidence: float
    unsure: float
    low: float
    high: float
    shares: tuple[float, ...]


@dataclass(frozen=True)
class FalseMatches:
    """False matches of an identity model within a group: ``share`` of ``n`` pairs accepted, with its 95 % interval."""

    kind: str
    name: str
    n: int
    share: float
    low: float
    high: float


def grouped(names: Sequence[str], children_apart: bool = False) -> tuple[list[DemographicGroup], int]:
    """Groups faces by UTKFace's ``names`` (paths or file names).

    ``children_apart``: adds the group of all who are at least 13, and leaves children out of the groups of gender and race: a model
    confuses children with each other so often that they would decide the figures of these groups.

    Returns the groups that have faces, and the number of names of another form. Raises FaceletError when no name fits.
    """
    matches = [NAME.match(name.rsplit("/", 1)[-1]) for name in names]
    known = np.array([row for row, match in enumerate(matches) if match], np.int64)
    if not len(known):
        example = f" (got {names[0]!r})" if len(names) else ""
        raise FaceletError(
            f"none of {len(names):,} names contains age, gender and race{example}; --people expects UTKFace, with file names "
            "<age>_<gender>_<race>_<time>.jpg: --people faces:utkface.zip"
        )
    labels = np.array([[int(part) for part in match.groups()] for match in matches if match])
    ages = np.searchsorted(list(AGES.values()), labels[:, 0])
    counted = (ages > 0) | (not children_apart)
    groups = [DemographicGroup("", "all", known)]
    if children_apart and counted.any():
        groups.append(DemographicGroup("", "all from 13 years", known[counted]))
    for kind, group_names, numbers in (
        ("age", tuple(AGES), ages),
        ("gender", GENDERS, labels[:, 1]),
        ("race", RACES, labels[:, 2]),
    ):
        groups += [
            DemographicGroup(kind, name, known[rows])
            for number, name in enumerate(group_names)
            if (rows := (numbers == number) & (counted | (kind == "age"))).any()
        ]
    return groups, len(names) - len(known)


def sureness(probabilities: NDArray[np.float32], groups: Sequence[DemographicGroup]) -> list[GroupConfidence]:
    """Returns the confidence in each group, from the ``probabilities`` (N, K) of an expression model."""
    confidence, predicted = probabilities.max(1), probabilities.argmax(1)
    results = []
    for group in groups:
        n, unsure = len(group.rows), int((confidence[group.rows] < UNSURE).sum())
        counts = np.bincount(predicted[group.rows], minlength=probabilities.shape[1])
        results.append(
            GroupConfidence(
                group.kind,
                group.name,
                n,
                float(confidence[group.rows].mean(dtype=np.float64)),
                unsure / n,
                *wilson(unsure, n),
                tuple((counts / n).tolist()),
            )
        )
    return results


def strangers(
    embeddings: NDArray[np.float32], groups: Sequence[DemographicGroup], threshold: float, seed: int = 0
) -> list[FalseMatches]:
    """Returns the share of pairs within each group that ``threshold`` accepts; at most PAIRS random pairs per group.

    A face is in many pairs, so the intervals are too narrow. Groups of a single face are left out.
    """
    results = []
    for group in groups:
        faces = len(group.rows)
        if faces < 2:
            continue
        if faces * (faces - 1) // 2 <= PAIRS:
            first, other = np.triu_indices(faces, 1)
        else:
            generator = np.random.default_rng(seed)
            first = generator.integers(0, faces, PAIRS)
            other = (first + generator.integers(1, faces, PAIRS)) % faces
        scores = cosines(embeddings, group.rows[np.stack([first, other], 1)])
        n, accepted = len(scores), int((scores >= threshold).sum())
        results.append(FalseMatches(group.kind, group.name, n, accepted / n, *wilson(accepted, n)))
    return results
