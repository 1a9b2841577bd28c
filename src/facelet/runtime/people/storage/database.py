"""The SQLite file of a gallery: its location, creation, integrity check and error messages.

>>> connection = connect(Path("people.db"), create=True)

A file is opened read-only until it is verified as an intact gallery, so a foreign or damaged file is never changed. The file
contains the face embeddings, so a new file is readable by its owner only.
"""

from __future__ import annotations

import os
import shlex
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from facelet.errors import FaceletError
from facelet.runtime.people.storage import location
from facelet.runtime.people.storage.interface import NoGalleryError

APPLICATION = int.from_bytes(b"Fclt")
VERSION = 2
"""Latest version of the file: 2 has the table of settings, 1 does not."""
WAIT = 10.0
"""Seconds to wait for the lock of another process."""

SCHEMA = (
    "CREATE TABLE model (sha256 TEXT NOT NULL, file TEXT NOT NULL, dimensions INTEGER NOT NULL)",
    "CREATE TABLE face (id INTEGER PRIMARY KEY, name TEXT NOT NULL, embedding BLOB NOT NULL, "
    "photo TEXT NOT NULL, enrolled TEXT NOT NULL)",
    "CREATE INDEX face_name ON face (name)",
)
"""Table ``model`` has at most one row. An embedding is little-endian float32, or encrypted; ``enrolled`` is UTC."""
SETTINGS = "CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID"
"""A table of galleries that are encrypted or have a retention time; other galleries keep the format of version 1."""


def connect(path: Path, create: bool = False, settings: Mapping[str, str] | None = None) -> sqlite3.Connection:
    """Opens a gallery for several threads, in autocommit mode; see ``transaction``. A new file gets the ``settings``.

    Raises FaceletError when the file is missing (without ``create``), not a gallery, damaged, of a later version or locked.
    """
    _require_file(path, create)
    with explained(path):
        if path.stat().st_size:
            _require_ours(path)
        connection = _opened(path, "mode=rw")
        try:
            if create and not _number(connection, "application_id"):
                _make(connection, settings or {})
            _require_whole(connection, path)
        except BaseException:
            connection.close()
            raise
        return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commits the block, or rolls it back on any exception; other processes wait."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def settings_of(connection: sqlite3.Connection) -> dict[str, str]:
    """The gallery's settings, by name."""
    return dict(connection.execute("SELECT name, value FROM setting")) if _has_settings(connection) else {}


def set_setting(connection: sqlite3.Connection, name: str, value: str | None) -> None:
    """Stores a setting within a transaction, or removes it."""
    if value is None:
        if _has_settings(connection):
            connection.execute("DELETE FROM setting WHERE name = ?", (name,))
        return
    if not _has_settings(connection):
        connection.execute(SETTINGS)
        connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", (name, value))


def _has_settings(connection: sqlite3.Connection) -> bool:
    return _number(connection, "user_version") >= VERSION


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turns SQLite's errors into FaceletErrors that name the gallery."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        raise FaceletError(_MEANING.get(code, "the gallery {path}: {error}").format(path=path, error=error)) from None


_DAMAGED = "the gallery {path} is damaged ({error}); it was not changed; restore a backup or use another gallery"
_MEANING = {
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: "{path} is not a gallery ({error}); it was not changed; use another file (--gallery FILE)",
    sqlite3.SQLITE_BUSY: "the gallery {path} is in use by another process; try again",
    sqlite3.SQLITE_LOCKED: "the gallery {path} is in use by another process; try again",
    sqlite3.SQLITE_FULL: "the disk is full: the gallery {path} was not changed; free space and try again",
    sqlite3.SQLITE_READONLY: "cannot write the gallery {path}: it is read-only",
    sqlite3.SQLITE_CANTOPEN: "cannot open the gallery {path}, or write to its folder: {error}",
}


def damaged(path: Path, reason: str) -> FaceletError:
    """The error for a damaged gallery."""
    return FaceletError(_DAMAGED.format(path=path, error=reason))


def _require_file(path: Path, create: bool) -> None:
    """Creates an empty file if ``create``. Raises FaceletError if there is no file, or without ``create`` an empty one."""
    try:
        if create and not path.exists():
            if not path.parent.exists() and path != location.usual():
                raise FaceletError(
                    f"the folder {str(path.parent)!r} of the gallery {str(path)!r} does not exist; correct --gallery or "
                    f"{location.VARIABLE}, or create the folder: mkdir -p {shlex.quote(str(path.parent))}"
                )
            path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
        if path.exists() and not path.is_file():
            raise FaceletError(f"{path} is not a file; expected a gallery")
        if not create and not (path.is_file() and path.stat().st_size):
            raise NoGalleryError(
                f"no gallery {str(path)!r}; create it with: facelet enroll NAME PHOTO (--gallery FILE)"
            )
    except (OSError, ValueError) as error:
        raise FaceletError(f"cannot open the gallery {path}: {getattr(error, 'strerror', None) or error}") from None


def _opened(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?{mode}"
    return sqlite3.connect(uri, timeout=WAIT, isolation_level=None, check_same_thread=False, uri=True)


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    return int(connection.execute(f"PRAGMA {pragma}").fetchone()[0])


def _require_ours(path: Path) -> None:
    """Verifies that a file is a gallery, without a lock or its journal, so that a foreign file is never rolled back."""
    with closing(_opened(path, "mode=ro&immutable=1")) as connection:
        # Reads the header even if a killed process left a truncated file, which the journal repairs later.
        connection.execute("PRAGMA writable_schema = ON")
        if _number(connection, "application_id") != APPLICATION:
            raise FaceletError(f"{path} is not a gallery; it was not changed; use another file (--gallery FILE)")
        if _number(connection, "user_version") > VERSION:
            raise FaceletError(f"the gallery {path} was made by a later Facelet; upgrade Facelet to use it")


def _make(connection: sqlite3.Connection, settings: Mapping[str, str]) -> None:
    connection.execute("BEGIN EXCLUSIVE")
    if not _number(connection, "application_id"):  # another process may have created it
        for statement in (f"PRAGMA application_id = {APPLICATION}", "PRAGMA user_version = 1", *SCHEMA):
            connection.execute(statement)
        for name, value in settings.items():
            set_setting(connection, name, value)
    connection.execute("COMMIT")


def _require_whole(connection: sqlite3.Connection, path: Path) -> None:
    """Raises FaceletError unless the pages and tables are intact; then configures the connection."""
    connection.execute("PRAGMA trusted_schema = OFF")
    (problem,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if problem != "ok":
        raise damaged(path, problem)
    tables = connection.execute("SELECT sql FROM sqlite_master").fetchall()
    expected = (*SCHEMA, SETTINGS) if _has_settings(connection) else SCHEMA
    if sorted(str(sql) for (sql,) in tables) != sorted(expected):
        raise damaged(path, "its tables are not a gallery's")
    connection.execute("PRAGMA secure_delete = ON")  # overwrites deleted data with zeros
    connection.execute("PRAGMA temp_store = MEMORY")  # VACUUM's copy must not be written to a file
    connection.execute("PRAGMA journal_mode = DELETE")
