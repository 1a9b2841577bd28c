"""Faces of which nothing is known: material for a student that learns from what its teacher sees.

>>> faces = load("faces:utkface.zip")
>>> faces.classes, faces.labels.max(), faces.sources.identities
((), -1, None)

Nothing can be measured with them but how near two models' answers are.
"""

from __future__ import annotations

import numpy as np

from facelet.errors import FaceletError
from facelet.faces.faceset import SPLITS, FaceSet
from facelet.faces.loading import SOURCES
from facelet.faces.reading.archive import open_archive
from facelet.faces.reading.images import read_images
from facelet.faces.sources.listing import common_top
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
    """All images of a folder or a zip, however deep they lie, without labels. Ready crops, all alike.

    Args:
        size, channels: None takes the median side of a sample and grey if all of it is grey.
        val: share of the faces, by their names' hashes, that is validation; the others are train.
        unreadable: "refuse", or "skip" files that are no whole image.
        licence: of the faces, carried into model files.

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
    rows = order[whole]
    return FaceSet(
        images=images,
        labels=np.full(len(rows), -1, np.int64),
        splits=splits[rows],
        names=names[rows],
        classes=(),
        source="faces",
        rule=f"split by name, val {val:g}" if val else "",
        notes=skipped,
        licence=licence,
    )
