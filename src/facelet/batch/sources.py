"""Lists photos and videos in folders, globs and object stores, and reads them on any machine.

>>> find(["holiday/", "s3://bucket/2026/"])
[SourceFile(name='holiday/a.jpg', ...), SourceFile(name='s3://bucket/2026/clip.mp4', ...)]

A place with a scheme is opened by pyarrow (s3, gs, abfs, hdfs, file) or else by fsspec, with the credentials of the environment.
Folders are searched with their sub-folders, without hidden files and drawn photos.
"""

from __future__ import annotations

import glob
import os
import re
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from facelet.errors import FaceletError
from facelet.io.files import existing, read_bytes
from facelet.io.pixels import MAX_BYTES
from facelet.runtime.media import photos
from facelet.runtime.media.video import SUFFIXES
from facelet.text import plain

WAITS = (0.5, 2.0)
"""Seconds before the second and the third attempt to read from a store."""


class UnreadError(FaceletError):
    """A file whose bytes could not be read, as opposed to one whose bytes are no photo: another attempt may succeed."""


@dataclass(frozen=True)
class SourceFile:
    """A photo or a video.

    Attributes:
        name: as it is printed, without credentials.
        root: the place with a scheme under which it was found; empty for a file of this machine.
        path: absolute path, or the path in the store.
        size: in bytes.
        changed: time of the last change in nanoseconds, 0 if unknown.
    """

    name: str
    root: str
    path: str
    size: int
    changed: int

    @property
    def is_video(self) -> bool:
        return is_video(self.path)


def is_video(path: str) -> bool:
    """Whether a path has the suffix of a video."""
    return PurePosixPath(path).suffix.lower() in SUFFIXES


