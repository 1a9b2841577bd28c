"""What ``facelet predict`` does: photos in; a table, JSON, CSV and drawn photos out.

>>> results = list(predictions(Analyzer("student-int8.onnx"), photos.find(["holiday/"])))
>>> results[0].faces[0].expression

A photo without a face is said to have none, which is no error; one that cannot be read is reported and passed over,
and only when nothing at all could be read does the command fail.
"""

from __future__ import annotations

import csv
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from rich.console import Console

from facelet.errors import FaceletError
from facelet.io.pixels import Image
from facelet.runtime.analyzer import AT_ONCE, AT_ONCE_PIXELS, Analyzer, Face, Finder
from facelet.runtime.drawing.folder import Drawings
from facelet.runtime.media import photos, watch
from facelet.runtime.media.video import is_video, require_every
from facelet.runtime.model import require_task
from facelet.runtime.telling import say_notes, short_names, with_progress
from facelet.text import plain


@dataclass(frozen=True, eq=False)
class Prediction:
    """What was found in one file: its faces, or why it could not be read.

    Attributes:
        photo: its pixels; None when it could not be read, and once they are no longer needed.
        size: its width and height.
    """

    file: Path
    photo: Image | None = field(default=None, repr=False)
    faces: Sequence[Face] = ()
    error: str = ""
    size: tuple[int, int] = (0, 0)

    @property
    def name(self) -> str:
        """The path as text that every terminal and file takes (a name may be no valid UTF-8)."""
        return plain(str(self.file))

    def to_json(self) -> dict[str, Any]:
        if self.error:
            return {"file": self.name, "error": self.error}
        width, height = self.size
        return {"file": self.name, "width": width, "height": height, "faces": [face.to_json() for face in self.faces]}


def predictions(analyzer: Analyzer, files: Iterable[Path], cropped: bool = False) -> Iterator[Prediction]:
    """One Prediction a file, in order; with ``cropped`` every image is a face already, and many are classified together.

    Raises FaceletError only when the detector is missing; whatever is wrong with a photo is in its Prediction.
    """
    if not cropped:
        _ = analyzer.detector
        for file, photo in photos.read_ahead(files):
            yield _predicted(file, photo, analyzer.analyze)
        return
    waiting: list[tuple[Path, Image | FaceletError]] = []
    for file, photo in photos.read_ahead(files):
        waiting.append((file, photo))
        pixels = sum(image.size for _, image in waiting if not isinstance(image, FaceletError))
        if len(waiting) == AT_ONCE or pixels > AT_ONCE_PIXELS:
            yield from _ready(analyzer, waiting)
            waiting = []
    yield from _ready(analyzer, waiting)


def _ready(analyzer: Analyzer, waiting: Sequence[tuple[Path, Image | FaceletError]]) -> Iterator[Prediction]:
    """Ready crops together; each alone when that fails."""
    try:
        faces = iter(list(analyzer.cropped(photo for _, photo in waiting if not isinstance(photo, FaceletError))))
    except FaceletError:
        for file, photo in waiting:
            yield _predicted(file, photo, lambda photo: list(analyzer.cropped([photo])))
    else:
        for file, photo in waiting:
            yield _predicted(file, photo, lambda _: [next(faces)])


def _predicted(file: Path, photo: Image | FaceletError, analyze: Callable[[Image], list[Face]]) -> Prediction:
    if isinstance(photo, FaceletError):
        return Prediction(file, error=plain(str(photo)))
    try:
        return Prediction(file, photo, analyze(photo), size=photo.shape[1::-1])
    except FaceletError as error:
        return Prediction(file, error=plain(f"{file}: {error}"))


def drawn(result: Prediction, drawings: Drawings, captions: Sequence[str] = ()) -> Prediction:
    """The result, or why it could not be drawn; ``captions`` as ``draw`` takes them."""
    assert result.photo is not None
    try:
        drawings.save(result.name, result.photo, result.faces, captions)
    except FaceletError as error:
        return Prediction(result.file, error=plain(f"{result.file}: {error}"))
    return result


def require_one(results: Sequence[Prediction]) -> None:
    """Raises FaceletError when none of the photos could be read."""
    if all(result.error for result in results):
        first = results[0].error
        raise FaceletError(first if len(results) == 1 else f"none of the {len(results)} photos can be read; {first}")


