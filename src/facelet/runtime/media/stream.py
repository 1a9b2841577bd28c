"""Follows webcams and cameras in the network: the newest frame wins, and a broken connection is opened again.

>>> with open_footage("rtsp://admin:secret@camera/1") as stream:     # or 0, /dev/video0, http://camera/video.mjpg, clip.mp4
...     for frame in stream.frames(every=0.2):
...         frame.seconds, frame.image.shape, stream.dropped

A thread reads all the time and keeps only the newest frame, so an analysis that is slower than the camera has no backlog.
FaceletWarnings say that a connection is lost, that no frame has come for a while, and that the picture is frozen or of a single
colour. A webcam that ends is a FaceletError. OpenCV reads streams with its FFmpeg (RTSP over TCP if the camera can), and devices
with the system's interface.
"""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from facelet.errors import FaceletError, FaceletWarning
from facelet.io.pixels import Image, cv2
from facelet.runtime.media.address import is_address, is_live, require_scheme, shown
from facelet.runtime.media.health import Health
from facelet.runtime.media.video import Frame, Video, measures, require_every

STALL = 5.0
"""Seconds without a frame after which it is said; the connection is opened again, and a device ends."""
WAITS = (1.0, 30.0)
"""Seconds before the first attempt to connect again, doubled after each failure, and the longest."""
OPENING = 10.0
"""Seconds that opening a connection may take."""


class Stream:
    """An open webcam or stream. Use it as a context manager, from one thread.

    Attributes:
        place: the webcam or address, as it may be printed: without a password.
        live: True: its frames come at their own time and do not wait.
        fps: frames per second that the source states, else 25.
        count: 0: it has no end.
        size: width and height of the first frames.
        note: empty; troubles are warnings while they happen.
        dropped: frames that were due and were replaced by a newer one before they were taken.
        reconnected: how often a lost connection was opened again.

    Args:
        place: a webcam's number, a device such as /dev/video0, or a URL (rtsp, rtsps, http, https).
        stall: seconds without a frame after which it is said.
        waits: seconds before the first attempt to connect again, and the longest.
        patience: seconds for which a picture may be frozen or of a single colour before it is said.

    Raises FaceletError if it cannot be opened, or has larger frames than a photo may have.
    """

    live = True
    count = 0
    note = ""

    def __init__(
        self,
        place: str | Path,
        *,
        stall: float = STALL,
        waits: tuple[float, float] = WAITS,
        patience: float | None = None,
    ) -> None:
        self.place, self.dropped, self.reconnected = _name(place), 0, 0
        self._source, self._device = str(place), not is_address(place)
        self._stall, self._waits = stall, waits
        self._health = Health() if patience is None else Health(patience)
        if not self._device:
            require_scheme(place)
        capture = self._opened()
        if capture is None:
            wanted = "a webcam's number, such as 0" if self._device else "a camera that answers with video"
            raise FaceletError(f"cannot open {self.place}; expected {wanted}")
        self.size, self.fps = measures(capture, self.place)
        self._capture: Any = capture  # the reader's alone once it runs
        self._changed = threading.Condition()
        self._newest: tuple[int, float, Any] | None = None
        self._notes: list[str] = []
        self._ended = ""
        self._due, self._every = 0.0, 0.0
        self._closing = threading.Event()
        self._reader: threading.Thread | None = None

    def __enter__(self) -> Stream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the reader, which releases the source; one that hangs in it is left to end with the process."""
        self._closing.set()
        if self._reader is None:
            self._capture.release()
        else:
            self._reader.join(timeout=2)

    def frames(self, every: float = 0.0) -> Iterator[Frame]:
        """Yields the newest frame, again and again, at least ``every`` seconds apart; call it once.

        Raises FaceletError when a device ends, or gives no frame for a while.
        """
        require_every(every)
        self._every = every
        self._reader = threading.Thread(target=self._read, name=f"reader of {self.place}", daemon=True)
        start = last = time.monotonic()
        silent = False
        self._reader.start()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._newest or self._notes or self._ended, timeout=0.2)
                newest, self._newest = self._newest, None
                notes, self._notes = self._notes, []
            for note in notes:
                self._warn(note)
            if newest is None:
                if self._ended:
                    raise FaceletError(f"{self.place}: {self._ended}")
                gap = time.monotonic() - last
                if gap >= self._stall + every and not silent:
                    if self._device:
                        raise FaceletError(f"{self.place}: no frame for {gap:.0f} s; it may be unplugged or in use")
                    silent = True
                    self._warn(f"no frame for {gap:.0f} s")
                continue
            number, last, picture = newest
            if silent:
                silent = False
                self._warn("frames again")
            image: Image = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
            if note := self._health.seen(image, last):
                self._warn(note)
            yield Frame(number, last - start, image)

    def _warn(self, note: str) -> None:
        clock = time.strftime("%H:%M:%S")  # also makes each text new: Python shows the same warning once
        warnings.warn(f"{self.place}, {clock}: {note}", FaceletWarning, stacklevel=3)

    def _read(self) -> None:
        """The reader's thread: puts frames in the slot, and connects again, until the stream is closed or a device ends."""
        number = 0
        wait = self._waits[0]
        try:
            while not self._closing.is_set():
                before = number
                number = self._until_lost(number)
                if self._closing.is_set():
                    return
                if self._device:
                    self._end("it gives no more frames; it may be unplugged")
                    return
                self._capture.release()
                if number > before:
                    wait = self._waits[0]
                self._say(f"connection lost; trying again in {wait:g} s")
                capture = None
                while capture is None and not self._closing.wait(wait):
                    capture = self._opened()
                    wait = min(2 * wait, self._waits[1])
                if capture is not None:
                    self._capture = capture
                    self.reconnected += 1
                    self._say("connected again")
        finally:
            self._capture.release()

    def _until_lost(self, number: int) -> int:
        """Reads until the source gives no more frames; returns the number of frames so far."""
        while not self._closing.is_set() and self._capture.grab():
            number += 1
            now = time.monotonic()
            if now < self._due:
                continue
            whole, picture = self._capture.retrieve()
            if whole:
                self._due = max(self._due + self._every, now + self._every / 2)
                with self._changed:
                    self.dropped += self._newest is not None
                    self._newest = number - 1, now, picture
                    self._changed.notify()
        return number

    def _say(self, note: str) -> None:
        with self._changed:
            self._notes.append(note)
            self._changed.notify()

    def _end(self, reason: str) -> None:
        with self._changed:
            self._ended = reason
            self._changed.notify()

    def _opened(self) -> Any:
        """The open source, or None."""
        if not self._device:
            limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, OPENING, cv2.CAP_PROP_READ_TIMEOUT_MSEC, 2 * self._stall]
            limits[1::2] = [round(1000 * seconds) for seconds in limits[1::2]]
            capture = cv2.VideoCapture(self._source, cv2.CAP_FFMPEG, limits)
        else:
            number = self._source.isdecimal()
            capture = cv2.VideoCapture(int(self._source)) if number else cv2.VideoCapture(self._source, cv2.CAP_V4L2)
        return capture if capture.isOpened() else None


Footage = Video | Stream
"""What frames come from: a file, or a webcam or stream."""


def open_footage(place: str | Path) -> Footage:
    """Opens a video file, webcam or stream. Raises FaceletError if that fails."""
    return Stream(place) if is_live(place) else Video(place)


def _name(place: str | Path) -> str:
    return shown(place) if is_address(place) else f"webcam {place}"
