"""Tracks: one face through the frames of a video, so that its answers can be steadied and told once.

>>> tracker = Tracker()
>>> for frame in video.frames():
...     tracks = tracker.follow(analyzer.analyze(frame.image), frame.seconds)

A face is followed from frame to frame by the overlap of its boxes. A cut, a face that was hidden, or another person in the same
place, where an identity model tells, begins a new track.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from facelet.runtime.analyzer import Face

OVERLAP = 0.3
"""Of two boxes (intersection over union) from which they are taken for one face."""
PATIENCE = 1.0
"""Seconds for which a face may be missed."""
STEADY = 0.4
"""Seconds over which probabilities are averaged."""

STRANGER = 0.5
"""Share of an identity model's threshold below which a face is not the person of a track, however its box overlaps."""

Box = tuple[float, float, float, float]


@dataclass
class Track:
    """One face.

    Attributes:
        number: from 1. start, end: seconds of its first and last frame. frames: how many it was seen in.
        box: in the last of them.
        probabilities: of expressions, averaged over the last STEADY seconds; empty without an expression model.
        answers: how many frames showed each expression.
        vector: mean identity, of unit length; None without an identity model.
        warned: in how many of its frames the face had warnings.
    """

    number: int
    start: float
    end: float
    box: Box
    frames: int = 0
    probabilities: dict[str, float] = field(default_factory=dict)
    answers: Counter[str] = field(default_factory=Counter)
    warned: int = 0
    _sum: NDArray[np.float64] | None = None

    @property
    def expression(self) -> str | None:
        """The likeliest now."""
        return max(self.probabilities, key=self.probabilities.__getitem__) if self.probabilities else None

    @property
    def vector(self) -> NDArray[np.float32] | None:
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
        if face.identity is not None:
            self._sum = face.identity.astype(np.float64) + (0.0 if self._sum is None else self._sum)


class Tracker:
    """Follows all faces of one video. ``tracks``: all there have been, in the order in which they came.

    ``threshold``: cosine from which faces count as one person's. A face whose cosine to a track is below half of it begins a
    track of its own; None where no identity is known.
    """

    def __init__(self, threshold: float | None = None) -> None:
        self.tracks: list[Track] = []
        self._least = None if threshold is None else STRANGER * threshold
        self._shot = 0  # tracks before this one ended with the last cut

    def follow(self, faces: Sequence[Face], seconds: float, cut: bool = False) -> list[Track]:
        """The track of each of a frame's faces, as it is now; those that overlap most find each other first.

        ``cut``: the frame is the first of a new shot, so that all faces in it are new.
        """
        if cut:
            self._shot = len(self.tracks)
        known = [track for track in reversed(self.tracks[self._shot :]) if seconds - track.end <= PATIENCE]
        pairs = [
            (overlap(face.box, track.box), place, track)
            for place, face in enumerate(faces)
            for track in known
            if self._may_be(face, track)
        ]
        found: dict[int, Track] = {}
        for share, place, track in sorted(pairs, key=lambda pair: -pair[0]):
            if share >= OVERLAP and place not in found and all(track is not other for other in found.values()):
                found[place] = track
        for place, face in enumerate(faces):
            if place not in found:
                found[place] = Track(len(self.tracks) + 1, seconds, seconds, face.box)
                self.tracks.append(found[place])
            found[place].add(face, seconds)
        return [replace(found[place], answers=found[place].answers.copy()) for place in range(len(faces))]

    def _may_be(self, face: Face, track: Track) -> bool:
        vector = track.vector
        if self._least is None or face.identity is None or vector is None:
            return True
        return float(face.identity @ vector) >= self._least


def overlap(one: Box, other: Box) -> float:
    """Intersection over union of two boxes (left, top, width, height)."""
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / (one[2] * one[3] + other[2] * other[3] - both)
