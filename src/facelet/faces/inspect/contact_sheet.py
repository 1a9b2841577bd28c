"""A contact sheet: an image with faces of every class, for a visual check of a set.

>>> save_sheet(faces, "faces.png")

The faces are chosen by the hashes of their names, so the sheet is a pseudo-random sample.

``save_translations`` shows translated faces: the originals above, the results below.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from facelet.errors import FaceletError
from facelet.faces.faceset import FaceSet
from facelet.faces.splits import hash_order
from facelet.io import pixels
from facelet.io.files import writing

CELL, GAP, MARGIN = 72, 4, 24
MAX_ROWS = 40
PAPER, INK, FAINT = (255, 255, 255), (32, 33, 36), (128, 134, 139)
FINE = 3
FONT = cv2.FONT_HERSHEY_SIMPLEX


def contact_sheet(faces: FaceSet, columns: int = 14) -> NDArray[np.uint8]:
    """RGB image (H, W, 3) with a row of up to ``columns`` faces for each class, and its name and count; at most 40 rows.

    Faces without classes have a row for each person, or a single row without identities. Raises FaceletError when there are no
    labelled faces.
    """
    labels, classes = _rows(faces)
    totals = np.bincount(labels[labels >= 0], minlength=len(classes))
    shown = [label for label in range(len(classes)) if totals[label]][:MAX_ROWS]
    if not shown:
        raise FaceletError(f"{faces.source} has no labelled faces to show")
    texts = [(classes[label], f"{totals[label]:,}") for label in shown]
    left = MARGIN + max(max(_width(name, 0.52), _width(count, 0.42)) for name, count in texts) + 20
    title = f"{faces.source}{f' ({faces.rule})' if faces.rule else ''}"
    detail = f"{len(faces):,} faces, {faces.size} px, {'grey' if faces.channels == 1 else 'RGB'}"
    top = MARGIN + 46
    wide = left + columns * (CELL + GAP) - GAP
    width = max(wide, MARGIN + max(_width(title, 0.7), _width(detail, 0.45))) + MARGIN
    height = top + len(shown) * (CELL + GAP) - GAP + MARGIN
    sheet: NDArray[np.uint8] = np.full((height * FINE, width * FINE, 3), PAPER, np.uint8)
    _write(sheet, title, MARGIN, MARGIN + 14, 0.7, INK, 2)
    _write(sheet, detail, MARGIN, MARGIN + 34, 0.45, FAINT, 1)
    for row, (name, count) in enumerate(texts):
        middle = top + row * (CELL + GAP) + CELL // 2
        _write(sheet, name, MARGIN, middle - 3, 0.52, INK, 1)
        _write(sheet, count, MARGIN, middle + 16, 0.42, FAINT, 1)
    sheet = _shrunk(sheet, width, height)
    for row, label in enumerate(shown):
        members = np.flatnonzero(labels == label)
        chosen = members[hash_order(faces.names[members].tolist())[:columns]]
        for column, face in enumerate(chosen):
            x, y = left + column * (CELL + GAP), top + row * (CELL + GAP)
            sheet[y : y + CELL, x : x + CELL] = pixels.to_channels(enlarged(faces.images[face]), 3)
    return sheet


def _rows(faces: FaceSet) -> tuple[NDArray[np.int64], Sequence[str]]:
    """Row (N,) of each face, -1 for none, and the titles of the rows."""
    if faces.classes:
        return faces.labels, faces.classes
    if faces.identities is None:
        return np.zeros(len(faces), np.int64), ("all",)
    people, row = np.unique(faces.identities, return_inverse=True)
    return np.where(faces.identities < 0, -1, row), [f"person {number}" for number in people]


def save_sheet(faces: FaceSet, path: str | Path) -> None:
    """Writes the contact sheet as a PNG. Raises FaceletError when there are no labelled faces or the file cannot be written."""
    write_png(contact_sheet(faces), path)


def write_png(image: NDArray[np.uint8], path: str | Path) -> None:
    """Writes RGB (H, W, 3) as a PNG, atomically. Raises FaceletError when the file cannot be written."""
    encoded, data = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    if not encoded:
        raise FaceletError(f"cannot write {path}: OpenCV cannot encode PNG")
    with writing(path) as beside:
        beside.write_bytes(data.tobytes())


def _shrunk(sheet: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    return cv2.resize(sheet, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def enlarged(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A face at CELL px. Small faces are enlarged by cubic interpolation, which looks better than the nets' bilinear one."""
    if max(image.shape[:2]) >= CELL:
        return pixels.resize(image, CELL)
    large = cv2.resize(image, (CELL, CELL), interpolation=cv2.INTER_CUBIC).reshape(CELL, CELL, -1)
    return large.astype(np.uint8, copy=False)


def _width(text: str, scale: float) -> int:
    return int(cv2.getTextSize(_plain(text), FONT, scale, 1)[0][0])


def _write(
    sheet: NDArray[np.uint8], text: str, x: int, y: int, scale: float, colour: tuple[int, int, int], weight: int
) -> None:
    """Draws text FINE times larger, so that shrinking the sheet smooths the strokes of OpenCV's font."""
    thickness = weight * FINE // 2 + 1
    cv2.putText(sheet, _plain(text), (x * FINE, y * FINE), FONT, scale * FINE, colour, thickness, cv2.LINE_AA)


def _plain(text: str) -> str:
    """Text for OpenCV's font: ASCII only, at most 40 characters."""
    short = text if len(text) <= 40 else text[:37] + "..."
    return short.encode("ascii", "replace").decode()


COLUMNS = 12


def translation_sheet(train: FaceSet, synthetic: FaceSet) -> NDArray[np.uint8]:
    """RGB image with two rows: originals and ``synthetic`` faces, whose names contain those of the originals (learn.balance)."""
    row_of = {name: row for row, name in enumerate(train.names.tolist())}
    sheet: NDArray[np.uint8] = np.full((2 * CELL + GAP, COLUMNS * (CELL + GAP) - GAP, 3), PAPER, np.uint8)
    for column, name in enumerate(synthetic.names.tolist()[:COLUMNS]):
        face, label = synthetic.images[column], synthetic.classes[synthetic.labels[column]]
        source = train.images[row_of[name.removeprefix(f"synthetic/{label}/")]]
        x = column * (CELL + GAP)
        for y, image in ((0, source), (CELL + GAP, face)):
            sheet[y : y + CELL, x : x + CELL] = pixels.to_channels(enlarged(np.asarray(image)), 3)
    return sheet


def save_translations(train: FaceSet, synthetic: FaceSet, path: str | Path) -> None:
    """Writes ``translation_sheet`` as a PNG."""
    write_png(translation_sheet(train, synthetic), path)
