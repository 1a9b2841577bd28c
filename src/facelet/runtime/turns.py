"""Which way up a face is: looks again at faces that are tilted, or of which the detector is unsure.

>>> upright(face, photo, network).roll     # degrees; 0 for a face that is close to upright
173.2

YuNet was trained on upright faces. It finds many that are tilted, with a box that depends on the tilt, and some that are upside
down, with the mouth for eyes. Here the photo around such a face is turned until its eyes are level, and the detector looks at
that patch: the best score says which way up the face is, and the patch gives box and landmarks as an upright photo would.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from facelet.io.pixels import Image
from facelet.runtime.align import turned_square, warped
from facelet.runtime.detection import Detection, eye_line, from_frame, quarter_of, wrapped
from facelet.runtime.network import Network

LEVEL = 8.0
"""Tilt of the eye line in degrees up to which a face is cropped as it is: that of 99 of 100 faces in ordinary photos."""
UNDERSTATED = 1.5
"""YuNet's landmarks tend towards upright: a face turned by 30 degrees has an eye line of about 20."""
CLOSE = 2.0
"""Tilt in degrees that is left when a face counts as level in its patch."""
SURE = 0.9
"""Score from which a face that is not tilted counts as upright without another look."""
BETTER = 0.03
"""By how much the score of another quarter turn must be higher to be preferred."""
PATCH = 160
"""Side of the patch in pixels."""
AROUND = 2.2
"""Side of the patch as a multiple of the box's longer side."""
ROUNDS = 3
"""Maximum number of further looks while the eyes are not level in the patch."""


def upright(face: Detection, photo: Image, network: Network) -> Detection:
    """Returns the face with ``roll``, and with the box and landmarks that it has when it is upright.

    A face that is close to upright, or that the second look does not find, is returned as it is.

    Args:
        face: found in ``photo``, with ``roll`` 0.
        photo: RGB uint8 (H, W, 3).
        network: the detector's network, for patches of PATCH pixels; its minimum score is for images that show a face.
    """
    line = eye_line(face.landmarks)
    angle = _likely(line) if abs(line) > LEVEL else 0.0
    if face.score >= SURE and not angle:
        return face
    looks = _looks(face, photo, network, angle, (0,) if face.score >= SURE else (0, 1, 2, 3))
    if not looks:
        return face
    quarter = max(looks, key=lambda quarter: looks[quarter].score + BETTER * (quarter == 0))
    best, angle = looks[quarter], angle + 90 * quarter
    for _ in range(ROUNDS):
        left = wrapped(best.roll - angle)
        if abs(left) <= CLOSE:
            break
        angle += _likely(left)
        best = _looks(face, photo, network, angle, (0,)).get(0, best)
    return replace(best, score=max(best.score, face.score)) if abs(best.roll) > LEVEL else face


def _likely(line: float) -> float:
    """The tilt of a face with this eye line in degrees."""
    return max(-90.0, min(90.0, UNDERSTATED * line))


def _looks(
    face: Detection, photo: Image, network: Network, angle: float, quarters: tuple[int, ...]
) -> dict[int, Detection]:
    """Quarter -> the face as the detector sees it in the photo turned back by ``angle`` degrees and so many quarter turns.

    A turn in which it does not see the face is left out.
    """
    left, top, width, height = face.box
    side = AROUND * max(width, height)
    unit = turned_square((left + width / 2, top + height / 2), side, angle)
    patch = warped(photo, unit, PATCH)
    looks = {}
    for quarter in quarters:
        rows = network(np.ascontiguousarray(np.rot90(patch, quarter)))
        away = np.hypot(*(rows[:, :2] + rows[:, 2:4] / 2 - PATCH / 2).T)
        near = away < PATCH / AROUND / 2
        if near.any():
            row = rows[np.where(near, rows[:, 14], -1).argmax()]
            seen = Detection(tuple(row[:4].tolist()), float(row[14]), row[4:14].reshape(5, 2))
            looks[quarter] = _in_photo(from_frame(seen, quarter, patch.shape), unit, row[2:4] * side / PATCH)
    return looks


def _in_photo(seen: Detection, unit: NDArray[np.float64], size: NDArray[np.float32]) -> Detection:
    """A face of the patch in photo coordinates. ``unit``: see ``align.square``; ``size``: of the upright box in photo pixels."""
    left, top, width, height = seen.box
    points = np.vstack([(left + width / 2, top + height / 2), seen.landmarks]) / PATCH @ unit[:, :2].T + unit[:, 2]
    landmarks = points[1:].astype(np.float32)
    roll = eye_line(landmarks)
    across, down = (size[::-1] if quarter_of(roll) % 2 else size).tolist()
    x, y = points[0].tolist()
    return Detection((x - across / 2, y - down / 2, across, down), seen.score, landmarks, roll)
