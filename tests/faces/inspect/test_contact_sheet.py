from __future__ import annotations

import cv2
import numpy as np
import pytest

from facelet.errors import FaceletError
from facelet.faces import load
from facelet.faces.inspect.contact_sheet import (
    CELL,
    COLUMNS,
    GAP,
    MARGIN,
    contact_sheet,
    save_sheet,
    save_translations,
    translation_sheet,
)
from facelet.faces.synthetic import synthetic_faces


@pytest.mark.parametrize(("channels", "size"), [(1, 24), (3, 100)])
def test_a_row_for_each_class(face_set, channels, size):
    faces = face_set(channels=channels, size=size)
    sheet = contact_sheet(faces, columns=5)
    assert sheet.dtype == np.uint8
    assert sheet.shape[0] >= 3 * (CELL + GAP)
    wider = contact_sheet(faces, columns=6)
    assert wider.shape[1] == sheet.shape[1] + CELL + GAP


def test_shows_the_faces_themselves(face_set):
    faces = face_set(size=CELL)
    sheet = contact_sheet(faces, columns=20)
    right, bottom = sheet.shape[1] - MARGIN, sheet.shape[0] - MARGIN
    corners = [
        (bottom - row * (CELL + GAP) - CELL, right - column * (CELL + GAP) - CELL)
        for row in range(3)
        for column in range(20)
    ]
    cells = {sheet[y : y + CELL, x : x + CELL, 0].tobytes() for y, x in corners}
    assert all(image.tobytes() in cells for image in faces.images)


def test_writes_a_png(face_set, tmp_path):
    save_sheet(face_set(), tmp_path / "sheet.png")
    assert np.array_equal(cv2.imread(str(tmp_path / "sheet.png"))[..., ::-1], contact_sheet(face_set()))


def test_nothing_to_show(face_set):
    faces = face_set()
    faces.labels[:] = -1
    with pytest.raises(FaceletError, match="no labelled faces"):
        contact_sheet(faces)


def test_each_face_stands_below_its_source(tmp_path):
    train = load("toy?faces=60", size=16).labelled("train")
    train.classes = (*train.classes[:3], "sad/ness", *train.classes[4:])
    sources = [train.names[5], train.names[2]]
    made = synthetic_faces(np.full((2, 16, 16, 1), 9, np.uint8), np.array([3, 3]), sources, like=train, rule="")
    sheet = translation_sheet(train, made)
    assert sheet.shape == (2 * CELL + GAP, COLUMNS * (CELL + GAP) - GAP, 3)
    large = cv2.resize(train.images[2], (CELL, CELL), interpolation=cv2.INTER_CUBIC)
    assert np.array_equal(sheet[:CELL, CELL + GAP : 2 * CELL + GAP, 0], large)
    assert (sheet[CELL + GAP :, :CELL] == 9).all()
    assert (sheet[:, 2 * (CELL + GAP) :] == 255).all()
    save_translations(train, made, tmp_path / "sheet.png")
    assert np.array_equal(cv2.imread(str(tmp_path / "sheet.png"))[..., ::-1], sheet)
