"""Reads frames with timestamps from video files, decoded in the background, and writes MP4 files. Webcams: see ``stream``.

>>> with Video("clip.mp4") as video:
...     for frame in video.frames(every=0.2):        # seconds; 0: every frame
...         frame.seconds, frame.image.shape

OpenCV reads with its bundled FFmpeg, without sound. For a damaged file, ``Video.note`` reports the missing frames.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from facelet.errors import FaceletError
from facelet.io.files import existing
from facelet.io.pixels import MAX_PIXELS, Image, cv2
from facelet.runtime.media.address import SUFFIXES, is_address, require_scheme, shown

SHORT = 0.95
"""A file with less than this share of the frames in its header is reported as truncated."""
USUAL_FPS = 25.0
"""Frame rate of a source without one."""


def require_every(every: float) -> None:
    """Raises FaceletError if the time between analyzed frames is negative or not finite."""
    if not 0 <= every < math.inf:
        raise FaceletError(f"--every {every:g}: seconds between frames are 0 (every frame) or more")


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame: its number from 0, its time in seconds, and its image, RGB uint8 (H, W, 3)."""

    number: int
    seconds: float
    image: Image = field(repr=False)


class Video:
    """An open file, on this machine or on a web server.

    Attributes:
        place: the file, as it may be printed.
        live: False: its frames wait until they are read.
        fps: frames per second.
        count: number of frames in the header, 0 if unknown.
        size: width and height.
        note: problem with the file, set after ``frames`` ends; empty if there is none.
        dropped: 0, as no frame is left out.

    Raises FaceletError if the file is missing, is not a video, or has larger frames than a photo may have.
    """

    live = False
    dropped = 0

    def __init__(self, place: str | Path) -> None:
        self.place, self.note = shown(place), ""
        if is_address(place):
            require_scheme(place)
            file = str(place)
        else:
            path = existing(place, "video")
            if not path.is_file():
                raise FaceletError(
                    f"{place} is not a file; expected a video ({' '.join(SUFFIXES)}) or a webcam's number"
                )
            file = str(path)
        self._capture = cv2.VideoCapture(file, cv2.CAP_FFMPEG)
        if not self._capture.isOpened():
            raise FaceletError(
                f"{self.place} is not a video that OpenCV can read; expected a file ({' '.join(SUFFIXES)}) or a webcam's "
                "number, such as 0"
            )
        self.size, self.fps = measures(self._capture, self.place)
        self.count = max(0, round(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)))

    def __enter__(self) -> Video:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._capture.release()

    def frames(self, every: float = 0.0) -> Iterator[Frame]:
        """Yields frames at least ``every`` seconds apart until the video ends. Raises FaceletError if it has none."""
        require_every(every)
        self._number, self._next = 0, 0.0
        with ThreadPoolExecutor(1) as reader:
            coming: Future[Frame | None] = reader.submit(self._read, every)
            try:
                while (frame := coming.result()) is not None:
                    coming = reader.submit(self._read, every)
                    yield frame
            finally:
                coming.cancel()
        if not self._number:
            raise FaceletError(f"{self.place}: no frame can be read; the file is damaged or has an unsupported codec")
        if self._number < SHORT * self.count:
            self.note = f"{self.place} ends after {self._number:,} of the {self.count:,} frames in its header"

    def _read(self, every: float) -> Frame | None:
        """Reads the next frame that is due. Frames in between are grabbed but not converted."""
        while self._capture.grab():
            number, self._number = self._number, self._number + 1
            seconds = self._time(number)
            if seconds + 1e-6 < self._next:
                continue
            self._next = max(self._next + every, seconds + every / 2)
            whole, image = self._capture.retrieve()
            if whole:
                return Frame(number, seconds, cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
        return None

    def _time(self, number: int) -> float:
        seconds = float(self._capture.get(cv2.CAP_PROP_POS_MSEC)) / 1000
        return seconds if seconds > 0 else number / self.fps


def measures(capture: Any, place: str) -> tuple[tuple[int, int], float]:
    """Width and height, and frames per second, of an open ``cv2.VideoCapture``, which is closed if its frames are too large."""
    width, height = (round(capture.get(key)) for key in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
    if not 0 < width * height <= MAX_PIXELS:
        capture.release()
        raise FaceletError(f"{place}: frames of {width} x {height} pixels cannot be read")
    fps = float(capture.get(cv2.CAP_PROP_FPS))
    return (width, height), fps if 0 < fps <= 1000 else USUAL_FPS


class Writer:
    """Writes frames to an MP4 file without sound. Raises FaceletError when it cannot be written."""

    def __init__(self, path: Path, fps: float) -> None:
        self.path, self.fps = path, fps
        self._writer: Any = None
        self._size = (0, 0)

    def add(self, image: Image) -> None:
        """Appends a frame, RGB uint8, resized to the first one's size if a stream has changed it."""
        if self._writer is None:
            self._size = image.shape[1], image.shape[0]
            self._writer = cv2.VideoWriter(str(self.path), cv2.VideoWriter_fourcc(*"mp4v"), self.fps, self._size)
            if not self._writer.isOpened():
                raise FaceletError(f"cannot write {self.path}: OpenCV has no MP4 encoder here")
        if image.shape[1::-1] != self._size:
            image = cv2.resize(image, self._size, interpolation=cv2.INTER_AREA)
        self._writer.write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))

    def close(self) -> None:
        if self._writer is not None:
            self._writer.release()
