"""A photo of toy faces, for a demo where there is no photo: several cartoons in one picture, large enough for the detector.

>>> toy_photo(seed=3).shape
(480, 1200, 3)

    python -m facelet.faces.toy_photo photo.png

YuNet, which was trained on people, finds these faces; that says something for its robustness and nothing for theirs.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from facelet.errors import FaceletError
from facelet.faces.toy import toy as draw_toys
from facelet.files import writing

COLUMNS, ROWS, SIDE, GAP = 4, 2, 280, 12
PAPER = (244, 240, 232)


def toy_photo(seed: int = 0) -> NDArray[np.uint8]:
    """RGB uint8: a board of portraits of eight people, none of whom a set of toy faces with another seed has met."""
    toys = draw_toys("", size=SIDE, channels=3, faces=96, seed=10_000 + seed, noise=0.3)
    _, first = np.unique(toys.labels, return_index=True)
    chosen = [*first, *np.setdiff1d(np.arange(len(toys)), first)][: COLUMNS * ROWS]
    photo = np.full((ROWS * (SIDE + GAP) + GAP, COLUMNS * (SIDE + GAP) + GAP, 3), PAPER, np.uint8)
    for place, number in enumerate(chosen):
        row, column = divmod(place, COLUMNS)
        top, left = GAP + row * (SIDE + GAP), GAP + column * (SIDE + GAP)
        photo[top : top + SIDE, left : left + SIDE] = toys.images[number]
    return photo


def save(path: str | Path, seed: int = 0) -> None:
    """Writes ``toy_photo`` as PNG."""
    done, data = cv2.imencode(".png", toy_photo(seed)[..., ::-1])
    if not done:
        raise FaceletError(f"cannot write {path}: OpenCV refuses to encode PNG")
    with writing(path) as beside:
        beside.write_bytes(data.tobytes())


if __name__ == "__main__":
    save(sys.argv[1])
