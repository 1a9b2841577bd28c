"""Faces by person, one folder each, for training recognition.

>>> faces = load("identities:celeba_ids.zip?val=0.1")
>>> faces.classes, faces.labels.max(), len(np.unique(faces.identities))
((), -1, 295)

Each person is in one split, so validation uses people outside the training set, as in practice. The person of a face is in
``identities``; labels are -1. Two folders of the same person count as two people.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facelet.errors import FaceletError
from facelet.faces.faceset import FaceSet
from facelet.faces.loading import SOURCES
from facelet.faces.reading.archive import Archive, open_archive
from facelet.faces.reading.images import read_images
from facelet.faces.sources.listing import common_top, ignored_files
from facelet.faces.splits import ALIASES, split_people


@dataclass(frozen=True, eq=False)
class People:
    """The faces of an archive, before they are read.

    Attributes:
        archive: the open archive.
        files: its images (N,). names: the same without the folders above the people's.
        person: int64 (N,), number of the person, in the order of the folders' names.
        splits: int8 (N,), index into SPLITS.
    """

    archive: Archive
    files: tuple[str, ...]
    names: NDArray[np.str_]
    person: NDArray[np.int64]
    splits: NDArray[np.int8]

    def read(
        self, rows: NDArray[np.int64], *, size: int | None, channels: int | None, unreadable: str
    ) -> tuple[NDArray[np.uint8], NDArray[np.bool_], tuple[str, ...]]:
        """Reads some faces; returns images, which of the ``rows`` were readable, and notes."""
        return read_images(
            self.archive,
            [self.files[row] for row in rows],
            size=size,
            channels=channels,
            unreadable=unreadable,
            shown=self.names[rows].tolist(),
        )


def listed(archive: Archive, val: float) -> People:
    """Lists the faces of an archive ``PERSON/image`` with their splits. Raises FaceletError as ``identities``."""
    files = archive.images
    top = common_top(files)
    names = np.array([file[len(top) :] for file in files], dtype=str)
    _require_layout(archive, top, names.tolist())
    people, person = np.unique([name.split("/")[0] for name in names.tolist()], return_inverse=True)
    try:
        splits = split_people(people.tolist(), person, val=val)
    except FaceletError as error:
        raise FaceletError(f"{archive.path}: {error}") from None
    return People(archive, files, names, person, splits)


@SOURCES.register("identities")
def identities(
    path: str,
    *,
    size: int | None = None,
    channels: int | None = None,
    val: float = 0.1,
    unreadable: str = "refuse",
    licence: str = "unknown",
) -> FaceSet:
    """Faces by person: ``PERSON/image``, possibly inside further folders, as a folder or a zip of cropped faces.

    Args:
        path: folder or zip.
        size: side in pixels; None takes the median side of a sample.
        channels: 1 grey, 3 RGB; None takes grey if all images of a sample are grey.
        val: share of the people (not of the faces) in validation; the others are train. There is no test split.
        unreadable: "refuse", or "skip" unreadable files.
        licence: licence of the faces, copied to model files.

    Identities are numbered in the order of the folders' names. Raises FaceletError for images outside a person's folder or in
    subfolders of it, and for fewer than two people in a split.
    """
    with open_archive(path) as archive:
        people = listed(archive, val)
        order = np.argsort(people.splits, kind="stable")
        images, whole, skipped = people.read(order, size=size, channels=channels, unreadable=unreadable)
        ignored = ignored_files(archive)
    rows = order[whole]
    person = people.person[rows].astype(np.int64)
    alone = int((np.bincount(person) == 1).sum())
    return FaceSet(
        images=images,
        labels=np.full(len(rows), -1, np.int64),
        splits=people.splits[rows],
        names=people.names[rows],
        classes=(),
        source="identities",
        identities=person,
        groups=person,
        rule=f"{int(people.person.max()) + 1:,} people, each in one split, val {val:g} of them",
        notes=((f"{alone:,} people have a single face",) if alone else ()) + ignored + skipped,
        licence=licence,
    )


def _require_layout(archive: Archive, top: str, names: list[str]) -> None:
    if not names:
        raise FaceletError(f"{archive.path} holds no images; expected a folder for each person with images in it")
    wrong = [name for name in names if name.count("/") != 1]
    if not wrong:
        return
    where = "in no person's folder" if "/" not in wrong[0] else "deeper than PERSON/image"
    splits = {name.split("/")[0].lower() for name in wrong} <= set(ALIASES)
    hint = "; give one of the split folders, since this source splits people itself" if splits else ""
    raise FaceletError(
        f"{archive.path}: {len(wrong):,} images are {where} ({', '.join(top + name for name in wrong[:3])}){hint}"
    )
