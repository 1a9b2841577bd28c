"""A detected face, and what a turn of the photo does to it.

>>> eye_line(detection.landmarks)              # degrees
-12.5
>>> from_frame(detection, 1, photo.shape)      # found in np.rot90(photo), in coordinates of the photo
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Detection:
    """One face.

    Attributes:
        box: left, top, width, height in photo pixels; may reach beyond the photo.
        score: 0 to 1.
        landmarks: float32 (5, 2), x and y of the eyes, the nose tip and the mouth corners; of each pair, the point that is left
            when the face is upright comes first.
        roll: degrees by which the face is turned clockwise, above -180 and up to 180; a face that is close to upright has 0.
            The crop is turned by it, around the middle of the box. The box of a turned face is that of the upright face, turned to
            the nearest quarter.
    """

    box: tuple[float, float, float, float]
    score: float
    landmarks: NDArray[np.float32]
    roll: float = 0.0


def eye_line(landmarks: NDArray[np.floating]) -> float:
    """Angle of the line from the first to the second eye, clockwise from the horizontal, in degrees from -180 to 180."""
    x, y = (landmarks[1] - landmarks[0]).tolist()
    return math.degrees(math.atan2(y, x))


def wrapped(degrees: float) -> float:
    """The same angle, above -180 and up to 180."""
    return 180 - (180 - degrees) % 360


def quarter_of(roll: float) -> int:
    """The number of clockwise quarter turns, 0 to 3, that is nearest to an angle."""
    return round(roll / 90) % 4


def from_frame(face: Detection, quarter: int, shape: tuple[int, ...]) -> Detection:
    """A face found in ``np.rot90(photo, quarter)``, in coordinates of the photo, whose array has the given shape.

    The frame undoes ``quarter`` clockwise quarter turns of the photo, so the face's ``roll`` grows by them.
    """
    height, width = shape[:2]
    left, top, across, down = face.box
    x, y = face.landmarks[:, 0], face.landmarks[:, 1]
    if quarter == 0:
        return face
    if quarter == 1:
        box, points = (width - top - down, left, down, across), (width - y, x)
    elif quarter == 2:
        box, points = (width - left - across, height - top - down, across, down), (width - x, height - y)
    else:
        box, points = (top, height - left - across, down, across), (y, height - x)
    return Detection(box, face.score, np.stack(points, axis=1), wrapped(face.roll + 90 * quarter))
