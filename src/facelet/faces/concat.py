"""Concatenates face sets of several sources, with or without labels and identities, into one training set.

>>> faces = concat([load("identities:people.zip"), load("faces:others.zip")])
>>> faces.source
'identities + faces'

Each source keeps its own splits. A person or photo that appears in two sources is not detected.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from facelet.errors import FaceletError
from facelet.faces.faceset import FaceSet


def concat(sets: Sequence[FaceSet]) -> FaceSet:
    """All faces in the order of the sets. Classes with the same name are merged; identities and groups are not.

    Names that occur in two sets get their set's number and source as a prefix. If any set has votes, labels of sets without votes
    become unanimous votes. Annotator agreement is kept only if all sets have it. Raises FaceletError for sets of different sizes or
    channels.
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
    classes = tuple(dict.fromkeys(name for faces in sets for name in faces.classes))
    return FaceSet(
        images=np.concatenate([faces.images for faces in sets]),
        labels=np.concatenate([_relabelled(faces, classes) for faces in sets]),
        splits=np.concatenate([faces.splits for faces in sets]),
        names=_names(sets),
        classes=classes,
        source=" + ".join(faces.source for faces in sets),
        votes=np.concatenate([_votes(faces, classes) for faces in sets])
        if any(faces.votes is not None for faces in sets)
        else None,
        identities=_numbered(sets, "identities"),
        groups=_numbered(sets, "groups"),
        agreement=_agreement(sets),
        rule=" + ".join(faces.rule or "all" for faces in sets),
        notes=tuple(
            dict.fromkeys(
                note for faces in sets for note in (*faces.notes, *_framing(faces, first), *_silent(faces, classes))
            )
        ),
        licence="; ".join(dict.fromkeys(faces.licence for faces in sets)),
        margin=first.margin,
    )


def _relabelled(faces: FaceSet, classes: tuple[str, ...]) -> NDArray[np.int64]:
    """Labels as indices into ``classes``."""
    places = np.array([*(classes.index(name) for name in faces.classes), -1], np.int64)
    return places[faces.labels]  # label -1 selects the last entry, -1


def _names(sets: Sequence[FaceSet]) -> NDArray[np.str_]:
    counts = Counter(name for faces in sets for name in set(faces.names.tolist()))  # FERPlus has two duplicate names
    return np.array(
        [
            name if counts[name] == 1 else f"{number}-{faces.source}/{name}"
            for number, faces in enumerate(sets, 1)
            for name in faces.names.tolist()
        ]
    )


def _votes(faces: FaceSet, classes: tuple[str, ...]) -> NDArray[np.float32]:
    """(N, len(classes)) shares; zeros for a face without label or votes."""
    votes = np.zeros((len(faces), len(classes)), np.float32)
    if faces.votes is not None:
        votes[:, [classes.index(name) for name in faces.classes]] = faces.votes
    else:
        known = np.flatnonzero(faces.labels >= 0)
        votes[known, _relabelled(faces, classes)[known]] = 1
    return votes


def _agreement(sets: Sequence[FaceSet]) -> NDArray[np.float32] | None:
    values = [faces.agreement for faces in sets]
    return None if any(value is None for value in values) else np.concatenate([v for v in values if v is not None])


def _numbered(sets: Sequence[FaceSet], field: str) -> NDArray[np.int64] | None:
    """Numbers of all sets, offset so that no two sets share a number; -1 for sets without the field."""
    parts, start = [], 0
    for faces in sets:
        numbers = getattr(faces, field)
        if numbers is None:
            parts.append(np.full(len(faces), -1, np.int64))
            continue
        parts.append(np.where(numbers < 0, -1, numbers + start))
        start += int(numbers.max(initial=-1)) + 1
    return np.concatenate(parts) if start else None


def _silent(faces: FaceSet, classes: tuple[str, ...]) -> list[str]:
    """A note on faces without labels, which a protocol with classes does not count although they are used in training."""
    unlabelled = int((faces.labels < 0).sum()) if classes else 0
    return [f"{unlabelled:,} faces of {faces.source} have no label"] if unlabelled else []


def _framing(faces: FaceSet, first: FaceSet) -> list[str]:
    if faces.margin == first.margin:
        return []
    return [
        f"faces of {faces.source} are framed with a margin of {faces.margin:g}, those of {first.source} of {first.margin:g}"
    ]
