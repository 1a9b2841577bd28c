"""What ``facelet predict`` does: photos in; a table, JSON, CSV and drawn photos out.

>>> results = list(predictions(Analyzer("student-int8.onnx"), photos.find(["holiday/"])))
>>> results[0].faces[0].expression

A photo without a face is said to have none, which is no error; one that cannot be read is reported and passed over,
and only when nothing at all could be read does the command fail.
"""

from __future__ import annotations

import csv
import io
import json
import os
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from rich.console import Console

from facelet.errors import FaceletError
from facelet.files import writing
from facelet.pixels import Image, cv2
from facelet.runtime import photos
from facelet.runtime.analyzer import Analyzer, Face

JPEG_QUALITY = 92


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
        return os.fsencode(self.file).decode("utf-8", "replace")

    def to_json(self) -> dict[str, Any]:
        if self.error:
            return {"file": self.name, "error": self.error}
        width, height = self.size
        return {"file": self.name, "width": width, "height": height, "faces": [face.to_json() for face in self.faces]}


def predictions(analyzer: Analyzer, files: Iterable[Path], cropped: bool = False) -> Iterator[Prediction]:
    """One Prediction a file, in order; with ``cropped`` every image is a face already, and many are classified together."""
    if not cropped:
        for file, photo in photos.read_ahead(files):
            if isinstance(photo, FaceletError):
                yield Prediction(file, error=str(photo))
            else:
                yield Prediction(file, photo, analyzer.analyze(photo), size=photo.shape[1::-1])
        return
    waiting: deque[tuple[Path, Image | FaceletError]] = deque()

    def crops() -> Iterator[Image]:
        for file, photo in photos.read_ahead(files):
            waiting.append((file, photo))
            if not isinstance(photo, FaceletError):
                yield photo

    def broken() -> Iterator[Prediction]:
        while waiting and isinstance(waiting[0][1], FaceletError):
            file, error = waiting.popleft()
            yield Prediction(file, error=str(error))

    for face in analyzer.cropped(crops()):
        yield from broken()
        file, photo = waiting.popleft()
        assert not isinstance(photo, FaceletError)
        yield Prediction(file, photo, [face], size=photo.shape[1::-1])
    yield from broken()


def command(
    places: Sequence[str],
    *,
    model: str = "",
    detector: str = "",
    save: str = "",
    cropped: bool = False,
    form: Literal["table", "json", "csv"] = "table",
    threads: int = 0,
    console: Console,
) -> None:
    """Finds, analyzes, prints and draws. Raises FaceletError when nothing can be: no model, no photo, none readable."""
    files = photos.find(places)
    folder = _folder(save) if save else None
    analyzer = Analyzer(model, detector, threads)
    results: list[Prediction] = []
    taken: set[str] = set()
    start = time.perf_counter()
    for result in _with_progress(predictions(analyzer, files, cropped), len(files)):
        if result.error:
            if len(files) > 1:
                print(f"passed over: {result.error}", file=sys.stderr)
        elif folder and result.photo is not None:
            _save(result, folder, taken)
        results.append(replace(result, photo=None))  # a thousand photos' pixels do not fit in memory
    seconds = time.perf_counter() - start
    if all(result.error for result in results):
        raise FaceletError(results[0].error if len(results) == 1 else f"none of the {len(results)} photos can be read")
    if form == "json":
        print(json.dumps(_document(analyzer, results)))
    elif form == "csv":
        print(_csv(analyzer, results), end="")
    else:
        _show(results, seconds, folder, console)


def _document(analyzer: Analyzer, results: list[Prediction]) -> dict[str, Any]:
    info = analyzer.model.info
    model = {"file": str(analyzer.model.path), "name": info.name, "labels": list(info.labels)}
    return {"model": model, "photos": [result.to_json() for result in results]}


def _csv(analyzer: Analyzer, results: list[Prediction]) -> str:
    """A line a face; a photo without one, or that cannot be read, has a line without a face."""
    labels = analyzer.model.labels
    head = ["file", "face", "left", "top", "width", "height", "score", "expression", *labels, "error"]
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(head)
    for result in results:
        for number, face in enumerate(result.faces, 1):
            values = face.to_json()
            shares = [values["probabilities"][label] for label in labels]
            lines.writerow([result.name, number, *values["box"], values["score"], face.expression, *shares, ""])
        if not result.faces:
            lines.writerow([result.name, *[""] * (len(head) - 2), result.error])
    return text.getvalue()


def _show(results: list[Prediction], seconds: float, folder: Path | None, console: Console) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("photo", "face", "expression", "", "left, top, w x h"):
        table.add_column(title, overflow="fold", no_wrap=title != "photo")
    for result in results:
        if result.error:
            table.add_row(Text(result.name), "", Text("cannot be read", "red"))
        elif not result.faces:
            table.add_row(Text(result.name), "", Text("no face found", "dim"))
        for number, face in enumerate(result.faces, 1):
            share = face.probabilities[face.expression] if face.expression else 0.0
            left, top, width, height = (round(value) for value in face.box)
            bar = Text("█" * max(1, round(10 * share)), "cyan") + Text(f" {share:.0%}")
            name = Text(result.name if number == 1 else "")
            table.add_row(name, str(number), Text(face.expression or ""), bar, f"{left}, {top}, {width} x {height}")
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


def _with_progress(results: Iterator[Prediction], total: int) -> Iterable[Prediction]:
    if total < 2 or not sys.stderr.isatty():
        return results
    from rich.progress import track

    return track(results, "photos", total, console=Console(stderr=True), transient=True)


def _folder(path: str) -> Path:
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise FaceletError(f"cannot save into {path}: {getattr(error, 'strerror', None) or error}") from error
    return Path(path)


def _save(result: Prediction, folder: Path, taken: set[str]) -> Path:
    """Draws NAME.faces.jpg (.png for what was not a JPEG); a second photo of the same name gets NAME-2.faces.jpg.

    The suffix keeps it from ever being the name of a photo that was read, and tells the next run to pass it over.
    """
    from facelet.runtime.draw import draw

    assert result.photo is not None
    suffix = ".jpg" if result.file.suffix.lower() in (".jpg", ".jpeg", ".jpe", ".jfif") else ".png"
    stem = (
        "".join(letter if letter.isprintable() else "_" for letter in Path(result.name).stem)[:60].strip(". ")
        or "photo"
    )
    name, number = f"{stem}{photos.DRAWN}{suffix}", 1
    while name.casefold() in taken:
        number += 1
        name = f"{stem}-{number}{photos.DRAWN}{suffix}"
    taken.add(name.casefold())
    picture = cv2.cvtColor(draw(result.photo, result.faces), cv2.COLOR_RGB2BGR)
    _, encoded = cv2.imencode(suffix, picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY] if suffix == ".jpg" else [])
    with writing(folder / name) as beside:
        beside.write_bytes(encoded.tobytes())
    return folder / name