def is_remote(place: str) -> bool:
    """Whether a place has a scheme, as s3://bucket/folder has."""
    return bool(re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", place))


def without_secrets(place: str) -> str:
    """The place without user, password and query."""
    return plain(re.sub(r"^([A-Za-z0-9+.-]+://)[^/@]*@", r"\1", place).partition("?")[0]) if is_remote(place) else place


def find(places: Sequence[str], others: list[str] | None = None) -> list[SourceFile]:
    """Photos and videos of files, folders, globs and stores, without duplicates, sorted by name.

    Other files in folders, globs and stores, except hidden ones, are appended to ``others``, by name.

    Raises FaceletError for a place that does not exist or that has neither photos nor videos.
    """
    files: dict[tuple[str, str], SourceFile] = {}
    beside: list[str] = []
    for place in places:
        found = list(_remote(place, beside) if is_remote(place) else _local(place, beside))
        if not found:
            raise FaceletError(
                f"no photos or videos in {without_secrets(place)} (searched for {' '.join((*photos.suffixes(), *SUFFIXES))})"
            )
        for file in found:
            files.setdefault((file.root and file.name, file.path), file)
    if others is not None:
        named = {file.name for file in files.values()}
        others += sorted({file for file in beside if file not in named})
    return sorted(files.values(), key=lambda file: (file.name, file.path))


def read(file: SourceFile) -> bytes:
    """The file's bytes. Raises UnreadError when they cannot be read, with three attempts for a store."""
    if not file.root:
        try:
            return read_bytes(file.path, MAX_BYTES)
        except FaceletError as error:
            raise UnreadError(str(error).replace(file.path, file.name)) from None
    if file.size > MAX_BYTES:
        raise FaceletError(f"{file.name} has {file.size:,} bytes, more than Facelet's limit of {MAX_BYTES >> 20:,} MiB")
    for wait in (*WAITS, None):
        try:
            with filesystem(file.root)[0].open_input_stream(file.path) as stream:
                return bytes(stream.read())
        except Exception as error:  # stores raise classes of their own
            if wait is None:
                raise UnreadError(f"cannot read {file.name}: {_reason(error)}") from None
            time.sleep(wait)
    raise AssertionError("unreachable")


@contextmanager
def as_local(file: SourceFile) -> Iterator[str]:
    """A path of this machine with the file's bytes: OpenCV opens videos by path. Raises UnreadError."""
    if not file.root:
        if not os.access(file.path, os.R_OK):
            raise UnreadError(f"cannot read {file.name}: no such file, or not allowed")
        yield file.path
        return
    with tempfile.TemporaryDirectory(prefix="facelet-") as folder:
        target = Path(folder, "video" + PurePosixPath(file.path).suffix)
        try:
            with filesystem(file.root)[0].open_input_stream(file.path) as stream, target.open("wb") as copy:
                while block := stream.read(1 << 20):
                    copy.write(block)
        except Exception as error:
            raise UnreadError(f"cannot read {file.name}: {_reason(error)}") from None
        yield str(target)


@lru_cache(maxsize=16)
def filesystem(place: str) -> tuple[Any, str]:
    """The pyarrow filesystem of a place with a scheme, and the place's path in it. Raises FaceletError."""
    from pyarrow import ArrowException, fs

    try:
        return fs.FileSystem.from_uri(place)
    except (ArrowException, NotImplementedError, OSError, ValueError) as error:
        unknown = error
    try:
        import fsspec
    except ModuleNotFoundError:
        raise FaceletError(
            f"cannot open {without_secrets(place)}: {_reason(unknown)}; other stores need: pip install fsspec"
        ) from None
    try:
        store, path = fsspec.core.url_to_fs(place)
    except Exception as error:  # fsspec's stores raise classes of their own; ImportError names the missing package
        raise FaceletError(f"cannot open {without_secrets(place)}: {_reason(error)}") from None
    return fs.PyFileSystem(fs.FSSpecHandler(store)), path


def _remote(place: str, others: list[str]) -> Iterator[SourceFile]:
    from pyarrow.fs import FileSelector, FileType

    store, path = filesystem(place)
    scheme = place.partition("://")[0]
    try:
        top = store.get_file_info(path)
        if top.type == FileType.NotFound:
            raise FaceletError(f"no photo, video or folder {without_secrets(place)}")
        inside = [top] if top.type == FileType.File else store.get_file_info(FileSelector(path, recursive=True))
    except FaceletError:
        raise
    except Exception as error:
        raise FaceletError(f"cannot look into {without_secrets(place)}: {_reason(error)}") from None
    for info in inside:
        below = PurePosixPath(info.path[len(path) :])
        hidden = any(part.startswith(".") for part in below.parts)
        if info.type != FileType.File or (hidden and info is not top):
            continue
        name = plain(f"{scheme}://{info.path}")
        if info is top or _wanted(info.base_name):
            yield SourceFile(name, place, info.path, info.size or 0, info.mtime_ns or 0)
        else:
            others.append(name)


def _local(place: str, others: list[str]) -> Iterator[SourceFile]:
    path = Path(place)
    try:
        if not path.exists() and glob.has_magic(place):
            yield from _photos([name for name in glob.glob(place, recursive=True) if os.path.isfile(name)], others)
            return
        path = existing(place, "photo, video or folder")
        if not path.is_dir():
            yield _described(str(path))
            return
        for here, folders, names in os.walk(path):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            yield from _photos([os.path.join(here, name) for name in names], others)
    except (OSError, ValueError) as error:
        raise FaceletError(f"cannot look into {place}: {_reason(error)}") from None


def _photos(names: Sequence[str], others: list[str]) -> Iterator[SourceFile]:
    """The photos and videos among files; appends the others, except hidden ones."""
    for name in sorted(names):
        base = os.path.basename(name)
        if _wanted(base):
            yield _described(name)
        elif not base.startswith("."):
            others.append(plain(name))


def _wanted(name: str) -> bool:
    stem = os.path.splitext(name)[0]
    return photos.is_photo(name) or (is_video(name) and not stem.startswith(".") and not stem.endswith(photos.DRAWN))


def _described(name: str) -> SourceFile:
    try:
        status = os.stat(name)
    except OSError:  # a broken link; reading it gives the reason
        return SourceFile(plain(name), "", os.path.abspath(name), 0, 0)
    return SourceFile(plain(name), "", os.path.abspath(name), status.st_size, status.st_mtime_ns)


def _reason(error: Exception) -> str:
    return (str(getattr(error, "strerror", None) or error).splitlines() or [""])[0][:200] or type(error).__name__
