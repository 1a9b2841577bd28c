"""Predictions for many photos: one Prediction per file, also for unreadable files.

>>> results = list(predictions(Analyzer("student-int8.onnx"), photos.find(["holiday/"])))
>>> results[0].faces[0].expression

A photo without a face is not an error. For an unreadable photo, ``Prediction.error`` has the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from facelet.errors import FaceletError
from facelet.io.pixels import Image
from facelet.runtime.analyzer import AT_ONCE, AT_ONCE_PIXELS, Analyzer
from facelet.runtime.face import Face
from facelet.runtime.media import photos
from facelet.text import plain


@dataclass(frozen=True, eq=False)
class Prediction:
    """Result for one file.

    Attributes:
        file: the photo's file, or its name.
        photo: RGB or grey uint8 (H, W, C); None if the photo could not be read, or after its pixels are discarded.
        faces: detected faces, largest first.
        error: why the photo could not be read, or empty.
        size: width and height of the photo.
    """

    file: Path | str
    photo: Image | None = field(default=None, repr=False)
    faces: Sequence[Face] = ()
    error: str = ""
    size: tuple[int, int] = (0, 0)

    @property
    def name(self) -> str:
        """The path as printable text, since a file name may be invalid UTF-8."""
        return plain(str(self.file))

    def to_json(self) -> dict[str, Any]:
        if self.error:
            return {"file": self.name, "error": self.error}
        width, height = self.size
        return {"file": self.name, "width": width, "height": height, "faces": [face.to_json() for face in self.faces]}


def predictions(analyzer: Analyzer, files: Iterable[Path], cropped: bool = False) -> Iterator[Prediction]:
    """Yields one Prediction per file, in order. With ``cropped`` every image is a ready crop, classified in batches.

    Raises FaceletError only if the detector is missing; errors of a photo are in its Prediction.
    """
    if not cropped:
        _ = analyzer.detector
    yield from predictions_of(analyzer, photos.read_ahead(files), cropped)


def predictions_of(
    analyzer: Analyzer, decoded: Iterable[tuple[Path | str, Image | FaceletError]], cropped: bool = False
) -> Iterator[Prediction]:
    """Same as ``predictions``, of (file or name, photo or the error of reading it)."""
    if not cropped:
        for file, photo in decoded:
            yield _predicted(file, photo, analyzer.analyze)
        return
    waiting: list[tuple[Path | str, Image | FaceletError]] = []
    for file, photo in decoded:
        waiting.append((file, photo))
        pixels = sum(image.size for _, image in waiting if not isinstance(image, FaceletError))
        if len(waiting) == AT_ONCE or pixels > AT_ONCE_PIXELS:
            yield from _ready(analyzer, waiting)
            waiting = []
    yield from _ready(analyzer, waiting)


def _ready(analyzer: Analyzer, waiting: Sequence[tuple[Path | str, Image | FaceletError]]) -> Iterator[Prediction]:
    """Classifies ready crops in one batch, or one by one if the batch fails."""
    try:
        faces = iter(list(analyzer.cropped(photo for _, photo in waiting if not isinstance(photo, FaceletError))))
    except FaceletError:
        for file, photo in waiting:
            yield _predicted(file, photo, lambda photo: list(analyzer.cropped([photo])))
    else:
        for file, photo in waiting:
            yield _predicted(file, photo, lambda _: [next(faces)])


def _predicted(file: Path | str, photo: Image | FaceletError, analyze: Callable[[Image], list[Face]]) -> Prediction:
    if isinstance(photo, FaceletError):
        return Prediction(file, error=plain(str(photo)))
    try:
        return Prediction(file, photo, analyze(photo), size=photo.shape[1::-1])
    except FaceletError as error:
        return Prediction(file, error=plain(f"{file}: {error}"))
