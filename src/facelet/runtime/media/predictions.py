"""Photos in, faces out: one Prediction a file, whatever is wrong with it.

>>> results = list(predictions(Analyzer("student-int8.onnx"), photos.find(["holiday/"])))
>>> results[0].faces[0].expression

A photo without a face is no error; one that cannot be read has an error in its Prediction, and the others go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from facelet.errors import FaceletError
from facelet.io.pixels import Image
from facelet.runtime.analyzer import AT_ONCE, AT_ONCE_PIXELS, Analyzer, Face
from facelet.runtime.media import photos
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