def command(
    places: Sequence[str],
    *,
    model: str = "",
    detector: Finder | str | Path = "",
    save: str = "",
    cropped: bool = False,
    every: float = 0.0,
    form: Literal["table", "json", "csv"] = "table",
    threads: int = 0,
    speed: float | None = None,
    console: Console,
) -> None:
    """Finds, analyzes, prints and draws; a video or webcam, given alone, is watched.

    Raises FaceletError when nothing can be: no model, no photo, none readable.
    """
    require_every(every)
    if len(places) == 1 and is_video(places[0]):
        if cropped or form == "csv":
            raise FaceletError("a video has neither --cropped nor --csv; --json prints a line for each frame")
        analyzer = Analyzer(model, detector, threads, speed)
        require_task(analyzer.model, "expression")
        watch.command(
            places[0], analyzer, watch.Expressions(), every=every, save=save, as_json=form == "json", console=console
        )
        return
    others: list[Path] = []
    files = photos.find(places, others)
    analyzer = Analyzer(model, detector, threads, speed)
    require_task(analyzer.model, "expression")
    drawings = Drawings(save, files) if save else None
    say_notes(analyzer.model.info)
    results: list[Prediction] = []
    start = time.perf_counter()
    if form == "csv":
        _write_rows([_csv_head(analyzer)])
    found = predictions(analyzer, files, cropped)
    for result in found if form == "csv" else with_progress(found, len(files)):
        if drawings and not result.error:
            result = drawn(result, drawings)
        if result.error and len(files) > 1:
            print(f"passed over: {result.error}", file=sys.stderr)
        if form == "csv":
            _write_rows(_csv_rows(analyzer, result))
        results.append(replace(result, photo=None))  # a thousand photos' pixels do not fit in memory
    seconds = time.perf_counter() - start
    for line in photos.passed_over(others):
        print(line, file=sys.stderr)
    require_one(results)
    if form == "json":
        print(json.dumps(_document(analyzer, results) | {"passed_over": [plain(str(file)) for file in others]}))
    elif form == "table":
        _show(results, seconds, save, console)


def _document(analyzer: Analyzer, results: list[Prediction]) -> dict[str, Any]:
    info = analyzer.model.info
    model = {"file": str(analyzer.model.path), "name": info.name, "labels": list(info.labels)}
    return {"model": model, "photos": [result.to_json() for result in results]}


def _csv_head(analyzer: Analyzer) -> list[str]:
    face = ["face", "left", "top", "width", "height", "score", "expression", *analyzer.model.labels, "warnings"]
    return ["file", *face, "error"]


def _csv_rows(analyzer: Analyzer, result: Prediction) -> list[list[Any]]:
    """A line a face; a photo without one, or that cannot be read, has a line without a face."""
    rows = []
    for number, face in enumerate(result.faces, 1):
        values = face.to_json()
        rows.append([result.name, number, *values["box"], values["score"], face.expression])
        rows[-1] += [*values["probabilities"].values(), "; ".join(face.warnings), ""]
    return rows or [[result.name, *[""] * (len(_csv_head(analyzer)) - 2), result.error]]


def _write_rows(rows: list[list[Any]]) -> None:
    csv.writer(sys.stdout, lineterminator="\n").writerows(rows)
    sys.stdout.flush()


def _show(results: list[Prediction], seconds: float, folder: str, console: Console) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("photo", "face", "detected", "expression", "", "left, top, w x h"):
        table.add_column(title, overflow="fold", no_wrap=title != "photo")
    warn = any(face.warnings for result in results for face in result.faces)
    if warn:
        table.add_column("warnings", overflow="fold")
    names = short_names([result.name for result in results])
    for name, result in zip(names, results, strict=True):
        if result.error:
            table.add_row(Text(name), "", "", Text("cannot be read", "red"))
        elif not result.faces:
            table.add_row(Text(name), "", "", Text("no face found", "dim"))
        for number, face in enumerate(result.faces, 1):
            share = face.probabilities[face.expression] if face.expression else 0.0
            left, top, width, height = (round(value) for value in face.box)
            bar = Text("█" * max(1, round(10 * share)), "cyan") + Text(f" {share:.0%}")
            table.add_row(
                Text(name if number == 1 else ""),
                str(number),
                f"{face.score:.2f}",
                Text(face.expression or ""),
                bar,
                f"{left}, {top}, {width} x {height}",
                *[Text("; ".join(face.warnings), "yellow")] * warn,
            )
    console.print(table)
    read = [result for result in results if not result.error]
    faces, empty = sum(len(result.faces) for result in read), sum(not result.faces for result in read)
    parts = [f"{len(read)} photo{'s' * (len(read) != 1)}", f"{faces} face{'s' * (faces != 1)}"]
    parts += [f"{empty} without a face"] * bool(empty)
    parts += [f"{len(results) - len(read)} passed over"] * (len(read) < len(results))
    parts += [f"{1000 * seconds / len(results):.0f} ms each"]
    console.print(Text(", ".join(parts), "dim"))
    if folder:
        console.print(Text(f"drawn: {folder}{os.sep}", "dim"))
