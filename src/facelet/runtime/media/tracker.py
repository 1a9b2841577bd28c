"""Tracks faces through the frames of a video, and smooths their predictions.

>>> tracker = Tracker()
>>> for frame in video.frames():
...     tracks = tracker.follow(analyzer.analyze(frame.image), frame.seconds)

A face is matched from frame to frame by the overlap of its boxes. A new track begins after a cut, after an occlusion, or, with an
identity model, when another person appears in the same place.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from facelet.runtime.face import Face

OVERLAP = 0.3
"""Minimum intersection over union of two boxes of the same face."""
PATIENCE = 1.0
"""Seconds without a detection after which a track ends."""
STEADY = 0.4
"""Time constant in seconds of the moving average of probabilities."""

STRANGER = 0.5
"""A face whose cosine to a track is below this fraction of the identity threshold is a different person."""

Box = tuple[float, float, float, float]


@dataclass
class Track:
    """One face through the frames of a video.

    Attributes:
        number: from 1.
        start: time of the first frame in seconds.
        end: time of the last frame in seconds.
        box: in the last frame.
        frames: number of frames with the face.
        probabilities: of expressions, averaged with time constant STEADY; empty without an expression model.
        answers: number of frames per expression.
        warned: number of frames in which the face had warnings.
        changes: how often the label changed from one frame to the next: that of the frame alone, and that of ``probabilities``.
    """

    number: int
    start: float
    end: float
    box: Box
    frames: int = 0
    probabilities: dict[str, float] = field(default_factory=dict)
    answers: Counter[str] = field(default_factory=Counter)
    warned: int = 0
    changes: tuple[int, int] = (0, 0)
    _labels: tuple[str | None, str | None] = (None, None)
    _sum: NDArray[np.float64] | None = None

    @property
    def expression(self) -> str | None:
        """The most likely expression in the last frame."""
        return max(self.probabilities, key=self.probabilities.__getitem__) if self.probabilities else None

    @property
    def flicker(self) -> tuple[float, float]:
        """Changes of label per second: of the frames alone, and of the averaged probabilities; 0 for a track of one frame."""
        seconds = self.end - self.start
        return (self.changes[0] / seconds, self.changes[1] / seconds) if seconds > 0 else (0.0, 0.0)

    @property
    def vector(self) -> NDArray[np.float32] | None:
        """Mean identity vector, of unit length; None without an identity model."""
        if self._sum is None:
            return None
        return (self._sum / max(float(np.linalg.norm(self._sum)), 1e-12)).astype(np.float32)

    def add(self, face: Face, seconds: float) -> None:
        keep = 0.0 if not self.frames else math.exp(-(seconds - self.end) / STEADY)
        self.box, self.end, self.frames = face.box, seconds, self.frames + 1
        self.warned += bool(face.warnings)
        if face.probabilities:
            self.probabilities = {
                label: keep * self.probabilities.get(label, 0.0) + (1 - keep) * value
                for label, value in face.probabilities.items()
            }
            self.answers[str(self.expression)] += 1
            labels = max(face.probabilities, key=face.probabilities.__getitem__), self.expression
            if self.frames > 1:
                alone, averaged = (new != old for new, old in zip(labels, self._labels, strict=True))
                self.changes = self.changes[0] + alone, self.changes[1] + averaged
            self._labels = labels
        if face.identity is not None:
            self._sum = face.identity.astype(np.float64) + (0.0 if self._sum is None else self._sum)


class Tracker:
    """Tracks all faces of one video.

    Attributes:
        tracks: all tracks so far, in order of appearance; with ``keep``, those that have not ended and the longest of the others.
        count: number of all tracks so far.

    Args:
        threshold: minimum cosine of faces of the same person; a face whose cosine to a track is below half of it starts a new
            track. None without an identity model.
        keep: number of ended tracks to remember, so that a stream may go on for days; None for all.
    """

    def __init__(self, threshold: float | None = None, keep: int | None = None) -> None:
        self.tracks: list[Track] = []
        self.count = 0
        self._least = None if threshold is None else STRANGER * threshold
        self._keep = keep
        self._open: list[Track] = []  # neither lost for too long nor ended by a cut

    def follow(self, faces: Sequence[Face], seconds: float, cut: bool = False) -> list[Track]:
        """Returns a copy of the track of each face of a frame; pairs with the largest overlap are matched first.

        ``cut``: the frame is the first of a new shot, so all its faces start new tracks.
        """
        known = [] if cut else [track for track in self._open if seconds - track.end <= PATIENCE]
        pairs = [
            (overlap(face.box, track.box), place, track)
            for place, face in enumerate(faces)
            for track in known
            if self._may_be(face, track)
        ]
        matched: dict[int, Track] = {}
        for share, place, track in sorted(pairs, key=lambda pair: -pair[0]):
            if share >= OVERLAP and place not in matched and all(track is not other for other in matched.values()):
                matched[place] = track
        for place, face in enumerate(faces):
            if place not in matched:
                self.count += 1
                matched[place] = Track(self.count, seconds, seconds, face.box)
                self.tracks.append(matched[place])
                known.insert(0, matched[place])  # of two that fit equally well, the later track goes on
            matched[place].add(face, seconds)
        self._open = known
        if self._keep is not None and len(self.tracks) > 2 * self._keep + len(known):
            self._forget(self._keep)
        return [replace(matched[place], answers=matched[place].answers.copy()) for place in range(len(faces))]

    def _forget(self, keep: int) -> None:
        """Drops the shortest of the ended tracks."""
        going = {id(track) for track in self._open}
        ended = sorted((track for track in self.tracks if id(track) not in going), key=lambda track: -track.frames)
        kept = going | {id(track) for track in ended[:keep]}
        self.tracks = [track for track in self.tracks if id(track) in kept]

    def _may_be(self, face: Face, track: Track) -> bool:
        vector = track.vector
        if self._least is None or face.identity is None or vector is None:
            return True
        return float(face.identity @ vector) >= self._least


def overlap(a: Box, b: Box) -> float:
    """Intersection over union of two boxes (left, top, width, height)."""
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    intersection = width * height
    return intersection / (a[2] * a[3] + b[2] * b[3] - intersection)
