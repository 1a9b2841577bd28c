"""Enrolled faces and people, the model of their vectors, and what is a valid name.

>>> checked_name("  Zoe\u0308 ")
'Zoë'
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from facelet.errors import FaceletError, nearest

LONGEST = 200
"""Maximum number of characters of a name."""
LISTED = 2000
"""Maximum number of names searched for a suggestion."""
JOINERS = "\u200c\u200d"
"""Invisible characters that Persian, Hindi and other languages need."""

Vectors = NDArray[np.float32]


class UnknownPersonError(FaceletError):
    """Nobody has this name in the gallery.

    Attributes:
        name: the name.
    """

    def __init__(self, name: str, gallery: object, people: Sequence[EnrolledPerson] = ()) -> None:
        similar = nearest(name, (person.name for person in people[:LISTED]))
        guess = f", did you mean {similar!r}?" if similar else ""
        super().__init__(f"no {name!r} in the gallery {gallery}{guess}")
        self.name = name


class NameInUseError(FaceletError):
    """Somebody else has this name in the gallery.

    Attributes:
        name: the name.
    """

    def __init__(self, name: str, gallery: object) -> None:
        super().__init__(
            f"{name!r} is already enrolled in the gallery {gallery}; use another name, or give both the same name "
            "(--merge, merge=True)"
        )
        self.name = name


class GalleryModel(NamedTuple):
    """The model of a gallery's vectors: hash and name of its file."""

    sha256: str
    file: str


@dataclass(frozen=True)
class EnrolledPerson:
    """An enrolled person: number of faces, and when the first and the last were enrolled (ISO 8601, UTC)."""

    name: str
    faces: int
    first: str
    last: str


class EnrolledFace(NamedTuple):
    """An enrolled face: name, file name of the photo, time (ISO 8601, UTC), and unit vector, float32 (D,)."""

    name: str
    photo: str
    enrolled: str
    vector: Vectors


def unseen(present: Sequence[EnrolledFace], faces: Sequence[EnrolledFace]) -> list[EnrolledFace]:
    """Those of ``faces`` whose vector is neither among ``present`` nor earlier in ``faces``."""
    seen = {face.vector.tobytes() for face in present}
    new = []
    for face in faces:
        if (vector := face.vector.tobytes()) not in seen:
            seen.add(vector)
            new.append(face)
    return new


def timestamp(when: datetime) -> str:
    """A time as ISO 8601 in UTC, to the second; such texts sort by time."""
    return when.astimezone(UTC).isoformat(timespec="seconds")


def parsed_time(text: str) -> datetime:
    """The time that ``timestamp`` wrote. Raises FaceletError for any other text."""
    try:
        when = datetime.fromisoformat(text)
        return when if when.tzinfo else when.replace(tzinfo=UTC)
    except ValueError:
        raise FaceletError(
            f"a face was enrolled at {text[:40]!r}; expected a time such as 2026-01-31T12:00:00+00:00"
        ) from None


def checked_name(name: str) -> str:
    """Strips and NFC-normalizes a name. Raises FaceletError if it is empty, too long or has control characters.

    All other text is valid: quotes, slashes and SQL are stored unchanged.
    """
    clean = unicodedata.normalize("NFC", name.strip())
    if not clean:
        raise FaceletError(f"the name {name[:LONGEST]!r} is empty; expected 1 to {LONGEST} characters")
    if len(clean) > LONGEST:
        raise FaceletError(f"the name {clean[:20]!r}... has {len(clean)} characters; expected at most {LONGEST}")
    for letter in clean:
        if unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp") and letter not in JOINERS:
            raise FaceletError(f"the name {clean!r} has the control character {letter!r}; expected printable text")
    return clean
