"""Face detection with YuNet and OpenCV: small faces in large photos, and faces that are turned.

YuNet: Wu, Peng, Yu 2023, https://doi.org/10.1007/s11633-023-1423-y (see ``yunet`` for the model file).

>>> for face in Detector()(photo):      # RGB uint8 (H, W, 3)
...     print(face.box, face.score, face.landmarks, face.roll)

The photo is seen whole at 640 pixels, where YuNet finds faces of about 10 to 300 pixels, and a large photo in tiles as well (see
``tiles``). With a given ``detail`` it is seen whole at that size, and nothing else. Turned faces: see ``turns``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from facelet.errors import FaceletError, unknown
from facelet.io.pixels import Image, cv2
from facelet.runtime import tiles, yunet
from facelet.runtime.detection import Detection, from_frame, quarter_of, wrapped
from facelet.runtime.network import Network, Rows
from facelet.runtime.turns import NEAR, canvas, common, in_photo, upright

SCORE = 0.75
"""Minimum score: fewest false positives with no miss among 52 labelled faces at three sizes (benchmarks/detector.py)."""
SCORE_OF_CROPS = 0.6
"""Minimum score in an image known to show a face, where a miss costs more than a false positive."""
DETAIL = 640
SMALLEST = 320  # smaller photos are enlarged to this, since most of YuNet's training faces are larger than 10 px
HUGE_FACE = 240  # at this size a face that fills the photo is in the range of YuNet's training faces
GLANCE, DIAGONAL_GLANCE = 320, 224  # looks for turned faces, which together cost as much as one at DETAIL
TURNED = 3 * 50_000_000  # pixel values of a photo that may be turned by other angles than quarters, to bound memory

Turns = Literal["auto", "always", "never"]
FRAMES: dict[str, Any] = {"detail": DETAIL, "turns": "never"}
"""Settings for the frames of a video, which come too fast for a second look."""
Finder = Callable[[Image], list[Detection]]
"""A Detector, or a function from an RGB photo to its detections."""


class Detector:
    """YuNet face detector. Thread-safe.

    Args:
        file: YuNet's file; default: $FACELET_YUNET, the cache or a download.
        score: minimum score of a face, 0 to 1.
        detail: long side of the network's input in pixels, 64 to 4096; None: 640, and tiles of a photo above 1600 pixels.
        again: if no face is found, retry at a lower and a higher resolution.
        turns: faces that are not upright. "auto": tilted and doubtful faces are looked at again, turned; a photo without
            faces is looked at in all quarter turns. "always": every photo is looked at in all quarter turns, which takes four
            times as long. "never": faces are taken as they are found, and ``roll`` is 0.

    Raises FaceletError for values out of range, and when the file is missing or OpenCV cannot run it.
    """

    def __init__(
        self,
        file: str | Path = "",
        score: float = SCORE,
        detail: int | None = None,
        again: bool = True,
        turns: Turns = "auto",
    ) -> None:
        if not 0 <= score <= 1:
            raise FaceletError(f"the detector's minimum score is {score:g}; expected 0 to 1")
        if detail is not None and not 64 <= detail <= 4096:
            raise FaceletError(f"the detector's detail is {detail} pixels; expected 64 to 4096")
        if turns not in get_args(Turns):
            raise unknown("choice of turns", turns, get_args(Turns))
        self.file = yunet.find(file)
        self.score = score
        self.detail = detail
        self.again = again
        self.turns = turns
        self._network = Network(self.file, score)
        self._patches = Network(self.file, min(score, SCORE_OF_CROPS)) if turns != "never" else self._network

    def __call__(self, photo: Image) -> list[Detection]:
        """Faces of an RGB uint8 (H, W, 3) photo of any size, largest first; empty when there is none."""
        faces = self._frame(photo, 0.0)
        if self.turns == "always":
            faces = _distinct([face for angle in (90, 180, 270) for face in self._frame(photo, angle)] + faces)
        elif self.turns == "auto" and (angle := common(faces) if faces else self._glance(photo)):
            turned = self._frame(photo, angle)
            faces = _distinct(turned + faces, preferred=len(turned))
        return sorted(faces, key=lambda face: -face.box[2] * face.box[3])

    def _frame(self, photo: Image, angle: float) -> list[Detection]:
        """The faces found in the photo after it is turned back by ``angle`` degrees, in coordinates of the photo."""
        quarter = quarter_of(angle)
        if abs(wrapped(angle - 90 * quarter)) <= NEAR or photo.size > TURNED:
            frame = np.ascontiguousarray(np.rot90(photo, quarter)) if quarter else photo
            return [from_frame(face, quarter, photo.shape) for face in self._upright(frame)]
        frame, unit = canvas(photo, angle)
        return [in_photo(face, unit, angle) for face in self._upright(frame)]

    def _upright(self, frame: Image) -> list[Detection]:
        """The faces found in the photo as it is, each looked at again if it may be turned."""
        faces = [
            Detection(tuple(row[:4].tolist()), float(row[14]), row[4:14].reshape(5, 2)) for row in self._rows(frame)
        ]
        return faces if self.turns == "never" else upright(faces, frame, self._patches)

    def _glance(self, photo: Image) -> float:
        """The turn in degrees in which a small copy of the photo shows most faces; 0 if it shows none."""
        for angles, side in (((90.0, -90.0, 180.0), GLANCE), ((45.0, -45.0, 135.0, -135.0), DIAGONAL_GLANCE)):
            small = _resized(photo, side)
            totals = {angle: float(self._network(canvas(small, angle)[0])[:, 14].sum()) for angle in angles}
            best = max(totals, key=totals.__getitem__)
            if totals[best]:
                return best
        return 0.0

    def _rows(self, photo: Image) -> Rows:
        """Upright faces in photo pixels."""
        long_side = max(photo.shape[:2])
        found = self._whole(photo, min(max(SMALLEST, long_side), self.detail or DETAIL))
        finer = tiles.scales(DETAIL / long_side) if self.detail is None else []
        if finer:
            looks = [self._tiled(photo, scale) for scale in finer]
            found = np.concatenate([found, *looks])
            found = found[tiles.distinct(found[:, :4], found[:, 14])]
        if not len(found) and self.again:
            detail = self.detail or DETAIL
            closer = [2 * detail] if long_side > detail and not finer else []
            for size in (HUGE_FACE, *closer):
                found = self._whole(photo, size)
                if len(found):
                    break
        return found

    def _whole(self, photo: Image, long_side: int) -> Rows:
        """The faces of the photo resized to the given long side, in photo pixels."""
        small = _resized(photo, long_side)
        rows = self._network(small)
        rows[:, 0:14:2] *= photo.shape[1] / small.shape[1]
        rows[:, 1:14:2] *= photo.shape[0] / small.shape[0]
        return rows

    def _tiled(self, photo: Image, scale: float) -> Rows:
        """The small faces of the photo seen in tiles, in photo pixels."""
        found = []
        for tile in tiles.tiles(*photo.shape[:2], scale):
            part = photo[tile.top : tile.top + tile.height, tile.left : tile.left + tile.width]
            rows = self._whole(part, max(1, round(scale * max(part.shape[:2]))))
            rows[:, :2] += tile.left, tile.top
            rows[:, 4:14] += (tile.left, tile.top) * 5
            found.append(tiles.own(tile, rows, scale))
        return np.concatenate(found)


def _resized(photo: Image, long_side: int) -> Image:
    """The photo with the given long side."""
    height, width = photo.shape[:2]
    scale = long_side / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    # A very large photo is subsampled first: each pixel of the result still averages at least 4 x 4.
    step = max(1, int(1 / (4 * scale)))
    photo = photo[::step, ::step]
    if size == photo.shape[1::-1]:
        return photo
    return cv2.resize(photo, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)


def _distinct(faces: list[Detection], preferred: int = 0) -> list[Detection]:
    """The faces without those found in several quarter turns: the best score is kept, or one of the first ``preferred``."""
    boxes = np.array([face.box for face in faces])
    scores = np.array([face.score + (number < preferred) for number, face in enumerate(faces)])
    return [faces[position] for position in tiles.distinct(boxes, scores).tolist()]
