"""YuNet as OpenCV runs it: an image in, rows of numbers out.

YuNet: Wu, Peng, Yu 2023, https://doi.org/10.1007/s11633-023-1423-y (see ``yunet`` for the model file).

>>> rows = Network(yunet.find(), score=0.75)(image)    # RGB uint8 (H, W, 3) of at most a few thousand pixels per side
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facelet.errors import FaceletError
from facelet.io.pixels import Image, cv2

NMS = 0.3
TOP_K = 5000

Rows = NDArray[np.float32]
"""(N, 15): left, top, width, height; x and y of five landmarks; score."""


class Network:
    """The open network. Thread-safe: each thread has its own, because OpenCV's object holds state.

    Args:
        file: YuNet's file.
        score: minimum score of a face, 0 to 1.

    Raises FaceletError when OpenCV cannot run the file.
    """

    def __init__(self, file: Path, score: float) -> None:
        self.file, self.score = file, score
        self._thread = threading.local()
        self._opened()  # reports a wrong file here, not at the first photo

    def __call__(self, image: Image) -> Rows:
        """Faces of an RGB uint8 (H, W, 3) image at its own size, in its pixels."""
        network = self._opened()
        try:
            network.setInputSize(image.shape[1::-1])
            rows = network.detect(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1]
        except cv2.error as error:
            raise FaceletError(f"the detector {self.file} failed: {error.err}") from None
        if rows is None:
            return np.zeros((0, 15), np.float32)
        return rows[np.isfinite(rows).all(axis=1) & (rows[:, 2] > 0) & (rows[:, 3] > 0)]

    def _opened(self) -> Any:
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
