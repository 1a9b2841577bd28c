"""A gallery in a SQLite file, plain or encrypted, searched in memory.

>>> storage = SqliteStorage(Path("people.db"), create=True, key=key)  # encrypted; without a key plain

The vectors are read, and decrypted, once, and again after a change of the file. SQLite locks the file, so that several processes
of one machine may use it.
"""

from __future__ import annotations

import sqlite3
import warnings
from collections.abc import Iterable
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path

import numpy as np

from facelet.errors import FaceletWarning
from facelet.runtime.people.enrolled import EnrolledFace, EnrolledPerson, GalleryModel, Vectors
from facelet.runtime.people.storage import database, encryption, rows, search
from facelet.runtime.people.storage.interface import Nearest

COLUMNS = "name, embedding, photo, enrolled"
RETENTION = "retention_seconds"


class SqliteStorage:
    """Storage of a gallery in a file.

    Args:
        file: the file.
        create: make the file if it does not exist.
        key: 32 bytes; a new gallery is encrypted with it, and an encrypted gallery needs it.

    Raises FaceletError as ``database.connect`` does, and for a missing or wrong key.
    """

    def __init__(self, file: Path, create: bool = False, key: bytes | None = None) -> None:
        self.location = file
        self._connection = database.connect(file, create, encryption.new_settings(key) if create and key else {})
        self._kept: tuple[int, list[str], Vectors] | None = None
        try:
            with self.explained():
                self._rows = rows.rows_of(file, database.settings_of(self._connection), key)
        except ValueError:
            self._connection.close()
            raise database.damaged(file, "its encryption settings cannot be read") from None
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        self._connection.close()

    def explained(self) -> AbstractContextManager[None]:
        return database.explained(self.location)

    def transaction(self) -> AbstractContextManager[None]:
        return database.transaction(self._connection)

    def model(self) -> tuple[GalleryModel, int] | None:
        found = self._connection.execute("SELECT sha256, file, dimensions FROM model").fetchone()
        if found is None:
            return None
        if tuple(map(type, found)) != (str, str, int):
            raise database.damaged(self.location, "its model cannot be read")
        return GalleryModel(*found[:2]), found[2]

    def set_model(self, model: GalleryModel, width: int) -> None:
        self._connection.execute("DELETE FROM model")
        self._connection.execute("INSERT INTO model VALUES (?, ?, ?)", (*model, width))

    def retention(self) -> timedelta | None:
        seconds = database.settings_of(self._connection).get(RETENTION)
        try:
            return None if seconds is None else timedelta(seconds=int(seconds))
        except (ValueError, OverflowError):
            raise database.damaged(self.location, f"its retention time is {seconds!r}") from None

    def set_retention(self, retention: timedelta | None) -> None:
        seconds = None if retention is None else str(int(retention.total_seconds()))
        database.set_setting(self._connection, RETENTION, seconds)

    def empty(self) -> bool:
        return self._connection.execute("SELECT 1 FROM face LIMIT 1").fetchone() is None

    def count(self) -> int:
        return int(self._connection.execute("SELECT count(*) FROM face").fetchone()[0])

    def people(self) -> list[EnrolledPerson]:
        # One row of each person is read for the name, which may be encrypted.
        found = self._connection.execute(
            f"SELECT {COLUMNS}, faces, first, last FROM face JOIN (SELECT min(id) AS id, count(*) AS faces, "
            "min(enrolled) AS first, max(enrolled) AS last FROM face GROUP BY name) USING (id)"
        ).fetchall()
        names = [name for name, *_ in self._unpacked([row[:4] for row in found])]
        return [EnrolledPerson(name, *row[4:]) for name, row in zip(names, found, strict=True)]

    def faces(self, name: str = "") -> list[EnrolledFace]:
        where, values = ("WHERE name = ?", (self._rows.key(name),)) if name else ("", ())
        found = self._connection.execute(f"SELECT {COLUMNS} FROM face {where} ORDER BY id", values).fetchall()
        return [
            EnrolledFace(name, photo, enrolled, np.frombuffer(vector, "<f4"))
            for name, vector, photo, enrolled in self._unpacked(found)
        ]

    def oldest(self) -> str | None:
        (oldest,) = self._connection.execute("SELECT min(enrolled) FROM face").fetchone()
        return None if oldest is None else str(oldest)

    def insert(self, faces: Iterable[EnrolledFace]) -> None:
        self._kept, (model, _) = None, self._maker()
        packed = (self._rows.pack(face, model.sha256) for face in faces)
        self._connection.executemany(f"INSERT INTO face ({COLUMNS}) VALUES (?, ?, ?, ?)", packed)

    def delete(self, name: str) -> int:
        self._kept = None
        return self._connection.execute("DELETE FROM face WHERE name = ?", (self._rows.key(name),)).rowcount

    def delete_before(self, time: str) -> int:
        self._kept = None
        return self._connection.execute("DELETE FROM face WHERE enrolled < ?", (time,)).rowcount

    def nearest(self, vectors: Vectors, but: str = "") -> Nearest:
        return search.nearest(*self._matrix(), vectors, but)

    def needs_index(self) -> bool:
        return False

    def index(self) -> None:
        """The search in memory needs none."""

    def shrink(self) -> None:
        try:
            self._connection.execute("VACUUM")
        except sqlite3.Error as error:
            message = f"deleted and overwritten, but the gallery {self.location} stays as large as it was: {error}"
            warnings.warn(message, FaceletWarning, stacklevel=2)

    def _matrix(self) -> tuple[list[str], Vectors]:
        """Names and vectors (M, D), cached until the file changes."""
        (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        if self._kept is None or self._kept[0] != version:
            found = self._unpacked(self._connection.execute(f"SELECT {COLUMNS} FROM face ORDER BY id").fetchall())
            joined = b"".join(vector for _, vector, _, _ in found)
            matrix = np.frombuffer(joined, "<f4").reshape(len(found), self._maker()[1] if found else 0)
            if not np.allclose(np.einsum("ij,ij->i", matrix, matrix), 1, atol=1e-3):
                raise database.damaged(self.location, "vectors of another length than 1")
            self._kept = version, [name for name, *_ in found], matrix
        return self._kept[1:]

    def _unpacked(self, found: list[rows.Row]) -> list[rows.Row]:
        """Name, vector, photo and time of rows. Raises FaceletError for rows that no gallery writes."""
        if not found:
            return []
        model, width = self._maker()
        # By column, because a loop over the rows takes longer.
        if [set(map(type, column)) for column in zip(*found, strict=True)] != [{str}, {bytes}, {str}, {str}]:
            raise database.damaged(self.location, "rows of other types than a gallery's")
        try:
            faces = [self._rows.unpack(row, model.sha256) for row in found]
        except encryption.SealError:
            raise database.damaged(self.location, "an encrypted face is not authentic") from None
        if {len(vector) for _, vector, _, _ in faces} != {4 * width}:
            raise database.damaged(self.location, f"vectors of other lengths than {width}")
        return faces

    def _maker(self) -> tuple[GalleryModel, int]:
        model = self.model()
        if model is None:
            raise database.damaged(self.location, "its model is missing")
        return model
