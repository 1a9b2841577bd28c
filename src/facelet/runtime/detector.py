"""Faces in a photo: YuNet through OpenCV, at a bounded working size, answers in photo coordinates.

YuNet: Wu, Peng, Yu 2023, https://doi.org/10.1007/s11633-023-1423-y (``yunet.find`` says where the file comes from).

>>> for face in Detector()(photo):      # RGB uint8 (H, W, 3)
...     print(face.box, face.score, face.landmarks)

It finds faces of about 10 to 300 pixels at the working size, so beside a large face one below a sixtieth of the
photo's long side is missed; ``detail`` 1280 halves that limit and takes four times as long.
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
"""Least score of a face: of 52 known ones none was missed at three sizes, and fewest were false (benchmarks/detector.py)."""
SCORE_OF_CROPS = 0.6
"""Least score in an image that is known to show a face: false ones cost less there than missed ones."""
DETAIL = 640
SMALLEST = 320  # smaller photos are enlarged to this: most of YuNet's training faces are seen larger than 10 px
HUGE_FACE = 240  # at this size a face that fills the photo is one that YuNet knows
NMS = 0.3
TOP_K = 5000


@dataclass(frozen=True, eq=False)
class Detection:
    """One face.

    Attributes:
        box: left, top, width, height in photo pixels; may reach beyond the photo.
        score: 0 to 1.
        landmarks: float32 (5, 2), x and y of the eyes, the nose tip and the mouth's corners, of each pair the one on
            the left of the photo first.
    """

    box: tuple[float, float, float, float]
    score: float
    landmarks: NDArray[np.float32]


Finder = Callable[[Image], list[Detection]]
"""What finds faces in an RGB photo: a Detector, or a function that answers like one."""


class Detector:
    """YuNet, one network a thread (OpenCV's object holds state), so one Detector may be used by many threads.

    Args:
        file: YuNet's file; empty for $FACELET_YUNET, the cache or a download.
        score: faces below it are dropped, 0 to 1.
        detail: long side of the photo as the net sees it, in pixels, 64 to 4096.
        again: look once more, closer and from farther away, when nothing was found; a photo without faces costs five
            times as much.
    """

    def __init__(self, file: str | Path = "", score: float = SCORE, detail: int = DETAIL, again: bool = True) -> None:
        if not 0 <= score <= 1:
            raise FaceletError(f"the detector's least score is {score:g}; expected 0 to 1")
        if not 64 <= detail <= 4096:
            raise FaceletError(f"the detector's detail is {detail} pixels; expected 64 to 4096")
        self.file = yunet.find(file)
        self.score = score
        self.detail = detail
        self.again = again
        self._thread = threading.local()
        self._network()  # a file that is not YuNet is refused here, not at the first photo

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
        """Rows of YuNet (box 4, landmarks 10, score) in photo pixels, seen with the given long side."""
        height, width = photo.shape[:2]
        scale = long_side / max(height, width)
        seen = max(1, round(width * scale)), max(1, round(height * scale))
        # Every k-th pixel of a very large photo is enough to average: each pixel seen still comes of at least 4 x 4.
        step = max(1, int(1 / (4 * scale)))
        photo = photo[::step, ::step]
        if seen != photo.shape[1::-1]:
            photo = cv2.resize(photo, seen, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        network = self._network()
        try:
            network.setInputSize(seen)
            rows = network.detect(cv2.cvtColor(photo, cv2.COLOR_RGB2BGR))[1]
        except cv2.error as error:
            raise FaceletError(f"the detector {self.file} failed: {error.err}") from None
        if rows is None:
            return np.zeros((0, 15), np.float32)
        rows[:, 0:14:2] *= width / seen[0]
        rows[:, 1:14:2] *= height / seen[1]
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
                    f"{self.file} is no detector that OpenCV {cv2.__version__} can run; expected YuNet's 2023mar file"
                ) from error
            self._thread.network = network
        return network


_logging = threading.Lock()


@contextmanager
def _errors_only() -> Iterator[None]:
    """OpenCV 5 warns, once a network, that its new engine takes no targets, which nobody asked of it. Errors are still logged.

    Only where OpenCV was imported before Facelet, which otherwise sets its level.
    """
    levels = getattr(cv2.utils, "logging", None)
    if levels is None:  # OpenCV 4, which does not warn of it
        yield
        return
    with _logging:  # the level is the whole process's
        before = levels.getLogLevel()
        levels.setLogLevel(min(before, levels.LOG_LEVEL_ERROR))
        try:
            yield
        finally:
            levels.setLogLevel(before)
