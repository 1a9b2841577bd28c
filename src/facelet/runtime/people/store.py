"""Storage of a gallery: named embeddings, changed in transactions, with exact nearest-neighbour search.

>>> store = EmbeddingStore(Path("people.db"), create=True)
>>> store.add("Anna", vectors, ["anna.jpg"], maker)  # unit vectors, float32 (N, D)
>>> store.nearest(vectors)                           # [("Anna", 1.0)]

The search is a brute-force product with a matrix in memory, so its time is linear in the number of faces; for millions of
faces use an index library instead.
"""

from __future__ import annotations

import sqlite3
import threading
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from facelet.errors import FaceletError, nearest
from facelet.runtime.people import database

LONGEST = 200
"""Maximum number of characters of a name."""
JOINERS = "\u200c\u200d"
"""Invisible characters that Persian, Hindi and other languages need."""
AT_ONCE = 64
LISTED = 2000
"""Maximum number of names searched for a suggestion."""

Vectors = NDArray[np.float32]


class GalleryModel(NamedTuple):
    """The model of a gallery's vectors: hash and name of its file."""

    sha256: str
    file: str


@dataclass(frozen=True)
class EnrolledPerson:
    """An enrolled person: number of faces, and when the first and the last were enrolled (ISO 8601, UTC)."""

    name: str
    faces: int
    first: str
    last: str


class EnrolledFace(NamedTuple):
    """An enrolled face: name, file name of the photo, time (ISO 8601, UTC), and unit vector, float32 (D,)."""

    name: str
    photo: str
    enrolled: str
    vector: Vectors


def checked_name(name: str) -> str:
    """Strips and NFC-normalizes a name. Raises FaceletError if it is empty, too long or has control characters.

    All other text is valid: quotes, slashes and SQL are stored unchanged.
    """
    clean = unicodedata.normalize("NFC", name.strip())
    if not clean:
        raise FaceletError(f"the name {name[:LONGEST]!r} is empty; expected 1 to {LONGEST} characters")
    if len(clean) > LONGEST:
        raise FaceletError(f"the name {clean[:20]!r}... has {len(clean)} characters; expected at most {LONGEST}")
    for letter in clean:
        if unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp") and letter not in JOINERS:
            raise FaceletError(f"the name {clean!r} has the control character {letter!r}; expected printable text")
    return clean


