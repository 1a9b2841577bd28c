"""Finds photos by file, folder or glob, and reads them ahead in the background.

>>> for file, photo in read_ahead(find(["holiday/", "cv.png", "scans/**/*.tif"])):
...     if isinstance(photo, FaceletError): ...   # this file cannot be read; the others follow

Folders are searched recursively by suffix, without hidden files and the output of ``facelet predict --save``. ``find`` also lists
the skipped files, and ``passed_over`` describes them.
"""

from __future__ import annotations

import glob
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from facelet.errors import FaceletError
from facelet.io import heic, pixels
from facelet.io.files import existing
from facelet.io.pixels import SUFFIXES, Image
from facelet.runtime.media.address import is_address, is_video, is_webcam, shown
from facelet.text import plain

DRAWN = ".faces"
"""Ends the stem of photos drawn by ``facelet predict --save``, so that a second run skips them."""

LISTED = 20
KINDS: tuple[tuple[str, str, str | Callable[[], str]], ...] = (
    ("heic", "HEIC photo", heic.how_to_read),
    ("video", "video", "run each video separately"),
    ("drawn", "drawn photo", ""),
    ("other", "other file", ""),
)
"""Files other than photos: kind, noun for messages, hint how to use them."""

READERS = 2
AHEAD = 2  # photos decoded in advance; 100 megapixels take 300 MB


def find(places: Sequence[str | Path], others: list[Path] | None = None) -> list[Path]:
    """Lists the photos in files, folders and globs, without duplicates; those of a folder or glob are sorted by path.

    Photos drawn by ``--save`` are skipped, unless there are no others. Other files in folders and globs, except hidden
    files, are appended to ``others``.

    Raises FaceletError for a place that does not exist (with the nearest name), and for a place without photos.
    """
    files: dict[str, Path] = {}
    beside: list[Path] = []
    for place in places:
        for file in _files(place, beside):
            files.setdefault(os.path.abspath(file), file)
    if not files:
        raise FaceletError("no photo given; expected photos, folders or globs")
    found = [file for file in files.values() if not file.stem.endswith(DRAWN)] or list(files.values())
    if others is not None:
        taken = {os.path.abspath(file) for file in found}
        others += {os.path.abspath(file): file for file in beside if os.path.abspath(file) not in taken}.values()
    return found


def passed_over(others: Sequence[Path]) -> list[str]:
    """Describes the skipped files: a line per kind, with names and a hint."""
    kinds: dict[str, list[Path]] = {}
    for file in others:
        kinds.setdefault(_kind(file), []).append(file)
    lines = []
    for kind, what, hint in KINDS:
        if files := kinds.get(kind):
            names = ", ".join(plain(file.name) for file in files[:LISTED])
            more = f" and {len(files) - LISTED:,} more" * (len(files) > LISTED)
            advice = hint() if callable(hint) else hint
            lines.append(
                f"not read: {len(files):,} {what}{'s' * (len(files) != 1)} ({names}{more})"
                + f"; {advice}" * bool(advice)
            )
    return lines


def _kind(file: Path) -> str:
    if file.stem.endswith(DRAWN):
        return "drawn"
    if file.suffix.lower() in heic.SUFFIXES:
        return "heic"
    return "video" if is_video(file) else "other"


def read_ahead(files: Iterable[Path]) -> Iterator[tuple[Path, Image | FaceletError]]:
    """Yields (file, photo or error) in order, and decodes the next photos in threads (OpenCV releases the GIL)."""
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


def _files(place: str | Path, others: list[Path]) -> list[Path]:
    if is_address(place):
        raise FaceletError(f"{shown(place)} is the address of a stream, not a photo; use it without other photos")
    path = Path(place)
    try:
        if not path.exists():
            _no_video(path)
            if glob.has_magic(str(place)):
                return _fitting(str(place), others)
        path = existing(place, "photo or folder")
        if path.is_dir():
            return _in_folder(path, others)
    except (OSError, ValueError) as error:
        raise FaceletError(
            f"cannot look into {getattr(error, 'filename', None) or place}: {getattr(error, 'strerror', None) or error}"
        ) from None
    _no_video(path)
    return [path]


def _no_video(path: Path) -> None:
    if is_webcam(path):
        raise FaceletError(
            f"{path} is a webcam, not a photo; use it without other photos: `facelet predict {path}` or `identify {path}`"
        )
    if is_video(path):
        raise FaceletError(
            f"{path} is a video, not a photo; use it without other photos: `facelet predict VIDEO` or `identify VIDEO`"
        )


def _fitting(pattern: str, others: list[Path]) -> list[Path]:
    found = sorted(Path(name) for name in glob.glob(pattern, recursive=True))
    photos = [file for file in found if file.is_file() and is_photo(file.name)]
    if not photos:
        raise FaceletError(f"no photo matches {pattern!r} ({len(found)} other files do)")
    others += [file for file in found if file.is_file() and not is_photo(file.name)]
    return photos


def _in_folder(folder: Path, others: list[Path]) -> list[Path]:
    def fail(error: OSError) -> None:
        raise error

    photos: list[Path] = []
    rest: list[Path] = []
    for here, folders, names in os.walk(folder, onerror=fail):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            (photos if is_photo(name) else rest).append(Path(here, name))
    rest = [file for file in rest if not file.name.startswith(".")]
    if not photos:
        there = "".join(f"; {line}" for line in passed_over(rest))
        raise FaceletError(f"no photos in {folder} or its sub-folders (searched for {' '.join(suffixes())}){there}")
    others += rest
    return photos


def suffixes() -> tuple[str, ...]:
    """Suffixes of readable photos, with HEIC's if it is installed."""
    return (*SUFFIXES, *heic.SUFFIXES) if heic.installed() else SUFFIXES


def is_photo(name: str) -> bool:
    """Whether a file name has a photo's suffix, is not hidden and not an output of ``--save``."""
    stem, suffix = os.path.splitext(name)
    return suffix.lower() in suffixes() and not stem.startswith(".") and not stem.endswith(DRAWN)
