"""Two photos: the same person, or two?

>>> verify("passport.jpg", "door.jpg", model="mobileface.onnx")
Verification(same=True, score=0.61, threshold=0.35, ...)

The answer is as good as the threshold: chosen on faces unlike yours, it is wrong more often than its file says.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facelet.runtime.analyzer import Analyzer, Face, Photo
from facelet.runtime.detector import Finder
from facelet.runtime.model import Model
from facelet.runtime.people import subject


@dataclass(frozen=True)
class Verification:
    """What two photos say.

    Attributes:
        same: whether the score reaches the threshold.
        score: cosine of the two identity vectors, -1 to 1.
        threshold: from which faces count as one person's.
        faces: the two that were compared.
        notes: of photos with several faces, of faces in the background that were ignored, and of faces smaller than the model
            was measured on.
    """

    same: bool
    score: float
    threshold: float
    faces: tuple[Face, Face]
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values for ``json.dumps``; the identity vectors are left out."""
        boxes = [[round(value, 1) for value in face.box] for face in self.faces]
        return {
            "same": self.same,
            "score": round(self.score, 5),
            "threshold": self.threshold,
            "boxes": boxes,
            "detector_scores": [round(face.score, 4) for face in self.faces],
            "warnings": [list(face.warnings) for face in self.faces],
            "notes": list(self.notes),
        }


def verify(
    a: Photo,
    b: Photo,
    model: Model | str | Path = "",
    detector: Finder | str | Path = "",
    threshold: float | None = None,
    largest: bool = False,
    threads: int = 0,
) -> Verification:
    """Whether the faces of two photos are one person's; model and detector stay open for the next call.

    Args:
        a: a photo with one face: a path, bytes or an RGB uint8 array.
        b: another photo with one face.
        model: an identity model: a file, the name of a bundled model, or a loaded model; default:
            $FACELET_IDENTITY_MODEL, else the bundled identity model.
        detector: see Analyzer.
        threshold: cosine; default: the threshold stored in the model file.
        largest: use the largest face of a photo with several faces; otherwise such a photo is an error.
        threads: number of ONNX Runtime threads; 0 uses all cores.

    Raises FaceletError when a photo cannot be read or has no face, and when there is no model or no threshold.
    """
    return compare(subject.identity_analyzer(model, detector, threads), a, b, threshold, largest)


def compare(
    analyzer: Analyzer, a: Photo, b: Photo, threshold: float | None = None, largest: bool = False
) -> Verification:
    """``verify`` with an open Analyzer of an identity model."""
    limit = subject.threshold_of(analyzer.model, threshold)
    one, other = (subject.only_face(analyzer, photo, largest) for photo in (a, b))
    score = min(1.0, max(-1.0, float(one.vector @ other.vector)))
    notes = tuple(person.note for person in (one, other) if person.note)
    return Verification(score >= limit, score, limit, (one.face, other.face), notes)
