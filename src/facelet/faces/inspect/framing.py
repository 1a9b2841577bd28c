"""Framing: whether the images of a set are faces cut out of their photos, as training wants them, or whole photos.

>>> look = framing(load("folder:my_photos"))
>>> look.warning
'no face was found in 40 of 64 images looked at (horse/1.jpg, ...): ...'

A sample is shown to the detector, at the size that training will see. On ready crops of FERPlus, RAF-DB, CK+, UTKFace and
the toy faces YuNet finds a face in 100 of 100, and none is smaller than 0.7 of the side.
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
"""Share of the side below which a face is much smaller than its frame."""
FEW = 0.2
"""Share of the sample that may be otherwise without a word."""

Finder = Callable[[pixels.Image], Sequence[Detection]]


@dataclass(frozen=True)
class Framing:
    """What a detector saw in a sample.

    Attributes:
        looked: images of the sample.
        none: of them without a face.
        small: of them with a face that fills less than SMALL of the side.
        examples: names of some of either kind.
    """

    looked: int
    none: int
    small: int
    examples: tuple[str, ...] = ()

    @property
    def warning(self) -> str:
        """A sentence where more than a few images are no cut faces, else ""."""
        if self.none + self.small <= FEW * self.looked:
            return ""
        parts = [f"no face was found in {self.none}"] * bool(self.none)
        parts += [f"the face is much smaller than the image in {self.small}"] * bool(self.small)
        return (
            f"{' and '.join(parts)} of {self.looked} images looked at ({', '.join(self.examples)}): models learn from faces "
            "that are cut out, which facelet crop PHOTOS --out DIR does"
        )


def framing(faces: FaceSet, detector: Finder | None = None) -> Framing | None:
    """Looks at SAMPLE faces spread over the set, in a second or two. None where the detector's file is not on this machine."""
    try:
        find = detector or Detector(yunet.find(download=False), SCORE_OF_CROPS)
    except FaceletError:
        return None
    none, small, examples = 0, 0, []
    rows = np.unique(np.linspace(0, len(faces) - 1, min(SAMPLE, len(faces))).astype(int))
    for row in rows.tolist():
        found = find(pixels.to_channels(np.ascontiguousarray(faces.images[row]), 3))
        fits = bool(found) and max(found[0].box[2:]) >= SMALL * faces.size
        none, small = none + (not found), small + (bool(found) and not fits)
        examples += [str(faces.names[row])] * (not fits)
    return Framing(len(rows), none, small, tuple(examples[:3]))
