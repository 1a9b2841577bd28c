"""A contact sheet of translated faces: what they were made from above, what came out below.

>>> save_translations(train, made, "sadness.png")
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facelet.faces.faceset import FaceSet
from facelet.faces.inspect.contact_sheet import CELL, GAP, PAPER, enlarged, write_png
from facelet.io import pixels

COLUMNS = 12


def translation_sheet(train: FaceSet, made: FaceSet) -> NDArray[np.uint8]:
    """RGB of two rows. ``made``: synthetic faces whose names end in those of their sources, see ``learn.balance``."""
    row_of = {name: row for row, name in enumerate(train.names.tolist())}
    sheet: NDArray[np.uint8] = np.full((2 * CELL + GAP, COLUMNS * (CELL + GAP) - GAP, 3), PAPER, np.uint8)
    for column, name in enumerate(made.names.tolist()[:COLUMNS]):
        face, label = made.images[column], made.classes[made.labels[column]]
        source = train.images[row_of[name.removeprefix(f"synthetic/{label}/")]]
        x = column * (CELL + GAP)
        for y, image in ((0, source), (CELL + GAP, face)):
            sheet[y : y + CELL, x : x + CELL] = pixels.to_channels(enlarged(np.asarray(image)), 3)
    return sheet


def save_translations(train: FaceSet, made: FaceSet, path: str | Path) -> None:
    """Writes ``translation_sheet`` as a PNG."""
    write_png(translation_sheet(train, made), path)
