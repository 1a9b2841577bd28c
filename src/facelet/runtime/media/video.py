"""Reads frames with timestamps from video files and webcams, decoded in the background, and writes MP4 files.

>>> with Video("clip.mp4") as video:
...     for frame in video.frames(every=0.2):        # seconds; 0: every frame
...         frame.seconds, frame.image.shape

OpenCV reads with its bundled FFmpeg, without sound. For a damaged file, ``Video.note`` reports the missing frames.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from facelet.errors import FaceletError
from facelet.io.files import existing
from facelet.io.pixels import MAX_PIXELS, Image, cv2

SUFFIXES = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".wmv", ".mpg", ".mpeg")
SHORT = 0.95
"""A file with less than this share of the frames in its header is reported as truncated."""
USUAL_FPS = 25.0
"""Frame rate of a source without one."""


def is_webcam(place: str | Path) -> bool:
    """Whether the place is a webcam's number, and not a file of that name: 0 is the first camera."""
    return str(place).isdecimal() and not Path(place).exists()


def is_video(place: str | Path) -> bool:
    """Whether the place is a webcam's number or has the suffix of a video file."""
    return is_webcam(place) or Path(place).suffix.lower() in SUFFIXES


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
    """An open file or webcam.

    Attributes:
        place: the file or the webcam's number.
        live: whether it is a webcam.
        fps: frames per second.
        count: number of frames in the header, 0 if unknown.
        size: width and height.
        note: problem with the file, set after ``frames`` ends; empty if there is none.

    Raises FaceletError if the file is missing, is not a video, or has larger frames than a photo may have.
    """

    def __init__(self, place: str | Path) -> None:
        self.place, self.live, self.note = str(place), is_webcam(place), ""
        if self.live:
            self._capture = cv2.VideoCapture(int(str(place)))
        else:
            file = existing(place, "video")
            if not file.is_file():
                raise FaceletError(
                    f"{place} is not a file; expected a video ({' '.join(SUFFIXES)}) or a webcam's number"
                )
            self._capture = cv2.VideoCapture(str(file), cv2.CAP_FFMPEG)
        if not self._capture.isOpened():
            what = f"cannot open webcam {place}" if self.live else f"{place} is not a video that OpenCV can read"
            raise FaceletError(f"{what}; expected a file ({' '.join(SUFFIXES)}) or a webcam's number, such as 0")
        width, height = (round(self._capture.get(key)) for key in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        if not 0 < width * height <= MAX_PIXELS:
            self.close()
            raise FaceletError(f"{place}: frames of {width} x {height} pixels cannot be read")
        self.size = width, height
        fps = float(self._capture.get(cv2.CAP_PROP_FPS))
        self.fps = fps if 0 < fps <= 1000 else USUAL_FPS
        self.count = 0 if self.live else max(0, round(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)))

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
        self._number, self._start, self._next = 0, time.monotonic(), 0.0
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
            seconds = time.monotonic() - self._start if self.live else self._time(number)
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


class Writer:
    """Writes frames to an MP4 file without sound. Raises FaceletError when it cannot be written."""

    def __init__(self, path: Path, fps: float) -> None:
        self.path, self.fps = path, fps
        self._writer: Any = None
        self._size = (0, 0)

    def add(self, image: Image) -> None:
        """Appends a frame, RGB uint8; all frames have the same size."""
        if self._writer is None:
            self._size = image.shape[1], image.shape[0]
            self._writer = cv2.VideoWriter(str(self.path), cv2.VideoWriter_fourcc(*"mp4v"), self.fps, self._size)
            if not self._writer.isOpened():
                raise FaceletError(f"cannot write {self.path}: OpenCV has no MP4 encoder here")
        self._writer.write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))

    def close(self) -> None:
        if self._writer is not None:
            self._writer.release()
