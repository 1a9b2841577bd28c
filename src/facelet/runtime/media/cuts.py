"""Cuts in a video: frames after which another shot has begun, so that no face is followed across.

>>> cuts = CutDetector()
>>> [frame.number for frame in video.frames() if cuts.began(frame.image)]
[20, 82, 211]

Two small pictures are compared: a thumbnail, whose pattern a cut changes and light does not, and a histogram of colours, which a
cut changes and movement hardly does. A cut changes both at once. One between shots that look alike is missed.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from facelet.io.pixels import Image, cv2

PATTERN = 0.5
"""Least 1 - correlation of thumbnails. In a clip of four shots: 0.74 and more at cuts, at most 0.3 elsewhere."""
COLOURS = 0.13
"""Least share of pixels that change colour. There: 0.16 and more at cuts, at most 0.05 elsewhere, or 0.12 half a second apart."""
RESTLESS = 1.5
"""Times that the recent median has to be exceeded: with few looks a second, every one differs much from the one before."""
RECENT = 15
FLAT = 3.0
"""Standard deviation below which a frame shows nothing, as in a fade; the frame before it is compared with instead."""
SIDE = 24
BINS = 8


class CutDetector:
    """Looks at the frames of one video in their order, whatever time lies between them."""

    def __init__(self) -> None:
        self._last: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None
        self._changes: deque[float] = deque(maxlen=RECENT)

    def began(self, frame: Image) -> bool:
        """Whether the frame, RGB uint8 of any size, is the first of a new shot."""
        small = cv2.resize(frame, (2 * SIDE, 2 * SIDE), interpolation=cv2.INTER_AREA)
        thumbnail = cv2.resize(small, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
        thumbnail -= thumbnail.mean(axis=(0, 1))
        if thumbnail.std() < FLAT:
            return False
        histogram = cv2.calcHist([small], [0, 1, 2], None, [BINS] * 3, [0, 256] * 3).ravel() / small[..., 0].size
        last, self._last = self._last, (thumbnail, histogram)
        if last is None:
            return False
        length = float(np.linalg.norm(thumbnail) * np.linalg.norm(last[0]))
        pattern = 1 - float((thumbnail * last[0]).sum()) / length
        colours = float(np.abs(histogram - last[1]).sum()) / 2
        usual = float(np.median(self._changes)) if self._changes else 0.0
        self._changes.append(colours)
        return pattern >= PATTERN and colours >= max(COLOURS, RESTLESS * usual)
