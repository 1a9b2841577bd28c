"""Faces in a video, webcam or stream: frames in, faces and their tracks out.

>>> for result in watch("clip.mp4", model="student-int8.onnx", every=0.2):
...     print(result.seconds, [track.expression for track in result.tracks])

Predictions are smoothed over the frames of a track, so they lag behind a change by a few tenths of a second.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from facelet.io.pixels import Image
from facelet.models.priors import TRAINING, Prior
from facelet.runtime.analyzer import Analyzer
from facelet.runtime.detector import FRAMES, Detector, Finder
from facelet.runtime.face import Face
from facelet.runtime.media.cuts import CutDetector
from facelet.runtime.media.stream import Footage, open_footage
from facelet.runtime.media.tracker import Track, Tracker
from facelet.runtime.media.video import require_every
from facelet.runtime.model import Model

REMEMBERED = 100
"""Number of ended tracks of a live source that are remembered."""


@dataclass(frozen=True, eq=False)
class FrameResult:
    """Result of one analyzed frame.

    Attributes:
        seconds: time from the start of the video.
        image: RGB uint8 (H, W, 3).
        faces: detected faces, largest first.
        tracks: the track of each face.
        cut: whether the frame is the first of a new shot.
    """

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
    prior: Prior = TRAINING,
) -> Iterator[FrameResult]:
    """Yields the faces and tracks of a video, webcam or stream, frame by frame; of a live source, the newest frame.

    Args:
        place: a video file, a webcam's number or device, or the URL of a stream (rtsp, rtsps, http, https).
        model: see Analyzer.
        detector: see Analyzer; by default, or from a file, a Detector that sees the frames at 640 pixels and upright.
        every: minimum number of seconds between analyzed frames; 0 analyzes every frame.
        identity: see Analyzer.
        prior: see Analyzer.

    Raises FaceletError when the video cannot be read or there is no model.
    """
    require_every(every)
    analyzer = Analyzer(
        model, detector if callable(detector) else Detector(detector, **FRAMES), identity=identity, prior=prior
    )
    with open_footage(place) as video:
        yield from analyzed_frames(video, analyzer, tracker_for(analyzer, video.live), every)


def tracker_for(analyzer: Analyzer, live: bool = False) -> Tracker:
    """Creates a Tracker, with the threshold of the identity model if the analyzer has one; of a live source, it forgets."""
    thresholds = [model.info.threshold for model in analyzer.models if model.info.task == "identity"]
    return Tracker(thresholds[0] if thresholds else None, REMEMBERED if live else None)


def analyzed_frames(video: Footage, analyzer: Analyzer, tracker: Tracker, every: float = 0.0) -> Iterator[FrameResult]:
    """Analyzes and tracks the frames of an open video. ``every``: minimum number of seconds between two frames."""
    cuts = CutDetector()
    for frame in video.frames(every):
        faces, cut = analyzer.analyze(frame.image), cuts.began(frame.image)
        yield FrameResult(frame.seconds, frame.image, faces, tracker.follow(faces, frame.seconds, cut), cut)
