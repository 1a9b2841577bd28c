"""Which way up a face is: looks again at faces that are tilted, or of which the detector is unsure.

>>> upright(faces, photo, network)[0].roll     # degrees; 0 for a face that is close to upright
173.2

YuNet was trained on upright faces. It finds many that are turned, with a lower score, a box that depends on the turn, and eyes
that are far too level: at 30 degrees its eye line has 3 (small faces) to 17 degrees. Some are found upside down, with the mouth for
eyes. So the score decides which way up a face is: the detector looks at patches of the photo that are turned, and the turn with the
best score gives box and landmarks as an upright photo would.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from facelet.io.pixels import Image, cv2
from facelet.runtime.align import turned_square, warped
from facelet.runtime.detection import Detection, eye_line, quarter_of, wrapped
from facelet.runtime.network import Network

LEVEL = 8.0
"""Tilt of the eye line in degrees from which a face is looked at again: that of 99 of 100 faces in ordinary photos is less."""
SURE = 0.9
"""Score below which a face is looked at again: 7 of 100 upright faces have less, and 95 of 100 that are upside down."""
BETTER = 0.03
"""By how much the score of another quarter turn must be higher to be preferred."""
STEP = 30.0
"""Degrees between the turns that are compared; at the peak of the score, the angle is that of a parabola through three."""
DIGITS = 1
"""Decimals of the angle, so that noise in the score's last digits, which differs between processors, does not move pixels."""
NEAR = 10.0
"""Turn in degrees up to which a face is taken and cropped as it is: heads in training photos are tilted as well."""
PATCH, LAST_PATCH = 96, 160
"""Side of the patches in pixels, and of the last one, which gives box and landmarks."""
AROUND = 2.2
"""Side of the patch as a multiple of the box's longer side."""
LOOKED_AT = 32
"""Maximum number of faces of a photo, the largest, that are looked at again."""


def upright(faces: Sequence[Detection], photo: Image, network: Network) -> list[Detection]:
    """Returns the faces, turned ones with ``roll``, and with the box and landmarks that they have when they are upright.

    A face that is close to upright, or that the second look does not find, is returned as it is.

    Args:
        faces: found in ``photo``, with ``roll`` 0.
        photo: RGB uint8 (H, W, 3).
        network: the detector's network, for patches; its minimum score is for images that show a face.
    """
    doubtful = [face for face in faces if face.score < SURE or abs(eye_line(face.landmarks)) > LEVEL]
    doubtful.sort(key=lambda face: -face.box[2] * face.box[3])
    turned = {id(face): _turned(face, photo, network) for face in doubtful[:LOOKED_AT]}
    return [turned.get(id(face), face) for face in faces]


def _turned(face: Detection, photo: Image, network: Network) -> Detection:
    """The face after a second look."""
    angle = _peak(lambda angle: _score(face, photo, network, angle), quarters=face.score < SURE)
    if abs(wrapped(angle)) <= NEAR:
        return face
    look = _look(face, photo, network, angle, LAST_PATCH)
    return face if look is None else replace(look, score=max(look.score, face.score))


def _peak(score: Callable[[float], float], quarters: bool) -> float:
    """The angle in degrees at which a face scores best, climbing from 0 or from the best quarter turn."""
    known: dict[float, float] = {}

    def at(angle: float) -> float:
        if angle not in known:
            known[angle] = score(angle)
        return known[angle]

    angle = max((0.0, 90.0, 180.0, 270.0), key=lambda turn: at(turn) + BETTER * (turn == 0)) if quarters else 0.0
    for _ in range(3):  # a face is at most 45 degrees from the best quarter turn
        higher = max((angle, angle - STEP, angle + STEP), key=at)
        if higher == angle:
            break
        angle = higher
    before, here, after = at(angle - STEP), at(angle), at(angle + STEP)
    bend = before - 2 * here + after
    return round(angle + STEP * (before - after) / (2 * bend), DIGITS) if bend < 0 else angle


def _score(face: Detection, photo: Image, network: Network, angle: float) -> float:
    look = _look(face, photo, network, angle, PATCH)
    return network.score - BETTER if look is None else look.score


def _look(face: Detection, photo: Image, network: Network, angle: float, size: int) -> Detection | None:
    """The face as the detector sees it in a patch of the photo turned back by ``angle`` degrees; None if it does not."""
    left, top, width, height = face.box
    unit = turned_square((left + width / 2, top + height / 2), AROUND * max(width, height), angle)
    rows = network(warped(photo, unit, size))
    away = np.hypot(*(rows[:, :2] + rows[:, 2:4] / 2 - size / 2).T)
    near = away < size / AROUND / 2
    if not near.any():
        return None
    row = rows[np.where(near, rows[:, 14], -1).argmax()]
    seen = Detection(tuple(row[:4].tolist()), float(row[14]), row[4:14].reshape(5, 2))
    return in_photo(seen, unit / (size, size, 1), angle)


def in_photo(seen: Detection, unit: NDArray[np.float64], angle: float) -> Detection:
    """A face found in a turned part of the photo, in coordinates of the photo.

    Args:
        seen: in coordinates of the part, with ``roll``.
        unit: (2, 3) map from the part to the photo, a turn by ``angle`` and a scale.
        angle: clockwise, in degrees.
    """
    left, top, width, height = seen.box
    points = np.vstack([(left + width / 2, top + height / 2), seen.landmarks]) @ unit[:, :2].T + unit[:, 2]
    roll = wrapped(seen.roll + angle)
    size = np.hypot(*unit[:, 0]) * np.array([width, height])
    # The box of a turned face is its upright box, turned to the nearest quarter: in the part, and in the photo.
    across, down = (size[::-1] if (quarter_of(roll) - quarter_of(seen.roll)) % 2 else size).tolist()
    x, y = points[0].tolist()
    return Detection((x - across / 2, y - down / 2, across, down), seen.score, points[1:].astype(np.float32), roll)


def canvas(photo: Image, angle: float) -> tuple[Image, NDArray[np.float64]]:
    """The photo turned back by ``angle`` degrees, whole, with black corners; and the (2, 3) map from it to the photo."""
    height, width = photo.shape[:2]
    cosine, sine = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    linear = np.array([[cosine, -sine], [sine, cosine]])
    size = np.ceil(np.abs(linear) @ (width, height)).astype(int)
    unit = np.column_stack([linear, (width / 2, height / 2) - linear @ (size / 2)])
    pixel = unit.copy()
    pixel[:, 2] += linear.sum(axis=1) / 2 - 0.5  # OpenCV counts from the centre of the first pixel
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(photo, pixel, tuple(size.tolist()), flags=flags), unit


def common(faces: Sequence[Detection]) -> float:
    """The mean roll, in degrees, of a photo whose faces are mostly turned; 0 if most are not."""
    rolls = [face.roll for face in faces if abs(face.roll) > NEAR]
    if 2 * len(rolls) <= len(faces):
        return 0.0
    angles = np.radians(rolls)
    return round(float(np.degrees(np.arctan2(np.sin(angles).sum(), np.cos(angles).sum()))), DIGITS)
