"""What ``facelet predict`` and ``facelet identify`` do with a video or a webcam: frames in; JSON lines, a drawn MP4 and, at the
end, a line for each face that came by.

>>> for seen in watch("clip.mp4", model="student-int8.onnx", every=0.2):
...     print(seen.seconds, [track.expression for track in seen.tracks])

An answer is steadied over the frames of a face, so it lags behind a change by a few tenths of a second.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console

from facelet.errors import FaceletError
from facelet.io.files import writing
from facelet.io.pixels import Image
from facelet.runtime.analyzer import Analyzer, Face, Finder
from facelet.runtime.media.cuts import CutDetector
from facelet.runtime.media.photos import DRAWN
from facelet.runtime.media.tracker import Track, Tracker
from facelet.runtime.media.video import Video, Writer, require_every
from facelet.runtime.model import Model
from facelet.runtime.telling import say_notes
from facelet.text import plain

LISTED = 40
"""Faces that are listed at the end; those seen longest."""


@dataclass(frozen=True, eq=False)
class FrameResult:
    """A frame that was looked at: seconds from the start, its picture, its faces and the track of each, whether a shot began."""

    seconds: float
    image: Image
    faces: Sequence[Face]
    tracks: Sequence[Track]
    cut: bool = False


class FaceCaption(Protocol):
    """What is told of a face."""

    title: str

    def caption(self, track: Track) -> str:
        """What is drawn on it now."""

    def to_json(self, face: Face, track: Track) -> dict[str, Any]: ...

    def summary(self, track: Track) -> str:
        """What it was, all in all."""


class Expressions:
    """The likeliest expression, steadied."""

    title = "expression"

    def caption(self, track: Track) -> str:
        said = track.expression
        return "" if said is None else f"{said} {track.probabilities[said]:.0%}"

    def to_json(self, face: Face, track: Track) -> dict[str, Any]:
        steady = {label: round(value, 5) for label, value in track.probabilities.items()}
        return {"expression": track.expression, "probabilities": steady}

    def summary(self, track: Track) -> str:
        return ", ".join(f"{label} {count / track.frames:.0%}" for label, count in track.answers.most_common(3))


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
        yield from _look(video, analyzer, _tracker(analyzer), every)


def _tracker(analyzer: Analyzer) -> Tracker:
    """One that tells people apart where a model does."""
    thresholds = [model.info.threshold for model in analyzer.models if model.info.task == "identity"]
    return Tracker(thresholds[0] if thresholds else None)


def _look(video: Video, analyzer: Analyzer, tracker: Tracker, every: float) -> Iterator[FrameResult]:
    cuts = CutDetector()
    for frame in video.frames(every):
        faces, cut = analyzer.analyze(frame.image), cuts.began(frame.image)
        yield FrameResult(frame.seconds, frame.image, faces, tracker.follow(faces, frame.seconds, cut), cut)


def command(
    place: str,
    analyzer: Analyzer,
    telling: FaceCaption,
    *,
    every: float = 0.0,
    save: str = "",
    as_json: bool = False,
    console: Console,
) -> None:
    """Watches until the video ends, or, with a webcam, until Ctrl-C. Raises FaceletError for what cannot be read or written."""
    require_every(every)
    _ = analyzer.detector  # a missing one is said before a camera is opened
    tracker, looked = _tracker(analyzer), 0
    with Video(place) as video, ExitStack() as closing:
        writer = _writer(save, video, every, closing) if save else None
        say_notes(analyzer.model.info)
        if as_json:
            _line(
                {"model": {"file": str(analyzer.model.path), "name": analyzer.model.info.name}, "video": _about(video)}
            )
        if video.live:
            print("watching; Ctrl-C ends it", file=sys.stderr)
        try:
            for seen in _with_progress(_look(video, analyzer, tracker, every), video):
                looked += 1
                if writer:
                    writer.add(_drawn(seen, telling))
                if as_json:
                    _line(_document(seen, telling))
        except KeyboardInterrupt:
            if not video.live:
                raise
        if video.note:
            print(video.note, file=sys.stderr)
    if not as_json:
        _show(tracker.tracks, telling, looked, save, console)


def _writer(folder: str, video: Video, every: float, closing: ExitStack) -> Writer:
    stem = "webcam" if video.live else Path(video.place).stem
    target = Path(folder) / f"{plain(stem)}{DRAWN}.mp4"
    if not video.live and target.exists() and os.path.samefile(target, video.place):
        raise FaceletError(f"{target} is the video that is read; save into another folder")
    writer = Writer(closing.enter_context(writing(target)), 1 / every if every else video.fps)
    closing.callback(writer.close)
    return writer


def _drawn(seen: FrameResult, telling: FaceCaption) -> Image:
    from facelet.runtime.drawing.draw import draw

    faces = [
        replace(face, expression=track.expression, probabilities=track.probabilities)
        for face, track in zip(seen.faces, seen.tracks, strict=True)
    ]
    return draw(seen.image, faces, [telling.caption(track) for track in seen.tracks])


def _about(video: Video) -> dict[str, Any]:
    width, height = video.size
    return {"file": plain(video.place), "width": width, "height": height, "fps": round(video.fps, 3)}


def _document(seen: FrameResult, telling: FaceCaption) -> dict[str, Any]:
    faces = [
        {
            "track": track.number,
            "box": [round(value, 1) for value in face.box],
            "detector_score": round(face.score, 4),
            **telling.to_json(face, track),
            "warnings": list(face.warnings),
        }
        for face, track in zip(seen.faces, seen.tracks, strict=True)
    ]
    return {"seconds": round(seen.seconds, 3), "cut": seen.cut, "faces": faces}


def _line(document: dict[str, Any]) -> None:
    print(json.dumps(document), flush=True)


def _with_progress(frames: Iterator[FrameResult], video: Video) -> Iterator[FrameResult]:
    """The same frames, with a bar on standard error where a person watches and the end is known."""
    if not video.count or not sys.stderr.isatty():
        yield from frames
        return
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("video", total=video.count / video.fps)
        for seen in frames:
            bar.update(task, completed=seen.seconds)
            yield seen


def _show(tracks: Sequence[Track], telling: FaceCaption, looked: int, folder: str, console: Console) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("face", "from", "to", "frames", telling.title):
        table.add_column(title, justify="right" if title in ("from", "to", "frames") else "left")
    listed = sorted(sorted(tracks, key=lambda track: -track.frames)[:LISTED], key=lambda track: track.number)
    for track in listed:
        told = Text(telling.summary(track))
        if track.warned:
            told.append(f"  small in {track.warned:,} frame{'s' * (track.warned != 1)}", "yellow")
        table.add_row(str(track.number), clock(track.start), clock(track.end), f"{track.frames:,}", told)
    if listed:
        console.print(table)
    parts = [f"{looked:,} frame{'s' * (looked != 1)}", f"{len(tracks):,} face{'s' * (len(tracks) != 1)} followed"]
    parts += [f"the {LISTED} seen longest are listed"] if len(tracks) > LISTED else []
    console.print(Text(", ".join(parts), "dim"))
    if folder:
        console.print(Text(f"drawn: {folder}{os.sep}", "dim"))


def clock(seconds: float) -> str:
    """ "0:07.2": minutes, seconds."""
    minutes, rest = divmod(round(seconds, 1), 60)
    return f"{int(minutes)}:{rest:04.1f}"
