"""Enrolls people in a gallery and identifies them in other photos.

>>> with Gallery("people.db", model="mobileface.onnx") as gallery:
...     gallery.enroll("Anna", ["anna-1.jpg", "anna-2.jpg"])
...     for match in gallery.identify("party.jpg"):
...         print(match.name, match.score, match.face.box)
...     gallery.rename("Anna", "Anna Smith")
...     gallery.remove("Anna Smith")

The name is that of the most similar enrolled face, if its score reaches the threshold; false matches become more frequent with
the number of enrolled people. Enroll only people who have agreed to it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from facelet.errors import FaceletError
from facelet.runtime.analyzer import Analyzer, Photo
from facelet.runtime.detector import Finder
from facelet.runtime.face import Face
from facelet.runtime.model import Model
from facelet.runtime.people import subject
from facelet.runtime.people.enrolled import EnrolledFace, EnrolledPerson, GalleryModel, checked_name
from facelet.runtime.people.results import Enrollment, Lookalike, Match
from facelet.runtime.people.storage import keys, location
from facelet.runtime.people.storage.interface import NoGalleryError
from facelet.runtime.people.store import EmbeddingStore
from facelet.runtime.people.subject import Subject
from facelet.text import plain


class Gallery:
    """Enrolled people in a SQLite file or a PostgreSQL database, with the model that computed their vectors.

    Thread-safe: all threads of a process may share one Gallery. They analyze photos in parallel and take turns at the storage. Each
    change is made as a whole or not at all. Several processes may use one file, and several machines one database; the next call
    of each sees what another has changed.

    Args:
        file: a file, or the URL of a database, postgresql://USER:PASSWORD@HOST/DATABASE; default: $FACELET_GALLERY, else
            gallery.db in the user's data folder. Created by the first ``enroll``.
        model: an identity model: a file, a name or a loaded model; see ``verify``. It is opened on first use; ``people``,
            ``faces`` and ``remove`` do not need it.
        detector: see Analyzer.
        threshold: minimum cosine for a match; default: the threshold stored in the model file.
        threads: number of ONNX Runtime threads; 0 uses all cores.
        retention: stored in the gallery: delete faces that are older; default: the stored time, at first none.
        key: file with the key of an encrypted gallery, see `facelet gallery key`; default: the key in $FACELET_GALLERY_KEY. A new
            file is encrypted if there is a key.
        on_expired: called with the number of faces after each deletion by time, in the thread that noticed it.

    Attributes:
        file: the file or URL; ``str`` shows a URL without its password.

    Methods raise FaceletError when the gallery does not exist, is damaged, locked, cannot be reached, was made with another
    model, or needs another key.
    """

    def __init__(
        self,
        file: str | Path = "",
        model: Model | str | Path = "",
        detector: Finder | str | Path = "",
        threshold: float | None = None,
        threads: int = 0,
        retention: timedelta | None = None,
        key: str | Path = "",
        on_expired: Callable[[int], object] = lambda faces: None,
    ) -> None:
        self.file = location.find(file)
        self._lock = threading.Lock()
        self._key, self._retention = key, retention
        self._options = model, detector, threads
        self._threshold, self._on_expired = threshold, on_expired
        self._analyzer: Analyzer | None = None
        self._store: EmbeddingStore | None = None

    def __enter__(self) -> Gallery:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file or the connection, and ends the deletion by time. A later call opens it again."""
        with self._lock:
            if self._store is not None:
                self._store.close()
                self._store = None

    @property
    def analyzer(self) -> Analyzer:
        """Detector and identity model."""
        with self._lock:
            if self._analyzer is None:
                self._analyzer = subject.identity_analyzer(*self._options)
            return self._analyzer

    @property
    def threshold(self) -> float:
        """Minimum cosine for a match. Raises FaceletError if neither the caller nor the model file gives one."""
        return subject.threshold_of(self.analyzer.model, self._threshold)

    def exists(self) -> bool:
        """Whether the gallery was created; it may be empty. Raises FaceletError if it cannot be opened."""
        try:
            self._open()
        except NoGalleryError:
            return False
        return True

    @property
    def model(self) -> GalleryModel | None:
        """Model with which the faces were enrolled; None for an empty gallery."""
        return self._open().maker

    def enroll(
        self, name: str, photos: Photo | Iterable[Photo], largest: bool = False, small: bool = False
    ) -> Enrollment:
        """Adds the face of each photo under ``name``: all of them, or none when one fails.

        Args:
            name: 1 to 200 printable characters; for an enrolled person the faces are added.
            photos: photos with one face each.
            largest: use the largest face of a photo with several faces; otherwise such a photo is an error.
            small: also accept faces smaller than half of ``ModelInfo.measured_from``, and those with ``Quality.reasons``.

        Raises FaceletError for an invalid name, and for a photo that cannot be read, has no face, several faces or only a
        small one.
        """
        name, maker = checked_name(name), self._maker()
        with suppress(NoGalleryError):
            self._open().require(maker)  # before photos are read
        several = [photos] if isinstance(photos, str | os.PathLike | bytes | np.ndarray) else list(photos)
        if not several:
            raise FaceletError(f"no photo of {name!r} given")
        subjects = [subject.only_face(self.analyzer, photo, largest) for photo in several]
        if not small:
            subject.require_size(subjects, self.analyzer.model.info)
        return self.add(name, subjects)

    def add(self, name: str, subjects: Sequence[Subject]) -> Enrollment:
        """Same as ``enroll``, for faces that were found before; their size is not checked."""
        name, maker = checked_name(name), self._maker()
        notes = [person.note for person in subjects if person.note]
        limit = float("inf")
        if self._threshold is None and self.analyzer.model.info.threshold is None:
            notes.append("the model has no threshold: not checked whether the face is enrolled under another name")
        else:
            limit = self.threshold
        vectors, photos = np.stack([person.vector for person in subjects]), [person.photo for person in subjects]
        added = self._open(create=True).add(name, vectors, photos, maker)
        likeness = zip(photos, added.others, strict=True)
        alike = [Lookalike(photo, *other) for photo, other in likeness if other[1] >= limit]
        return Enrollment(name, added.faces, len(subjects) - added.faces, tuple(alike), tuple(notes))

    def identify(self, photo: Photo) -> list[Match]:
        """Matches the faces of a photo, largest first; empty without a face. Raises as ``ready`` does."""
        self.ready()
        return self.matches(self.analyzer.analyze(photo))

    def matches(self, faces: Sequence[Face]) -> list[Match]:
        """Matches faces that have identity vectors of this gallery's model."""
        limit = self.threshold
        return [
            match if match.score >= limit else Match(match.face, None, match.score) for match in self.nearest(faces)
        ]

    def nearest(self, faces: Sequence[Face]) -> list[Match]:
        """Same as ``matches``, with the most similar person's name even below the threshold; None in an empty gallery."""
        if not faces:
            return []
        vectors = [face.identity for face in faces if face.identity is not None]
        found = self._open().nearest(np.stack(vectors))
        return [Match(face, name or None, score) for face, (name, score) in zip(faces, found, strict=True)]

    def ready(self) -> None:
        """Raises FaceletError if the gallery is empty, was made with another model, or the model has no threshold."""
        maker, _ = self._maker(), self.threshold
        store = self._open()
        if store.maker is None:
            raise FaceletError(f"the gallery {self.file} is empty; start with: facelet enroll NAME PHOTO")
        store.require(maker)

    def remove_face(self, name: str, vector: NDArray[np.float32]) -> bool:
        """Deletes one face of a person permanently; False when they have no face with this vector. Other faces stay."""
        return self._open().remove_face(name, vector)

    def remove(self, *names: str, missing_ok: bool = False) -> dict[str, int]:
        """Deletes people permanently, and returns name -> number of faces.

        An unknown name raises UnknownPersonError, and nobody is deleted; with ``missing_ok`` it is left out.
        """
        return self._open().remove(names, missing_ok)

    def rename(self, name: str, new: str, merge: bool = False) -> int:
        """Gives the faces of a person another name, and returns the number of faces of ``new``.

        ``merge``: also if ``new`` is enrolled, who then has the faces of both; otherwise that raises NameInUseError. Raises
        UnknownPersonError for an unknown ``name``.
        """
        return self._open().rename(name, new, merge)

    @property
    def retention(self) -> timedelta | None:
        """How long faces are kept, as stored in the gallery; None keeps them forever."""
        return self._open().retention

    def set_retention(self, retention: timedelta | None) -> None:
        """Stores how long faces are kept, and deletes those that are older.

        Afterwards they are deleted when the gallery is used, and every minute while the process has it open.
        """
        self._open().set_retention(retention)

    def people(self) -> list[EnrolledPerson]:
        """All enrolled people, sorted by name."""
        return self._open().people()

    def faces(self) -> Iterator[EnrolledFace]:
        """All enrolled faces with their vectors, sorted by name."""
        return self._open().faces()

    def _maker(self) -> GalleryModel:
        model = self.analyzer.model
        return GalleryModel(model.sha256, plain(model.path.name))

    def _open(self, create: bool = False) -> EmbeddingStore:
        with self._lock:
            if self._store is None:
                store = EmbeddingStore(self.file, create, keys.find_key(self._key), on_expired=self._on_expired)
                try:
                    if self._retention not in (None, store.retention):
                        store.set_retention(self._retention)
                except BaseException:
                    store.close()
                    raise
                self._store = store
            return self._store
