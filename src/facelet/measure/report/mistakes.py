"""The most confident errors of a model, as images for the report: faces or pairs of faces.

>>> wrong_faces(result, faces)[0].predicted
'sadness'

Wrong labels are frequent among these errors.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facelet.faces import FaceSet, PairSet
from facelet.io import pixels
from facelet.measure.classification import Classification
from facelet.measure.verification import PairScores

WRONG_FACES = 24
WRONG_PAIRS = 12
THUMBNAIL = 96


@dataclass(frozen=True)
class WrongFace:
    """A misclassified face: image (data URI), name, label, prediction, confidence and annotators' votes."""

    picture: str
    name: str
    label: str
    predicted: str
    confidence: float
    votes: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class WrongPair:
    """A misclassified pair: both images (data URIs), names, whether they show the same person, cosine similarity."""

    pictures: tuple[str, str]
    names: tuple[str, str]
    same: bool
    score: float


def wrong_faces(result: Classification, faces: FaceSet) -> list[WrongFace]:
    """Returns the misclassified faces, most confident first, at most WRONG_FACES."""
    errors = []
    for row in result.worst(WRONG_FACES):
        at = int(result.index[row])
        votes: list[tuple[str, float]] = []
        if faces.votes is not None:
            shares: list[Any] = faces.votes[at].tolist()
            votes = sorted(zip(faces.classes, shares, strict=False), key=lambda vote: -vote[1])
        errors.append(
            WrongFace(
                _picture(faces.images[at]),
                str(faces.names[at]),
                result.classes[result.truth[row]],
                result.labels[result.predicted[row]],
                float(result.probabilities[row].max()),
                tuple((name, share) for name, share in votes[:3] if share > 0),
            )
        )
    return errors


def _picture(image: NDArray[np.uint8]) -> str:
    """Returns the image as PNG data URI, at most THUMBNAIL pixels per side."""
    if max(image.shape[:2]) > THUMBNAIL:
        image = pixels.resize(image, THUMBNAIL)
    plain = image if image.shape[2] == 1 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".png", plain)
    return _uri(data.tobytes())


def wrong_pairs(result: PairScores, pairs: PairSet) -> list[WrongPair]:
    """Returns the misclassified pairs with scores furthest from their thresholds, WRONG_PAIRS / 2 of each kind at most."""
    beyond = np.abs(result.scores - np.array(result.thresholds)[result.folds])
    errors = []
    for same in (True, False):
        wrong = np.flatnonzero(~result.correct & (result.same == same))
        for row in wrong[np.argsort(-beyond[wrong], kind="stable")][: WRONG_PAIRS // 2]:
            both = pairs.pairs[row].tolist()
            pictures, names = (
                [of(at) for at in both]
                for of in (lambda at: _picture(pairs.images[at]), lambda at: str(pairs.names[at]))
            )
            errors.append(WrongPair((pictures[0], pictures[1]), (names[0], names[1]), same, float(result.scores[row])))
    return errors


def embedded(path: Path) -> str:
    """Returns a PNG file as data URI."""
    return _uri(path.read_bytes())


def _uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()
