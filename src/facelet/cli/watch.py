"""Video, webcam and stream mode of `facelet predict` and `facelet identify`.

Writes JSON lines or a drawn MP4 while frames come in, and at the end a table of the tracked faces, or a JSON line with a summary.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from rich.console import Console
from rich.table import Table
from rich.text import Text

from facelet.cli.printing import print_training_notes
from facelet.errors import FaceletError
from facelet.text import plain

if TYPE_CHECKING:
    from facelet.io.pixels import Image
    from facelet.runtime.analyzer import Analyzer
    from facelet.runtime.face import Face
    from facelet.runtime.media.stream import Footage
    from facelet.runtime.media.tracker import Track, Tracker
    from facelet.runtime.media.video import Writer
    from facelet.runtime.media.watch import FrameResult

LISTED = 40
"""Maximum number of tracks in the table; those with the most frames are listed."""


class FaceCaption(Protocol):
    """Formats a track for drawing, JSON and the table."""

    title: str

    def caption(self, track: Track) -> str:
        """Text drawn on the face in the current frame."""

    def to_json(self, face: Face, track: Track) -> dict[str, Any]: ...

    def summary(self, track: Track) -> str:
        """Text in the table at the end."""

    def summary_json(self, track: Track) -> dict[str, Any]:
        """What is known of the track at the end."""


class Expressions:
    """Captions with the most likely expression, smoothed over the track."""

    title = "expression"

    def caption(self, track: Track) -> str:
        label = track.expression
        return "" if label is None else f"{label} {track.probabilities[label]:.0%}"

    def to_json(self, face: Face, track: Track) -> dict[str, Any]:
        steady = {label: round(value, 5) for label, value in track.probabilities.items()}
        return {"expression": track.expression, "probabilities": steady}

    def summary(self, track: Track) -> str:
        return ", ".join(f"{label} {count / track.frames:.0%}" for label, count in track.answers.most_common(3))

    def summary_json(self, track: Track) -> dict[str, Any]:
        alone, averaged = (round(rate, 3) for rate in track.flicker)
        return {"answers": dict(track.answers.most_common()), "flicker": {"frames": alone, "averaged": averaged}}


def command(
    place: str,
    analyzer: Analyzer,
    captions: FaceCaption,
    *,
    every: float = 0.0,
    save: str = "",
    as_json: bool = False,
    console: Console,
) -> None:
    """Analyzes a video to its end, or a webcam or stream until Ctrl-C. Raises FaceletError if it cannot be read or written."""
    from facelet.runtime.media.stream import open_footage
    from facelet.runtime.media.video import require_every
    from facelet.runtime.media.watch import analyzed_frames, tracker_for

    require_every(every)
    _ = analyzer.detector  # a missing detector is reported before a camera is opened
    count, start = 0, time.monotonic()
    with open_footage(place) as video, ExitStack() as closing:
        tracker = tracker_for(analyzer, video.live)
        writer = _writer(save, video, every, closing) if save else None
        print_training_notes(analyzer.model.info)
        if as_json:
            _line(
                {"model": {"file": str(analyzer.model.path), "name": analyzer.model.info.name}, "video": _about(video)}
            )
        if video.live:
            print(f"watching {plain(video.place)}; stop with Ctrl-C", file=sys.stderr)
        try:
            for result in _with_progress(analyzed_frames(video, analyzer, tracker, every), video):
                count += 1
                if writer:
                    writer.add(_drawn(result, captions))
                if as_json:
                    _line(_document(result, captions))
        except KeyboardInterrupt:
            if not video.live:
                raise
        if video.note:
            print(video.note, file=sys.stderr)
    if as_json:
        _line({"summary": _summary(tracker, captions, count, time.monotonic() - start, video.dropped)})
    else:
        _show(tracker, captions, count, video.dropped, save, console)


def _writer(folder: str, video: Footage, every: float, closing: ExitStack) -> Writer:
    from facelet.io.files import writing
    from facelet.runtime.media.photos import DRAWN
    from facelet.runtime.media.video import Writer

    stem = "stream" if video.live else Path(video.place).stem
    target = Path(folder) / f"{plain(stem)}{DRAWN}.mp4"
    if not video.live and target.exists() and os.path.samefile(target, video.place):
        raise FaceletError(f"{target} is the input video; save to another folder")
    writer = Writer(closing.enter_context(writing(target)), 1 / every if every else video.fps)
    closing.callback(writer.close)
    return writer


def _drawn(result: FrameResult, captions: FaceCaption) -> Image:
    from facelet.runtime.drawing.draw import draw

    faces = [
        replace(face, expression=track.expression, probabilities=track.probabilities)
        for face, track in zip(result.faces, result.tracks, strict=True)
    ]
    return draw(result.image, faces, [captions.caption(track) for track in result.tracks])


def _about(video: Footage) -> dict[str, Any]:
    width, height = video.size
    return {"file": plain(video.place), "width": width, "height": height, "fps": round(video.fps, 3)}


def _document(result: FrameResult, captions: FaceCaption) -> dict[str, Any]:
    faces = [
        {
            "track": track.number,
            "box": [round(value, 1) for value in face.box],
            "detector_score": round(face.score, 4),
            **captions.to_json(face, track),
            "warnings": list(face.warnings),
        }
        for face, track in zip(result.faces, result.tracks, strict=True)
    ]
    return {"seconds": round(result.seconds, 3), "cut": result.cut, "faces": faces}


def _summary(tracker: Tracker, captions: FaceCaption, count: int, seconds: float, dropped: int) -> dict[str, Any]:
    """Rates are per second: analyzed frames of the time that it took, changes of label of the time of a track."""
    tracks = [
        {"track": track.number, "start": round(track.start, 3), "end": round(track.end, 3), "frames": track.frames}
        | captions.summary_json(track)
        for track in tracker.tracks
    ]
    rate = round(count / max(seconds, 1e-6), 2)
    return {"frames": count, "frames_per_second": rate, "dropped": dropped, "tracked": tracker.count, "tracks": tracks}


def _line(document: dict[str, Any]) -> None:
    print(json.dumps(document), flush=True)


def _with_progress(frames: Iterator[FrameResult], video: Footage) -> Iterator[FrameResult]:
    """Adds a progress bar on standard error if it is a terminal and the length is known."""
    if not video.count or not sys.stderr.isatty():
        yield from frames
        return
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("video", total=video.count / video.fps)
        for result in frames:
            bar.update(task, completed=result.seconds)
            yield result


def _show(tracker: Tracker, captions: FaceCaption, count: int, dropped: int, folder: str, console: Console) -> None:
    tracks = tracker.tracks
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("face", "from", "to", "frames", captions.title):
        table.add_column(title, justify="right" if title in ("from", "to", "frames") else "left")
    listed = sorted(sorted(tracks, key=lambda track: -track.frames)[:LISTED], key=lambda track: track.number)
    for track in listed:
        text = Text(captions.summary(track))
        if track.warned:
            text.append(f"  small in {track.warned:,} frame{'s' * (track.warned != 1)}", "yellow")
        table.add_row(str(track.number), clock(track.start), clock(track.end), f"{track.frames:,}", text)
    if listed:
        console.print(table)
    parts = [f"{count:,} frame{'s' * (count != 1)}", f"{tracker.count:,} face{'s' * (tracker.count != 1)} tracked"]
    parts += [f"{dropped:,} dropped for newer ones"] * bool(dropped)
    parts += [f"the {LISTED} longest tracks are listed"] if len(tracks) > LISTED else []
    console.print(Text(", ".join(parts), "dim"))
    if folder:
        console.print(Text(f"drawn: {folder}{os.sep}", "dim"), soft_wrap=True)


def clock(seconds: float) -> str:
    """Minutes and seconds as text, such as "0:07.2"."""
    minutes, rest = divmod(round(seconds, 1), 60)
    return f"{int(minutes)}:{rest:04.1f}"
