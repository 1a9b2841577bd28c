"""Writes drawn photos to a folder, named after the original photos.

>>> drawings = Drawings("drawn", inputs=[Path("a.jpg")])
>>> drawings.save("a.jpg", photo, faces)                  # drawn/a.faces.jpg
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from facelet.errors import FaceletError
from facelet.io.files import writing
from facelet.io.pixels import Image, cv2
from facelet.runtime.face import Face
from facelet.runtime.media import photos

JPEG_QUALITY = 92
JPEGS = (".jpg", ".jpeg", ".jpe", ".jfif")


class Drawings:
    """Writes NAME.faces.jpg, or .png if the photo is not a JPEG; a second NAME becomes NAME-2.faces.jpg.

    The suffix marks the files so that the next run skips them. Files in ``inputs`` are never overwritten. Raises
    FaceletError when the folder cannot be created.
    """

    def __init__(self, folder: str | Path, inputs: Iterable[Path]) -> None:
        self.folder = Path(folder)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except (OSError, ValueError) as error:
            raise FaceletError(f"cannot save into {folder}: {getattr(error, 'strerror', None) or error}") from None
        self._taken = {os.path.realpath(file).casefold() for file in inputs}
        self._numbers: Counter[str] = Counter()

    def save(self, name: str, photo: Image, faces: Sequence[Face], captions: Sequence[str] = ()) -> None:
        """Draws ``faces`` on the photo and writes it, named after ``name``. Raises FaceletError if it cannot be written.

        ``captions``: see ``draw``.
        """
        from facelet.runtime.drawing.draw import draw

        suffix = ".jpg" if Path(name).suffix.lower() in JPEGS else ".png"
        picture = cv2.cvtColor(draw(photo, faces, captions), cv2.COLOR_RGB2BGR)
        options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY] if suffix == ".jpg" else []
        _, encoded = cv2.imencode(suffix, picture, options)
        with writing(self._free(name, suffix)) as beside:
            beside.write_bytes(encoded.tobytes())

    def _free(self, name: str, suffix: str) -> Path:
        letters = (letter if letter.isprintable() else "_" for letter in Path(name).stem)
        stem = "".join(letters)[:60].strip(". ") or "photo"
        while True:
            self._numbers[stem.casefold() + suffix] += 1
            number = self._numbers[stem.casefold() + suffix]
            file = self.folder / f"{stem}{f'-{number}' * (number > 1)}{photos.DRAWN}{suffix}"
            if (place := os.path.realpath(file).casefold()) not in self._taken:
                self._taken.add(place)
                return file
