"""The classes with too few faces, and the number of faces that the step ``balance`` should make for each.

>>> source, short = deficits(train, BalanceOptions(to="largest", limit=10, least=16))
>>> short[0]
Deficit(label=3, name='sadness', real=3019, more=5714)
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Literal

import numpy as np

from facelet.errors import FaceletError, unknown
from facelet.faces import FaceSet


@dataclass(frozen=True)
class Deficit:
    """A class to make faces of: label, name, number of real faces, and largest number of synthetic ones (``more``)."""

    label: int
    name: str
    real: int
    more: int


@dataclass(frozen=True)
class BalanceOptions:
    """Options of ``deficits``.

    Attributes:
        to: target number of faces of a class: that of the largest class, of the median class, or a number.
        limit: largest number of synthetic faces for each real one.
        least: fewest real faces that a class needs.
        source: class whose faces are translated; default: the largest.
        classes: classes to make faces of; default: all others.
    """

    to: Literal["largest", "median"] | int
    limit: float
    least: int
    source: str | None = None
    classes: tuple[str, ...] | None = None


def deficits(train: FaceSet, terms: BalanceOptions) -> tuple[int, list[Deficit]]:
    """Label of the source class, and the classes with too few faces. No class gets more faces than the source has.

    Raises FaceletError for a single class, an unknown class, a class with fewer than ``least`` faces, and when no class is short.
    """
    counts = np.bincount(train.labels, minlength=len(train.classes)).tolist()
    present = [label for label, count in enumerate(counts) if count]
    if len(present) < 2:
        raise FaceletError(f"all training faces are {train.classes[present[0]]!r}; there is nothing to balance")
    for name in (*((terms.source,) if terms.source else ()), *(terms.classes or ())):
        if name not in train.classes:
            raise unknown("class", name, train.classes)
    source = train.classes.index(terms.source) if terms.source else counts.index(max(counts))
    if train.classes[source] in (terms.classes or ()):
        raise FaceletError(
            f"{train.classes[source]!r} is the class that is translated, and cannot be one of the classes to make faces of"
        )
    chosen = [train.classes.index(name) for name in terms.classes] if terms.classes else present
    goals = {"largest": max(counts), "median": int(statistics.median(counts[label] for label in present))}
    goal = terms.to if isinstance(terms.to, int) else goals[terms.to]
    short = [label for label in sorted(set(chosen) - {source}) if counts[label] < goal]
    if not short:
        raise FaceletError(f"every class has {goal:,} faces or more already")
    fewest = min((source, *short), key=lambda label: counts[label])
    if counts[fewest] < terms.least:
        raise FaceletError(
            f"{train.classes[fewest]!r} has {counts[fewest]} training faces, fewer than a batch of {terms.least}; "
            "lower batch, or leave the class out of classes"
        )
    most = {label: min(goal - counts[label], int(terms.limit * counts[label]), counts[source]) for label in short}
    return source, [Deficit(label, train.classes[label], counts[label], max(1, more)) for label, more in most.items()]
