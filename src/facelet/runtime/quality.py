"""How well a face can be seen: size, sharpness, light, contrast and pose, and the probability that its expression is right.

>>> quality = measure(crop, side=38.0, landmarks=face.landmarks)
>>> quality.score, quality.reasons()
(0.62, ('small: 38 px', 'blurred'))

The score is a logistic regression of five measures of the crop on whether the bundled expression model was right, fitted by
``python reproduce/quality.py`` on validation faces of FERPlus and RAF-DB, as they are and degraded. It says how often the model is
right on faces that look like this one, whatever it answers; the confidence of the answer is another matter.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facelet.io import pixels
from facelet.io.pixels import Image, cv2

SIDE = 64
"""Side in pixels at which a crop is measured."""
CENTRE = 0.15
"""Share of the side that is cut from each border: the measures are of the face and not of what is behind it."""
INTERCEPT = 2.053
COEFFICIENTS = {"side": 0.098, "sharpness": 0.873, "light": 1.015, "contrast": 0.082, "turn": -0.406}
"""Weights of ``features``, printed by ``python reproduce/quality.py``."""

BLURRED, DARK, FLAT, TURNED = 0.15, 0.1, 0.04, 0.75
"""Limits of ``reasons``: sharpness, light and contrast below, and turn above which a face is called so."""
SMALL = 24
"""Side in photo pixels below which ``reasons`` calls a face small."""


@dataclass(frozen=True)
class Quality:
    """Measures of one face.

    Attributes:
        side: of the crop, in photo pixels.
        sharpness: mean absolute Laplacian over the standard deviation of the grey values; near 0 for a blurred face.
        light: mean grey value, 0 (black) to 1.
        contrast: standard deviation of the grey values, 0 to 0.5.
        turn: distance of the nose tip from the middle of the eyes, along the line of the eyes, in half eye distances: 0 from the
            front, about 1 in profile; 0 where there are no landmarks.
    """

    side: float
    sharpness: float
    light: float
    contrast: float
    turn: float

    @property
    def score(self) -> float:
        """Probability that the bundled expression model is right on such a face, 0 to 1."""
        total = INTERCEPT + sum(COEFFICIENTS[name] * value for name, value in self.features().items())
        return 1 / (1 + math.exp(-total))

    def features(self) -> dict[str, float]:
        """What the score is a regression of: octaves of size, sharpness, light and contrast, bounded, and the turn."""
        return {
            "side": _octaves(self.side / 48, -2, 0),
            "sharpness": _octaves(self.sharpness / 0.25, -3, 0),
            "light": _octaves(self.light / 0.4, -4, 0),
            "contrast": _octaves(self.contrast / 0.2, -4, 0),
            "turn": min(self.turn, 1.0),
        }

    def reasons(self, smallest: float = SMALL) -> tuple[str, ...]:
        """What is wrong with the photo of the face, in plain words; empty if nothing is. ``smallest``: side in photo pixels."""
        wrong = (
            (self.side < smallest, f"small: {self.side:.0f} px"),
            (self.light < DARK, "too dark"),
            (self.light >= DARK and self.contrast < FLAT, "no contrast"),
            (self.light >= DARK and self.contrast >= FLAT and self.sharpness < BLURRED, "blurred"),
            (self.turn > TURNED, "turned away"),
        )
        return tuple(reason for is_wrong, reason in wrong if is_wrong)


def measure(crop: Image, side: float, landmarks: NDArray[np.float32] | None = None) -> Quality:
    """Measures one face.

    Args:
        crop: uint8 (H, W, C), as ``align.cut`` gives it, of any size.
        side: of the crop in photo pixels, see ``align.side``.
        landmarks: (5, 2), as in ``Detection``; None for a ready crop.
    """
    grey = pixels.resize(pixels.to_channels(crop, 1), SIDE)[:, :, 0]
    edge = round(CENTRE * SIDE)
    face = grey[edge : SIDE - edge, edge : SIDE - edge].astype(np.float32) / 255
    contrast = float(face.std())
    rough = float(np.abs(cv2.Laplacian(face, cv2.CV_32F)).mean())
    return Quality(
        float(side),
        rough / max(contrast, 1 / 255),
        float(face.mean()),
        contrast,
        0.0 if landmarks is None else turn(landmarks),
    )


def turn(landmarks: NDArray[np.float32]) -> float:
    """See ``Quality.turn``. Independent of the face's size and roll."""
    left, right, nose = np.asarray(landmarks, np.float64)[:3]
    eyes = right - left
    distance = float(np.hypot(*eyes))
    if distance < 1e-6:  # the eyes coincide in profile
        return 1.0
    along = float((nose - (left + right) / 2) @ eyes) / distance
    return min(abs(along) / (distance / 2), 2.0)


def _octaves(ratio: float, low: float, high: float) -> float:
    return min(max(math.log2(max(ratio, 1e-6)), low), high)
