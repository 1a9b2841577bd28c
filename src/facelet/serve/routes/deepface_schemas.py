"""Responses of DeepFace's API, and its names and distances for Facelet's values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from pydantic import Field

from facelet.runtime.face import Face
from facelet.serve.errors import ApiError
from facelet.serve.routes.deepface_request import Metric
from facelet.serve.schemas import Response

EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""DeepFace's seven names, in its order."""
NAMES = {
    **{name: name for name in EMOTIONS},
    "anger": "angry",
    "happiness": "happy",
    "sadness": "sad",
    "contempt": "neutral",
}
"""Facelet's label -> DeepFace's name. Contempt counts as neutral: see docs/compatible.md."""


def emotions(probabilities: Mapping[str, float]) -> dict[str, float]:
    """Percentages of the seven emotions, which sum to 100; labels of the same name are added.

    Raises ApiError 400 when the model has a label that DeepFace has no name for.
    """
    unknown = [label for label in probabilities if label not in NAMES]
    if unknown:
        raise ApiError(400, "other_labels", f"the service's model has labels without a name here: {', '.join(unknown)}")
    percentages = dict.fromkeys(EMOTIONS, 0.0)
    for label, probability in probabilities.items():
        percentages[NAMES[label]] += 100 * probability
    return percentages


def distance(cosine: float, metric: Metric) -> float:
    """Distance of two vectors of length 1 with this cosine, -1 to 1; each metric decreases with the cosine."""
    cosine = min(1.0, max(-1.0, cosine))
    if metric == "cosine":
        return 1 - cosine
    if metric == "angular":
        return math.acos(cosine) / math.pi
    return math.sqrt(2 - 2 * cosine)


class ErrorResponse(Response):
    """The body of every error."""

    error: str = Field(description="a sentence", examples=["Face could not be detected in img"])


class Area(Response):
    """Where a face is, in whole pixels, within the photo."""

    x: int = Field(description="left", examples=[112])
    y: int = Field(description="top", examples=[80])
    w: int = Field(description="width", examples=[140])
    h: int = Field(description="height", examples=[189])
    left_eye: tuple[int, int] | None = Field(
        description="the person's left eye; null for a crop", examples=[[215, 149]]
    )
    right_eye: tuple[int, int] | None = Field(description="the person's right eye", examples=[[150, 150]])

    @classmethod
    def of(cls, face: Face, size: tuple[int, int]) -> Area:
        """Args: a face, and width and height of its photo."""
        x, y, right, bottom = clipped(face, size)
        eyes: list[tuple[int, int] | None] = [None, None]
        if face.landmarks is not None:
            eyes = [(round(float(left)), round(float(top))) for left, top in face.landmarks[:2]]
        # Facelet's first eye is the left one in the photo: the person's right eye.
        return cls(x=x, y=y, w=right - x, h=bottom - y, left_eye=eyes[1], right_eye=eyes[0])


def clipped(face: Face, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of a face's box in whole pixels, within a photo of this width and height."""
    left, top, width, height = face.box
    x, right = (min(max(round(value), 0), size[0]) for value in (left, left + width))
    y, bottom = (min(max(round(value), 0), size[1]) for value in (top, top + height))
    return x, y, right, bottom


class Noted(Response):
    """A response that says which options were ignored."""

    notes: list[str] = Field(default=[], description="ignored options; absent when there are none", examples=[[]])


class EmotionalFace(Response):
    """A face with its emotions."""

    emotion: dict[str, float] = Field(description="percentages of seven emotions", examples=[{"happy": 97.2}])
    dominant_emotion: str = Field(examples=["happy"])
    region: Area
    face_confidence: float = Field(
        description="the detector's score, 0 to 1; 0 without a detected face", examples=[0.94]
    )

    @classmethod
    def of(cls, face: Face, size: tuple[int, int]) -> EmotionalFace:
        percentages = emotions(face.probabilities)
        return cls(
            emotion=percentages,
            dominant_emotion=max(percentages, key=lambda name: percentages[name]),
            region=Area.of(face, size),
            face_confidence=round(face.score, 2),
        )


class Analyses(Noted):
    """The faces of a photo with their emotions, largest first."""

    results: list[EmotionalFace]


class Representation(Response):
    """A face with its identity vector."""

    embedding: list[float] = Field(description="vector of length 1")
    facial_area: Area
    face_confidence: float = Field(
        description="the detector's score, 0 to 1; 0 without a detected face", examples=[0.94]
    )

    @classmethod
    def of(cls, face: Face, size: tuple[int, int]) -> Representation:
        assert face.identity is not None
        return cls(
            embedding=face.identity.tolist(), facial_area=Area.of(face, size), face_confidence=round(face.score, 2)
        )


class Representations(Noted):
    """The faces of a photo with their identity vectors, largest first."""

    results: list[Representation]


class Verified(Noted):
    """Whether two photos show the same person."""

    verified: bool = Field(description="whether the distance is at most the threshold", examples=[True])
    distance: float = Field(description="of the two most similar faces", examples=[0.39])
    threshold: float = Field(description="largest distance of the same person", examples=[0.5675])
    model: str = Field(description="name of the identity model's file", examples=["identity"])
    detector_backend: str = Field(examples=["yunet"])
    similarity_metric: str = Field(description="name of the distance", examples=["cosine"])
    facial_areas: dict[str, Area] = Field(description="of the compared faces, img1 and img2")
    time: float = Field(description="seconds", examples=[0.05])


def closest(first: Sequence[Face], second: Sequence[Face]) -> tuple[Face, Face, float]:
    """The two most similar faces, one of each photo, and their cosine."""
    return max(
        ((a, b, float(a.identity @ b.identity)) for a in first for b in second),  # type: ignore[operator]
        key=lambda pair: pair[2],
    )
