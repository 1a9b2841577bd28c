"""Faces of several sources as one set: labelled ones, people and faces of which nothing is known, to learn from all of them.

>>> faces = concat([load("identities:people.zip"), load("faces:others.zip")])
>>> faces.source
'identities + faces'

Each source keeps its own splits. Two sources may show one person, or one photo, and nothing here would know.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from facelet.errors import FaceletError
from facelet.faces.faceset import FaceSet


def concat(sets: Sequence[FaceSet]) -> FaceSet:
    """All faces, those of the first set first. Classes of one name are one; identities and groups are never one.

    Names that two sets have get their set's number and source before them. Where one set has votes, a label of another counts as
    all votes of its face. Annotators' agreement is kept where all sets have it. Raises FaceletError for sets of different sizes or
    colours.
    """
    first = sets[0]
    if len(sets) == 1:
        return first
    for other in sets[1:]:
        if other.images.shape[1:] != first.images.shape[1:]:
            raise FaceletError(
                f"faces of {first.source} are {first.size} px in {first.channels} channels, those of {other.source} "
                f"{other.size} px in {other.channels}; give a size and channels"
            )
    classes = tuple(dict.fromkeys(name for one in sets for name in one.classes))
    return FaceSet(
        images=np.concatenate([one.images for one in sets]),
        labels=np.concatenate([_relabelled(one, classes) for one in sets]),
        splits=np.concatenate([one.splits for one in sets]),
        names=_names(sets),
        classes=classes,
        source=" + ".join(one.source for one in sets),
        votes=np.concatenate([_votes(one, classes) for one in sets])
        if any(one.votes is not None for one in sets)
        else None,
        identities=_numbered(sets, "identities"),
        groups=_numbered(sets, "groups"),
        agreement=_agreement(sets),
        rule=" + ".join(one.rule or "all" for one in sets),
        notes=tuple(
            dict.fromkeys(note for one in sets for note in (*one.notes, *_framing(one, first), *_silent(one, classes)))
        ),
        licence="; ".join(dict.fromkeys(one.licence for one in sets)),
        margin=first.margin,
    )


def _relabelled(one: FaceSet, classes: tuple[str, ...]) -> NDArray[np.int64]:
    """Labels by their place in ``classes``."""
    places = np.array([*(classes.index(name) for name in one.classes), -1], np.int64)
    return places[one.labels]  # -1 takes the last, which is -1


def _names(sets: Sequence[FaceSet]) -> NDArray[np.str_]:
    counts = Counter(name for one in sets for name in set(one.names.tolist()))  # FERPlus itself has two names twice
    return np.array(
        [
            name if counts[name] == 1 else f"{number}-{one.source}/{name}"
            for number, one in enumerate(sets, 1)
            for name in one.names.tolist()
        ]
    )


def _votes(one: FaceSet, classes: tuple[str, ...]) -> NDArray[np.float32]:
    """(N, len(classes)) shares; zeros for a face of which nothing is said."""
    votes = np.zeros((len(one), len(classes)), np.float32)
    if one.votes is not None:
        votes[:, [classes.index(name) for name in one.classes]] = one.votes
    else:
        known = np.flatnonzero(one.labels >= 0)
        votes[known, _relabelled(one, classes)[known]] = 1
    return votes


def _agreement(sets: Sequence[FaceSet]) -> NDArray[np.float32] | None:
    values = [one.agreement for one in sets]
    return None if any(value is None for value in values) else np.concatenate([v for v in values if v is not None])


def _numbered(sets: Sequence[FaceSet], field: str) -> NDArray[np.int64] | None:
    """Numbers of all sets, those of each behind those before it; -1 where a set has none."""
    parts, start = [], 0
    for one in sets:
        mine = getattr(one, field)
        if mine is None:
            parts.append(np.full(len(one), -1, np.int64))
            continue
        parts.append(np.where(mine < 0, -1, mine + start))
        start += int(mine.max(initial=-1)) + 1
    return np.concatenate(parts) if start else None


def _silent(one: FaceSet, classes: tuple[str, ...]) -> list[str]:
    """Beside faces with labels those without are not counted; they are learned from all the same."""
    silent = int((one.labels < 0).sum()) if classes else 0
    return [f"{silent:,} faces of {one.source} have no label"] if silent else []


def _framing(one: FaceSet, first: FaceSet) -> list[str]:
    if one.margin == first.margin:
        return []
    return [
        f"faces of {one.source} are framed with a margin of {one.margin:g}, those of {first.source} of {first.margin:g}"
    ]