class EmbeddingStore:
    """An open gallery. Thread-safe, and safe to use from several processes.

    Raises FaceletError as ``database.connect`` does, and from every method if the file is damaged.
    """

    def __init__(self, file: Path, create: bool = False) -> None:
        self.file = file
        self._lock = threading.RLock()
        self._connection = database.connect(file, create)
        self._kept: tuple[int, list[str], Vectors] | None = None

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    @property
    def maker(self) -> GalleryModel | None:
        """The model of the enrolled faces; None for an empty gallery."""
        with self._using() as connection:
            if connection.execute("SELECT 1 FROM face LIMIT 1").fetchone() is None:
                return None
            found = connection.execute("SELECT sha256, file FROM model").fetchone()
            if found is None:
                raise database.damaged(self.file, "its model is missing")
            return GalleryModel(*found)

    def require(self, maker: GalleryModel) -> None:
        """Raises FaceletError if the faces were enrolled with another model, since their vectors cannot be compared."""
        own = self.maker
        if own is not None and own.sha256 != maker.sha256:
            raise FaceletError(
                f"the gallery {self.file} was made with {own.file} (SHA-256 {own.sha256[:12]}), not with "
                f"{maker.file} ({maker.sha256[:12]}), and vectors of two models cannot be compared; use that model, or enroll "
                f"again in a new gallery: facelet gallery export --gallery {self.file} (names), then facelet enroll NAME "
                "PHOTO... --gallery NEW"
            )

    def add(self, name: str, vectors: Vectors, photos: Sequence[str], maker: GalleryModel) -> int:
        """Enrolls all ``vectors`` (N, D) or none, without duplicates; returns the number of new faces."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        name = checked_name(name)
        with self._using() as connection, database.transaction(connection):
            self.require(maker)
            if self.maker is None:
                connection.execute("DELETE FROM model")
                connection.execute("INSERT INTO model VALUES (?, ?, ?)", (*maker, vectors.shape[1]))
            self._require_width(vectors)
            rows = [(name, vector.astype("<f4").tobytes()) for vector in vectors]
            before = len(self)
            connection.executemany(
                "INSERT INTO face (name, embedding, photo, enrolled) SELECT ?1, ?2, ?3, ?4 "
                "WHERE NOT EXISTS (SELECT 1 FROM face WHERE name = ?1 AND embedding = ?2)",
                [(*row, photo, now) for row, photo in zip(rows, photos, strict=True)],
            )
            added = len(self) - before
        self._kept = None
        return added

    def remove(self, names: Sequence[str]) -> dict[str, int]:
        """Deletes all faces of ``names`` and returns name -> number of faces. For an unknown name it deletes none and raises.

        The data are overwritten and the file is rewritten, so neither the file nor a journal keeps them.
        """
        names = list(dict.fromkeys(map(checked_name, names)))
        removed = {}
        with self._using() as connection:
            with database.transaction(connection):
                for name in names:
                    removed[name] = connection.execute("DELETE FROM face WHERE name = ?", (name,)).rowcount
                    if not removed[name]:
                        raise self._unknown(name)
            self._kept = None
            connection.execute("VACUUM")
        return removed

    def rename(self, name: str, new: str) -> int:
        """Renames a person and returns the number of faces. Raises FaceletError if ``name`` is unknown or ``new`` is enrolled."""
        name, new = checked_name(name), checked_name(new)
        with self._using() as connection, database.transaction(connection):
            if new != name and connection.execute("SELECT 1 FROM face WHERE name = ? LIMIT 1", (new,)).fetchone():
                raise FaceletError(f"{new!r} is already in the gallery {self.file}; remove or rename that person first")
            renamed = connection.execute("UPDATE face SET name = ? WHERE name = ?", (new, name)).rowcount
            if not renamed:
                raise self._unknown(name)
        self._kept = None
        return renamed

    def __len__(self) -> int:
        with self._using() as connection:
            return int(connection.execute("SELECT count(*) FROM face").fetchone()[0])

    def people(self) -> list[EnrolledPerson]:
        """All people, sorted by name."""
        query = "SELECT name, count(*), min(enrolled), max(enrolled) FROM face GROUP BY name ORDER BY name"
        with self._using() as connection:
            return [EnrolledPerson(*row) for row in connection.execute(query)]

    def faces(self) -> Iterator[EnrolledFace]:
        """All faces, sorted by name and order of enrollment."""
        query = "SELECT name, photo, enrolled, embedding FROM face ORDER BY name, id"
        with self._using() as connection:
            rows = connection.execute(query).fetchall()
        for name, photo, enrolled, blob in rows:
            yield EnrolledFace(name, photo, enrolled, np.frombuffer(blob, "<f4"))

    def nearest(self, vectors: Vectors, but: str = "") -> list[tuple[str, float]]:
        """Returns (name, cosine) of the most similar enrolled face for each of ``vectors`` (N, D), or ("", -1) without any.

        ``but``: a name whose faces are excluded.
        """
        with self._using():
            names, matrix = self._matrix()
            if not names:
                return [("", -1.0)] * len(vectors)
            self._require_width(vectors)
        own = np.fromiter((name == but for name in names), bool, len(names)) if but else None
        found = []
        for start in range(0, len(vectors), AT_ONCE):
            cosines = vectors[start : start + AT_ONCE] @ matrix.T
            if own is not None:
                cosines[:, own] = -np.inf
            for row, place in enumerate(cosines.argmax(axis=1)):
                best = float(cosines[row, place])
                found.append((names[place], min(1.0, max(-1.0, best))) if np.isfinite(best) else ("", -1.0))
        return found

    def _matrix(self) -> tuple[list[str], Vectors]:
        """Names and vectors (M, D), cached until the file changes."""
        (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        if self._kept is None or self._kept[0] != version:
            rows = self._connection.execute("SELECT name, embedding FROM face ORDER BY id").fetchall()
            width = self._width() if rows else 0
            if any(len(blob) != 4 * width for _, blob in rows):
                raise database.damaged(self.file, f"vectors of other lengths than {width}")
            matrix = np.frombuffer(b"".join(blob for _, blob in rows), "<f4").reshape(len(rows), width)
            if not np.allclose(np.einsum("ij,ij->i", matrix, matrix), 1, atol=1e-3):
                raise database.damaged(self.file, "vectors of another length than 1")
            self._kept = version, [name for name, _ in rows], matrix
        return self._kept[1:]

    def _width(self) -> int:
        found = self._connection.execute("SELECT dimensions FROM model").fetchone()
        if found is None:
            raise database.damaged(self.file, "its model is missing")
        return int(found[0])

    def _require_width(self, vectors: Vectors) -> None:
        if vectors.ndim != 2 or vectors.shape[1] != self._width():
            raise FaceletError(f"vectors of {vectors.shape}; the gallery {self.file} has (N, {self._width()})")

    def _unknown(self, name: str) -> FaceletError:
        query = "SELECT DISTINCT name FROM face ORDER BY name LIMIT ?"
        close = nearest(name, (row[0] for row in self._connection.execute(query, (LISTED,))))
        guess = f", did you mean {close!r}?" if close else ""
        return FaceletError(f"no {name!r} in the gallery {self.file}{guess}")

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        with self._lock, database.explained(self.file):
            yield self._connection
