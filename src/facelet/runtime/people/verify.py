"""Face verification: do two photos show the same person?

>>> verify("passport.jpg", "door.jpg", model="mobileface.onnx")
Verification(same=True, score=0.61, threshold=0.35, ...)

The error rates depend on the threshold: on faces unlike those it was chosen on, they are higher than the file states.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facelet.runtime.analyzer import Analyzer, Photo
from facelet.runtime.detector import Finder
from facelet.runtime.face import Face
from facelet.runtime.model import Model
from facelet.runtime.people import subject
from facelet.runtime.people.subject import Subject


@dataclass(frozen=True)
class Verification:
    """Result of comparing the faces of two photos.

    Attributes:
        same: whether the score reaches the threshold.
        score: cosine of the two identity vectors, -1 to 1.
        threshold: minimum score of the same person.
        faces: the two compared faces.
        notes: on photos with several faces, ignored background faces, and faces smaller than ``measured_from``.
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
    """Compares the faces of two photos; model and detector stay open for the next call.

    Args:
        a: a photo with one face: a path, bytes or an RGB uint8 array.
        b: another photo with one face.
        model: an identity model: a file, the name of a bundled model, or a loaded model; default:
            $FACELET_IDENTITY_MODEL, else the bundled identity model.
        detector: see Analyzer.
        threshold: minimum cosine of the same person; default: the threshold stored in the model file.
        largest: use the largest face of a photo with several faces; otherwise such a photo is an error.
        threads: number of ONNX Runtime threads; 0 uses all cores.

    Raises FaceletError when a photo cannot be read or has no face, and when there is no model or no threshold.
    """
    return compare(subject.identity_analyzer(model, detector, threads), a, b, threshold, largest)


def compare(
    analyzer: Analyzer, a: Photo, b: Photo, threshold: float | None = None, largest: bool = False
) -> Verification:
    """Same as ``verify``, with an open Analyzer that has an identity model."""
    limit = subject.threshold_of(analyzer.model, threshold)
    first, second = (subject.only_face(analyzer, photo, largest) for photo in (a, b))
    return compared(first, second, limit)


def compared(first: Subject, second: Subject, threshold: float) -> Verification:
    """Compares two subjects, whose identity vectors are of the same model; ``threshold``: minimum cosine."""
    score = min(1.0, max(-1.0, float(first.vector @ second.vector)))
    notes = tuple(person.note for person in (first, second) if person.note)
    return Verification(score >= threshold, score, threshold, (first.face, second.face), notes)
