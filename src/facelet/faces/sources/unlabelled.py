"""Faces without labels or identities, for distillation.

>>> faces = load("faces:utkface.zip")
>>> faces.classes, faces.labels.max(), faces.identities
((), -1, None)

The only thing that can be measured with them is the agreement of two models.
"""

from __future__ import annotations

import numpy as np

from facelet.errors import FaceletError
from facelet.faces.faceset import SPLITS, FaceSet
from facelet.faces.loading import SOURCES
from facelet.faces.reading.archive import open_archive
from facelet.faces.reading.images import read_images
from facelet.faces.sources.listing import common_top, ignored_files
from facelet.faces.splits import hash_order


@SOURCES.register("faces")
def unlabelled(
    path: str,
    *,
    size: int | None = None,
    channels: int | None = None,
    val: float = 0.0,
    unreadable: str = "refuse",
    licence: str = "unknown",
) -> FaceSet:
    """All images of a folder or a zip, at any depth, without labels; they must be cropped faces.

    Args:
        path: folder or zip.
        size: side in pixels; None takes the median side of a sample.
        channels: 1 grey, 3 RGB; None takes grey if all images of a sample are grey.
        val: share of the faces in validation, chosen by their names' hashes; the others are train.
        unreadable: "refuse", or "skip" unreadable files.
        licence: licence of the faces, copied to model files.

    Raises FaceletError when there are no images.
    """
    if not 0 <= val < 1:
        raise FaceletError(f"share val={val} should be at least 0 and less than 1")
    with open_archive(path) as archive:
        files = archive.images
        if not files:
            raise FaceletError(f"{archive.path} holds no images; expected .jpg, .png or other images of faces")
        top = common_top(files, below=1)
        names = np.array([file[len(top) :] for file in files], dtype=str)
        splits = np.zeros(len(files), np.int8)
        splits[hash_order(names.tolist())[: round(val * len(files))]] = SPLITS.index("val")
        order = np.argsort(splits, kind="stable")
        images, whole, skipped = read_images(
            archive,
            [files[row] for row in order],
            size=size,
            channels=channels,
            unreadable=unreadable,
            shown=names[order].tolist(),
        )
        ignored = ignored_files(archive)
    rows = order[whole]
    return FaceSet(
        images=images,
        labels=np.full(len(rows), -1, np.int64),
        splits=splits[rows],
        names=names[rows],
        classes=(),
        source="faces",
        rule=f"split by name, val {val:g}" if val else "",
        notes=ignored + skipped,
        licence=licence,
    )
