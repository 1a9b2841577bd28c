"""Reads photos of one person each as aligned faces: YuNet's five points on ArcFace's template (``runtime.align``).

>>> images, notes = read_aligned(archive, files, size=112, channels=3)

If there are several faces, the one nearest to the photo's centre is taken. If none is found, the crop uses the mean position of the
other photos' faces, which only suits sets that were framed automatically, such as LFW.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from facelet.errors import FaceletError
from facelet.faces.reading.archive import Archive
from facelet.faces.reading.images import NO_FACE, counted
from facelet.io import pixels
from facelet.models.model_file import CropInfo
from facelet.runtime.align import cut
from facelet.runtime.detector import SCORE_OF_CROPS, Detection, Detector

CROP = CropInfo(align="five-points")
NO_BOX = (0.0, 0.0, 1.0, 1.0)


def read_aligned(
    archive: Archive, names: Sequence[str], *, size: int, channels: int, detector: Detector | None = None
) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """The face of each photo, uint8 (N, size, size, channels), and a note on photos without a detected face.

    Raises FaceletError for unreadable images, and when no face is found in any photo.
    """
    detect = detector or Detector(score=SCORE_OF_CROPS, turns="never")
    images = np.empty((len(names), size, size, channels), np.uint8)
    shares = np.full((len(names), 5, 2), np.nan)

    def fill(number: int) -> None:
        photo = pixels.decode(archive.read(names[number]), names[number])
        detections = detect(photo)
        if detections:
            landmarks = _central(detections, photo).landmarks
            shares[number] = landmarks / photo.shape[1::-1]
            images[number] = pixels.to_channels(cut(photo, NO_BOX, landmarks, CROP, size), channels)

    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as threads:
        list(threads.map(fill, range(len(names))))
    missed = np.flatnonzero(np.isnan(shares[:, 0, 0]))
    if not len(missed):
        return images, ()
    if len(missed) == len(names):
        raise FaceletError(f"{archive.path}: YuNet finds no face in any of {len(names):,} photos")
    usual = np.nanmean(shares, axis=0)
    for number in missed.tolist():
        photo = pixels.decode(archive.read(names[number]), names[number])
        landmarks = (usual * photo.shape[1::-1]).astype(np.float32)
        images[number] = pixels.to_channels(cut(photo, NO_BOX, landmarks, CROP, size), channels)
    return images, (counted(NO_FACE, [names[number] for number in missed.tolist()]),)


def _central(detections: Sequence[Detection], photo: pixels.Image) -> Detection:
    """The detection nearest to the photo's centre."""
    middle = np.array(photo.shape[1::-1]) / 2
    return min(
        detections, key=lambda face: float(np.hypot(*(np.array(face.box[:2]) + np.array(face.box[2:]) / 2 - middle)))
    )
