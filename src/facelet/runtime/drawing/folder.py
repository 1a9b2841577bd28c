"""Drawn photos in a folder, under the names of the photos they were made of.

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
from facelet.runtime.analyzer import Face
from facelet.runtime.media import photos

JPEG_QUALITY = 92
JPEGS = (".jpg", ".jpeg", ".jpe", ".jfif")


class Drawings:
    """NAME.faces.jpg (.png for what was not a JPEG), NAME-2.faces.jpg for a second NAME.

    The suffix tells the next run to pass it over; no file of ``inputs`` is ever written to. Raises FaceletError when the
    folder cannot be made.
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
        """Draws ``faces`` into the photo that came as ``name``. Raises FaceletError when it cannot be written.

        ``captions``: as ``draw`` takes them.
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
