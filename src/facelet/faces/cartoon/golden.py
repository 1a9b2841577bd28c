"""Golden faces: eight drawn faces, one of each expression, that every model file carries for its self-test.

>>> golden_faces(channels=3).shape
(8, 24, 24, 3)
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from facelet.faces.sources.toy import toy
from facelet.models.self_test import SIDE

SHADES = 8
"""Levels of a channel: few, so that the faces are small when packed."""
POPULATION, SEED = 600, 5


@lru_cache(maxsize=2)
def golden_faces(channels: int) -> NDArray[np.uint8]:
    """uint8 (8, SIDE, SIDE, channels); the same on every machine."""
    drawn = toy(size=SIDE, channels=channels, faces=POPULATION, seed=SEED, noise=0)
    first = [int(np.flatnonzero(drawn.labels == label)[0]) for label in range(len(drawn.classes))]
    levels = np.rint(drawn.images[first] / 255 * (SHADES - 1))
    return np.rint(levels * 255 / (SHADES - 1)).astype(np.uint8)
