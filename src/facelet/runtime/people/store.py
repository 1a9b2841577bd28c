"""The rules of a gallery, the same for every storage: models that do not mix, no duplicates, deletion, renaming, retention.

>>> store = EmbeddingStore(Path("people.db"), create=True)
>>> store.add("Anna", vectors, ["anna.jpg"], maker).faces  # unit vectors, float32 (N, D)
1
>>> store.nearest(vectors)
[('Anna', 1.0)]
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np

from facelet.errors import FaceletError, FaceletWarning
from facelet.runtime.people import retention as times
from facelet.runtime.people.enrolled import (
    EnrolledFace,
    EnrolledPerson,
    GalleryModel,
    NameInUseError,
    UnknownPersonError,
    Vectors,
    checked_name,
    timestamp,
    unseen,
)
from facelet.runtime.people.storage.interface import Nearest, Storage
from facelet.runtime.people.storage.location import DatabaseUrl
from facelet.runtime.people.storage.opening import open_storage
from facelet.runtime.people.storage.search import NOBODY

SWEEP = timedelta(minutes=1)
"""Time between two deletions of faces older than the retention time."""


class Added(NamedTuple):
    """Result of ``add``: the number of new faces, and the most similar face of another name for each vector."""

    faces: int
    others: Nearest


class EmbeddingStore:
    """An open gallery. Thread-safe: calls take turns. Safe to use from several processes, whose changes take turns, too.

    Faces older than the retention time are deleted when the gallery is opened, before the first call of each minute, and, while
    the process is idle, every minute.

    Args:
        location: a file or the URL of a database.
        create: make the gallery if it does not exist.
        key: 32 bytes of an encrypted gallery.
        clock: returns the current time.
        on_expired: called with the number of faces after each deletion by time.

    Raises FaceletError as ``open_storage`` does, and from every method if the gallery is damaged or cannot be reached.
    """

    def __init__(
        self,
        location: Path | DatabaseUrl,
        create: bool = False,
        key: bytes | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        on_expired: Callable[[int], object] = lambda faces: None,
    ) -> None:
        self.location = location
        self._clock, self._on_expired = clock, on_expired
        self._lock = threading.RLock()
        self._closed = False
        self._swept: datetime | None = None
        self._sweeper: times.Sweeper | None = None
        self._storage = open_storage(location, create, key)
        try:
            self.expire()
        except BaseException:
            self._storage.close()
            raise

    def close(self) -> None:
        with self._lock:
            self._closed = True
            if self._sweeper is not None:
                self._sweeper.stop()
            self._storage.close()

    @property
    def maker(self) -> GalleryModel | None:
        """The model of the enrolled faces; None for an empty gallery."""
        with self._using() as storage:
            return self._maker(storage)

    def require(self, maker: GalleryModel) -> None:
        """Raises FaceletError if the faces were enrolled with another model, since their vectors cannot be compared."""
        with self._using() as storage:
            self._require(storage, maker)

    def _require(self, storage: Storage, maker: GalleryModel) -> None:
        own = self._maker(storage)
        if own is not None and own.sha256 != maker.sha256:
            raise FaceletError(
                f"the gallery {self.location} was made with {own.file} (SHA-256 {own.sha256[:12]}), not with "
                f"{maker.file} ({maker.sha256[:12]}), and vectors of two models cannot be compared; use that model, or enroll "
                f"again in a new gallery: facelet gallery export --gallery {self.location} (names), then facelet enroll NAME "
                "PHOTO... --gallery NEW"
            )

    def add(self, name: str, vectors: Vectors, photos: Sequence[str], maker: GalleryModel) -> Added:
        """Enrolls all ``vectors`` (N, D) or none, without duplicates, and finds the faces of other people most similar to them."""
        name, now, vectors = checked_name(name), timestamp(self._clock()), np.asarray(vectors, "<f4")
        faces = [EnrolledFace(name, photo, now, vector) for photo, vector in zip(photos, vectors, strict=True)]
        with self._using() as storage:
            with storage.transaction():
                self._require(storage, maker)
                if storage.empty():
                    storage.set_model(maker, vectors.shape[1])
                self._require_width(vectors, storage)
                others = storage.nearest(vectors, name)
                new = unseen(storage.faces(name), faces)
                storage.insert(new)
            if storage.needs_index():
                message = (
                    f"the gallery {self.location} is large; an index makes its search faster: facelet gallery index"
                )
                warnings.warn(message, FaceletWarning, stacklevel=3)
        return Added(len(new), others)

    def remove(self, names: Sequence[str], missing_ok: bool = False) -> dict[str, int]:
        """Deletes the faces of ``names`` and returns name -> number of faces. A file is rewritten, and keeps none of the data.

        For an unknown name it deletes none and raises UnknownPersonError; with ``missing_ok`` it leaves the name out.
        """
        names = list(dict.fromkeys(map(checked_name, names)))
        removed = {}
        with self._using() as storage:
            with storage.transaction():
                for name in names:
                    if faces := storage.delete(name):
                        removed[name] = faces
                    elif not missing_ok:
                        raise UnknownPersonError(name, self.location, storage.people())
            if removed:
                storage.shrink()
        return removed

    def remove_face(self, name: str, vector: Vectors) -> bool:
        """Deletes the face of ``name`` with this vector, as permanently as ``remove``; False when there is none."""
        with self._using() as storage:
            with storage.transaction():
                faces = storage.faces(checked_name(name))
                others = [face for face in faces if not np.array_equal(face.vector, vector)]
                if removed := len(others) < len(faces):
                    storage.delete(faces[0].name)
                    storage.insert(others)
            if removed:
                storage.shrink()
        return removed

    def rename(self, name: str, new: str, merge: bool = False) -> int:
        """Gives the faces of a person another name, and returns the number of faces of ``new``.

        The times of enrollment stay, so the retention time does not start again. ``merge``: add the faces to a person who is
        enrolled already; otherwise that raises NameInUseError. Raises UnknownPersonError for an unknown ``name``.
        """
        name, new = checked_name(name), checked_name(new)
        with self._using() as storage:
            with storage.transaction():
                faces, present = storage.faces(name), storage.faces(new)
                if not faces:
                    raise UnknownPersonError(name, self.location, storage.people())
                if name == new:
                    return len(faces)
                if present and not merge:
                    raise NameInUseError(new, self.location)
                storage.delete(name)
                moved = unseen(present, [face._replace(name=new) for face in faces])
                storage.insert(moved)
            storage.shrink()
        return len(present) + len(moved)

    @property
    def retention(self) -> timedelta | None:
        """How long faces are kept; None keeps them forever."""
        with self._using() as storage:
            return storage.retention()

    def set_retention(self, retention: timedelta | None) -> None:
        """Stores how long faces are kept, and deletes those that are older."""
        checked = None if retention is None else times.checked(retention)
        with self._using() as storage:
            with storage.transaction():
                storage.set_retention(checked)
            self._expire(storage)

    def expire(self) -> int:
        """Deletes the faces that are older than the retention time, and returns their number."""
        with self._lock:
            if self._closed:
                return 0
            with self._storage.explained():
                return self._expire(self._storage)

    def __len__(self) -> int:
        with self._using() as storage:
            return storage.count()

    def people(self) -> list[EnrolledPerson]:
        """All people, sorted by name."""
        with self._using() as storage:
            return sorted(storage.people(), key=lambda person: person.name)

    def faces(self) -> Iterator[EnrolledFace]:
        """All faces, sorted by name and order of enrollment."""
        with self._using() as storage:
            found = storage.faces()
        yield from sorted(found, key=lambda face: face.name)

    def nearest(self, vectors: Vectors, but: str = "") -> Nearest:
        """Returns (name, cosine) of the most similar enrolled face for each of ``vectors`` (N, D), or ("", -1) without any.

        ``but``: a name whose faces are excluded.
        """
        with self._using() as storage:
            if storage.empty():
                return [NOBODY] * len(vectors)
            self._require_width(vectors, storage)
            return storage.nearest(vectors, but)

    def index(self) -> bool:
        """Builds the index of a large gallery, and returns whether it was needed. It may take minutes, and writers wait."""
        with self._using() as storage:
            needed = storage.needs_index()
            storage.index()
        return needed

    def copy_to(self, target: EmbeddingStore) -> int:
        """Copies faces, dates, model and retention time to an empty gallery, all or none; returns the number of faces."""
        with self._using() as source:
            model, faces, retention = source.model(), source.faces(), source.retention()
        with target._using() as storage:
            with storage.transaction():
                if not storage.empty():
                    raise FaceletError(f"the gallery {target.location} has enrolled people; copy into a new gallery")
                storage.set_retention(retention)
                if model is not None and faces:
                    storage.set_model(*model)
                    storage.insert(faces)
            storage.index()
        return len(faces)

    def _maker(self, storage: Storage) -> GalleryModel | None:
        return None if storage.empty() else self._model(storage)[0]

    def _model(self, storage: Storage) -> tuple[GalleryModel, int]:
        model = storage.model()
        if model is None:
            raise FaceletError(f"the gallery {self.location} is damaged (its model is missing); restore a backup")
        return model

    def _require_width(self, vectors: Vectors, storage: Storage) -> None:
        _, width = self._model(storage)
        if vectors.ndim != 2 or vectors.shape[1] != width:
            raise FaceletError(f"vectors of {vectors.shape}; the gallery {self.location} has (N, {width})")

    def _expire(self, storage: Storage) -> int:
        self._swept = now = self._clock()
        retention = storage.retention()
        if retention is None:
            return 0
        if self._sweeper is None:
            self._sweeper = times.Sweeper(self.expire, SWEEP.total_seconds())
        limit, oldest = timestamp(now - retention), storage.oldest()
        if oldest is None or oldest >= limit:
            return 0
        with storage.transaction():
            deleted = storage.delete_before(limit)
        self._on_expired(deleted)
        storage.shrink()
        return deleted

    @contextmanager
    def _using(self) -> Iterator[Storage]:
        with self._lock:
            if self._closed:
                raise FaceletError(f"the gallery {self.location} was closed")
            with self._storage.explained():
                if self._swept is None or not timedelta() <= self._clock() - self._swept < SWEEP:
                    self._expire(self._storage)
                yield self._storage
