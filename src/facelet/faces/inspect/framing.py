"""Framing check: whether the images of a set are cropped faces, as training expects, or whole photos.

>>> report = framing(load("folder:my_photos"))
>>> report.warning
'no face was found in 40 of 64 images looked at (horse/1.jpg, ...): ...'

The detector runs on a sample, at the size used in training. On ready crops of FERPlus, RAF-DB, CK+, UTKFace and the toy faces YuNet
finds a face in 100 of 100 images, none smaller than 0.7 of the side.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from facelet.errors import FaceletError
from facelet.faces.faceset import FaceSet
from facelet.io import pixels
from facelet.runtime import yunet
from facelet.runtime.detector import SCORE_OF_CROPS, Detection, Detector

SAMPLE = 64
SMALL = 0.5
"""Share of the side below which a face counts as much smaller than its image."""
FEW = 0.2
"""Share of the sample that may fail the check without a warning."""

Finder = Callable[[pixels.Image], Sequence[Detection]]


@dataclass(frozen=True)
class Framing:
    """Detections in a sample.

    Attributes:
        looked: number of images in the sample.
        none: number without a face.
        small: number with a face that fills less than SMALL of the side.
        examples: names of up to three images without a face or with a small one.
    """

    looked: int
    none: int
    small: int
    examples: tuple[str, ...] = ()

    @property
    def warning(self) -> str:
        """A warning when more than a share FEW of the images are not cropped faces, else ""."""
        if self.none + self.small <= FEW * self.looked:
            return ""
        parts = [f"no face was found in {self.none}"] * bool(self.none)
        parts += [f"the face is much smaller than the image in {self.small}"] * bool(self.small)
        return (
            f"{' and '.join(parts)} of {self.looked} images looked at ({', '.join(self.examples)}): training needs cropped "
            "faces, make them with facelet crop PHOTOS --out DIR"
        )


def framing(faces: FaceSet, detector: Finder | None = None) -> Framing | None:
    """Checks SAMPLE faces spread over the set, in a second or two. None when the detector's file is not on this machine."""
    try:
        find = detector or Detector(yunet.find(download=False), SCORE_OF_CROPS, turns="never")
    except FaceletError:
        return None
    none, small, examples = 0, 0, []
    rows = np.unique(np.linspace(0, len(faces) - 1, min(SAMPLE, len(faces))).astype(int))
    for row in rows.tolist():
        detections = find(pixels.to_channels(np.ascontiguousarray(faces.images[row]), 3))
        fits = bool(detections) and max(detections[0].box[2:]) >= SMALL * faces.size
        none, small = none + (not detections), small + (bool(detections) and not fits)
        examples += [str(faces.names[row])] * (not fits)
    return Framing(len(rows), none, small, tuple(examples[:3]))
