"""Photos of one colour, and a detector that finds faces in them by colour."""

from __future__ import annotations

import numpy as np

from facelet.runtime.detector import Detection

CORNERS = np.array([(0.4, 0.4), (0.6, 0.4), (0.5, 0.5), (0.42, 0.6), (0.58, 0.6)], np.float32)


def find(photo):
    """One face where the photo is bright, two where it is blue, none where it is black."""
    height, width = photo.shape[:2]
    face = Detection((width / 4, height / 4, width / 2, height / 2), 0.9, CORNERS * (width, height))
    if not photo.any():
        return []
    small = Detection((0.0, 0.0, width / 8, height / 8), 0.7, CORNERS * (width / 8, height / 8))
    return [face, small] if photo[0, 0, 2] > photo[0, 0, 0] else [face]


def picture(colour, size=(60, 80)) -> np.ndarray:
    """RGB noise about a colour, the first pixel exactly of it."""
    rng = np.random.default_rng(sum(colour))
    image = np.clip(np.array(colour) + rng.normal(0, 20, (*size, 3)) * bool(any(colour)), 0, 255).astype(np.uint8)
    image[0, 0] = colour
    return image
