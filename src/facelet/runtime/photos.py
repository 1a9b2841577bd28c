"""PHOTO|DIR|GLOB to photos: find the files, read them a little ahead of whoever works on them.

>>> for file, photo in read_ahead(find(["holiday/", "cv.png", "scans/**/*.tif"])):
...     if isinstance(photo, FaceletError): ...   # that file cannot be read; the others go on

Folders are searched by suffix, all the way down, but for hidden files and what ``facelet predict --save`` wrote.
"""

from __future__ import annotations

import glob
import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from facelet import pixels
from facelet.errors import FaceletError
from facelet.files import existing
from facelet.pixels import SUFFIXES, Image
from facelet.runtime.video import is_video, is_webcam

DRAWN = ".faces"
"""Ends the stem of a photo that ``facelet predict --save`` drew on: a second run must not read the first one's answers."""

READERS = 2
AHEAD = 2  # photos decoded before they are asked for; one of 100 megapixels takes 300 MB


def find(places: Sequence[str | Path]) -> list[Path]:
    """Files of photos, folders and globs, in the order given, each once; a folder's and a glob's sorted by path.

    What ``--save`` drew is passed over, unless nothing else is named.
    Raises FaceletError for a place that does not exist (the nearest name is told), and for one without photos.
    """
    files: dict[str, Path] = {}
    for place in places:
        for file in _files(place):
            files.setdefault(os.path.abspath(file), file)
    if not files:
        raise FaceletError("no photo given; expected photos, folders or globs")
    return [file for file in files.values() if not file.stem.endswith(DRAWN)] or list(files.values())


def read_ahead(files: Iterable[Path]) -> Iterator[tuple[Path, Image | FaceletError]]:
    """(file, photo or why it cannot be read), in order, the next ones decoded meanwhile (OpenCV lets go of the GIL)."""
    with ThreadPoolExecutor(READERS) as readers:
        waiting: deque[tuple[Path, Future[Image | FaceletError]]] = deque()
        try:
            for file in files:
                waiting.append((file, readers.submit(_read, file)))
                if len(waiting) > AHEAD:
                    first, photo = waiting.popleft()
                    yield first, photo.result()
            for file, photo in waiting:
                yield file, photo.result()
        finally:
            readers.shutdown(wait=False, cancel_futures=True)


def _read(file: Path) -> Image | FaceletError:
    try:
        return pixels.read(file)
    except FaceletError as error:
        return error
    except MemoryError:
        return FaceletError(f"{file}: not enough memory for this photo")


def _files(place: str | Path) -> list[Path]:
    path = Path(place)
    try:
        if not path.exists():
            _no_video(path)
            if glob.has_magic(str(place)):
                return _fitting(str(place))
        path = existing(place, "photo or folder")
        if path.is_dir():
            return _in_folder(path)
    except (OSError, ValueError) as error:
        raise FaceletError(
            f"cannot look into {getattr(error, 'filename', None) or place}: {getattr(error, 'strerror', None) or error}"
        ) from None
    _no_video(path)
    return [path]


def _no_video(path: Path) -> None:
    if is_webcam(path):
        raise FaceletError(
            f"{path}: a webcam is no photo; `facelet predict {path}` and `identify {path}` watch it alone"
        )
    if is_video(path):
        raise FaceletError(f"{path}: a video is no photo; `facelet predict VIDEO` and `identify VIDEO` take one alone")


def _fitting(pattern: str) -> list[Path]:
    found = sorted(Path(name) for name in glob.glob(pattern, recursive=True))
    photos = [file for file in found if file.is_file() and is_photo(file.name)]
    if not photos:
        raise FaceletError(f"no photo fits {pattern!r} ({len(found)} other files do)")
    return photos


def _in_folder(folder: Path) -> list[Path]:
    def fail(error: OSError) -> None:
        raise error

    photos = []
    for here, folders, names in os.walk(folder, onerror=fail):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        photos += [Path(here, name) for name in sorted(names) if is_photo(name)]
    if not photos:
        raise FaceletError(f"no photos in {folder} (looked for {' '.join(SUFFIXES)}, all the way down)")
    return photos


def is_photo(name: str) -> bool:
    """By its suffix, not hidden and not drawn by us."""
    stem, suffix = os.path.splitext(name)
    return suffix.lower() in SUFFIXES and not stem.startswith(".") and not stem.endswith(DRAWN)
