"""Pairs drawn among people with a folder each, to measure identity models on people outside their training set.

>>> pairs = load_pairs("drawn:people.zip?split=val&pairs=30000")
>>> pairs = load_pairs("drawn:people.zip?people=c")   # those whose folders' names begin with c

The people and their splits are those of the source ``identities``. Faces of one person come from one source and share more than the
person, and the folds do not keep people apart, so figures on drawn pairs are optimistic: use them to compare models.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from facelet.errors import FaceletError, unknown
from facelet.faces.faceset import SPLITS, FaceSet
from facelet.faces.loading import PAIRS
from facelet.faces.pairset import FOLDS, PairSet, draw_pairs
from facelet.faces.reading.archive import open_archive
from facelet.faces.sources.identities import listed

MOST = 10_000_000
"""Largest number of pairs."""


@PAIRS.register("drawn")
def drawn(
    path: str,
    *,
    size: int | None = None,
    channels: int | None = None,
    pairs: int = 30_000,
    split: str = "val",
    people: str = "",
    val: float = 0.1,
    seed: int = 0,
    unreadable: str = "refuse",
) -> PairSet:
    """Pairs of faces ``PERSON/image``, half of them of one person, fewer where the people have fewer.

    Args:
        path: folder or zip.
        size: side in pixels; None takes the median side of a sample.
        channels: 1 grey, 3 RGB; None takes grey if all images of a sample are grey.
        pairs: number of pairs.
        split: "val" or "train": people that a model trained on this source has not seen, or has.
        people: only people whose folders' names begin with this text; all pairs are among them.
        val: as the training's, share of the people in validation.
        seed: of the drawing.
        unreadable: "refuse", or "skip" unreadable files.

    Raises FaceletError for a layout as ``identities``, and for fewer than ten pairs of either kind.
    """
    if split not in ("val", "train"):
        raise unknown("split of face source 'drawn'", split, ("val", "train"))
    if not 2 * FOLDS <= pairs <= MOST:
        raise FaceletError(f"option pairs={pairs} of face source 'drawn' should be {2 * FOLDS} to {MOST:,}")
    if seed < 0:
        raise FaceletError(f"option seed={seed} of face source 'drawn' should be 0 or more")
    with open_archive(path) as archive:
        faces = listed(archive, val)
        wanted = (faces.splits == SPLITS.index(split)) & np.char.startswith(faces.names, people)
        rows = np.flatnonzero(wanted)
        if not len(rows):
            raise FaceletError(
                f"{archive.path} has no person of {split} whose folder's name begins with {people!r}; "
                f"the first is {faces.names[0].split('/')[0]!r}"
            )
        images, whole, skipped = faces.read(rows, size=size, channels=channels, unreadable=unreadable)
    rows = rows[whole]
    person = faces.person[rows].astype(np.int64)
    chosen = FaceSet(
        images=images,
        labels=np.full(len(rows), -1, np.int64),
        splits=np.full(len(rows), 2, np.int8),
        names=faces.names[rows],
        classes=(),
        source="drawn",
        identities=person,
        notes=skipped,
    )
    among = f"{len(np.unique(person)):,} people of {split}" + (f" ({people}...)" if people else "")
    found = draw_pairs(chosen, pairs // 2, seed)
    return replace(found, source="drawn", rule=f"{among}, {found.rule}")
