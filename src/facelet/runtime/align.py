"""Crops a detected face to the network's square input, as the model file specifies.

Three alignments (``CropInfo.align``), each with ``margin``, the share of the square added on each side:

- ``box``: a square centred on the detector's box, with the box's longer side, and turned by the face's ``roll``.
- ``eyes``: rotated so that the eyes are level, and scaled so that they lie at 0.3 and 0.7 of the width, 0.4 of the height.
- ``five-points``: the similarity transform that best maps the landmarks to ArcFace's template (Deng et al. 2019,
  https://arxiv.org/abs/1801.07698; least squares by Umeyama 1991, https://doi.org/10.1109/34.88573).

>>> cut(photo, detection.box, detection.landmarks, info.crop, info.input.cut_size)  # uint8 (48, 48, 3)

Pixels outside the photo repeat its edge. A similarity transform cannot make a profile face frontal.
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
"""Positions of the left and the right eye for ``eyes``, as fractions of the square."""

SAMPLES = 4
"""Maximum number of samples per crop pixel and axis when a face is downscaled."""

WHOLE = 4096
"""Largest box crop, in photo pixels, that is padded at the photo's scale; larger ones are warped, to bound memory."""

ARCFACE = np.array([(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)])
"""ArcFace's template: the five landmarks in a square of 112 pixels; (0, 0) is the centre of the first pixel."""


def cut(photo: Image, box: Box, landmarks: NDArray[np.float32], crop: CropInfo, size: int, roll: float = 0.0) -> Image:
    """Crops a face from a photo: uint8 (size, size, C), upright.

    Args:
        photo: RGB or grey uint8 (H, W, C).
        box: left, top, width, height in photo pixels, as in ``Detection``.
        landmarks: (5, 2) in photo pixels, as in ``Detection``.
        crop: alignment and margin from the model file.
        size: side of the square in pixels.
        roll: degrees by which the face is turned clockwise, as in ``Detection``. Only ``box`` uses it: the others turn by
            the landmarks.
    """
    if crop.align == "box" and roll % 90 == 0 and max(box[2:]) * (1 + 2 * crop.margin) <= WHOLE:
        return _box_square(photo, box, crop.margin, size, round(roll / 90))
    return warped(photo, square(box, landmarks, crop, roll), size)


def square(box: Box, landmarks: NDArray[np.float32], crop: CropInfo, roll: float = 0.0) -> NDArray[np.float64]:
    """(2, 3) affine map from the unit square to photo coordinates: the area of the photo that a crop shows, with margin.

    Pixel edges are at integer coordinates: pixel (0, 0) spans 0 to 1. Arguments as in ``cut``.
    """
    left, top, width, height = box
    if crop.align == "box":
        fit = turned_square((left + width / 2, top + height / 2), max(width, height), roll)
    elif crop.align == "eyes":
        fit = _on_eyes(np.asarray(landmarks[:2], np.float64), floor=0.25 * width)
    else:
        # Fitted from photo to template and inverted, as is usual; a fit from template to photo gives a tighter crop.
        fit = cv2.invertAffineTransform(umeyama(np.asarray(landmarks, np.float64) + 0.5, (ARCFACE + 0.5) / 112))
    spread = 1 + 2 * crop.margin
    grown = fit * [spread, spread, 1]
    grown[:, 2] -= crop.margin * fit[:, :2].sum(axis=1)
    return grown


def side(box: Box, landmarks: NDArray[np.float32], crop: CropInfo) -> float:
    """Side length of the cropped area in photo pixels; if it is below the network's input size, the face is upscaled."""
    return math.hypot(*square(box, landmarks, crop)[:, 0])


def turned_square(middle: tuple[float, float], side: float, roll: float) -> NDArray[np.float64]:
    """(2, 3) affine map from the unit square to a square of the photo, turned clockwise by ``roll`` degrees around its middle."""
    turn = math.radians(roll)
    linear = side * np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    return np.column_stack([linear, middle - linear.sum(axis=1) / 2])


