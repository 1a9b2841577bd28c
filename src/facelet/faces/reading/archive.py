"""An archive: a folder or a zip of faces, read in one way. Zips are read in place and nothing is unpacked to disk.

>>> with open_archive("ferplus.zip") as archive:
...     data = archive.read(archive.names[0])

A file from someone else may be hostile, so what points out of the archive (absolute paths, ``..``, symbolic links),
stands in it twice, or swells beyond measure is refused before anything is read. It cannot tell whether the faces
themselves are honest.

Names are the same whatever made the archive: composed Unicode (NFC), forward slashes, no "./" before them.
"""

from __future__ import annotations

import os
import stat
import struct
import threading
import unicodedata
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from facelet.errors import FaceletError
from facelet.io.files import existing, read_bytes
from facelet.io.pixels import SUFFIXES

MAX_FILE = 1 << 30
BOMB_TOTAL, BOMB_RATIO = 1 << 30, 100

UTF8_NAME, UNICODE_PATH, UNIX = 0x800, 0x7075, 3
"""Of a zip's entry: the flag of a name in UTF-8, the extra field that repeats a name in UTF-8, the system that made it.
Source: PKWARE's APPNOTE.TXT, 4.4.4, 4.6.9 and 4.4.2."""


class Archive:
    """Files by name.

    Attributes:
        path: of the folder or zip.
        names: of all files but hidden ones, relative, with forward slashes, sorted.
        folders: of all folders, written likewise.
    """

    def __init__(
        self,
        path: Path,
        places: Mapping[str, str | zipfile.ZipInfo] | None,
        folders: Iterable[str],
        packed: zipfile.ZipFile | None,
    ) -> None:
        """``places``: where each file lies, by its name. None: they are not known, and whatever is in the folder may be read."""
        self.path = path
        self.names = tuple(sorted(filter(_shown, places or ())))
        self.folders = frozenset(filter(_shown, folders))
        self._places = None if places is None else {name: places[name] for name in self.names}
        self._root = os.path.join(os.path.realpath(path), "")
        self._packed = packed
        self._lock = threading.Lock()

    @property
    def images(self) -> tuple[str, ...]:
        """The names that end like an image."""
        return tuple(name for name in self.names if suffix(name) in SUFFIXES)

    def holds(self, name: str) -> bool:
        """Whether ``name`` is a file inside the archive, links out of it not counted."""
        return self._place(name) is not None

    def read(self, name: str) -> bytes:
        """The bytes of one file, from any thread. Raises FaceletError when they are missing, elsewhere or damaged."""
        place = self._place(name)
        if self._packed is None:
            if not isinstance(place, str) or not self._inside(place):
                raise FaceletError(f"{self.path} holds no file {name!r}")
            return read_bytes(self.path / place, MAX_FILE)
        if not isinstance(place, zipfile.ZipInfo):
            raise FaceletError(f"{self.path}: {name} is missing")
        with self._lock:
            return read_member(self._packed, place, name)

    def _place(self, name: str) -> str | zipfile.ZipInfo | None:
        if self._places is not None:
            return self._places.get(name)
        spellings = (name, *(unicodedata.normalize(form, name) for form in ("NFC", "NFD")))
        return next(filter(self._inside, spellings), None)

    def _inside(self, place: str) -> bool:
        """Whether a file of the folder is there, links out of it not counted."""
        file = os.path.join(self._root, place)
        return os.path.isfile(file) and os.path.realpath(file).startswith(self._root)


@contextmanager
def open_archive(path: str | Path) -> Iterator[Archive]:
    """The folder or zip at ``path``. Raises FaceletError when there is none, it is empty or it is not safe to read."""
    place = existing(path)
    if place.is_dir():
        yield Archive(place, *_walk(place), None)
        return
    with open_zip(place) as packed:
        entries = [(_spelled(info), info) for info in packed.infolist()]
        files = {_tidy(name): info for name, info in entries if not name.endswith("/")}
        folders = {str(parent) for name, _ in entries for parent in PurePosixPath(_tidy(name), "x").parents}
        yield Archive(place, files, folders - {".", *files}, packed)


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
        raise (broken(path, error) if broken else FaceletError(other)) from None
    except OSError as error:
        raise FaceletError(f"cannot read {path}: {error.strerror or error}") from None
    with packed:
        infos = packed.infolist()
        for info in infos:
            wrong = _wrong(info)
            if wrong:
                raise FaceletError(f"{path}: {_spelled(info)!r} {wrong}; pack the faces again without it")
        name, times = Counter(_tidy(_spelled(info)) for info in infos).most_common(1)[0] if infos else ("", 0)
        if times > 1:
            raise FaceletError(f"{path}: {name!r} is in the zip {times} times; names must be unique")
        total, real = sum(info.file_size for info in infos), path.stat().st_size
        if total > BOMB_TOTAL and total > BOMB_RATIO * real:
            raise FaceletError(f"{path} is {real:,} bytes but claims to hold {total:,}: refused as a zip bomb")
        yield packed


