"""From a detected face to the network's square: the crop that a model file asks for.

Three ways (``CropInfo.align``), each with ``margin``, the share of the square added on each side:

- ``box``: the square around the middle of the detector's box, its side the box's longer one.
- ``eyes``: turned so that the eyes are level, and scaled by their distance: at 0.3 and 0.7 of the width, 0.4 of the height.
- ``five-points``: the similarity that best lays the landmarks on ArcFace's template (Deng et al. 2019,
  https://arxiv.org/abs/1801.07698; least squares by Umeyama 1991, https://doi.org/10.1109/34.88573).

>>> cut(photo, detection.box, detection.landmarks, info.crop, info.input.cut_size)  # uint8 (48, 48, 3)

What lies outside the photo repeats its edge. A similarity cannot turn a face seen from the side to the front.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from facelet.io import pixels
from facelet.io.pixels import Image, cv2
from facelet.models.model_file import CropInfo

Box = tuple[float, float, float, float]

EYES = (0.3, 0.4), (0.7, 0.4)
"""Where ``eyes`` puts the left and the right eye, as shares of the square."""

SAMPLES = 4
"""A face to be shrunk is sampled up to so many times, each way, a crop pixel."""

WHOLE = 4096
"""A box crop of more pixels a side is not laid out at the photo's scale: beyond the photo it could be of any size."""

ARCFACE = np.array([(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)])
"""The five landmarks in ArcFace's square of 112 pixels, counted as everyone does there: from the first pixel's centre."""


def cut(photo: Image, box: Box, landmarks: NDArray[np.float32], crop: CropInfo, size: int) -> Image:
    """The face as uint8 (size, size, C), from an RGB or grey uint8 (H, W, C) photo.

    Args:
        box, landmarks: as a ``Detection`` has them, in photo pixels.
        crop: how the model file wants it.
        size: side of the square in pixels.
    """
    if crop.align == "box" and max(box[2:]) * (1 + 2 * crop.margin) <= WHOLE:
        return _box_square(photo, box, crop.margin, size)
    return _warped(photo, square(box, landmarks, crop), size)


def square(box: Box, landmarks: NDArray[np.float32], crop: CropInfo) -> NDArray[np.float64]:
    """(2, 3) affine map from the unit square to photo coordinates: what of the photo a crop shows, margin included.

    Coordinates have pixel edges at whole numbers: pixel (0, 0) reaches from 0 to 1.
    """
    left, top, width, height = box
    if crop.align == "box":
        side = max(width, height)
        fit = np.array([[side, 0, left + width / 2 - side / 2], [0, side, top + height / 2 - side / 2]])
    elif crop.align == "eyes":
        fit = _on_eyes(np.asarray(landmarks[:2], np.float64), floor=0.25 * width)
    else:
        # Fitted from the photo to the template and turned round, as everyone does: the other way round crops closer.
        fit = cv2.invertAffineTransform(umeyama(np.asarray(landmarks, np.float64) + 0.5, (ARCFACE + 0.5) / 112))
    spread = 1 + 2 * crop.margin
    grown = fit * [spread, spread, 1]
    grown[:, 2] -= crop.margin * fit[:, :2].sum(axis=1)
    return grown


def side(box: Box, landmarks: NDArray[np.float32], crop: CropInfo) -> float:
    """Side of what a crop shows, in photo pixels; below the network's input size the face is enlarged."""
    return math.hypot(*square(box, landmarks, crop)[:, 0])


