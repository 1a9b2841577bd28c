"""What a gallery needs from its storage; the rules are in ``facelet.runtime.people.store``, once for all storages.

A storage keeps rows and knows no rules: it accepts any name and vector that the store has verified, and is called by one thread at
a time.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from facelet.errors import FaceletError
from facelet.runtime.people.enrolled import EnrolledFace, EnrolledPerson, GalleryModel, Vectors
from facelet.runtime.people.storage.location import DatabaseUrl

Nearest = list[tuple[str, float]]
"""(name, cosine) of the most similar enrolled face of each vector; ("", -1) without any."""


class NoGalleryError(FaceletError):
    """There is no gallery at this location yet."""


class Storage(Protocol):
    """An open gallery. Its methods are called within ``explained``, changes also within ``transaction``."""

    @property
    def location(self) -> Path | DatabaseUrl:
        """The file or the URL."""

    def close(self) -> None:
        """Closes file or connection."""

    def explained(self) -> AbstractContextManager[None]:
        """Turns the library's errors into FaceletErrors that name the gallery, without a password."""

    def transaction(self) -> AbstractContextManager[None]:
        """Commits the block, or rolls it back on any exception; other writers wait."""

    def model(self) -> tuple[GalleryModel, int] | None:
        """The model of the vectors, and their width; None before the first face."""

    def set_model(self, model: GalleryModel, width: int) -> None:
        """Sets model and width of a gallery without faces."""

    def retention(self) -> timedelta | None:
        """How long faces are kept; None keeps them forever."""

    def set_retention(self, retention: timedelta | None) -> None:
        """Stores how long faces are kept; it deletes nothing."""

    def empty(self) -> bool:
        """Whether there are no faces."""

    def count(self) -> int:
        """Number of faces."""

    def people(self) -> list[EnrolledPerson]:
        """All people, in any order."""

    def faces(self, name: str = "") -> list[EnrolledFace]:
        """The faces of a person, or all, in the order of their enrollment."""

    def oldest(self) -> str | None:
        """Time of the first enrollment; None without faces."""

    def insert(self, faces: Iterable[EnrolledFace]) -> None:
        """Adds faces."""

    def delete(self, name: str) -> int:
        """Deletes a person and returns the number of faces."""

    def delete_before(self, time: str) -> int:
        """Deletes the faces enrolled before a time (ISO 8601, UTC) and returns their number."""

    def nearest(self, vectors: Vectors, but: str = "") -> Nearest:
        """Searches the most similar faces, except those of the name ``but``."""

    def needs_index(self) -> bool:
        """Whether an index would make the search faster."""

    def index(self) -> None:
        """Builds the index, if it is needed; called outside a transaction."""

    def shrink(self) -> None:
        """Removes the bytes of deleted faces; called outside a transaction.

        The deletion is done already, so a failure is a FaceletWarning.
        """
