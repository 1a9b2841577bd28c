"""Detects cuts in a video, so that no track continues across a cut.

>>> cuts = CutDetector()
>>> [frame.number for frame in video.frames() if cuts.began(frame.image)]
[20, 82, 211]

Compares consecutive frames by a thumbnail, whose pattern is insensitive to light, and by a colour histogram, which is insensitive
to movement. A cut changes both at once. A cut between similar shots is missed.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from facelet.io.pixels import Image, cv2

PATTERN = 0.5
"""Minimum 1 - correlation of thumbnails at a cut. In a clip of four shots: at least 0.74 at cuts, at most 0.3 elsewhere."""
COLOURS = 0.13
"""Minimum share of pixels that change colour at a cut. In that clip: at least 0.16 at cuts, else at most 0.05 (0.12 at 2 fps)."""
RESTLESS = 1.5
"""Minimum ratio to the recent median: at a low frame rate, consecutive frames always differ a lot."""
RECENT = 15
FLAT = 3.0
"""Standard deviation below which a frame is blank, as in a fade; it is skipped in the comparison."""
SIDE = 24
BINS = 8


class CutDetector:
    """Compares the frames of one video in order, at any frame rate."""

    def __init__(self) -> None:
        self._last: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None
        self._changes: deque[float] = deque(maxlen=RECENT)

    def began(self, frame: Image) -> bool:
        """Returns whether the frame, RGB uint8 of any size, is the first of a new shot."""
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
