"""What enrolling and identifying return.

>>> print(Lookalike("anna.jpg", "Berta", 0.61))
anna.jpg looks like 'Berta', who is already enrolled (score 0.610)
"""

from __future__ import annotations

from dataclasses import dataclass, field

from facelet.runtime.face import Face


@dataclass(frozen=True, eq=False)
class Match:
    """A face of a photo with its identity.

    Attributes:
        face: the detected face.
        name: name of the most similar enrolled face; None below the threshold.
        score: cosine to that face, -1 to 1.
    """

    face: Face = field(repr=False)
    name: str | None
    score: float


@dataclass(frozen=True)
class Lookalike:
    """A new face whose similarity to a face of another name reaches the threshold.

    Attributes:
        photo: name of the new face's file.
        name: the other name.
        score: cosine of the two faces, -1 to 1.
    """

    photo: str
    name: str
    score: float

    def __str__(self) -> str:
        return f"{self.photo or 'this face'} looks like {self.name!r}, who is already enrolled (score {self.score:.3f})"


@dataclass(frozen=True)
class Enrollment:
    """Result of ``enroll``.

    Attributes:
        name: who was enrolled.
        faces: number of new faces.
        already: number of faces that were enrolled before, with identical vectors.
        alike: new faces that look like a person of another name.
        notes: on photos with several faces, ignored background faces, faces smaller than ``measured_from``, and on a
            model without a threshold, for which no lookalikes are searched.
    """

    name: str
    faces: int
    already: int = 0
    alike: tuple[Lookalike, ...] = ()
    notes: tuple[str, ...] = ()
