"""A gallery in a PostgreSQL database with pgvector, for several servers.

>>> storage = PostgresStorage(DatabaseUrl("postgresql://anna:secret@db.example/faces"), create=True)

The database searches: exactly, or with an HNSW index (https://arxiv.org/abs/1603.09320), which may
miss the most similar face. Lookalikes during an enrollment are always searched exactly.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import numpy as np

from facelet.errors import FaceletWarning
from facelet.runtime.people.enrolled import EnrolledFace, EnrolledPerson, GalleryModel, Vectors, parsed_time, timestamp
from facelet.runtime.people.storage import server
from facelet.runtime.people.storage.interface import Nearest
from facelet.runtime.people.storage.location import DatabaseUrl
from facelet.runtime.people.storage.search import NOBODY

INDEXED = 100_000
"""Number of faces above which an index is needed."""
WIDEST = 2000
"""Largest width of vectors that pgvector indexes."""
INDEX = "facelet_face_embedding"
EXAMINED = 200
"""Candidates that a search of the index keeps, hnsw.ef_search; see benchmarks/gallery.py for recall and time."""
BUILD_MEMORY = "512MB"
PAUSE = "1s"
"""Time to wait for the table before it is rewritten: readers queue behind this lock."""


class PostgresStorage:
    """Storage of a gallery in a database. It connects again after the server was restarted.

    Raises FaceletError as ``server.connect`` does.
    """

    def __init__(self, url: DatabaseUrl, create: bool = False) -> None:
        self.location = url
        self._connect(create)

    def _connect(self, create: bool = False) -> None:
        self._connection = server.connect(self.location, create)
        with server.explained(self.location):
            self._connection.execute(f"SET hnsw.ef_search = {EXAMINED}")

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def explained(self) -> Iterator[None]:
        if self._connection.closed:
            self._connect()
        with server.explained(self.location):
            yield

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self._connection.transaction():
            self._connection.execute("SELECT 1 FROM facelet_gallery FOR UPDATE")
            yield

    def model(self) -> tuple[GalleryModel, int] | None:
        found = self._connection.execute("SELECT sha256, file, dimensions FROM facelet_gallery").fetchone()
        return None if found is None or found[0] is None else (GalleryModel(*found[:2]), int(found[2]))

    def set_model(self, model: GalleryModel, width: int) -> None:
        if self._has_index():
            self._connection.execute(f"DROP INDEX {INDEX}")  # of the former width
        self._connection.execute(
            "UPDATE facelet_gallery SET (sha256, file, dimensions) = (%s, %s, %s)", (*model, width)
        )

    def retention(self) -> timedelta | None:
        found = self._connection.execute("SELECT retention_seconds FROM facelet_gallery").fetchone()
        return None if found is None or found[0] is None else timedelta(seconds=found[0])

    def set_retention(self, retention: timedelta | None) -> None:
        seconds = None if retention is None else int(retention.total_seconds())
        self._connection.execute("UPDATE facelet_gallery SET retention_seconds = %s", (seconds,))

    def empty(self) -> bool:
        return self._connection.execute("SELECT 1 FROM facelet_face LIMIT 1").fetchone() is None

    def count(self) -> int:
        (count,) = self._connection.execute("SELECT count(*) FROM facelet_face").fetchone() or (0,)
        return int(count)

    def people(self) -> list[EnrolledPerson]:
        query = "SELECT name, count(*), min(enrolled), max(enrolled) FROM facelet_face GROUP BY name"
        return [
            EnrolledPerson(name, count, timestamp(first), timestamp(last))
            for name, count, first, last in self._connection.execute(query)
        ]

    def faces(self, name: str = "") -> list[EnrolledFace]:
        where, values = ("WHERE name = %s", (name,)) if name else ("", ())
        query = f"SELECT name, photo, enrolled, embedding FROM facelet_face {where} ORDER BY id"
        return [
            EnrolledFace(name, photo, timestamp(enrolled), vector.to_numpy())
            for name, photo, enrolled, vector in self._connection.execute(query, values, binary=True)
        ]

    def oldest(self) -> str | None:
        (oldest,) = self._connection.execute("SELECT min(enrolled) FROM facelet_face").fetchone() or (None,)
        return None if oldest is None else timestamp(oldest)

    def insert(self, faces: Iterable[EnrolledFace]) -> None:
        copy = "COPY facelet_face (name, embedding, photo, enrolled) FROM STDIN WITH (FORMAT BINARY)"
        with self._connection.cursor() as cursor, cursor.copy(copy) as rows:
            rows.set_types(("text", "vector", "text", "timestamptz"))
            for face in faces:
                rows.write_row((face.name, face.vector, face.photo, parsed_time(face.enrolled)))

    def delete(self, name: str) -> int:
        return self._connection.execute("DELETE FROM facelet_face WHERE name = %s", (name,)).rowcount

    def delete_before(self, time: str) -> int:
        return self._connection.execute("DELETE FROM facelet_face WHERE enrolled < %s", (time,)).rowcount

    def nearest(self, vectors: Vectors, but: str = "") -> Nearest:
        model = self.model()
        if model is None:
            return [NOBODY] * len(vectors)
        # Without the cast to its width the index cannot be used, so a search that excludes a name is exact.
        column = "embedding" if but else _indexed(model[1])
        query = (
            f"SELECT name, -({column} <#> %(vector)b) FROM facelet_face {'WHERE name <> %(but)s' if but else ''} "
            f"ORDER BY {column} <#> %(vector)b LIMIT 1"
        )
        found = []
        for vector in np.asarray(vectors, np.float32):
            row = self._connection.execute(query, {"vector": vector, "but": but}).fetchone()
            found.append((row[0], min(1.0, max(-1.0, float(row[1])))) if row else NOBODY)
        return found

    def needs_index(self) -> bool:
        model = self.model()
        return model is not None and model[1] <= WIDEST and not self._has_index() and self.count() > INDEXED

    def index(self) -> None:
        model = self.model()
        if model is None or not self.needs_index():
            return
        with self.transaction():  # a second server waits for the first, and finds its index
            self._connection.execute(f"SET LOCAL maintenance_work_mem = '{BUILD_MEMORY}'")
            self._connection.execute(
                f"CREATE INDEX IF NOT EXISTS {INDEX} ON facelet_face USING hnsw (({_indexed(model[1])}) vector_ip_ops)"
            )

    def shrink(self) -> None:
        from psycopg import Error

        # Rewriting the table leaves no deleted bytes in its file. With an index that takes too long; the space is reused.
        try:
            full = "" if self._has_index() else "FULL"
            self._connection.execute(f"SET lock_timeout = '{PAUSE}'")
            try:
                self._connection.execute(f"VACUUM {full} facelet_face")
            finally:
                self._connection.execute(f"SET lock_timeout = '{server.WAIT}s'")
        except Error as error:  # the table is in use, above all
            reason = str(error).strip().partition("\n")[0]
            message = f"deleted; the server clears the space later: {self.location}: {reason}"
            warnings.warn(message, FaceletWarning, stacklevel=2)

    def _has_index(self) -> bool:
        query = "SELECT 1 FROM pg_indexes WHERE schemaname = current_schema() AND indexname = %s"
        return self._connection.execute(query, (INDEX,)).fetchone() is not None


def _indexed(width: int) -> str:
    """The indexed expression: pgvector indexes only vectors of a fixed width."""
    return f"(embedding::vector({width:d}))"
