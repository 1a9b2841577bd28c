"""Faces in a video or a webcam: frames in, faces and their tracks out.

>>> for seen in watch("clip.mp4", model="student-int8.onnx", every=0.2):
...     print(seen.seconds, [track.expression for track in seen.tracks])

An answer is steadied over the frames of a face, so it lags behind a change by a few tenths of a second.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from facelet.io.pixels import Image
from facelet.runtime.analyzer import Analyzer, Face
from facelet.runtime.detector import Finder
from facelet.runtime.media.cuts import CutDetector
from facelet.runtime.media.tracker import Track, Tracker
from facelet.runtime.media.video import Video, require_every
from facelet.runtime.model import Model


@dataclass(frozen=True, eq=False)
class FrameResult:
    """A frame that was looked at: seconds from the start, its picture, its faces and the track of each, whether a shot began."""

    seconds: float
    image: Image
    faces: Sequence[Face]
    tracks: Sequence[Track]
    cut: bool = False


def watch(
    place: str | Path,
    model: Model | str | Path = "",
    detector: Finder | str | Path = "",
    every: float = 0.0,
    identity: Model | str | Path = "",
) -> Iterator[FrameResult]:
    """Faces of a video, or of a webcam by its number, frame by frame.

    Args:
        every: seconds between the frames that are looked at, at least; 0 looks at all of them.
        model, detector, identity: see Analyzer.

    Raises FaceletError when the video cannot be read or there is no model.
    """
    require_every(every)
    analyzer = Analyzer(model, detector, identity=identity)
    with Video(place) as video:
        yield from analyzed_frames(video, analyzer, tracker_for(analyzer), every)


def tracker_for(analyzer: Analyzer) -> Tracker:
    """A Tracker that tells people apart where one of the models does."""
    thresholds = [model.info.threshold for model in analyzer.models if model.info.task == "identity"]
    return Tracker(thresholds[0] if thresholds else None)


def analyzed_frames(video: Video, analyzer: Analyzer, tracker: Tracker, every: float = 0.0) -> Iterator[FrameResult]:
    """Frames of an open video, analyzed, each face with its track. ``every``: seconds between two frames, at least."""
    cuts = CutDetector()
    for frame in video.frames(every):
        faces, cut = analyzer.analyze(frame.image), cuts.began(frame.image)
        yield FrameResult(frame.seconds, frame.image, faces, tracker.follow(faces, frame.seconds, cut), cut)
