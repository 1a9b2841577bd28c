"""Face detection with YuNet and OpenCV, at a bounded working resolution.

YuNet: Wu, Peng, Yu 2023, https://doi.org/10.1007/s11633-023-1423-y (see ``yunet`` for the model file).

>>> for face in Detector()(photo):      # RGB uint8 (H, W, 3)
...     print(face.box, face.score, face.landmarks)

It finds faces of about 10 to 300 pixels at the working resolution, so a face below a sixtieth of the photo's long side
is missed next to a large face; ``detail=1280`` halves that limit and takes four times as long.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facelet.errors import FaceletError
from facelet.io.pixels import Image, cv2
from facelet.runtime import yunet

SCORE = 0.75
"""Minimum score: fewest false positives with no miss among 52 labelled faces at three sizes (benchmarks/detector.py)."""
SCORE_OF_CROPS = 0.6
"""Minimum score in an image known to show a face, where a miss costs more than a false positive."""
DETAIL = 640
SMALLEST = 320  # smaller photos are enlarged to this, since most of YuNet's training faces are larger than 10 px
HUGE_FACE = 240  # at this size a face that fills the photo is in the range of YuNet's training faces
NMS = 0.3
TOP_K = 5000


@dataclass(frozen=True, eq=False)
class Detection:
    """One face.

    Attributes:
        box: left, top, width, height in photo pixels; may reach beyond the photo.
        score: 0 to 1.
        landmarks: float32 (5, 2), x and y of the eyes, the nose tip and the mouth corners; of each pair, the left point
            in the photo comes first.
    """

    box: tuple[float, float, float, float]
    score: float
    landmarks: NDArray[np.float32]


Finder = Callable[[Image], list[Detection]]
"""A Detector, or a function from an RGB photo to its detections."""


class Detector:
    """YuNet face detector. Thread-safe: each thread has its own network, because OpenCV's object holds state.

    Args:
        file: YuNet's file; default: $FACELET_YUNET, the cache or a download.
        score: minimum score of a face, 0 to 1.
        detail: long side of the network's input in pixels, 64 to 4096.
        again: if no face is found, retry at a lower and a higher resolution; a photo without faces then takes five times
            as long.
    """

    def __init__(self, file: str | Path = "", score: float = SCORE, detail: int = DETAIL, again: bool = True) -> None:
        if not 0 <= score <= 1:
            raise FaceletError(f"the detector's minimum score is {score:g}; expected 0 to 1")
        if not 64 <= detail <= 4096:
            raise FaceletError(f"the detector's detail is {detail} pixels; expected 64 to 4096")
        self.file = yunet.find(file)
        self.score = score
        self.detail = detail
        self.again = again
        self._thread = threading.local()
        self._network()  # reports a wrong file here, not at the first photo

    def __call__(self, photo: Image) -> list[Detection]:
        """Faces of an RGB uint8 (H, W, 3) photo of any size, largest first; empty when there is none."""
        found = self._pass(photo, min(max(SMALLEST, max(photo.shape[:2])), self.detail))
        if not len(found) and self.again:
            long_side = max(photo.shape[:2])
            closer = [2 * self.detail] if long_side > self.detail else []
            for size in (HUGE_FACE, *closer):
                found = self._pass(photo, size)
                if len(found):
                    break
        found = found[np.argsort(-found[:, 2] * found[:, 3], kind="stable")]
        return [
            Detection(
                (float(row[0]), float(row[1]), float(row[2]), float(row[3])), float(row[14]), row[4:14].reshape(5, 2)
            )
            for row in found
        ]

    def _pass(self, photo: Image, long_side: int) -> NDArray[np.float32]:
        """YuNet's rows (box 4, landmarks 10, score 1) in photo pixels, with the photo resized to the given long side."""
        height, width = photo.shape[:2]
        scale = long_side / max(height, width)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        # A very large photo is subsampled first: each pixel of the result still averages at least 4 x 4.
        step = max(1, int(1 / (4 * scale)))
        photo = photo[::step, ::step]
        if size != photo.shape[1::-1]:
            photo = cv2.resize(photo, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        network = self._network()
        try:
            network.setInputSize(size)
            rows = network.detect(cv2.cvtColor(photo, cv2.COLOR_RGB2BGR))[1]
        except cv2.error as error:
            raise FaceletError(f"the detector {self.file} failed: {error.err}") from None
        if rows is None:
            return np.zeros((0, 15), np.float32)
        rows[:, 0:14:2] *= width / size[0]
        rows[:, 1:14:2] *= height / size[1]
        return rows[np.isfinite(rows).all(axis=1) & (rows[:, 2] > 0) & (rows[:, 3] > 0)]

    def _network(self) -> Any:
        network = getattr(self._thread, "network", None)
        if network is None:
            try:
                with _errors_only():
                    network = cv2.FaceDetectorYN.create(str(self.file), "", (320, 320), self.score, NMS, TOP_K)
                    network.detect(np.zeros((320, 320, 3), np.uint8))
            except cv2.error as error:
                raise FaceletError(
                    f"OpenCV {cv2.__version__} cannot run {self.file} as a face detector; expected YuNet's 2023mar file"
                ) from error
            self._thread.network = network
        return network


_logging = threading.Lock()


@contextmanager
def _errors_only() -> Iterator[None]:
    """Silences OpenCV 5's irrelevant warning, once per network, that its new engine ignores targets; errors are still logged.

    Needed only if OpenCV was imported before Facelet, which otherwise sets the log level.
    """
    levels = getattr(cv2.utils, "logging", None)
    if levels is None:  # OpenCV 4 has no such warning
        yield
        return
    with _logging:  # the level is global to the process
        before = levels.getLogLevel()
        levels.setLogLevel(min(before, levels.LOG_LEVEL_ERROR))
        try:
            yield
        finally:
            levels.setLogLevel(before)
