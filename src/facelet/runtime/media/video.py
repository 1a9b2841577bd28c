"""Video in: the frames of a file or of a webcam with their times, decoded while the one before is looked at; and drawn ones out.

>>> with Video("clip.mp4") as video:
...     for frame in video.frames(every=0.2):        # seconds; 0: every frame
...         frame.seconds, frame.image.shape

OpenCV reads with its own FFmpeg. Sound is left out. A damaged file ends where its frames do, which ``Video.note`` says.
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
"""A file with fewer than this share of the frames that it says it has is called cut short."""
USUAL_FPS = 25.0
"""Of a source that does not say."""


def is_webcam(place: str | Path) -> bool:
    """A number that is no file: 0 is the first camera."""
    return str(place).isdecimal() and not Path(place).exists()


def is_video(place: str | Path) -> bool:
    """Whether the place is a webcam's number or has the suffix of a video file."""
    return is_webcam(place) or Path(place).suffix.lower() in SUFFIXES


def require_every(every: float) -> None:
    """Raises FaceletError for what is no time between two looks at a video."""
    if not 0 <= every < math.inf:
        raise FaceletError(f"--every {every:g}: seconds between frames are 0 (every frame) or more")


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture: its number from 0, seconds from the start, RGB uint8 (H, W, 3)."""

    number: int
    seconds: float
    image: Image = field(repr=False)


class Video:
    """An open file or webcam.

    Attributes:
        place: what was opened. live: whether it is a camera.
        fps: frames a second. count: how many it says it has, 0 when unknown. size: width and height.
        note: what was wrong with it, once ``frames`` has ended; "" when nothing was.

    Raises FaceletError for what is missing, no video, or of more pixels than a photo may have.
    """

    def __init__(self, place: str | Path) -> None:
        self.place, self.live, self.note = str(place), is_webcam(place), ""
        if self.live:
            self._capture = cv2.VideoCapture(int(str(place)))
        else:
            file = existing(place, "video")
            if not file.is_file():
                raise FaceletError(f"{place} is no file; expected a video ({' '.join(SUFFIXES)}) or a webcam's number")
            self._capture = cv2.VideoCapture(str(file), cv2.CAP_FFMPEG)
        if not self._capture.isOpened():
            what = f"no webcam answers as {place}" if self.live else f"{place} is not a video that OpenCV can read"
            raise FaceletError(f"{what}; expected a file ({' '.join(SUFFIXES)}) or a webcam's number, as 0")
        width, height = (round(self._capture.get(key)) for key in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        if not 0 < width * height <= MAX_PIXELS:
            self.close()
            raise FaceletError(f"{place}: frames of {width} x {height} pixels cannot be read")
        self.size = width, height
        said = float(self._capture.get(cv2.CAP_PROP_FPS))
        self.fps = said if 0 < said <= 1000 else USUAL_FPS
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
        """Frames at least ``every`` seconds apart, in order, until the video ends. Raises FaceletError when it has none."""
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
            raise FaceletError(f"{self.place}: no frame can be read; the file is damaged, or of a rare kind")
        if self._number < SHORT * self.count:
            self.note = f"{self.place} ends after {self._number:,} of the {self.count:,} frames that it says it has"

    def _read(self, every: float) -> Frame | None:
        """The next frame that is wanted. Those between are decoded but not converted."""
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
        said = float(self._capture.get(cv2.CAP_PROP_POS_MSEC)) / 1000
        return said if said > 0 else number / self.fps


class Writer:
    """A silent MP4 of drawn frames, at ``path``. Raises FaceletError when it cannot be written."""

    def __init__(self, path: Path, fps: float) -> None:
        self.path, self.fps = path, fps
        self._writer: Any = None
        self._size = (0, 0)

    def add(self, image: Image) -> None:
        """RGB, all of one size."""
        if self._writer is None:
            self._size = image.shape[1], image.shape[0]
            self._writer = cv2.VideoWriter(str(self.path), cv2.VideoWriter_fourcc(*"mp4v"), self.fps, self._size)
            if not self._writer.isOpened():
                raise FaceletError(f"cannot write {self.path}: OpenCV has no MP4 encoder here")
        self._writer.write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))

    def close(self) -> None:
        if self._writer is not None:
            self._writer.release()
