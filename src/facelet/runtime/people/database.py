"""A gallery's file: SQLite, where it lies, how it is made, checked and opened, and what SQLite's errors mean.

>>> connection = connect(find("people.db"), create=True)

It is only read until it is known to be a gallery and whole: what is foreign or damaged is left as it is. Whoever can
read the file has the faces' vectors in it; a new one is readable by its owner alone.
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
"""Seconds that one process waits for another to finish."""

SCHEMA = (
    "CREATE TABLE model (sha256 TEXT NOT NULL, file TEXT NOT NULL, dimensions INTEGER NOT NULL)",
    "CREATE TABLE face (id INTEGER PRIMARY KEY, name TEXT NOT NULL, embedding BLOB NOT NULL, "
    "photo TEXT NOT NULL, enrolled TEXT NOT NULL)",
    "CREATE INDEX face_name ON face (name)",
)
"""One model at most; of a face its vector as little-endian float32, the name of its photo's file, when (UTC)."""


def find(path: str | Path = "") -> Path:
    """The gallery's file: ``path``, else $FACELET_GALLERY, else gallery.db in the user's data folder."""
    named = path or os.environ.get(VARIABLE, "")
    return Path(named) if named else _usual()


def _usual() -> Path:
    from platformdirs import user_data_path

    return user_data_path("facelet") / "gallery.db"


def connect(path: Path, create: bool = False) -> sqlite3.Connection:
    """The open gallery, for use by several threads; outside ``transaction`` every statement stands alone.

    Raises FaceletError when it is missing (and not to be made), foreign, damaged, of a later Facelet or in use.
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
    """All of the block or nothing of it, whatever ends it; other processes wait."""
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


_DAMAGED = "the gallery {path} is damaged ({error}); it was left as it is, go back to a copy of it or take another"
_MEANING = {
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: "{path} is not a gallery ({error}); it was left as it is, take another (--gallery FILE)",
    sqlite3.SQLITE_BUSY: "the gallery {path} is in use by another process; try again",
    sqlite3.SQLITE_LOCKED: "the gallery {path} is in use by another process; try again",
    sqlite3.SQLITE_FULL: "the disk is full: the gallery {path} was not changed; free some space, then try again",
    sqlite3.SQLITE_READONLY: "cannot write the gallery {path}: it is read-only",
    sqlite3.SQLITE_CANTOPEN: "cannot open the gallery {path}, or write beside it: {error}",
}


def damaged(path: Path, reason: str) -> FaceletError:
    """The error for a damaged gallery."""
    return FaceletError(_DAMAGED.format(path=path, error=reason))


def _require_file(path: Path, create: bool) -> None:
    """Makes an empty file when ``create``; raises FaceletError unless there is a file, and one not empty to be read."""
    try:
        if create and not path.exists():
            if not path.parent.exists() and path != _usual():
                raise FaceletError(
                    f"there is no folder {str(path.parent)!r} for the gallery {str(path)!r}; correct --gallery or {VARIABLE}, "
                    f"or make the folder: mkdir -p {shlex.quote(str(path.parent))}"
                )
            path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
        if path.exists() and not path.is_file():
            raise FaceletError(f"{path} is not a file; expected a gallery")
        if not create and not (path.is_file() and path.stat().st_size):
            raise FaceletError(f"no gallery {str(path)!r}; it is made by: facelet enroll NAME PHOTO (--gallery FILE)")
    except (OSError, ValueError) as error:
        raise FaceletError(f"cannot open the gallery {path}: {getattr(error, 'strerror', None) or error}") from None


def _opened(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?{mode}"
    return sqlite3.connect(uri, timeout=WAIT, isolation_level=None, check_same_thread=False, uri=True)


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    return int(connection.execute(f"PRAGMA {pragma}").fetchone()[0])


def _require_ours(path: Path) -> None:
    """Looked at without a lock and without its journal, so that nothing of a foreign file is rolled back."""
    with closing(_opened(path, "mode=ro&immutable=1")) as connection:
        # Reads the header even where a killed process left fewer pages than it says: the journal mends that later.
        connection.execute("PRAGMA writable_schema = ON")
        if _number(connection, "application_id") != APPLICATION:
            raise FaceletError(
                f"{path} is not a gallery but something else; it was left as it is, take another (--gallery FILE)"
            )
        if _number(connection, "user_version") > VERSION:
            raise FaceletError(f"the gallery {path} was made by a later Facelet; upgrade Facelet to use it")


def _make(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN EXCLUSIVE")
    if not _number(connection, "application_id"):  # another process may have been first
        for statement in (
            f"PRAGMA application_id = {APPLICATION}",
            f"PRAGMA user_version = {VERSION}",
            *SCHEMA,
        ):
            connection.execute(statement)
    connection.execute("COMMIT")


def _require_whole(connection: sqlite3.Connection, path: Path) -> None:
    """Raises FaceletError unless pages and tables are those of a gallery; then sets how it is used."""
    connection.execute("PRAGMA trusted_schema = OFF")
    (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise damaged(path, found)
    tables = connection.execute("SELECT sql FROM sqlite_master").fetchall()
    if sorted(str(sql) for (sql,) in tables) != sorted(SCHEMA):
        raise damaged(path, "its tables are not a gallery's")
    connection.execute("PRAGMA secure_delete = ON")  # what is deleted is overwritten with zeros
    connection.execute("PRAGMA temp_store = MEMORY")  # VACUUM makes a copy: not in a file of its own
    connection.execute("PRAGMA journal_mode = DELETE")
