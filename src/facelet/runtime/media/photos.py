"""PHOTO|DIR|GLOB to photos: find the files, read them a little ahead of whoever works on them.

>>> for file, photo in read_ahead(find(["holiday/", "cv.png", "scans/**/*.tif"])):
...     if isinstance(photo, FaceletError): ...   # that file cannot be read; the others go on

Folders are searched by suffix, all the way down, but for hidden files and what ``facelet predict --save`` wrote. What else lies
in them is not passed over without a word: ``find`` lists it, ``passed_over`` says it.
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
from facelet.runtime.media.video import is_video, is_webcam
from facelet.text import plain

DRAWN = ".faces"
"""Ends the stem of a photo that ``facelet predict --save`` drew on: a second run must not read the first one's answers."""

LISTED = 20
KINDS: tuple[tuple[str, str, str | Callable[[], str]], ...] = (
    ("heic", "HEIC photo", heic.how_to_read),
    ("video", "video", "give each alone"),
    ("drawn", "drawn photo", ""),
    ("other", "other file", ""),
)
"""Files that are no photos: of which kind, what they are called, what to do about them."""

READERS = 2
AHEAD = 2  # photos decoded before they are asked for; one of 100 megapixels takes 300 MB


def find(places: Sequence[str | Path], others: list[Path] | None = None) -> list[Path]:
    """Files of photos, folders and globs, in the order given, each once; a folder's and a glob's sorted by path.

    What ``--save`` drew is passed over, unless nothing else is named. ``others`` gets the files of folders and globs that are
    no photos, without hidden ones.
    Raises FaceletError for a place that does not exist (the nearest name is told), and for one without photos.
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
    """A sentence for each kind of file that was passed over, with names and what to do about it."""
    kinds: dict[str, list[Path]] = {}
    for file in others:
        kinds.setdefault(_kind(file), []).append(file)
    lines = []
    for kind, what, hint in KINDS:
        if files := kinds.get(kind):
            names = ", ".join(plain(file.name) for file in files[:LISTED])
            more = f" and {len(files) - LISTED:,} more" * (len(files) > LISTED)
            said = hint() if callable(hint) else hint
            lines.append(
                f"not read: {len(files):,} {what}{'s' * (len(files) != 1)} ({names}{more})" + f"; {said}" * bool(said)
            )
    return lines


def _kind(file: Path) -> str:
    if file.stem.endswith(DRAWN):
        return "drawn"
    if file.suffix.lower() in heic.SUFFIXES:
        return "heic"
    return "video" if is_video(file) else "other"


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


def _files(place: str | Path, others: list[Path]) -> list[Path]:
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
            f"{path}: a webcam is no photo; `facelet predict {path}` and `identify {path}` watch it alone"
        )
    if is_video(path):
        raise FaceletError(f"{path}: a video is no photo; `facelet predict VIDEO` and `identify VIDEO` take one alone")


def _fitting(pattern: str, others: list[Path]) -> list[Path]:
    found = sorted(Path(name) for name in glob.glob(pattern, recursive=True))
    photos = [file for file in found if file.is_file() and is_photo(file.name)]
    if not photos:
        raise FaceletError(f"no photo fits {pattern!r} ({len(found)} other files do)")
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
        raise FaceletError(f"no photos in {folder} (looked for {' '.join(suffixes())}, all the way down){there}")
    others += rest
    return photos


def suffixes() -> tuple[str, ...]:
    """How the names of files that are read end."""
    return (*SUFFIXES, *heic.SUFFIXES) if heic.installed() else SUFFIXES


def is_photo(name: str) -> bool:
    """By its suffix, not hidden and not drawn by us."""
    stem, suffix = os.path.splitext(name)
    return suffix.lower() in suffixes() and not stem.startswith(".") and not stem.endswith(DRAWN)
