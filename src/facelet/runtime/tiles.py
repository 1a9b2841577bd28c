"""Which parts of a large photo the detector looks at, and at which scale; and what it saw twice.

>>> scales(640 / 4000)                         # of a photo of 4000 x 3000 pixels, seen whole at 640
[0.5]
>>> len(tiles(3000, 4000, 0.5))                # 4 x 3 tiles of up to 640 x 640 pixels at that scale
12

A photo seen whole at 640 pixels shows faces from about a sixtieth of its long side. Smaller ones are looked for at finer scales,
down to 20 pixels of the photo, in tiles that overlap: memory is that of one tile, whatever the photo's size.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FINEST = 0.5
"""At this scale a face of 20 pixels has 10, the smallest that YuNet was trained on."""
ENOUGH = 0.4
"""A photo seen whole at this scale or above needs no finer one: a face of 20 pixels has 8, most of which are found."""
TILE = 640
"""Side of a tile in pixels of its scale."""
OVERLAP = 96
"""Overlap of neighbouring tiles in pixels of their scale, and the largest face looked for in tiles."""
SAME = 0.3
"""Intersection over union above which two boxes are one face, as in the detector's own suppression."""
INSIDE = 0.7
"""Share of the smaller box inside the other above which they are one face: a part of a face at a finer scale."""
MOST = 5000
"""Maximum number of faces of a photo."""


@dataclass(frozen=True)
class Tile:
    """A rectangle of the photo, in whole pixels, and its core: each point of the photo is in the core of one tile.

    Attributes:
        left: first column.
        top: first row.
        width: number of columns.
        height: number of rows.
        core: left, top, right, bottom of the core; infinite where the photo ends, since a box may reach beyond it.
    """

    left: int
    top: int
    width: int
    height: int
    core: tuple[float, float, float, float]


def scales(whole: float) -> list[float]:
    """Scales at which a photo is looked at in tiles, finest first; none if it is seen ``whole`` at a fine scale already.

    Each is twice as fine as the next, and the last at most four times as ``whole``: a face that is too large for the tiles of one
    scale is large enough for the next.
    """
    if whole >= ENOUGH:
        return []
    finer = [FINEST]
    while finer[-1] / 2 >= 2 * whole:
        finer.append(finer[-1] / 2)
    return finer


def tiles(height: int, width: int, scale: float) -> list[Tile]:
    """Tiles of equal size that cover a photo, row by row."""
    rows, columns = _spans(height, scale), _spans(width, scale)
    return [
        Tile(x, y, across, down, (before, above, after, below))
        for y, down, above, below in rows
        for x, across, before, after in columns
    ]


def _spans(length: int, scale: float) -> list[tuple[int, int, float, float]]:
    """(start, length, start of the core, end of the core) of the tiles along an axis."""
    longest, overlap = round(TILE / scale), OVERLAP / scale
    if length <= longest:
        return [(0, length, -math.inf, math.inf)]
    count = math.ceil((length - overlap) / (longest - overlap))
    span = min(length, math.ceil((length + (count - 1) * overlap) / count))
    starts = [round(number * (length - span) / (count - 1)) for number in range(count)]
    borders = [(after + before + span) / 2 for before, after in itertools.pairwise(starts)]
    edges = [-math.inf, *borders, math.inf]
    return [(start, span, edges[number], edges[number + 1]) for number, start in enumerate(starts)]


def own(tile: Tile, rows: NDArray[np.float32], scale: float) -> NDArray[np.float32]:
    """The rows (in photo pixels, ``network.Rows``) that belong to a tile: centred in its core, and small enough to be whole."""
    x, y = rows[:, 0] + rows[:, 2] / 2, rows[:, 1] + rows[:, 3] / 2
    left, top, right, bottom = tile.core
    inside = (x >= left) & (x < right) & (y >= top) & (y < bottom)
    return rows[inside & (rows[:, 2:4].max(axis=1, initial=0) <= OVERLAP / scale)]


def distinct(boxes: NDArray[np.floating], scores: NDArray[np.floating]) -> NDArray[np.intp]:
    """Positions, best score first, of faces (boxes (N, 4), scores (N,)) without those that several looks at a photo saw twice."""
    order = np.argsort(-scores, kind="stable")[:MOST]
    boxes = boxes[order]
    alone = np.ones(len(order), bool)
    for number, box in enumerate(boxes):
        if alone[number]:
            alone[number + 1 :] &= ~_same(boxes[number + 1 :], box)
    return order[alone]


def _same(boxes: NDArray[np.floating], box: NDArray[np.floating]) -> NDArray[np.bool_]:
    ends, end = boxes[:, :2] + boxes[:, 2:], box[:2] + box[2:]
    shared = np.clip(np.minimum(ends, end) - np.maximum(boxes[:, :2], box[:2]), 0, None).prod(axis=1)
    areas, area = boxes[:, 2:].prod(axis=1), box[2:].prod()
    return (shared > SAME * (areas + area - shared)) | (shared > INSIDE * np.minimum(areas, area))
