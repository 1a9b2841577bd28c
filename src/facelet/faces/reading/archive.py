"""A common interface to folders and zips of faces. Zips are read in place, without unpacking to disk.

>>> with open_archive("ferplus.zip") as archive:
...     data = archive.read(archive.names[0])

An archive may be hostile, so paths out of it (absolute paths, ``..``, symbolic links), duplicate names and zip bombs raise an error
before any file is read.

Names do not depend on the program that wrote the archive: composed Unicode (NFC), forward slashes, no leading "./".
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
"""Flag of a zip entry with a UTF-8 name, tag of the extra field with the UTF-8 name, and code of the system that wrote it.
Source: PKWARE's APPNOTE.TXT, 4.4.4, 4.6.9 and 4.4.2."""


class Archive:
    """Files by name.

    Attributes:
        path: path of the folder or zip.
        names: relative names of all files except hidden ones, with forward slashes, sorted.
        folders: relative names of all folders except hidden ones.
    """

    def __init__(
        self,
        path: Path,
        places: Mapping[str, str | zipfile.ZipInfo] | None,
        folders: Iterable[str],
        packed: zipfile.ZipFile | None,
    ) -> None:
        """``places``: path or zip entry of each file, by name; None allows reading any file in the folder."""
        self.path = path
        self.names = tuple(sorted(filter(_shown, places or ())))
        self.folders = frozenset(filter(_shown, folders))
        self._places = None if places is None else {name: places[name] for name in self.names}
        self._root = os.path.join(os.path.realpath(path), "")
        self._packed = packed
        self._lock = threading.Lock()

    @property
    def images(self) -> tuple[str, ...]:
        """The names with an image suffix."""
        return tuple(name for name in self.names if suffix(name) in SUFFIXES)

    def holds(self, name: str) -> bool:
        """Whether ``name`` is a file inside the archive; links out of it do not count."""
        return self._place(name) is not None

    def read(self, name: str) -> bytes:
        """The bytes of a file; thread-safe. Raises FaceletError when it is missing, outside the archive or damaged."""
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
        """Whether a file exists in the folder; links out of it do not count."""
        file = os.path.join(self._root, place)
        return os.path.isfile(file) and os.path.realpath(file).startswith(self._root)


@contextmanager
def open_archive(path: str | Path) -> Iterator[Archive]:
    """Opens the folder or zip at ``path``. Raises FaceletError when it does not exist or is not safe to read."""
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
    """A folder without a directory scan, for sources with a list of files in a folder that may hold many others."""
    return Archive(folder, None, (), None)


@contextmanager
def open_zip(path: Path, broken: Callable[[Path, object], FaceletError] | None = None) -> Iterator[zipfile.ZipFile]:
    """Opens a zip after checking its table of contents. Raises FaceletError for unsafe entries and zip bombs.

    ``broken``: returns the error for a file that is not a complete zip, from the path and the reason.
    """
    try:
        packed = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, struct.error, EOFError, NotImplementedError, ValueError) as error:
        other = f"{path} is neither a folder nor a complete zip ({error}); unpack other archives first"
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
    """Bytes of a zip member, at most the size in the table of contents; ``name`` is used in errors.

    Raises FaceletError when it is missing or damaged.
    """
    where = f"{packed.filename}: {name or member}"
    try:
        info = packed.getinfo(member) if isinstance(member, str) else member
        with packed.open(info) as file:
            data = file.read(info.file_size)
    except KeyError:
        raise FaceletError(f"{where} is missing") from None
    except Exception as error:  # each compression method raises its own classes
        raise FaceletError(f"{where} is damaged ({error})") from None
    if len(data) != info.file_size:
        raise FaceletError(f"{where} is damaged ({len(data):,} of {info.file_size:,} bytes)")
    return data


def suffix(name: str) -> str:
    """The suffix of a name in lower case: ".jpg" of "a/B.JPG"."""
    return os.path.splitext(name)[1].lower()


def _shown(name: str) -> bool:
    return not any(part.startswith(".") or part == "__MACOSX" for part in name.split("/"))


def _spelled(info: zipfile.ZipInfo) -> str:
    """The correctly decoded name of an entry.

    `zip` on Linux and macOS writes UTF-8 without the flag for it, and zipfile then decodes it as code page 437. Old Windows
    programs write code page 437, with backslashes between folders.
    """
    flagged = bool(info.flag_bits & UTF8_NAME)
    raw = info.orig_filename.encode("utf-8" if flagged else "cp437")
    name = info.orig_filename
    if not flagged:
        with suppress(UnicodeDecodeError):
            name = (_unicode_path(info.extra, raw) or raw).decode("utf-8")
    return name if info.create_system == UNIX else name.replace("\\", "/")


def _unicode_path(extra: bytes, raw: bytes) -> bytes:
    """The name in an entry's Unicode extra field, or b"" when it is missing or belongs to another name than ``raw``."""
    while len(extra) >= 4:
        tag, length = struct.unpack("<HH", extra[:4])
        field, extra = extra[4 : 4 + length], extra[4 + length :]
        if tag == UNICODE_PATH and len(field) > 5 and field[:5] == struct.pack("<BL", 1, zlib.crc32(raw)):
            return field[5:]
    return b""


def _tidy(name: str) -> str:
    """A path in composed Unicode, without empty parts and "."."""
    parts = unicodedata.normalize("NFC", name).split("/")
    return "/".join(part for part in parts if part not in ("", "."))


def _wrong(info: zipfile.ZipInfo) -> str:
    """Reason to refuse an entry of a zip, or ""."""
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
    """Files by name with their paths, and folders, under ``root``. Links to files inside are allowed; others raise."""
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
                            f"{root}: {_tidy(name)!r} exists twice, in composed and decomposed Unicode; rename one"
                        )
                    files[_tidy(name)] = name
            except UnicodeEncodeError:
                raise FaceletError(f"{root}: the file name {name!r} is not UTF-8; rename it") from None
            except (OSError, RuntimeError):  # RuntimeError: a link to itself
                raise FaceletError(f"{root / name} is a broken link; remove it") from None
    return files, folders