def umeyama(source: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """(2, 3) similarity (turn, scale, shift; no mirror) that takes (N, 2) ``source`` nearest to ``target``: least squares."""
    source_middle, target_middle = source.mean(axis=0), target.mean(axis=0)
    centred, wanted = source - source_middle, target - target_middle
    u, strengths, v = np.linalg.svd(wanted.T @ centred)
    signs = np.array([1.0, np.sign(np.linalg.det(u) * np.linalg.det(v)) or 1.0])
    scale = (strengths * signs).sum() / max((centred**2).sum(), 1e-12)
    linear = scale * (u * signs) @ v
    return np.column_stack([linear, target_middle - linear @ source_middle])


def _on_eyes(eyes: NDArray[np.float64], floor: float) -> NDArray[np.float64]:
    """Unit square to photo. ``floor``: least distance of the eyes, for a face from the side they fall together."""
    between = eyes[1] - eyes[0]
    distance = max(float(np.hypot(*between)), 1e-6)
    side = max(distance, floor) / (EYES[1][0] - EYES[0][0])
    cosine, sine = between / distance
    linear = side * np.array([[cosine, -sine], [sine, cosine]])
    return np.column_stack([linear, eyes.mean(axis=0) - linear @ np.mean(EYES, axis=0)])


def _box_square(photo: Image, box: Box, margin: float, size: int) -> Image:
    """Whole pixels, so that the crop goes through ``pixels.resize`` exactly as a training crop does."""
    left, top, width, height = box
    side = max(1, round(max(width, height) * (1 + 2 * margin)))
    rows = _inside(round(top + height / 2 - side / 2), side, photo.shape[0])
    columns = _inside(round(left + width / 2 - side / 2), side, photo.shape[1])
    cropped = photo[rows[0] : rows[1], columns[0] : columns[1]]
    if cropped.shape[:2] != (side, side):
        cropped = cv2.copyMakeBorder(cropped, *rows[2:], *columns[2:], cv2.BORDER_REPLICATE)
        cropped = cropped.reshape(side, side, photo.shape[2])
    return pixels.resize(cropped, size)


def _inside(start: int, side: int, length: int) -> tuple[int, int, int, int]:
    """Of ``side`` pixels from ``start``: first, end of those in an axis of ``length`` (one at least), missing before, after."""
    first, end = _clamp(start, length), _clamp(start + side - 1, length) + 1
    before = min(max(0, -start), side - 1)
    return first, end, before, side - before - (end - first)


def _clamp(value: int, length: int) -> int:
    return min(max(value, 0), length - 1)


def _warped(photo: Image, unit: NDArray[np.float64], size: int) -> Image:
    """What the square ``unit`` shows.

    A warp only samples, so a face to be shrunk is warped larger and averaged, and one to be shrunk more than SAMPLES
    times is averaged down first.
    """
    shrink = math.hypot(*unit[:, 0]) / size
    corners = unit @ np.array([[0, 1, 0, 1], [0, 0, 1, 1], [1, 1, 1, 1]])
    beyond = 2 + math.ceil(shrink)  # what the averages and the warp look at outside the square
    low = np.floor(corners.min(axis=1)).astype(int) - beyond
    high = np.ceil(corners.max(axis=1)).astype(int) + beyond
    rows, columns = photo.shape[:2]
    x, right = _clamp(low[0], columns), _clamp(high[0], columns) + 1
    y, bottom = _clamp(low[1], rows), _clamp(high[1], rows) + 1
    region = photo[y:bottom, x:right]
    times = min(SAMPLES, max(1, math.ceil(shrink)))
    side = times * size
    ratio = np.ones(2)
    if shrink > 1.5 * times:
        seen = max(1, round((right - x) * times / shrink)), max(1, round((bottom - y) * times / shrink))
        ratio = np.array(seen) / (right - x, bottom - y)
        region = cv2.resize(region, seen, interpolation=cv2.INTER_AREA)
    # From the centres of crop pixels to the centres of region pixels, which is how OpenCV counts them.
    back = unit.copy()
    back[:, 2] -= x, y
    back[:, :2] /= side
    back *= ratio[:, None]
    back[:, 2] += back[:, :2].sum(axis=1) / 2 - 0.5
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    crop = cv2.warpAffine(region, back, (side, side), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return pixels.resize(crop.reshape(side, side, photo.shape[2]), size)