def umeyama(source: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """Least-squares (2, 3) similarity (rotation, scale, translation; no reflection) from (N, 2) ``source`` to ``target``."""
    source_middle, target_middle = source.mean(axis=0), target.mean(axis=0)
    source_centred, target_centred = source - source_middle, target - target_middle
    u, strengths, v = np.linalg.svd(target_centred.T @ source_centred)
    signs = np.array([1.0, np.sign(np.linalg.det(u) * np.linalg.det(v)) or 1.0])
    scale = (strengths * signs).sum() / max((source_centred**2).sum(), 1e-12)
    linear = scale * (u * signs) @ v
    return np.column_stack([linear, target_middle - linear @ source_middle])


def _on_eyes(eyes: NDArray[np.float64], floor: float) -> NDArray[np.float64]:
    """Affine map from the unit square to the photo. ``floor``: minimum eye distance, since the eyes coincide in profile."""
    between = eyes[1] - eyes[0]
    distance = max(float(np.hypot(*between)), 1e-6)
    side = max(distance, floor) / (EYES[1][0] - EYES[0][0])
    cosine, sine = between / distance
    linear = side * np.array([[cosine, -sine], [sine, cosine]])
    return np.column_stack([linear, eyes.mean(axis=0) - linear @ np.mean(EYES, axis=0)])


def _box_square(photo: Image, box: Box, margin: float, size: int, quarters: int = 0) -> Image:
    """Box crop in whole pixels, so that ``pixels.resize`` treats it exactly like a training crop.

    A face turned by clockwise ``quarters`` is turned back before it is resized.
    """
    left, top, width, height = box
    side = max(1, round(max(width, height) * (1 + 2 * margin)))
    rows = _inside(round(top + height / 2 - side / 2), side, photo.shape[0])
    columns = _inside(round(left + width / 2 - side / 2), side, photo.shape[1])
    cropped = photo[rows[0] : rows[1], columns[0] : columns[1]]
    if cropped.shape[:2] != (side, side):
        cropped = cv2.copyMakeBorder(cropped, *rows[2:], *columns[2:], cv2.BORDER_REPLICATE)
        cropped = cropped.reshape(side, side, photo.shape[2])
    if quarters % 4:
        cropped = np.ascontiguousarray(np.rot90(cropped, quarters))
    return pixels.resize(cropped, size)


def _inside(start: int, side: int, length: int) -> tuple[int, int, int, int]:
    """Clips ``side`` pixels from ``start`` to an axis of ``length``: (first, end, padding before, padding after)."""
    first, end = _clamp(start, length), _clamp(start + side - 1, length) + 1
    before = min(max(0, -start), side - 1)
    return first, end, before, side - before - (end - first)


def _clamp(value: int, length: int) -> int:
    return min(max(value, 0), length - 1)


def warped(photo: Image, unit: NDArray[np.float64], size: int) -> Image:
    """Warps the area ``unit`` of the photo to uint8 (size, size, C).

    A warp only samples. To avoid aliasing, a face that is downscaled is warped larger and then averaged; beyond a factor
    of SAMPLES the photo region is averaged down first.
    """
    shrink = math.hypot(*unit[:, 0]) / size
    corners = unit @ np.array([[0, 1, 0, 1], [0, 0, 1, 1], [1, 1, 1, 1]])
    beyond = 2 + math.ceil(shrink)  # pixels outside the square that averaging and the warp read
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
        reduced = max(1, round((right - x) * times / shrink)), max(1, round((bottom - y) * times / shrink))
        ratio = np.array(reduced) / (right - x, bottom - y)
        region = cv2.resize(region, reduced, interpolation=cv2.INTER_AREA)
    # Maps centres of crop pixels to centres of region pixels, which are OpenCV's integer coordinates.
    back = unit.copy()
    back[:, 2] -= x, y
    back[:, :2] /= side
    back *= ratio[:, None]
    back[:, 2] += back[:, :2].sum(axis=1) / 2 - 0.5
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    crop = cv2.warpAffine(region, back, (side, side), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return pixels.resize(crop.reshape(side, side, photo.shape[2]), size)
