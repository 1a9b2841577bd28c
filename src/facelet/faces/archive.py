"""An archive: a folder or a zip of faces, read in one way. Zips are read in place and nothing is unpacked to disk.

>>> with open_archive("ferplus.zip") as archive:
...     data = archive.read(archive.names[0])

A file from someone else may be hostile, so what points out of the archive (absolute paths, ``..``, symbolic links),
stands in it twice, or swells beyond measure is refused before anything is read. It cannot tell whether the faces
themselves are honest.
"""

from __future__ import annotations

import os
import stat
import struct
import threading
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from facelet.errors import FaceletError
from facelet.files import existing, read_bytes
from facelet.pixels import SUFFIXES

MAX_FILE = 1 << 30
BOMB_TOTAL, BOMB_RATIO = 1 << 30, 100


class Archive:
    """Files by name.

    Attributes:
        path: of the folder or zip.
        names: of all files but hidden ones, relative, with forward slashes, sorted.
        folders: of all folders, written likewise.
    """

    def __init__(
        self, path: Path, names: Iterable[str] | None, folders: Iterable[str], packed: zipfile.ZipFile | None
    ) -> None:
        """``names`` of None: they are not known, and whatever lies in the folder may be read."""
        self.path = path
        self.names = tuple(sorted(filter(_shown, names or ())))
        self.folders = frozenset(filter(_shown, folders))
        self._listed = None if names is None else frozenset(self.names)
        self._root = os.path.join(os.path.realpath(path), "")
        self._packed = packed
        self._lock = threading.Lock()

    @property
    def images(self) -> tuple[str, ...]:
        """The names that end like an image."""
        return tuple(name for name in self.names if suffix(name) in SUFFIXES)

    def holds(self, name: str) -> bool:
        """Whether ``name`` is a file inside the archive, links out of it not counted."""
        if self._listed is not None:
            return name in self._listed
        file = os.path.join(self._root, name)
        return os.path.isfile(file) and os.path.realpath(file).startswith(self._root)

    def read(self, name: str) -> bytes:
        """The bytes of one file, from any thread. Raises FaceletError when they are missing, elsewhere or damaged."""
        if self._packed is None:
            if not self.holds(name):
                raise FaceletError(f"{self.path} holds no file {name!r}")
            return read_bytes(self.path / name, MAX_FILE)
        with self._lock:
            return read_member(self._packed, name)


@contextmanager
def open_archive(path: str | Path) -> Iterator[Archive]:
    """The folder or zip at ``path``. Raises FaceletError when there is none, it is empty or it is not safe to read."""
    place = existing(path)
    if place.is_dir():
        yield Archive(place, *_walk(place), None)
        return
    with open_zip(place) as packed:
        names = [info.filename for info in packed.infolist() if not info.is_dir()]
        folders = {str(parent) for name in packed.namelist() for parent in PurePosixPath(name, "x").parents}
        folders -= {".", *names}
        yield Archive(place, names, folders, packed)


def unlisted(folder: Path) -> Archive:
    """A folder whose files are not looked for: a list says what they are called, and the folder may hold much else."""
    return Archive(folder, None, (), None)


@contextmanager
def open_zip(path: Path, broken: Callable[[Path, object], FaceletError] | None = None) -> Iterator[zipfile.ZipFile]:
    """A zip whose table of contents has been looked through. Raises FaceletError for whatever should not be in one.

    ``broken`` makes the error for what is no whole zip of the path and the reason.
    """
    try:
        packed = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, struct.error, EOFError, NotImplementedError, ValueError) as error:
        other = f"{path} is neither a folder nor a whole zip ({error}); unpack other archives first"
        raise (broken(path, error) if broken else FaceletError(other)) from error
    except OSError as error:
        raise FaceletError(f"cannot read {path}: {error.strerror or error}") from error
    with packed:
        infos = packed.infolist()
        for info in infos:
            wrong = _wrong(info)
            if wrong:
                raise FaceletError(f"{path}: {info.filename!r} {wrong}; pack the faces again without it")
        name, times = Counter(info.filename for info in infos).most_common(1)[0] if infos else ("", 0)
        if times > 1:
            raise FaceletError(f"{path}: {name!r} is in the zip {times} times; names must be unique")
        total, real = sum(info.file_size for info in infos), path.stat().st_size
        if total > BOMB_TOTAL and total > BOMB_RATIO * real:
            raise FaceletError(f"{path} is {real:,} bytes but claims to hold {total:,}: refused as a zip bomb")
        yield packed


def read_member(packed: zipfile.ZipFile, name: str) -> bytes:
    """One file of a zip, no longer than its table of contents says. Raises FaceletError when missing or damaged."""
    where = f"{packed.filename}: {name}"
    try:
        info = packed.getinfo(name)
        with packed.open(info) as file:
            data = file.read(info.file_size)
    except KeyError as error:
        raise FaceletError(f"{where} is missing") from error
    except Exception as error:  # every kind of compression raises its own classes
        raise FaceletError(f"{where} is damaged ({error})") from error
    if len(data) != info.file_size:
        raise FaceletError(f"{where} is damaged ({len(data):,} of {info.file_size:,} bytes)")
    return data


def suffix(name: str) -> str:
    """ ".jpg" of "a/B.JPG"."""
    return os.path.splitext(name)[1].lower()


def _shown(name: str) -> bool:
    return not any(part.startswith(".") or part == "__MACOSX" for part in name.split("/"))


def _wrong(info: zipfile.ZipInfo) -> str:
    """What is wrong with one entry of a zip, "" when nothing is. ``orig_filename`` still has its backslashes."""
    parts = info.orig_filename.replace("\\", "/").split("/")
    if info.orig_filename.startswith(("/", "\\")) or ":" in parts[0] or "\0" in info.orig_filename:
        return "is an absolute path"
    if ".." in parts:
        return "leads out of the zip"
    if stat.S_ISLNK(info.external_attr >> 16):
        return "is a symbolic link"
    if info.flag_bits & 1:
        return "is encrypted"
    return f"would be {info.file_size:,} bytes long" if info.file_size > MAX_FILE and info.compress_type else ""


def _walk(root: Path) -> tuple[list[str], list[str]]:
    """Names of files and of folders under ``root``. A link to a file inside it is a file; other links are refused."""
    names, folders, todo = [], [], [""]
    true_root = root.resolve()
    while todo:
        folder = todo.pop()
        try:
            entries = list(os.scandir(root / folder))
        except OSError as error:
            raise FaceletError(f"cannot read {root / folder}: {error.strerror}") from error
        for entry in entries:
            name = f"{folder}/{entry.name}" if folder else entry.name
            if not _shown(name):
                continue
            try:
                name.encode()
                linked = entry.is_symlink()
                if linked and (entry.is_dir() or not Path(entry).resolve(strict=True).is_relative_to(true_root)):
                    raise FaceletError(
                        f"{root / name} is a symbolic link out of {root} or to a folder; copy the files there instead"
                    )
                if entry.is_dir():
                    folders.append(name)
                    todo.append(name)
                elif entry.is_file():
                    names.append(name)
            except UnicodeEncodeError as error:
                raise FaceletError(f"{root}: the file name {name!r} is not UTF-8; rename it") from error
            except (OSError, RuntimeError) as error:  # RuntimeError: a link that leads to itself
                raise FaceletError(f"{root / name} is a link that leads nowhere; remove it") from error
    return names, folders
