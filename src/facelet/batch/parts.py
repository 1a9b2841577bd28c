"""Parts of a job: which photos go into one Parquet file, and the file that a worker writes.

>>> plan(find(["holiday/"]), each=100, key=predictor.fingerprint)
[Part(name='part-5d41402abc4b2a76b9719d911017c592', files=(...)), ...]

A part is named by the hash of its inputs: names, sizes, times of change, model and settings. So a part that exists is done, on
any machine and after any kill, and a photo that has changed is in a part of another name. Where a part ends depends on the names
of the photos near its end only, so that photos that are added change the parts around them and no others.
"""

from __future__ import annotations

import hashlib
import platform
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from facelet.batch import columns, sources
from facelet.batch.columns import batched, concatenated
from facelet.batch.folder import OutputFolder
from facelet.batch.predictor import FacePredictor, face_values, prediction_rows
from facelet.batch.sources import SourceFile, UnreadError
from facelet.errors import FaceletError
from facelet.runtime.media.video import Video
from facelet.runtime.media.watch import analyzed_frames, tracker_for
from facelet.text import plain

PREFIX = "part-"
AT_ONCE = 4096
"""Rows that become a table at once."""
UNREAD = ".unread"
"""Ends the name of a part with files whose bytes could not be read. The next run makes it again."""


@dataclass(frozen=True)
class Part:
    """Files that become one Parquet file: up to twice ``each`` photos, or one video."""

    name: str
    files: tuple[SourceFile, ...]


@dataclass(frozen=True)
class PartResult:
    """What a worker did.

    Attributes:
        name: the part.
        files: number of photos and videos.
        faces: number of rows with a face.
        broken: number of files that are no photo or video.
        unread: number of files whose bytes could not be read.
        seconds: time that it took.
        host: name of the machine.
        error: the first error of a file, or empty.
        failed: why the part could not be made, or empty.
    """

    name: str
    files: int
    faces: int = 0
    broken: int = 0
    unread: int = 0
    seconds: float = 0.0
    host: str = ""
    error: str = ""
    failed: str = ""


def plan(files: Sequence[SourceFile], each: int, key: str) -> list[Part]:
    """Divides files into parts.

    Args:
        files: sorted by name.
        each: mean number of photos in a part.
        key: hash of all else that the answers depend on.
    """
    parts: list[Part] = []
    waiting: list[SourceFile] = []
    for file in files:
        if file.is_video:
            parts.append(_part([file], key))
            continue
        waiting.append(file)
        # Half of the parts' mean length is a minimum; after it, each photo ends the part with the chance that gives the mean.
        ends = int.from_bytes(hashlib.sha256(file.name.encode()).digest()[:8]) % max(1, each - each // 2) == 0
        if len(waiting) >= 2 * each or (ends and len(waiting) > each // 2):
            parts.append(_part(waiting, key))
            waiting = []
    return [*parts, *([_part(waiting, key)] if waiting else [])]


def _part(files: Sequence[SourceFile], key: str) -> Part:
    inputs = repr((key, [(file.name, file.size, file.changed) for file in files]))
    return Part(PREFIX + hashlib.sha256(inputs.encode()).hexdigest()[:32], tuple(files))


class PartWriter:
    """Makes parts: reads the files, predicts, and writes the Parquet file. Picklable.

    Args:
        predictor: the models and settings.
        folder: where parts are written.
        every: seconds between analyzed frames of a video; 0 analyzes every frame.
    """

    def __init__(self, predictor: FacePredictor, folder: OutputFolder, every: float = 0.0) -> None:
        self.predictor = predictor
        self.folder = folder
        self.every = every

    def __call__(self, part: Part) -> PartResult:
        """Makes one part. An error of a file is in its row; one of the model or of the output folder in ``failed``."""
        start = time.perf_counter()
        self._counts: Counter[str] = Counter()
        self._error = ""
        try:
            rows = (row for file in part.files for row in self._rows(file))
            # A long video has a million rows, which take twenty times as much memory as their table.
            table = concatenated([self.predictor.table(chunk) for chunk in batched(rows, AT_ONCE)])
            self.folder.write(part.name + UNREAD * bool(self._counts["unread"]) + ".parquet", table)
        except Exception as error:
            reason = str(error) if isinstance(error, FaceletError) else f"{type(error).__name__}: {error}"
            return PartResult(part.name, len(part.files), host=platform.node(), failed=plain(reason))
        return PartResult(
            part.name,
            len(part.files),
            faces=self._counts["faces"],
            broken=self._counts["broken"],
            unread=self._counts["unread"],
            seconds=time.perf_counter() - start,
            host=platform.node(),
            error=self._error,
        )

    def _rows(self, file: SourceFile) -> Iterator[columns.Row]:
        for row in self._video(file) if file.is_video else self._photo(file):
            self._counts["faces"] += bool(row.get("face"))
            if row.get("error") and not row.get("face"):
                self._error = self._error or str(row["error"])
                self._counts["broken"] += 1
            yield row

    def _photo(self, file: SourceFile) -> Iterator[columns.Row]:
        try:
            data = sources.read(file)
        except FaceletError as error:
            yield self._failed(file, error)
            return
        for result in self.predictor.predictions([(file.name, data)]):
            yield from prediction_rows(result)

    def _video(self, file: SourceFile) -> Iterator[columns.Row]:
        """Faces until the video ends or breaks; the error of a broken one is in a row of its own."""
        analyzer, empty = self.predictor.open(frames=True), True
        try:
            with sources.as_local(file) as path:
                try:
                    with Video(path) as video:
                        for row in _video_rows(file.name, video, analyzer, self.every):
                            empty = False
                            yield row
                        if video.note:
                            yield self._failed(file, FaceletError(video.note.replace(path, file.name)))
                            empty = False
                except FaceletError as error:
                    raise FaceletError(str(error).replace(path, file.name)) from None
        except Exception as error:  # one file must not end the job
            yield self._failed(file, error)
        else:
            if empty:
                yield {"file": file.name}

    def _failed(self, file: SourceFile, error: Exception) -> columns.Row:
        self._counts["unread"] += isinstance(error, UnreadError)
        self._counts["broken"] -= isinstance(error, UnreadError)  # counted with the row
        reason = str(error) if isinstance(error, FaceletError) else f"{file.name}: {type(error).__name__}: {error}"
        return {"file": file.name, "error": plain(reason)}


def _video_rows(name: str, video: Video, analyzer: Any, every: float) -> Iterator[columns.Row]:
    """A row per face and frame, with the expression smoothed over the track as `facelet predict VIDEO --json` gives it."""
    for result in analyzed_frames(video, analyzer, tracker_for(analyzer), every):
        for number, (face, track) in enumerate(zip(result.faces, result.tracks, strict=True), 1):
            smoothed = {columns.PROBABILITY + label: share for label, share in track.probabilities.items()}
            values = {**face_values(face), "expression": track.expression, **smoothed}
            yield {"file": name, "seconds": result.seconds, "face": number, "track": track.number, **values}
