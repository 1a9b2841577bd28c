"""The SQLite file of a gallery: its location, creation, integrity check and error messages.

>>> connection = connect(find("people.db"), create=True)

A file is opened read-only until it is verified as an intact gallery, so a foreign or damaged file is never changed. The file
contains the face embeddings, so a new file is readable by its owner only.
"""

from __future__ import annotations

import os
import shlex
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from facelet.errors import FaceletError

VARIABLE = "FACELET_GALLERY"
APPLICATION = int.from_bytes(b"Fclt")
VERSION = 1
WAIT = 10.0
"""Seconds to wait for the lock of another process."""

SCHEMA = (
    "CREATE TABLE model (sha256 TEXT NOT NULL, file TEXT NOT NULL, dimensions INTEGER NOT NULL)",
    "CREATE TABLE face (id INTEGER PRIMARY KEY, name TEXT NOT NULL, embedding BLOB NOT NULL, "
    "photo TEXT NOT NULL, enrolled TEXT NOT NULL)",
    "CREATE INDEX face_name ON face (name)",
)
"""Table ``model`` has at most one row. An embedding is little-endian float32; ``enrolled`` is UTC."""


def find(path: str | Path = "") -> Path:
    """Returns ``path``, else $FACELET_GALLERY, else gallery.db in the user's data folder."""
    named = path or os.environ.get(VARIABLE, "")
    return Path(named) if named else _usual()


def _usual() -> Path:
    from platformdirs import user_data_path

    return user_data_path("facelet") / "gallery.db"


def connect(path: Path, create: bool = False) -> sqlite3.Connection:
    """Opens a gallery for several threads, in autocommit mode; see ``transaction``.

    Raises FaceletError when the file is missing (without ``create``), not a gallery, damaged, of a later version or locked.
    """
    _require_file(path, create)
    with explained(path):
        if path.stat().st_size:
            _require_ours(path)
        connection = _opened(path, "mode=rw")
        try:
            if create and not _number(connection, "application_id"):
                _make(connection)
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
            if not path.parent.exists() and path != _usual():
                raise FaceletError(
                    f"the folder {str(path.parent)!r} of the gallery {str(path)!r} does not exist; correct --gallery or "
                    f"{VARIABLE}, or create the folder: mkdir -p {shlex.quote(str(path.parent))}"
                )
            path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
        if path.exists() and not path.is_file():
            raise FaceletError(f"{path} is not a file; expected a gallery")
        if not create and not (path.is_file() and path.stat().st_size):
            raise FaceletError(f"no gallery {str(path)!r}; create it with: facelet enroll NAME PHOTO (--gallery FILE)")
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


def _make(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN EXCLUSIVE")
    if not _number(connection, "application_id"):  # another process may have created it
        for statement in (
            f"PRAGMA application_id = {APPLICATION}",
            f"PRAGMA user_version = {VERSION}",
            *SCHEMA,
        ):
            connection.execute(statement)
    connection.execute("COMMIT")


def _require_whole(connection: sqlite3.Connection, path: Path) -> None:
    """Raises FaceletError unless the pages and tables are intact; then configures the connection."""
    connection.execute("PRAGMA trusted_schema = OFF")
    (problem,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if problem != "ok":
        raise damaged(path, problem)
    tables = connection.execute("SELECT sql FROM sqlite_master").fetchall()
    if sorted(str(sql) for (sql,) in tables) != sorted(SCHEMA):
        raise damaged(path, "its tables are not a gallery's")
    connection.execute("PRAGMA secure_delete = ON")  # overwrites deleted data with zeros
    connection.execute("PRAGMA temp_store = MEMORY")  # VACUUM's copy must not be written to a file
    connection.execute("PRAGMA journal_mode = DELETE")