def read_member(packed: zipfile.ZipFile, member: str | zipfile.ZipInfo, name: str = "") -> bytes:
    """One file of a zip, no longer than its table of contents says; ``name`` is what errors call it.

    Raises FaceletError when it is missing or damaged.
    """
    where = f"{packed.filename}: {name or member}"
    try:
        info = packed.getinfo(member) if isinstance(member, str) else member
        with packed.open(info) as file:
            data = file.read(info.file_size)
    except KeyError:
        raise FaceletError(f"{where} is missing") from None
    except Exception as error:  # every kind of compression raises its own classes
        raise FaceletError(f"{where} is damaged ({error})") from None
    if len(data) != info.file_size:
        raise FaceletError(f"{where} is damaged ({len(data):,} of {info.file_size:,} bytes)")
    return data


def suffix(name: str) -> str:
    """ ".jpg" of "a/B.JPG"."""
    return os.path.splitext(name)[1].lower()


def _shown(name: str) -> bool:
    return not any(part.startswith(".") or part == "__MACOSX" for part in name.split("/"))


def _spelled(info: zipfile.ZipInfo) -> str:
    """The name of one entry as its maker meant it.

    `zip` writes UTF-8 on Linux and macOS without the flag that says so, which zipfile reads as code page 437. Old programs
    of Windows write that code page, and backslashes between folders.
    """
    flagged = bool(info.flag_bits & UTF8_NAME)
    raw = info.orig_filename.encode("utf-8" if flagged else "cp437")
    name = info.orig_filename
    if not flagged:
        with suppress(UnicodeDecodeError):
            name = (_unicode_path(info.extra, raw) or raw).decode("utf-8")
    return name if info.create_system == UNIX else name.replace("\\", "/")


def _unicode_path(extra: bytes, raw: bytes) -> bytes:
    """The name in an entry's extra field for Unicode, b"" when there is none or it is of another name than ``raw``."""
    while len(extra) >= 4:
        tag, length = struct.unpack("<HH", extra[:4])
        field, extra = extra[4 : 4 + length], extra[4 + length :]
        if tag == UNICODE_PATH and len(field) > 5 and field[:5] == struct.pack("<BL", 1, zlib.crc32(raw)):
            return field[5:]
    return b""


def _tidy(name: str) -> str:
    """Composed, and without empty parts and "."."""
    parts = unicodedata.normalize("NFC", name).split("/")
    return "/".join(part for part in parts if part not in ("", "."))


def _wrong(info: zipfile.ZipInfo) -> str:
    """What is wrong with one entry of a zip, "" when nothing is."""
    for name in (info.orig_filename.replace("\\", "/"), _spelled(info)):
        parts = name.split("/")
        if name.startswith("/") or ":" in parts[0] or "\0" in name:
            return "is an absolute path"
        if ".." in parts:
            return "leads out of the zip"
    if stat.S_ISLNK(info.external_attr >> 16):
        return "is a symbolic link"
    if info.flag_bits & 1:
        return "is encrypted"
    return f"would be {info.file_size:,} bytes long" if info.file_size > MAX_FILE and info.compress_type else ""


def _walk(root: Path) -> tuple[dict[str, str], list[str]]:
    """Files by name with their paths, and folders, under ``root``. A link to a file inside is a file; others are refused."""
    files: dict[str, str] = {}
    folders, todo = [], [""]
    true_root = root.resolve()
    while todo:
        folder = todo.pop()
        try:
            entries = list(os.scandir(root / folder))
        except OSError as error:
            raise FaceletError(f"cannot read {root / folder}: {error.strerror}") from None
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
                    folders.append(_tidy(name))
                    todo.append(name)
                elif entry.is_file():
                    if _tidy(name) in files:
                        raise FaceletError(
                            f"{root}: {_tidy(name)!r} is there twice, composed and decomposed; rename one"
                        )
                    files[_tidy(name)] = name
            except UnicodeEncodeError:
                raise FaceletError(f"{root}: the file name {name!r} is not UTF-8; rename it") from None
            except (OSError, RuntimeError):  # RuntimeError: a link that leads to itself
                raise FaceletError(f"{root / name} is a link that leads nowhere; remove it") from None
    return files, folders
