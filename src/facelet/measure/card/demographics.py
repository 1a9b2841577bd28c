"""Groups of people by UTKFace's file names: how sure a model is of each, where nobody knows what it should have answered.

UTKFace (Zhang et al. 2017, https://susanqq.github.io/UTKFace/) names its faces ``<age>_<gender>_<race>_<time>.jpg``. Those
labels are guesses of a net, looked through by people, and wrong at times.

>>> groups, skipped = grouped(["27_1_2_20170116.jpg", "me.jpg"])
>>> [str(group) for group in groups], skipped
(['all', 'age 20 to 39', 'female', 'Asian'], 1)

There are no labels of expression, so there is no accuracy: a model that is less sure of a group may be wrong about it more
often, or that group's photos may be harder. Nor is it known who is who: two photos are taken for two people, wrongly now and then.
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
"""A highest probability below this is one on which it might be better not to answer."""
PAIRS = 100_000
"""Most pairs of a group that strangers are drawn as."""


@dataclass(frozen=True, eq=False)
class DemographicGroup:
    """Faces that have one label in common. ``kind``: "age", "gender", "race", or "" for all. ``rows``: int64, their positions."""

    kind: str
    name: str
    rows: NDArray[np.int64]

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class GroupConfidence:
    """How an expression model answers ``n`` faces of a group.

    Attributes:
        confidence: mean of the highest probability.
        unsure: share of faces on which it is below UNSURE, with its 95 % interval.
        shares: of the faces that each label was answered for, in the order of the labels.
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
    """How an identity model takes two photos of a group for one person: ``share`` of ``n`` pairs, with its interval."""

    kind: str
    name: str
    n: int
    share: float
    low: float
    high: float


def grouped(names: Sequence[str]) -> tuple[list[DemographicGroup], int]:
    """Groups of the faces whose ``names`` (paths or file names) are as UTKFace's, and how many are not; empty ones are left out.

    Raises FaceletError when none is.
    """
    found = [NAME.match(name.rsplit("/", 1)[-1]) for name in names]
    known = np.array([row for row, match in enumerate(found) if match], np.int64)
    if not len(known):
        example = f", as {names[0]!r} is not" if len(names) else ""
        raise FaceletError(
            f"none of {len(names):,} names says age, gender and race{example}; --people takes UTKFace, whose files are called "
            "<age>_<gender>_<race>_<time>.jpg: --people faces:utkface.zip"
        )
    labels = np.array([[int(part) for part in match.groups()] for match in found if match])
    ages = np.searchsorted(list(AGES.values()), labels[:, 0])
    groups = [DemographicGroup("", "all", known)]
    for kind, said, numbers in (
        ("age", tuple(AGES), ages),
        ("gender", GENDERS, labels[:, 1]),
        ("race", RACES, labels[:, 2]),
    ):
        groups += [
            DemographicGroup(kind, name, known[numbers == number])
            for number, name in enumerate(said)
            if (numbers == number).any()
        ]
    return groups, len(names) - len(known)


def sureness(probabilities: NDArray[np.float32], groups: Sequence[DemographicGroup]) -> list[GroupConfidence]:
    """What the answers (N, K) of an expression model are like in each group."""
    confidence, answers = probabilities.max(1), probabilities.argmax(1)
    found = []
    for group in groups:
        n, unsure = len(group.rows), int((confidence[group.rows] < UNSURE).sum())
        counts = np.bincount(answers[group.rows], minlength=probabilities.shape[1])
        found.append(
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
    return found


def strangers(
    embeddings: NDArray[np.float32], groups: Sequence[DemographicGroup], threshold: float, seed: int = 0
) -> list[FalseMatches]:
    """What ``threshold`` accepts of the pairs of two photos of each group, or of PAIRS of them drawn by chance.

    One face is in many pairs, so the interval is narrower than it should be. A group of one is left out.
    """
    found = []
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
        found.append(FalseMatches(group.kind, group.name, n, accepted / n, *wilson(accepted, n)))
    return found
